"""Visible surfaces of figures, and who occludes whom."""

import numpy as np
import pytest

from ddfa.draw.styles import OverlayStyle
from ddfa.draw.surface import paint
from ddfa.draw.zbuffer import covered, figures_of, occlude, rasterize_figure, shown_vertices
from ddfa.head.model import HeadModel

from ..face_factory import place_faces

CANVAS = (240, 320, 3)


@pytest.fixture(scope="module")
def figures():
    return figures_of(place_faces(HeadModel.load(), [(0, 0, 0)] * 2, side=120.0))


def test_figures_are_scaled_and_shifted():
    faces = place_faces(HeadModel.load())
    (figure,) = figures_of(faces, 2.0, (10.0, 20.0))
    # The corner of pixel (10, 20) is the corner of the canvas.
    expected = (faces.landmarks68[0, :, :2] - [10, 20] + 0.5) * 2 - 0.5
    np.testing.assert_allclose(figure.landmarks[:, :2], expected, atol=1e-3)
    assert figure.scale == pytest.approx(2 * float(faces.scale[0]))


def test_hair_and_neck_are_not_shown():
    head = HeadModel.load()
    shown = shown_vertices(head)
    assert shown.min() == 0 and shown.max() == 1
    assert shown[head.regions["teeth"]].min() == 1 and shown[head.regions["neck"]].mean() < 0.1


def test_a_surface_covers_its_face_and_nothing_outside_the_canvas(figures):
    surface = rasterize_figure(figures[0], CANVAS)
    x, y = np.rint(surface.window.local(figures[0].landmarks)[30, :2]).astype(int)
    assert surface.shown[y, x] == pytest.approx(1, abs=1e-5)
    assert rasterize_figure(figures_of(place_faces(HeadModel.load()), 1.0, (5000.0, 0.0))[0], CANVAS) is None


def test_the_nearer_of_two_surfaces_occludes_the_other(figures):
    near = rasterize_figure(figures[0], CANVAS)
    far, kept, missing = occlude([near, near, None])
    assert missing is None and far.shown.max() < 0.6 and np.median(far.shown[near.shown > 0.99]) < 0.01
    np.testing.assert_array_equal(kept.shown, near.shown)
    points = figures[0].landmarks[[30, 30]] + np.array([[0, 0, 0], [500, 0, 0]], np.float32)
    assert covered(points, [near, None]).tolist() == [True, False]


@pytest.mark.parametrize("style", ["mesh", "depth", "normals", "pncc", "uv", "regions", "wireframe"])
def test_a_surface_is_painted_inside_its_face_only(figures, style):
    canvas = np.full(CANVAS, 128, np.uint8)
    surface = rasterize_figure(figures[0], CANVAS)
    none = {"mesh": 0.0, "landmarks": False, "pose": False}
    paint(canvas, figures[0], surface, OverlayStyle(**{**none, style: 1.0}))
    changed = (canvas != 128).any(axis=2)
    window = surface.window
    assert changed[window.y0 : window.y1, window.x0 : window.x1][surface.shown > 0.9].mean() > 0.9
    changed[window.y0 : window.y1, window.x0 : window.x1] = False
    assert not changed.any()
