"""Running means over the frames of a video."""

import numpy as np
import pytest

from ddfa.occlusion.temporal import TemporalState


def test_the_mean_converges() -> None:
    memory = TemporalState()
    values = [memory("x", np.full(2, value, np.float32), 0.25)[0] for value in (4, 0, 0)]
    assert values == pytest.approx([4, 3, 2.25])
    assert memory.last("x")[0] == pytest.approx(2.25)


def test_masks_rise_faster_than_they_fall_and_may_change_size() -> None:
    memory = TemporalState()
    memory.mask("m", np.zeros((4, 6), np.float32), 0.3)
    risen = memory.mask("m", np.ones((8, 9), np.float32), 0.3)
    fallen = memory.mask("m", np.zeros((8, 9), np.float32), 0.3)
    assert risen.shape == (8, 9) and np.allclose(risen, 0.9) and np.allclose(fallen, 0.63)


def test_slow_quantities_are_due_periodically() -> None:
    memory = TemporalState()
    assert [memory.due("x", 3) for _ in range(7)] == [True, False, False, True, False, False, True]
