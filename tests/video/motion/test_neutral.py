import numpy as np
from hypothesis import given

from ddfa.video.motion.neutral import NeutralPose, at_first_position

from .motions import motion, motions


@given(motions())
def test_a_motion_relative_to_itself_is_neutral(moved) -> None:
    relative = NeutralPose.of([moved]).relative(moved)
    np.testing.assert_allclose(relative.rotation, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(relative.position, 0, atol=1e-12)
    assert not relative.weights.any()


def test_axes_are_those_of_the_head_at_rest() -> None:
    """Somebody who is seen from the side and nods, nods; moving along the nose is moving forward."""
    rest = motion(turn=50)
    ahead = rest.rotation @ [0, 0, 0.1]
    moved = NeutralPose.of([rest] * 3).relative(motion(turn=50, nod=20, position=tuple(ahead)))
    np.testing.assert_allclose(moved.head_deg, [0, 20, 0], atol=1e-6)
    np.testing.assert_allclose(moved.position, [0, 0, 0.1], atol=1e-9)


def test_weights_are_stretched() -> None:
    rest = [motion(browInnerUp=0.2), motion(browInnerUp=0.2, eyeBlinkLeft=1), motion(browInnerUp=0.2)]
    neutral = NeutralPose.of(rest)
    assert neutral.relative(motion(browInnerUp=1.0)).weight("browInnerUp") == 1
    assert abs(neutral.relative(motion(browInnerUp=0.6)).weight("browInnerUp") - 0.5) < 1e-6
    assert neutral.relative(motion(browInnerUp=0.1)).weight("browInnerUp") == 0
    assert neutral.relative(motion(eyeBlinkLeft=0.5)).weight("eyeBlinkLeft") == 0.5  # the blink does not count


@given(motions())
def test_without_calibration_only_the_position_is_relative(moved) -> None:
    relative = at_first_position(motion(position=(0.1, 0.2, 0.3))).relative(moved)
    np.testing.assert_allclose(relative.rotation, moved.rotation)
    np.testing.assert_allclose(relative.weights, moved.weights)
    np.testing.assert_allclose(relative.position, moved.position - (0.1, 0.2, 0.3))
