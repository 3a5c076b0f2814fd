import numpy as np
import pytest

from ddfa.data.pseudo_labels.contour_fit import contour_rows, moved_pose, refine
from ddfa.data.pseudo_labels.fit import CoefficientSolver, Fit, FitOptions, curvature
from ddfa.data.pseudo_labels.observed_fit import fit_observations
from ddfa.data.pseudo_labels.occluding_contour import ContourFinder, far_jaw
from ddfa.data.pseudo_labels.teacher_map import teacher_map
from ddfa.geometry.pose import matrix_from_euler
from ddfa.raster.rasterize import rasterize


def pose(yaw):
    linear = 2 * np.diag([1.0, -1, 1]) @ matrix_from_euler(np.array([yaw, 0, 0]))
    return np.column_stack([linear, [200, 220, 0]])


@pytest.fixture(scope="module")
def outline(head):
    return ContourFinder(head)


@pytest.fixture(scope="module")
def wide(head):
    """The identity (80,) nearest to a mean face with a jaw a tenth wider."""
    skin = np.flatnonzero(head.regions["face"])[::5]
    mean = head.mean[skin]
    wished = np.zeros_like(mean)
    wished[:, 0] = 0.1 * mean[:, 0] * np.clip((10 - mean[:, 1]) / 30, 0, 1)
    basis = head.identity_basis[:, skin].reshape(80, -1)
    return np.linalg.solve(basis @ basis.T + np.diag(5.0 / head.identity_std**2), basis @ wished.ravel())


def drawn_edge(head, outline, identity, view, rows):
    """Where the drawn face ends in rows of the picture, on the side that is turned away, px."""
    vertices = outline.points.decode(identity[None], np.zeros((1, 52)))[0] @ view[:, :3].T + view[:, 3]
    mask = rasterize((8 * vertices).astype(np.float32), outline.triangles, 8 * 440, 8 * 400).mask
    lines = [np.flatnonzero(mask[int(8 * row)]) for row in rows]
    return np.array([(line[0] if view[2, 0] > 0 else line[-1]) / 8 for line in lines])


def case(head, outline, identity, yaw):
    """What teachers see of the mean head, and its human points, but with the far jaw of another head."""
    view = pose(yaw)
    mapping = teacher_map(head, head, vertices=200)
    seen = (mapping.own.mean @ view[:, :3].T + view[:, 3]).reshape(1, 2, -1, 3).astype(np.float32)
    human = head.decode_landmarks(np.zeros((1, 80)), np.zeros((1, 52)))[0] @ view[:2, :3].T + view[:2, 3]
    rows = np.linspace(view[1, 3] - 2 * 10, view[1, 3] + 2 * 55, 8)
    human[far_jaw(view)] = np.column_stack([drawn_edge(head, outline, identity, view, rows), rows])
    return mapping, seen, human[None].astype(np.float32)


@pytest.mark.parametrize("yaw", [40, -40])
def test_the_outline_lies_where_the_drawn_face_ends(head, outline, wide, yaw):
    view = pose(yaw)
    found = outline.find(outline.points.decode(wide[None], np.zeros((1, 52)))[0], view)
    rows = np.linspace(view[1, 3] - 20, view[1, 3] + 110, 8)
    edge = np.column_stack([drawn_edge(head, outline, wide, view, rows), rows])
    near = found.nearest(edge)
    assert np.abs(((edge - near.places) * near.normals).sum(axis=1)).max() < 0.6  # px; 0.3 mm
    assert np.linalg.norm(edge - near.places, axis=1).max() < 4


@pytest.mark.parametrize("yaw", [40, -40])
def test_points_on_the_outline_alone_widen_the_cheek(head, outline, wide, yaw):
    mapping, seen, human = case(head, outline, wide, yaw)
    none = human.copy()
    none[:, :17] = case(head, outline, np.zeros(80), yaw)[2][:, :17]
    before, after = (fit_observations(mapping, head, seen, human=points) for points in (none, human))

    def gap(found):
        shape = outline.points.decode(found.identity, found.expression)[0]
        aims = human[0, far_jaw(pose(yaw))]
        near = outline.find(shape, found.pose[0]).nearest(aims)
        return np.abs(((aims - near.places) * near.normals).sum(axis=1)).mean()

    def edges(identity, view):
        rows = np.linspace(view[1, 3] - 20, view[1, 3] + 110, 8)
        return drawn_edge(head, outline, identity, view, rows)

    assert gap(after) < 0.25 * gap(before)
    for other in (25, 55):  # the head is another one, in views that nobody annotated as well
        view = pose(np.sign(yaw) * other)
        was, now = (np.abs(edges(wide, view) - edges(found.identity[0], view)).mean() for found in (before, after))
        assert now < 0.6 * was
    np.testing.assert_array_equal(after.expression, before.expression)
    inner = [
        np.asarray(f.pose[0, :2, :3] @ head.decode_landmarks(f.identity, f.expression)[0, 17:].T)
        for f in (before, after)
    ]
    shift = (after.pose - before.pose)[0, :2, 3:]
    assert np.abs(inner[1] - inner[0] + shift).mean() < 0.6  # px; 0.3 mm


def test_frontal_faces_keep_their_fit(head, outline):
    mapping, seen, human = case(head, outline, np.zeros(80), 5)
    moved = human.copy()
    moved[:, :17] += 8
    one, two = (fit_observations(mapping, head, seen, human=points) for points in (human, moved))
    np.testing.assert_array_equal(one.pose, two.pose)
    np.testing.assert_array_equal(one.identity, two.identity)


def test_an_outlier_moves_the_outline_less_than_its_distance(head, outline):
    view = pose(40)
    first = Fit(
        view[None].astype(np.float32), np.zeros((1, 80), np.float32), np.zeros((1, 52), np.float32), np.zeros(0)
    )
    known = curvature(head.landmark_points, np.ones(68), head.identity_std, FitOptions())
    jaw = np.zeros((1, 17, 2))
    points = outline.find(outline.points.mean, view).places
    jaw[0, far_jaw(view)] = points[np.linspace(0, len(points) - 1, 8).astype(int)]
    jaw[0, 3, 0] -= 2 * 40  # 40 mm out of the face
    found = refine(outline, first, jaw, known)
    assert np.abs(found.pose - first.pose).max() < 0.3
    assert ((found.expression >= 0) & (found.expression <= 1)).all()


def test_rows_are_derivatives(head, outline):
    view, generator = pose(40), np.random.default_rng(0)
    found = outline.find(outline.points.mean, view)
    size = np.linalg.norm(view[0, :3])
    rows = contour_rows(outline, found, outline.points.mean, found.normals @ view[:2, :3] / size)
    step = 1e-3 * generator.normal(size=139)
    shape = outline.points.mean + np.einsum("p,pkc->kc", step[:132], outline.points.bases)
    moved = moved_pose(view, step[132:])
    places = np.einsum("me,mec->mc", found.weights, shape[found.ends]) @ moved[:2, :3].T + moved[:2, 3]
    change = ((places - found.places) * found.normals).sum(axis=1) / size
    np.testing.assert_allclose(rows @ step, change, atol=2e-3)


def test_curvature_without_motions_is_that_of_the_coefficients(head):
    points, weights = head.landmark_points, np.ones(68)
    known = curvature(points, weights, head.identity_std, FitOptions())
    solver = CoefficientSolver(points, weights / 68, head.identity_std, FitOptions(), None)
    joint = np.linalg.inv(known)[:132, :132]
    np.testing.assert_allclose(np.linalg.inv(joint), solver.hessian, rtol=1e-3, atol=1e-2)
