import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ddfa.data.pseudo_labels.mesh_scores import exclusive_gaze, expression_targets, seen_units
from ddfa.head.open import load_open_head

NAMES = load_open_head().expression_names
BLINK, PUCKER, PUFF, TONGUE = (NAMES.index(name) for name in ("eyeBlinkLeft", "mouthPucker", "cheekPuff", "tongueOut"))
SCORES = arrays(np.float32, (3, 52), elements=st.floats(0, 1, width=32))


@given(SCORES)
def test_opposite_gaze_units_are_never_both_large(scores):
    result = exclusive_gaze(NAMES, scores)
    targets, _ = expression_targets(NAMES, scores, 0.4)
    for side in ("Left", "Right"):
        for pair in (("eyeLookIn", "eyeLookOut"), ("eyeLookUp", "eyeLookDown")):
            both = [NAMES.index(name + side) for name in pair]
            assert (result[:, both].min(axis=1) <= 0.05 + 1e-6).all()
            np.testing.assert_array_equal(result[:, both].max(axis=1), scores[:, both].max(axis=1))
            assert (targets[:, both].min(axis=1) <= 1e-6).all()


@given(SCORES)
def test_targets_are_coefficients_and_each_side_has_its_own(scores):
    targets, deviation = expression_targets(NAMES, scores, 0.4)
    assert ((targets >= 0) & (targets <= 1)).all() and (deviation > 0).all()
    mirror = load_open_head().expression_mirror
    mirrored, same = expression_targets(NAMES, scores[:, mirror], 0.4)
    np.testing.assert_allclose(mirrored, targets[:, mirror], atol=1e-6)
    np.testing.assert_array_equal(same, deviation[mirror])


def test_scores_above_their_value_at_rest_are_held():
    scores = np.zeros((2, 52), np.float32)
    scores[0, [BLINK, PUCKER, TONGUE]] = 1
    scores[1, BLINK] = 0.1
    targets, deviation = expression_targets(NAMES, scores, 0.4)
    assert targets[0, BLINK] == pytest.approx(0.99) and targets[1, BLINK] == 0
    assert 0.5 < targets[0, PUCKER] < 0.8  # the pucker of our head is stronger
    assert targets[0, PUFF] == 0 and deviation[PUFF] < 0.05
    assert targets[0, TONGUE] == 0 and deviation[TONGUE] == 0.4  # no score


def test_units_that_no_teacher_sees_have_no_weight():
    """Puffed cheeks, a wrinkled nose and the tongue are not taught by photos."""
    unseen = {name for name, weight in zip(NAMES, seen_units(NAMES), strict=True) if weight == 0}
    assert unseen == {"cheekPuff", "noseSneerLeft", "noseSneerRight", "tongueOut"} & set(NAMES)
