"""The z-buffer rasteriser against its reference implementation, and its helpers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfa.raster.rasterize import (
    interpolate,
    rasterize,
    rasterize_batch,
    rasterize_reference,
    rasterize_scene,
    scene_mesh,
    shade,
    vertex_normals,
    vertex_normals_reference,
)


def assert_same(fast, slow):
    """Equal but for rounding: where two triangles meet in depth, its last bit decides between them."""
    np.testing.assert_array_equal(fast.mask, slow.mask)
    np.testing.assert_allclose(fast.depth, slow.depth, rtol=1e-6, atol=1e-6)
    same = fast.triangle == slow.triangle
    assert np.count_nonzero(~same) <= 2
    np.testing.assert_allclose(fast.barycentric[same], slow.barycentric[same], atol=1e-6)


def random_mesh(seed: int, triangles: int, spread: float, integer: bool):
    """Triangles of all sizes around a small image, partly outside it."""
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-spread, 16 + spread, (max(3, triangles), 3)).astype(np.float32)
    if integer:
        vertices = np.round(vertices)
    return vertices, rng.integers(0, len(vertices), (triangles, 3)).astype(np.int32)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    triangles=st.sampled_from([0, 1, 7, 40]),
    spread=st.sampled_from([0.0, 5.0, 60.0]),
    integer=st.booleans(),
    size=st.sampled_from([(1, 1), (13, 17), (20, 8)]),
    cull=st.booleans(),
    threads=st.sampled_from([1, 3]),
)
def test_kernel_equals_its_reference(seed, triangles, spread, integer, size, cull, threads):
    vertices, mesh = random_mesh(seed, triangles, spread, integer)
    fast = rasterize(vertices, mesh, *size, cull=cull, threads=threads)
    slow = rasterize_reference(vertices, mesh, *size, cull=cull)
    assert_same(fast, slow)


def small_triangles(seed, count, side, grain):
    """Triangles of boxes up to about ``side`` px, all over an image of 20 px and a little beyond."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-3, 22, (count, 1, 3)) + rng.uniform(-side / 2, side / 2, (count, 3, 3))
    corners = np.rint(corners * grain) / grain if grain else corners
    return corners.reshape(-1, 3).astype(np.float32), np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    count=st.sampled_from([1, 129, 300]),
    side=st.sampled_from([0.5, 2.0, 5.0, 8.5, 12.0]),
    grain=st.sampled_from([0, 1, 2, 256]),
    cull=st.booleans(),
    threads=st.sampled_from([1, 2]),
)
def test_chunks_of_small_triangles_equal_the_reference(seed, count, side, grain, cull, threads):
    """Whole numbers give many equal depths, where the first triangle must win whatever the order of blocks."""
    vertices, mesh = small_triangles(seed, count, side, grain)
    fast = rasterize(vertices, mesh, 18, 19, cull=cull, threads=threads)
    slow = rasterize_reference(vertices, mesh, 18, 19, cull=cull)
    assert_same(fast, slow)


def test_of_equal_depths_the_first_triangle_wins_whatever_their_sizes():
    flat = np.array(
        [[0, 0, 1], [30, 0, 1], [0, 30, 1], [0, 0, 1], [3, 0, 1], [0, 3, 1], [0, 0, 1], [1, 0, 1], [0, 1, 1]]
    )
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
        mesh = np.arange(9, dtype=np.int32).reshape(3, 3)[order]
        triangle = rasterize(flat.astype(np.float32), mesh, 30, 30).triangle
        np.testing.assert_array_equal(triangle, rasterize_reference(flat.astype(np.float32), mesh, 30, 30).triangle)
        assert triangle[0, 0] == 0


def test_nearer_triangle_wins_and_pixel_centres_are_integers():
    vertices = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], np.float32)
    raster = rasterize(vertices, np.array([[0, 1, 2], [3, 4, 5]], np.int32), 5, 5)
    expected = np.full((5, 5), -1)
    for y in range(4):
        expected[y, : 4 - y] = 0  # a left or top edge belongs to the triangle, others do not
    expected[0, 0] = 1
    np.testing.assert_array_equal(raster.triangle, expected)
    assert raster.depth[0, 0] == 1 and raster.depth[0, 3] == 0
    assert np.isneginf(raster.depth[4, 4]) and not raster.mask[4, 4]


def times_covered(vertices, mesh, *size):
    """How many of the triangles cover each pixel, each drawn alone."""
    return sum(rasterize(vertices, triangle[None], *size).mask.astype(int) for triangle in mesh)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    places=st.sampled_from(["anywhere", "whole pixels", "halves", "sub-pixels"]),
    far=st.sampled_from([0.0, 9000.0]),
)
def test_shared_edges_are_covered_exactly_once(seed, places, far):
    """A fan around a point tiles a square whose corners lie far outside, on whole pixels or anywhere."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    rim = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (60 + far)
    points = np.concatenate([rng.uniform(4, 12, (1, 2)), rim + 8])
    grain = {"anywhere": None, "whole pixels": 1, "halves": 2, "sub-pixels": 256}[places]
    points = points if grain is None else np.rint(points * grain) / grain
    vertices = np.column_stack([points, np.zeros(10)]).astype(np.float32)
    mesh = np.array([[0, 1 + k, 1 + (k + 1) % 9] for k in range(9)], np.int32)
    wide = np.diff(angles, append=angles[0] + 2 * np.pi).max()
    covered = times_covered(vertices, mesh, 16, 16)
    if wide < np.pi - 0.5:  # else the fan does not reach around its centre
        assert (covered == 1).all()
    assert covered.max(initial=0) <= (1 if wide < np.pi else 2)


def test_a_grid_leaves_no_holes_and_covers_nothing_twice():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.linspace(-1, 32, 20), np.linspace(-1, 32, 20)), -1)
    grid[1:-1, 1:-1] += rng.uniform(-0.4, 0.4, (18, 18, 2))
    vertices = np.concatenate([grid.reshape(-1, 2), np.zeros((400, 1))], 1).astype(np.float32)
    corner = np.arange(400).reshape(20, 20)
    a, b, c, d = (x.ravel() for x in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    mesh = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32)
    assert (times_covered(vertices, mesh, 32, 32) == 1).all()


@pytest.mark.parametrize("mesh", [[0, 0, 1], [0, 1, 2], [2, 2, 2]])
def test_degenerate_triangles_cover_nothing(mesh):
    vertices = np.array([[0, 0, 0], [3, 3, 1], [6, 6, 2]], np.float32)
    assert not rasterize(vertices, np.array([mesh], np.int32), 8, 8).mask.any()


@pytest.mark.parametrize("far", [1e5, 1e9, 1e20, 3e38])
def test_huge_coordinates(far):
    vertices = np.array([[-far, -far, 1], [far, -far, 1], [0, far, 1], [far, far, 5], [far, far / 2, 5]], np.float32)
    raster = rasterize(vertices, np.array([[0, 1, 2], [3, 4, 3]], np.int32), 6, 7)
    assert (raster.triangle == 0).all()
    np.testing.assert_allclose(raster.depth, 1, rtol=1e-6)


def test_culling_keeps_what_faces_the_viewer():
    vertices = np.array([[0, 0, 0], [8, 0, 0], [0, 8, 0]], np.float32)
    outside = np.array([[0, 2, 1]], np.int32)  # counter-clockwise where y points up
    assert rasterize(vertices, outside, 8, 8, cull=True).mask.any()
    assert not rasterize(vertices, outside[:, ::-1], 8, 8, cull=True).mask.any()


def test_scene_has_one_depth_buffer_and_a_batch_one_each():
    triangle, shape = np.array([[0, 1, 2]], np.int32), np.array([[0, 0, 0], [8, 0, 0], [0, 8, 0]], np.float32)
    meshes = np.stack([shape, 0.5 * shape + np.array([0, 0, 5]), shape + np.array([20, 0, 0])]).astype(np.float32)
    scene = rasterize_scene(meshes, triangle, 9, 9)
    assert scene.triangle[0, 0] == 1 and scene.triangle[0, 6] == 0 and set(np.unique(scene.triangle)) == {-1, 0, 1}
    vertices, joined = scene_mesh(meshes, triangle)
    depth = interpolate(scene, joined, vertices[:, 2:], -np.inf)[..., 0]
    np.testing.assert_allclose(depth, scene.depth, atol=1e-6)
    batch = rasterize_batch(meshes, triangle, 9, 9)
    for k, mesh in enumerate(meshes):
        for alone, together in zip(rasterize(mesh, triangle, 9, 9), batch, strict=True):
            np.testing.assert_array_equal(alone, together[k])
    assert rasterize_batch(meshes[:0], triangle, 9, 9).depth.shape == (0, 9, 9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_triangles_that_are_not_finite_are_skipped(value, axis):
    vertices = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]], np.float32)
    vertices[1, axis] = value
    assert not rasterize(vertices, np.array([[0, 1, 2]], np.int32), 5, 5).mask.any()


def test_interpolation_reproduces_a_linear_attribute():
    vertices = np.array([[0, 0, 3], [9, 1, 5], [2, 8, 7]], np.float32)
    mesh = np.array([[0, 1, 2]], np.int32)
    raster = rasterize(vertices, mesh, 10, 10)
    image = interpolate(raster, mesh, vertices, background=-1)
    rows, columns = np.nonzero(raster.mask)
    np.testing.assert_allclose(image[rows, columns, 0], columns, atol=1e-5)
    np.testing.assert_allclose(image[rows, columns, 1], rows, atol=1e-5)
    np.testing.assert_allclose(image[rows, columns, 2], raster.depth[rows, columns], atol=1e-5)
    assert (image[~raster.mask] == -1).all()


@given(seed=st.integers(0, 2**31), triangles=st.sampled_from([0, 1, 40]))
def test_normals_are_those_of_the_reference(seed, triangles):
    mesh = random_mesh(seed, triangles, 5.0, False)
    np.testing.assert_allclose(vertex_normals(*mesh), vertex_normals_reference(*mesh), atol=1e-4)


def test_normals_point_out_and_shade_is_bounded():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], np.float32)
    normals = vertex_normals(vertices, np.array([[0, 1, 2]], np.int32))
    np.testing.assert_allclose(normals[:3], [[0, 0, 1]] * 3)
    np.testing.assert_array_equal(normals[3], 0)
    brightness = shade(normals, light=(0, 0, 2), ambient=0.25)
    np.testing.assert_allclose(brightness, [1, 1, 1, 0.25])
