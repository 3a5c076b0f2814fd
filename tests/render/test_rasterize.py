"""The z-buffer rasteriser against its readable twin, and the helpers around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfa.render import rasterize as rasterize_module
from ddfa.render.rasterize import (
    interpolate,
    rasterize,
    rasterize_reference,
    shade,
    vertex_normals,
)


def random_mesh(seed: int, triangles: int, spread: float, integer: bool):
    """Triangles of all sizes around a small picture, partly outside it."""
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
)
def test_kernel_equals_its_twin(seed, triangles, spread, integer, size):
    vertices, mesh = random_mesh(seed, triangles, spread, integer)
    fast, slow = rasterize(vertices, mesh, *size), rasterize_reference(vertices, mesh, *size)
    np.testing.assert_array_equal(fast.triangle, slow.triangle)
    np.testing.assert_array_equal(fast.depth, slow.depth)
    np.testing.assert_allclose(fast.barycentric, slow.barycentric, atol=1e-6)


def test_nearer_triangle_wins_and_pixel_centres_are_integers():
    vertices = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], np.float32)
    raster = rasterize(vertices, np.array([[0, 1, 2], [3, 4, 5]], np.int32), 5, 5)
    expected = np.full((5, 5), -1)
    for y in range(5):
        expected[y, : 5 - y] = 0
    expected[0, :2] = expected[1, 0] = 1
    np.testing.assert_array_equal(raster.triangle, expected)
    assert raster.depth[0, 0] == 1 and raster.depth[0, 3] == 0
    assert np.isneginf(raster.depth[4, 4]) and not raster.mask[4, 4]


def test_shared_edges_leave_no_holes():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.linspace(-1, 32, 20), np.linspace(-1, 32, 20)), -1)
    inner = grid[1:-1, 1:-1]
    inner += rng.uniform(-0.4, 0.4, inner.shape)
    vertices = np.concatenate([grid.reshape(-1, 2), np.zeros((400, 1))], 1).astype(np.float32)
    corner = np.arange(400).reshape(20, 20)
    a, b, c, d = (x.ravel() for x in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    mesh = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32)
    assert rasterize(vertices, mesh, 32, 32).mask.all()


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


def test_normals_point_out_and_shade_is_bounded():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], np.float32)
    normals = vertex_normals(vertices, np.array([[0, 1, 2]], np.int32))
    np.testing.assert_allclose(normals[:3], [[0, 0, 1]] * 3)
    np.testing.assert_array_equal(normals[3], 0)
    brightness = shade(normals, light=(0, 0, 2), ambient=0.25)
    np.testing.assert_allclose(brightness, [1, 1, 1, 0.25])


def test_kernels_compile_where_no_folder_can_be_written(monkeypatch) -> None:
    real = rasterize_module.numba.njit

    def njit(cache: bool = False, **options: bool):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(rasterize_module.numba, "njit", njit)
    values = np.zeros(3)
    rasterize_module._compiled(_fill_with_ones)(values)
    assert (values == 1).all()


def _fill_with_ones(values: np.ndarray) -> None:
    values[:] = 1
