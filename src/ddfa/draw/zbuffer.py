"""A face in the pixels of the picture it is drawn into, and what the z-buffer sees of it there."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32
from ddfa.draw.canvas import Window, scaled, window_around
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import Raster, interpolate, rasterize, vertex_normals

_SMOOTHING: Final = 8  # rounds


@dataclass(frozen=True, eq=False)
class Figure:
    """One face in pixels of a canvas.

    Attributes:
        head: the model of the vertices.
        vertices: (V, 3) px, z towards the viewer.
        landmarks: (68, 3) px.
        rotation: (3, 3) head to camera, y up.
        euler_deg: (3,) yaw, pitch, roll.
        scale: px per head unit; of two faces the larger one is taken to be nearer to the camera, since heads differ
            less in size than in distance.
    """

    head: HeadModel
    vertices: Float32
    landmarks: Float32
    rotation: Float32
    euler_deg: Float32
    scale: float

    @cached_property
    def rasterized(self) -> "dict[tuple[int, ...], RasterizedFace | None]":
        """What `rasterize_figure` has drawn, by the canvas' height and width."""
        return {}

    @cached_property
    def normals(self) -> Float32:
        """(V, 3) float32 unit normals in the camera's axes: x right, y up, z towards the viewer."""
        return vertex_normals(self.vertices * FLIP_Y, self.head.triangles)


class RasterizedFace(NamedTuple):
    """The visible part of a figure.

    Attributes:
        window: the part of the canvas it lies in.
        raster: of that part.
        shown: (h, w) float32, 1 on the face, ears, eyes and mouth, falling to 0 over one triangle at their edge.
    """

    window: Window
    raster: Raster
    shown: Float32


def figures_of(faces: Faces, scale: float = 1.0, origin: tuple[float, float] = (0.0, 0.0)) -> list[Figure]:
    """Carry faces over to a canvas.

    Args:
        faces: the faces.
        scale: canvas px per image px.
        origin: the image point (px, of the corner of a pixel: -0.5 is the picture's border) at the canvas' corner.

    Returns:
        The figures, the farthest first.
    """
    shift = np.array([*origin, 0], np.float32)
    return [
        Figure(
            faces.head,
            scaled(faces.vertices[index] - shift, scale),
            scaled(faces.landmarks68[index] - shift, scale),
            faces.rotation[index],
            faces.euler_deg[index],
            float(faces.scale[index]) * scale,
        )
        for index in np.argsort(faces.scale, kind="stable")
    ]


def rasterize_figure(figure: Figure, shape: tuple[int, ...]) -> RasterizedFace | None:
    """Rasterise a figure; the result is kept with the figure.

    Args:
        figure: the figure.
        shape: of the canvas, (H, W, ...).

    Returns:
        The visible part, or None where the figure lies outside or its model has no triangles.
    """
    size = shape[:2]
    if size not in figure.rasterized:
        figure.rasterized[size] = _rasterize(figure, size)
    return figure.rasterized[size]


def _rasterize(figure: Figure, shape: tuple[int, ...]) -> RasterizedFace | None:
    shown, head = shown_vertices(figure.head), figure.head
    window = window_around(figure.vertices[_shown_indices(head)], shape)
    if window.is_empty or not len(head.triangles):
        return None
    height, width = window.y1 - window.y0, window.x1 - window.x0
    raster = rasterize(window.local(figure.vertices), head.triangles, height, width, cull=True)
    return RasterizedFace(window, raster, interpolate(raster, head.triangles, shown[:, None])[..., 0])


def occlude(sights: list[RasterizedFace | None]) -> list[RasterizedFace | None]:
    """Remove from each face the part that those after it, which are nearer, occlude; the arguments stay as they are."""
    sights = [None if sight is None else sight._replace(shown=sight.shown.copy()) for sight in sights]
    for far, sight in enumerate(sights):
        for nearer in sights[far + 1 :]:
            if sight is None or nearer is None:
                continue
            x0, y0 = (max(a, b) for a, b in zip(sight.window[:2], nearer.window[:2], strict=True))
            x1, y1 = (min(a, b) for a, b in zip(sight.window[2:], nearer.window[2:], strict=True))
            both = Window(x0, y0, x1, y1)
            if both.is_empty:
                continue
            cover = cv2.GaussianBlur(nearer.shown, (0, 0), 0.7)
            mine, theirs = (
                np.s_[y0 - window.y0 : y1 - window.y0, x0 - window.x0 : x1 - window.x0]
                for window in (sight.window, nearer.window)
            )
            sight.shown[mine] *= 1 - cover[theirs]
    return sights


def covered(points: Float32, sights: list[RasterizedFace | None]) -> "np.typing.NDArray[np.bool_]":
    """Tell which points (K, 2 or 3) of the canvas lie behind one of the given, nearer, figures: (K,) bool."""
    behind = np.zeros(len(points), bool)
    for sight in sights:
        if sight is None:
            continue
        columns, rows = np.rint(sight.window.local(points)[:, :2]).astype(int).T
        height, width = sight.shown.shape
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        behind[inside] |= sight.shown[rows[inside], columns[inside]] > 0.5
    return behind


@lru_cache(maxsize=4)
def shown_vertices(head: HeadModel) -> Float32:
    """(V,) float32, 1 for the face, ears, eyes and mouth of an open head, 0 for hair and neck; 1 for a Basel head.

    Smoothed over the mesh, for the edge of a region runs in teeth along its triangles.
    """
    if "face" not in head.regions:
        return np.ones(head.vertices, np.float32)
    skin, face, ears = (head.regions[name] for name in ("skin", "face", "ears"))
    shown = np.asarray(~skin | face | ears, np.float32)
    around = np.maximum(np.bincount(head.triangles.ravel(), minlength=head.vertices), 1)
    for _ in range(_SMOOTHING):
        means = np.repeat(shown[head.triangles].mean(axis=1), 3)
        sums = np.bincount(head.triangles.ravel(), means, minlength=head.vertices)
        shown = np.asarray(sums / around, np.float32)
    return np.asarray(np.clip(2.5 * shown - 0.75, 0, 1) * (~skin | (shown > 0.3)), np.float32)


@lru_cache(maxsize=4)
def _shown_indices(head: HeadModel) -> "np.typing.NDArray[np.intp]":
    return np.flatnonzero(shown_vertices(head) > 0)
