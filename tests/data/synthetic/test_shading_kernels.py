"""The kernels against plain NumPy and OpenCV."""

import cv2
import numpy as np
import pytest

from ddfa.data.synthetic.shading_kernels import colour_pixels, expose, light_vertices, paint_over
from ddfa.raster.blending import blend
from ddfa.raster.lighting import shading
from ddfa.raster.rasterize import interpolate, rasterize

RNG = np.random.default_rng


def floats(*shape, seed=0):
    return RNG(seed).uniform(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(9, 9, 3), (1, 1, 3)])
def test_paint_over_is_blend(shape):
    texture, colour, cover = floats(9, 9, 3), floats(*shape, seed=1), floats(9, 9, seed=2) * (floats(9, 9) > 0.5)
    expected = blend(texture, np.broadcast_to(colour, (9, 9, 3)), cover)
    paint_over(texture, colour, cover)
    np.testing.assert_allclose(texture, expected, atol=1e-6)


def test_vertices_are_lit_by_harmonics():
    normals = RNG(0).normal(size=(50, 3))
    normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
    light, occlusion = RNG(1).normal(size=(9, 3)).astype(np.float32), floats(40)
    half = np.float32([0, 0, 1])
    wet, oily = floats(40, seed=3), floats(40, seed=4)
    sheets = normals[40:]
    turned = np.concatenate([normals[:40], np.where(sheets[:, 2:] < -0.1, -sheets, sheets)])
    expected = shading(turned, light)
    expected[:40] *= occlusion[:, None]
    mirror = np.maximum(turned[:40, 2], 0)
    radiance = np.empty((50, 4), np.float32)
    light_vertices(normals, light, occlusion, half, wet, oily, radiance)
    np.testing.assert_allclose(radiance[:, :3], expected, atol=1e-5)
    np.testing.assert_allclose(radiance[:40, 3], occlusion * (wet * mirror**90 + oily * mirror**12), atol=1e-5)
    assert (radiance[40:, 3] == 0).all()


def test_pixels_are_coloured_as_by_interpolation():
    vertices = np.float32([[1, 1, 0], [30, 2, 0], [3, 29, 0], [28, 30, 0], [10, 10, 5], [22, 12, 5], [12, 24, 5]])
    triangles = np.int32([[0, 1, 2], [1, 3, 2], [4, 5, 6]])
    raster = rasterize(vertices, triangles, 32, 32)
    texture, uv = floats(16, 16, 3), 14 * floats(4, 2, seed=1)
    colours, radiance = floats(3, 3, seed=2), floats(7, 4, seed=3)
    at = np.full((32, 32), -1, np.int32)
    at[4, 4:6] = 0, 1
    detail = np.float32([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, -1]])
    head = raster._replace(triangle=np.where(raster.triangle < 2, raster.triangle, -1))
    places = interpolate(head, triangles[:2], uv)
    fine = cv2.remap(texture, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    own = interpolate(raster, triangles, np.concatenate([np.zeros((4, 3), np.float32), colours]))
    fine[raster.triangle == 2] = own[raster.triangle == 2]
    shine = interpolate(raster, triangles, radiance[:, 3:])
    fine[4, 4:6], shine[4, 4] = detail[:, :3], 0.4
    fine = fine * interpolate(raster, triangles, radiance[:, :3]) + shine
    fine = np.concatenate([fine * raster.mask[..., None], raster.mask[..., None]], axis=2).astype(np.float32)
    image = np.zeros((16, 16, 4), np.float32)
    corners = uv[triangles[:2]].reshape(-1, 6)
    colour_pixels(
        raster.triangle, raster.barycentric, triangles, corners, texture, colours, radiance, at, detail, 2, image
    )
    np.testing.assert_allclose(image, cv2.resize(fine, (16, 16), interpolation=cv2.INTER_AREA), atol=0.02)


def test_exposure_is_a_tone_curve():
    image, photo = np.linspace(0, 2, 60, dtype=np.float32), np.empty(60, np.uint8)
    expose(image, np.zeros(60, np.float32), 0.01, 0.7, photo)
    exact = np.where(image > 0.7, 0.7 + 0.3 * np.tanh((image - 0.7) / 0.3), image)
    assert np.abs(photo / 255 - exact).max() < 0.012
    out = np.empty(4000, np.uint8)
    expose(np.full(4000, 0.5, np.float32), RNG(0).standard_normal(4000, np.float32), 0.02, 0.7, out)
    assert out.std() / 255 == pytest.approx(0.02, rel=0.1)
