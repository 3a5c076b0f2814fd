import numpy as np

from ddfa.data.pseudo_labels.mesh_points import (
    DIFFERENCES,
    MESH_OF,
    MESH_POINTS,
    OWN_MIRRORED,
    OWN_POINTS,
    SEEN,
    both_views,
    differences_seen,
    own_differences,
    seen_points,
)

MIRROR = np.array([-1.0, 1.0, 1.0])


def mirrored_rows():
    """Which difference each one is in a mirror."""
    found = {(row.plus, frozenset(row.minus)): number for number, row in enumerate(DIFFERENCES)}
    keys = [(row.mirrored().plus, frozenset(row.mirrored().minus)) for row in DIFFERENCES]
    return np.array([found[key] for key in keys])


def test_both_sides_are_observed_alike():
    assert {int(OWN_MIRRORED[point]) for point in SEEN} == set(SEEN)
    rows = mirrored_rows()
    assert sorted(rows) == list(range(len(DIFFERENCES)))
    for row, other in zip(DIFFERENCES, rows, strict=True):
        partner = DIFFERENCES[other]
        assert (row.noise, row.gain, row.shift[1]) == (partner.noise, partner.gain, partner.shift[1])
        assert row.shift[0] == -partner.shift[0]


def test_no_mesh_point_serves_both_sides():
    for point, mesh in MESH_OF.items():
        other = MESH_OF[int(OWN_MIRRORED[point])]
        assert (set(mesh) == set(other)) if OWN_MIRRORED[point] == point else not set(mesh) & set(other)


def test_differences_of_the_head_are_symmetric(head):
    mean = own_differences(head).mean
    np.testing.assert_allclose(mean[mirrored_rows()], mean * MIRROR, atol=1e-2)


def test_head_and_mesh_take_the_same_differences(head):
    own = own_differences(head)
    points = np.zeros((1, OWN_POINTS, 2))
    points[0, :68] = head.landmark_points.mean[:, :2]
    points[0, 68:] = [head.mean[head.regions[f"iris_{side}"]].mean(axis=0)[:2] for side in ("right", "left")]
    np.testing.assert_allclose(differences_seen(points[:, list(SEEN)])[0], own.mean[:, :2], atol=1e-3)


def test_differences_do_not_change_with_place():
    mesh = np.random.default_rng(0).normal(0, 50, (2, MESH_POINTS, 2))
    here, there = (differences_seen(seen_points(mesh + shift)) for shift in (0, [30.0, -12.0]))
    np.testing.assert_allclose(here, there, atol=1e-9)


def test_mirror_images_cancel_what_is_off_to_one_side():
    mesh = np.zeros((1, MESH_POINTS, 2))
    mesh[0, 33], mesh[0, 263] = [-30, 0], [30, 0]  # outer corners of the right and the left eye
    off = np.array([1.0, 0.0])
    plain = seen_points(mesh + off)
    mirrored = seen_points((mesh + off) * [-1, 1])  # the mirror image is off the same way; mapped back, the other way
    both = both_views(plain, mirrored)[0]
    np.testing.assert_allclose(both[[SEEN.index(36), SEEN.index(45)]], [[-30, 0], [30, 0]])
