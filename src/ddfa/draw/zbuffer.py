"""A face in the pixels of the image it is drawn into, and its visible surface there."""

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
        turn_nod_tilt_deg: (3,) angles.
        scale: px per head unit; the larger of two faces is assumed to be nearer to the camera, since heads differ less
            in size than in distance.
        occlusion: (68,) estimated probability that each landmark is hidden; None if it is not estimated.
    """

    head: HeadModel
    vertices: Float32
    landmarks: Float32
    rotation: Float32
    turn_nod_tilt_deg: Float32
    scale: float
    occlusion: Float32 | None = None

    @cached_property
    def rasterized(self) -> "dict[tuple[int, ...], RasterizedFace | None]":
        """What `rasterize_figure` has drawn, by the canvas' height and width."""
        return {}

    @cached_property
    def normals(self) -> Float32:
        """(V, 3) float32 unit normals in the camera's axes: x right, y up, z towards the viewer."""
        return vertex_normals(self.vertices * FLIP_Y, self.head.triangles)


class RasterizedFace(NamedTuple):
    """The visible surface of a figure.

    Attributes:
        window: the part of the canvas that contains it.
        raster: of that part.
        shown: (h, w) float32, 1 on the face, ears, eyes and mouth, falling to 0 over one triangle at their edge.
    """

    window: Window
    raster: Raster
    shown: Float32


def figures_of(faces: Faces, scale: float = 1.0, origin: tuple[float, float] = (0.0, 0.0)) -> list[Figure]:
    """Transform faces to the pixels of a canvas.

    Args:
        faces: the faces.
        scale: canvas px per image px.
        origin: column and row of the image pixel at the canvas' top-left corner.

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
            faces.turn_nod_tilt_deg[index],
            float(faces.scale[index]) * scale,
            None if faces.landmark_occlusion is None else faces.landmark_occlusion[index],
        )
        for index in np.argsort(faces.scale, kind="stable")
    ]


def rasterize_figure(figure: Figure, shape: tuple[int, ...]) -> RasterizedFace | None:
    """Rasterise a figure; the result is kept with the figure.

    Args:
        figure: the figure.
        shape: of the canvas, (H, W, ...).

    Returns:
        Its visible surface; None if it is outside the canvas or its model has no triangles.
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


def occlude(surfaces: list[RasterizedFace | None]) -> list[RasterizedFace | None]:
    """Remove from each surface what the nearer ones, later in the list, occlude; the arguments are unchanged."""
    surfaces = [None if surface is None else surface._replace(shown=surface.shown.copy()) for surface in surfaces]
    for far, surface in enumerate(surfaces):
        for nearer in surfaces[far + 1 :]:
            if surface is None or nearer is None:
                continue
            x0, y0 = (max(a, b) for a, b in zip(surface.window[:2], nearer.window[:2], strict=True))
            x1, y1 = (min(a, b) for a, b in zip(surface.window[2:], nearer.window[2:], strict=True))
            both = Window(x0, y0, x1, y1)
            if both.is_empty:
                continue
            occlusion = cv2.GaussianBlur(nearer.shown, (0, 0), 0.7)
            mine, theirs = (
                np.s_[y0 - window.y0 : y1 - window.y0, x0 - window.x0 : x1 - window.x0]
                for window in (surface.window, nearer.window)
            )
            surface.shown[mine] *= 1 - occlusion[theirs]
    return surfaces


def covered(points: Float32, surfaces: list[RasterizedFace | None]) -> "np.typing.NDArray[np.bool_]":
    """Find the points (K, 2 or 3) of the canvas that are behind one of the given, nearer surfaces: (K,) bool."""
    behind = np.zeros(len(points), bool)
    for surface in surfaces:
        if surface is None:
            continue
        columns, rows = np.rint(surface.window.local(points)[:, :2]).astype(int).T
        height, width = surface.shown.shape
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        behind[inside] |= surface.shown[rows[inside], columns[inside]] > 0.5
    return behind


@lru_cache(maxsize=4)
def shown_vertices(head: HeadModel) -> Float32:
    """Compute which vertices overlays show: (V,) float32, 1 for face, ears, eyes and mouth, 0 for hair and neck.

    A head without regions is shown whole. Values are smoothed over the mesh, since the edge of a region follows its
    triangles and is jagged.
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
