from dataclasses import replace

import numpy as np
import pytest

from ddfa.data.pseudo_labels.fit import fit
from ddfa.data.pseudo_labels.mesh_constraints import mesh_constraints, yaw_degrees
from ddfa.data.pseudo_labels.mesh_points import DIFFERENCES, OBSERVED_POINTS
from ddfa.data.pseudo_labels.mesh_teacher import MeshView
from ddfa.data.pseudo_labels.observed_fit import fit_observations
from ddfa.data.pseudo_labels.teacher_map import teacher_map
from ddfa.geometry.pose import matrix_from_euler

FLIP_Y = np.diag([1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def mapping(head):
    return teacher_map(head, head, vertices=300)


def pose(yaw=0.0):
    return np.column_stack([2 * FLIP_Y @ matrix_from_euler(np.array([yaw, 0.0, 0.0])), [200, 220, 0]])


def see(head, expression, view):
    """A photo of an average person: what an open-eyed teacher and the mesh see of it."""
    identity = np.zeros((1, 80), np.float32)
    blind = expression.copy()
    blind[:, [n for n, name in enumerate(head.expression_names) if name.startswith("eye")]] = 0
    vertices = head.decode(identity, expression)[0]
    points = np.concatenate(
        [head.decode_landmarks(identity, expression)[0]]
        + [vertices[head.regions[f"iris_{side}"]].mean(axis=0)[None] for side in ("right", "left")]
    )
    in_photo = points @ view[:, :3].T + view[:, 3]
    mesh = MeshView(
        in_photo[None, list(OBSERVED_POINTS), :2].astype(np.float32),
        np.zeros((1, 52), np.float32),
        np.ones(1, np.float32),
    )
    return blind, mesh


def observed(head, mapping, expression, view):
    points = mapping.own.decode(np.zeros((1, 80), np.float32), expression)[0]
    return (points @ view[:, :3].T + view[:, 3]).reshape(1, 2, -1, 3).astype(np.float32)


def calibrated(monkeypatch):
    """The head itself serves as mesh here: it needs neither shift nor gain."""
    exact = tuple(replace(row, shift=(0.0, 0.0), gain=1.0) for row in DIFFERENCES)
    monkeypatch.setattr("ddfa.data.pseudo_labels.mesh_constraints.DIFFERENCES", exact)


def aperture(head, found):
    lids = head.decode_landmarks(found.identity, found.expression)[0, :, 1]
    return lids[[37, 38]].mean() - lids[[40, 41]].mean()


@pytest.mark.parametrize("yaw", [0.0, 25.0])
def test_mesh_closes_eyes_that_the_teacher_sees_open(head, mapping, monkeypatch, yaw):
    calibrated(monkeypatch)
    expression = np.zeros((1, 52), np.float32)
    expression[0, [head.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = 1
    view = pose(yaw)
    blind, mesh = see(head, expression, view)
    mesh.scores[:] = expression
    seen = observed(head, mapping, blind, view)
    without, with_mesh = fit_observations(mapping, head, seen), fit_observations(mapping, head, seen, mesh=mesh)
    assert aperture(head, without) > 6
    assert aperture(head, with_mesh) < 2
    assert with_mesh.expression[0, head.expression_names.index("eyeBlinkRight")] > 0.5


def test_mesh_turns_the_eyes(head, mapping, monkeypatch):
    calibrated(monkeypatch)
    expression = np.zeros((1, 52), np.float32)
    names = head.expression_names
    expression[0, [names.index("eyeLookInRight"), names.index("eyeLookOutLeft")]] = 0.8
    blind, mesh = see(head, expression, pose())
    mesh.scores[:] = expression
    mesh.scores[0, names.index("eyeLookOutRight")] = 0.3  # the teacher scores opposite directions, weakly
    found = fit_observations(mapping, head, observed(head, mapping, blind, pose()), mesh=mesh).expression[0]
    assert found[names.index("eyeLookInRight")] == pytest.approx(0.8, abs=0.05)
    assert found[names.index("eyeLookOutRight")] < 0.05


def test_scores_are_the_expression_and_geometry_is_the_identity(head, mapping):
    """Brows that are low in the points and not in the scores are low brows, not a frown."""
    names = head.expression_names
    frown = np.zeros((1, 52), np.float32)
    frown[0, [names.index("browDownLeft"), names.index("browDownRight")]] = 0.6
    _, mesh = see(head, np.zeros((1, 52), np.float32), pose())
    mesh.scores[0, names.index("browDownLeft")] = 0.5
    found = fit_observations(mapping, head, observed(head, mapping, frown, pose()), mesh=mesh)
    assert found.expression[0, names.index("browDownRight")] < 0.05
    assert 0.4 < found.expression[0, names.index("browDownLeft")] < 0.6
    assert np.abs(found.identity).max() > 0.3


@pytest.mark.parametrize("spoil", ["presence", "place", "yaw"])
def test_mesh_that_cannot_be_trusted_is_left_out(head, mapping, spoil):
    view = pose(60.0 if spoil == "yaw" else 0.0)
    neutral = np.zeros((1, 52), np.float32)
    _, mesh = see(head, neutral, view)
    if spoil == "presence":
        mesh.presence[:] = 0.1
    if spoil == "place":
        mesh.points[:] += 60
    seen = observed(head, mapping, neutral, view)
    first = fit_observations(mapping, head, seen)
    assert not mesh_constraints(head, first, mesh, 0.4)[1].any()
    np.testing.assert_array_equal(fit_observations(mapping, head, seen, mesh=mesh).expression, first.expression)


def test_yaw_degrees():
    poses = np.stack([pose(angle) for angle in (-50.0, 0.0, 35.0)])
    np.testing.assert_allclose(np.abs(yaw_degrees(poses)), [50, 0, 35], atol=1e-6)


def test_hints_without_precision_only_move_the_prior(head, mapping):
    neutral = np.zeros((1, 52), np.float32)
    _, mesh = see(head, neutral, pose())
    targets = observed(head, mapping, neutral, pose()).reshape(1, -1, 3)
    first = fit(mapping.own, targets, mapping.weights, head.identity_std)
    hints, _ = mesh_constraints(head, first, mesh, 0.4)
    hints.precision[:] = 0
    hints.expression_std[:] = 0.4
    again = fit(mapping.own, targets, mapping.weights, head.identity_std, hints=hints)
    np.testing.assert_allclose(again.expression, first.expression, atol=1e-4)
