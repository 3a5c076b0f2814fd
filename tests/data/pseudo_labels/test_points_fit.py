import numpy as np
import pytest

from ddfa.data.pseudo_labels.fit import Fit
from ddfa.data.pseudo_labels.points_fit import disagreement, fit_points
from ddfa.geometry.camera import project
from ddfa.geometry.pose import matrix_from_euler

POSE = np.column_stack([2 * np.diag([1.0, -1, 1]) @ matrix_from_euler(np.array([20.0, 5, 3])), [200, 220, 0]])


@pytest.fixture
def found(head):
    rng = np.random.default_rng(1)
    identity = rng.normal(0, 0.4, (2, 80)).astype(np.float32) * head.identity_std
    expression = np.zeros((2, 52), np.float32)
    expression[:, head.expression_names.index("jawOpen")] = 0.4
    return Fit(np.tile(POSE, (2, 1, 1)).astype(np.float32), identity, expression, np.zeros((2, 10, 3), np.float32))


def landmarks(head, fit):
    return project(head.decode_landmarks(fit.identity, fit.expression), fit.pose)


def test_fits_that_agree_do_not_move(head, found):
    before = landmarks(head, found)
    after = fit_points(head, found, before[:, 17:, :2], 0.35)
    np.testing.assert_allclose(landmarks(head, after), before, atol=0.02)
    np.testing.assert_allclose(after.identity, found.identity, atol=0.02)
    assert disagreement(head, found, before[:, 17:, :2]).max() < 1e-4


def test_inner_points_move_by_the_weight_and_the_jaw_stays(head, found):
    before = landmarks(head, found)
    seen = before[:, 17:, :2].copy()
    seen[:, :10, 1] -= 12  # brows: 6 mm
    after = fit_points(head, found, seen, 0.5)
    moved = (landmarks(head, after) - before)[..., :2]
    assert moved[:, 17:27, 1].mean() == pytest.approx(-6, abs=1.5)
    assert np.abs(moved[:, :17]).mean() < 0.5
    np.testing.assert_array_equal(after.expression, found.expression)
    error = disagreement(head, found, seen)
    assert (disagreement(head, after, seen) < 0.7 * error).all()


def test_a_weight_of_0_changes_nothing(head, found):
    seen = landmarks(head, found)[:, 17:, :2] + 9
    np.testing.assert_allclose(landmarks(head, fit_points(head, found, seen, 0.0)), landmarks(head, found), atol=0.02)


def test_apertures_are_left_to_the_mesh(head, found):
    """Points that see lids closed and lips apart do not change the apertures of the fit."""
    before = landmarks(head, found)
    seen = before[:, 17:, :2].copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        seen[:, [upper - 17, lower - 17]] = seen[:, [upper - 17, lower - 17]].mean(axis=1, keepdims=True)
    seen[:, 65 - 17 : 68 - 17, 1] += 10
    seen[:, 61 - 17 : 64 - 17, 1] -= 10
    after = landmarks(head, fit_points(head, found, seen, 0.5))
    np.testing.assert_allclose(after[..., :2], before[..., :2], atol=0.05)
