"""Overlays: positions and extents, for images of any size."""

from dataclasses import replace

import numpy as np
import pytest

from ddfa.compat.v1_figures import draw_landmark_figure, draw_pose_boxes
from ddfa.draw.canvas import draw_dot, draw_lines, resized, scaled, window_around
from ddfa.draw.landmarks import LANDMARK_GROUPS
from ddfa.draw.overlay import OVERLAY_SIDES, draw_overlay
from ddfa.draw.pose_box import pose_box_corners
from ddfa.draw.styles import OVERLAY_STYLES, OverlayStyle, parse_style
from ddfa.draw.wireframe import drawn_edges, edge_lines, edge_lines_reference
from ddfa.errors import OutputError
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import rasterize
from ddfa.raster.visibility import hidden_landmarks

from ..face_factory import place_faces

GREY = np.full((240, 320, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def open_head() -> HeadModel:
    return HeadModel.load()


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """x0, y0, x1, y1 of the pixels that differ."""
    y, x = np.nonzero((before != after).any(axis=2))
    return np.array([x.min(), y.min(), x.max(), y.max()])


def test_groups_cover_the_68_points_once() -> None:
    points = [k for group in LANDMARK_GROUPS for k in range(68)[group.points]]
    assert points == list(range(68))


def test_nothing_is_drawn_without_faces(open_head: HeadModel) -> None:
    faces = place_faces(open_head)[:0]
    np.testing.assert_array_equal(draw_overlay(GREY, faces), resized(GREY, OVERLAY_SIDES[0] / 320))


@pytest.mark.parametrize("size", [(320, 240), (1800, 1000), (5000, 3000)])
def test_mesh_lies_on_the_face(open_head: HeadModel, size: tuple[int, int]) -> None:
    faces = place_faces(open_head, image_size=size, side=min(size) / 1.5)
    image = np.full((size[1], size[0], 3), 128, np.uint8)
    picture = draw_overlay(image, faces, OverlayStyle(landmarks=False, pose=False))
    assert OVERLAY_SIDES[0] <= max(picture.shape) <= OVERLAY_SIDES[1]
    factor = max(picture.shape) / max(size)
    shown = (~open_head.regions["skin"]) | open_head.regions["face"] | open_head.regions["ears"]
    points = faces.vertices[0][shown, :2] * factor
    box = changed(resized(image, factor), picture)
    np.testing.assert_allclose(box, [*points.min(axis=0), *points.max(axis=0)], atol=0.02 * max(picture.shape))


def test_landmarks_are_drawn_where_they_are(open_head: HeadModel) -> None:
    faces = place_faces(open_head, [(20, 0, 0)])
    picture = draw_overlay(GREY, faces, OverlayStyle(mesh=0, pose=False))
    hidden = hidden_landmarks(faces.landmarks68[0], faces.vertices[0], open_head)
    for x, y in scaled(faces.landmarks68[0], max(picture.shape) / 320)[~hidden, :2]:
        assert picture[round(y), round(x)].min() > 200, "a white dot"


def test_input_is_left_alone(open_head: HeadModel) -> None:
    image = np.full((1200, 1600, 3), 128, np.uint8)
    draw_overlay(image, place_faces(open_head, image_size=(1600, 1200)))
    draw_pose_boxes(image, place_faces(open_head, image_size=(1600, 1200)))
    assert (image == 128).all()


def test_faces_beyond_the_border(toy_head, open_head: HeadModel) -> None:
    faces = place_faces(open_head, [(0, 0, 0)] * 4 + [(80, 10, 170)])  # the last ones lie to the right of the image
    assert draw_overlay(GREY, faces).shape == (900, 1200, 3)
    assert draw_pose_boxes(GREY, faces).shape == GREY.shape
    assert draw_overlay(GREY[:20, :3], place_faces(toy_head, image_size=(3, 20))).shape == (1200, 180, 3)


def test_pose_box_turns_with_the_head(open_head: HeadModel) -> None:
    """Published convention: yaw > 0 looks to the image's left, so the front square lies left of the rear one."""
    for euler, direction in (((40, 0, 0), (-1, 0)), ((0, 30, 0), (0, -1)), ((-40, 0, 0), (1, 0))):
        faces = place_faces(open_head, [euler])
        corners = pose_box_corners(faces.landmarks68[0], faces.rotation[0])
        shift = corners[4:].mean(axis=0) - corners[:4].mean(axis=0)
        assert np.dot(shift, direction) > 0.95 * np.linalg.norm(shift) > 5


def test_published_pictures(open_head: HeadModel) -> None:
    faces = place_faces(open_head, [(0, 0, 0), (30, 10, 5)])
    figure = draw_landmark_figure(GREY, faces)
    assert figure.shape == (1800, 2400, 3)
    x, y = np.rint(scaled(faces.landmarks68[1], 7.5)[30, :2]).astype(int)
    assert figure[y, x].tolist() == [255, 255, 255]
    boxes = draw_pose_boxes(GREY, faces)
    assert (boxes == (0, 255, 40)).all(axis=2).sum() > 500


def test_dots_and_lines_may_lie_anywhere() -> None:
    canvas = np.zeros((10, 10, 3), np.uint8)
    for centre in ([-50, 5], [5, 1e9], [-1e9, -1e9], [9, 9]):
        draw_dot(canvas, np.array(centre, np.float32), 2.0, (255, 255, 255))
    draw_lines(canvas, [np.array([[-1e9, 5], [1e9, 5]], np.float32)], False, (255, 0, 0), 1)
    assert canvas[9, 9].tolist() == [255, 255, 255] and canvas[0, 0].tolist() == [0, 0, 0]
    assert canvas[5, 4, 0] > 200


@pytest.mark.parametrize("name", OVERLAY_STYLES)
def test_every_style_draws_on_the_face_alone(open_head: HeadModel, name: str) -> None:
    image = np.full((480, 640, 3), 128, np.uint8)
    faces = place_faces(open_head, [(30, 10, 5)], image_size=(640, 480), side=300)
    picture = draw_overlay(image, faces, parse_style(name), sides=None)
    assert picture.shape == image.shape
    x0, y0, x1, y1 = changed(image, picture)
    low, high = faces.landmarks68[0, :, :2].min(axis=0), faces.landmarks68[0, :, :2].max(axis=0)
    assert x0 < low[0] + 25 and x1 > high[0] - 25 and x0 > low[0] - 150 and x1 < high[0] + 150
    assert y0 < low[1] + 15 and y1 > high[1] - 15 and y0 > low[1] - 150 and y1 < high[1] + 150


def test_styles_combine() -> None:
    assert parse_style(" Mesh + landmarks+pose") == OverlayStyle()
    assert parse_style("depth") | parse_style("landmarks") == parse_style("depth+landmarks")
    for text in ("", "mesh+", "clay"):
        with pytest.raises(OutputError, match="landmarks, mesh, wireframe"):
            parse_style(text)


def test_nearer_face_covers_the_farther(open_head: HeadModel) -> None:
    """Where two faces overlap, only the larger one is drawn, whatever their order."""
    image = np.full((480, 640, 3), 128, np.uint8)
    near = place_faces(open_head, image_size=(640, 480), side=400)
    far = place_faces(open_head, image_size=(640, 480), side=200)
    both = replace(
        near,
        **{
            name: np.concatenate([getattr(near, name), getattr(far, name)])
            for name in ("boxes", "scores", "params", "roi")
        },
    )
    style = parse_style("depth")
    alone, together = (draw_overlay(image, faces, style, sides=None) for faces in (near, both))
    np.testing.assert_array_equal(draw_overlay(image, both[::-1], style, sides=None), together)
    middle = np.rint(near.landmarks68[0, 27:31, :2]).astype(int)
    np.testing.assert_array_equal(together[middle[:, 1], middle[:, 0]], alone[middle[:, 1], middle[:, 0]])


def test_wireframe_draws_the_quads_of_the_open_head(toy_head, open_head: HeadModel) -> None:
    edges = drawn_edges(open_head)
    skin = open_head.regions["skin"][open_head.triangles].all(axis=1)
    assert edges[skin].mean() == pytest.approx(4 / 12, abs=0.01), "8 half edges of 2 x 4 triangles"
    across = np.sort(np.stack([np.roll(open_head.triangles, -1, axis=1), np.roll(open_head.triangles, 1, axis=1)], -1))
    flags: dict[tuple[int, ...], set[bool]] = {}
    for pair, drawn in zip(across[skin].reshape(-1, 2).tolist(), edges[skin].ravel().tolist(), strict=True):
        flags.setdefault(tuple(pair), set()).add(drawn)
    assert all(len(seen) == 1 for seen in flags.values()), "both triangles of an edge agree"
    assert drawn_edges(toy_head).all()


def test_small_faces_keep_their_photo(open_head: HeadModel) -> None:
    """Landmarks of a face of 40 px leave most of it visible."""
    image = np.full((480, 640, 3), 128, np.uint8)
    faces = place_faces(open_head, image_size=(640, 480), side=60)
    picture = draw_overlay(image, faces, parse_style("landmarks"), sides=None)
    x0, y0, x1, y1 = changed(image, picture)
    touched = (np.abs(picture[y0:y1, x0:x1].astype(int) - 128).max(axis=2) > 40).mean()
    assert 0.03 < touched < 0.35


def test_lines_of_the_mesh_are_those_of_the_reference(open_head: HeadModel) -> None:
    face, triangles = place_faces(open_head, [(30.0, 10.0, 0.0)]), open_head.triangles
    for drawn in (drawn_edges(open_head), np.ones(triangles.shape, bool)):
        mesh = rasterize(face.vertices[0], triangles, 200, 200), face.vertices[0], triangles, drawn, 1.2
        lines = edge_lines(*mesh)
        np.testing.assert_allclose(lines, edge_lines_reference(*mesh), atol=1e-4)
        assert 0.02 < (lines > 0.1).mean() < 0.9


def test_a_window_does_not_count_points_that_are_not_finite() -> None:
    points = np.array([[5, 6, 0], [np.nan, 900, 0], [20, 9, np.inf], [10, 8, 0]], np.float32)
    assert window_around(points, (100, 100), margin=1) == (4, 5, 12, 10)
    assert window_around(points[1:3], (100, 100)).is_empty and window_around(points[:0], (9, 9)).is_empty
