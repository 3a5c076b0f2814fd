"""The contact sheet of a head model: the mean, its first identity modes, every expression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.draw.canvas import Colour, draw_dot
from ddfa.errors import ModelError
from ddfa.geometry.camera import FLIP_Y
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import interpolate, rasterize, shade, vertex_normals

# Colour of each region, RGB in [0, 1]; where regions overlap the later one wins.
_COLOURS: Final = {
    "skin": (0.84, 0.68, 0.60), "hair": (0.56, 0.51, 0.49), "lips": (0.76, 0.46, 0.45),
    "eye_socket": (0.80, 0.52, 0.50), "mouth_inner": (0.50, 0.17, 0.17),
    "teeth": (0.95, 0.95, 0.90), "tongue": (0.84, 0.42, 0.46),
    "eye_left": (0.95, 0.95, 0.95), "eye_right": (0.95, 0.95, 0.95),
    "iris_left": (0.28, 0.42, 0.46), "iris_right": (0.28, 0.42, 0.46),
}  # fmt: skip
_CLAY: Final = (0.80, 0.78, 0.75)
_INK: Final[Colour] = (32, 36, 44)
_PAPER: Final[Colour] = (255, 255, 255)
_DOT: Final[Colour] = (30, 90, 220)
_SUPERSAMPLING: Final = 2
_MODES: Final = 8
_COLUMNS: Final = 8


@dataclass(frozen=True)
class View:
    """Viewpoint of a head.

    Attributes:
        yaw_deg: the head turns to the image right by this angle.
        zoom: 1 shows the whole head.
        lift: height of the image centre above the middle of the landmarks, relative to the height of their box.
    """

    yaw_deg: float = 0.0
    zoom: float = 1.0
    lift: float = 0.25


_FRONT, _THREE_QUARTERS, _PROFILE = View(), View(45), View(90)
_FACE: Final = View(15, 1.75, 0.0)


def head_contact_sheet(head: HeadModel, tile: int = 240) -> UInt8:
    """Draw the contact sheet.

    Args:
        head: any head model with triangles.
        tile: side of one image in px.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ModelError: the model has no triangles.
    """
    if not len(head.triangles):
        raise ModelError(f"head model '{head.name}' has no triangles to draw: put its tri.mat or tri.pkl beside it")
    large = [draw_head(head, view=view, size=2 * tile) for view in (_FRONT, _THREE_QUARTERS, _PROFILE)]
    large.append(draw_head(head, view=View(0, 1.3), size=2 * tile, landmarks=True))
    for image, text in zip(large, ("mean", "45 degrees", "profile", "68 landmarks"), strict=True):
        _write(image, text)
    return np.vstack([np.hstack(large), _grid(_identity_tiles(head, tile)), _grid(_expression_tiles(head, tile))])


def draw_head(
    head: HeadModel,
    identity: Floats | None = None,
    expression: Floats | None = None,
    view: View = _FRONT,
    size: int = 480,
    landmarks: bool = False,
) -> UInt8:
    """Draw one head in orthographic projection on a white background.

    Args:
        head: the model.
        identity: (i,) coefficients; the mean by default.
        expression: (e,) coefficients; neutral by default.
        view: the viewpoint.
        size: side of the image in px.
        landmarks: whether to draw the 68 landmarks.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    coefficients = [np.zeros(0) if c is None else np.asarray(c) for c in (identity, expression)]
    shape = head.decode(coefficients[0][None], coefficients[1][None])[0]
    points = head.decode_landmarks(coefficients[0][None], coefficients[1][None])[0]
    fine = size * _SUPERSAMPLING
    vertices = _project(head, shape, view, fine)
    raster = rasterize(vertices, head.triangles, fine, fine)
    normals = vertex_normals(vertices * FLIP_Y, head.triangles)
    seen = interpolate(raster, head.triangles, np.concatenate([normals, _colours(head)], axis=1))
    unit = seen[..., :3] / np.maximum(np.linalg.norm(seen[..., :3], axis=-1, keepdims=True), 1e-6)
    image = seen[..., 3:] * shade(unit)[..., None]
    image[~raster.mask] = 1.0
    small = cv2.resize(np.asarray(255 * image, np.float32), (size, size), interpolation=cv2.INTER_AREA)
    canvas = np.asarray(np.clip(np.rint(small), 0, 255), np.uint8)
    if landmarks:
        for point in _project(head, points, view, size):
            draw_dot(canvas, point, size / 200, _DOT)
    return canvas


def _project(head: HeadModel, points: Float32, view: View, size: int) -> Float32:
    """Head space to image px of a square image, the same for all coefficients of a head."""
    angle = np.radians(view.yaw_deg)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    low, high = head.landmark_points.mean.min(axis=0), head.landmark_points.mean.max(axis=0)
    height = high[1] - low[1]
    centre = np.array([0.0, 0.5 * (low[1] + high[1]) + view.lift * height, 0.5 * low[2] + 0.5 * high[2]])
    if view.zoom <= 1:  # the whole head: centred between face and nape
        centre[2] = 0.5 * (head.mean[:, 2].min() + head.mean[:, 2].max())
    scale = 0.46 * size * view.zoom / height
    seen = scale * (points - centre) @ turn.T
    return np.asarray(seen * FLIP_Y + [size / 2 - 0.5, size / 2 - 0.5, 0], np.float32)


def _colours(head: HeadModel) -> Float32:
    colours = np.tile(np.array(_CLAY, np.float32), (head.vertices, 1))
    for region, colour in _COLOURS.items():
        if region in head.regions:
            colours[head.regions[region]] = colour
    return colours


def _identity_tiles(head: HeadModel, tile: int) -> list[UInt8]:
    tiles = []
    for mode in range(min(_MODES, len(head.identity_std))):
        for sigmas in (-2, 2):
            identity = np.zeros(mode + 1)
            identity[mode] = sigmas * head.identity_std[mode]
            for view in (_FRONT, View(60)):
                tiles.append(_write(draw_head(head, identity, view=view, size=tile), f"mode {mode} {sigmas:+d}"))
    return tiles


def _expression_tiles(head: HeadModel, tile: int) -> list[UInt8]:
    units = np.eye(len(head.expression_names))
    tiles = [
        _write(draw_head(head, expression=unit, view=_FACE, size=tile), name)
        for unit, name in zip(units, head.expression_names, strict=True)
    ]
    if {"jawOpen", "mouthClose"} <= set(head.expression_names):
        # mouthClose is defined relative to an open jaw, whose lips it closes.
        both = units[head.expression_names.index("jawOpen")] + units[head.expression_names.index("mouthClose")]
        tiles.append(_write(draw_head(head, expression=both, view=_FACE, size=tile), "jawOpen + mouthClose"))
    return tiles


def _write(image: UInt8, text: str) -> UInt8:
    for colour, width in ((_PAPER, 3), (_INK, 1)):
        cv2.putText(image, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA)
    return image


def _grid(tiles: Sequence[UInt8]) -> UInt8:
    blank = np.full_like(tiles[0], 255)
    filled = [*tiles, *[blank] * (-len(tiles) % _COLUMNS)]
    rows = [np.hstack(filled[start : start + _COLUMNS]) for start in range(0, len(filled), _COLUMNS)]
    return np.vstack(rows)
