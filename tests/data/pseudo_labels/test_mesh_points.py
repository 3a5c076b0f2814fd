import numpy as np

from ddfa.data.pseudo_labels.mesh_points import (
    DIFFERENCES,
    HEAD_POINTS,
    HEAD_POINTS_MIRRORED,
    MESH_OF,
    MESH_POINTS,
    OBSERVED_POINTS,
    flip_averaged,
    head_differences,
    observed_differences,
    observed_points,
)

MIRROR = np.array([-1.0, 1.0, 1.0])


def mirrored_rows():
    """Which difference each one is in a mirror."""
    found = {(row.plus, frozenset(row.minus)): number for number, row in enumerate(DIFFERENCES)}
    keys = [(row.mirrored().plus, frozenset(row.mirrored().minus)) for row in DIFFERENCES]
    return np.array([found[key] for key in keys])


def test_both_sides_are_observed_alike():
    assert {int(HEAD_POINTS_MIRRORED[point]) for point in OBSERVED_POINTS} == set(OBSERVED_POINTS)
    rows = mirrored_rows()
    assert sorted(rows) == list(range(len(DIFFERENCES)))
    for row, other in zip(DIFFERENCES, rows, strict=True):
        partner = DIFFERENCES[other]
        assert (row.noise, row.gain, row.shift[1]) == (partner.noise, partner.gain, partner.shift[1])
        assert row.shift[0] == -partner.shift[0]


def test_no_mesh_point_serves_both_sides():
    for point, mesh in MESH_OF.items():
        other = MESH_OF[int(HEAD_POINTS_MIRRORED[point])]
        assert (set(mesh) == set(other)) if HEAD_POINTS_MIRRORED[point] == point else not set(mesh) & set(other)


def test_differences_of_the_head_are_symmetric(head):
    mean = head_differences(head).mean
    np.testing.assert_allclose(mean[mirrored_rows()], mean * MIRROR, atol=1e-2)


def test_head_and_mesh_take_the_same_differences(head):
    own = head_differences(head)
    points = np.zeros((1, HEAD_POINTS, 2))
    points[0, :68] = head.landmark_points.mean[:, :2]
    points[0, 68:] = [head.mean[head.regions[f"iris_{side}"]].mean(axis=0)[:2] for side in ("right", "left")]
    np.testing.assert_allclose(observed_differences(points[:, list(OBSERVED_POINTS)])[0], own.mean[:, :2], atol=1e-3)


def test_differences_do_not_change_with_place():
    mesh = np.random.default_rng(0).normal(0, 50, (2, MESH_POINTS, 2))
    here, there = (observed_differences(observed_points(mesh + shift)) for shift in (0, [30.0, -12.0]))
    np.testing.assert_allclose(here, there, atol=1e-9)


def test_mirror_images_cancel_what_is_off_to_one_side():
    mesh = np.zeros((1, MESH_POINTS, 2))
    mesh[0, 33], mesh[0, 263] = [-30, 0], [30, 0]  # outer corners of the right and the left eye
    off = np.array([1.0, 0.0])
    plain = observed_points(mesh + off)
    mirrored = observed_points(
        (mesh + off) * [-1, 1]
    )  # the mirror image is off the same way; mapped back, the other way
    both = flip_averaged(plain, mirrored)[0]
    np.testing.assert_allclose(both[[OBSERVED_POINTS.index(36), OBSERVED_POINTS.index(45)]], [[-30, 0], [30, 0]])
