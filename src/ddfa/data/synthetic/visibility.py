"""How far an image shows what each expression unit moves."""

from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32
from ddfa.geometry.camera import FLIP_Y
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import rasterize

_LEAST_SHARE: Final = 0.1  # vertices that move less than this share of the largest displacement do not count
_SLACK_MM: Final = 2.5  # a vertex this close behind the visible surface is visible
_HIDDEN, _SEEN = 0.08, 0.25  # shares of the visible motion, relative to a frontal face, of weights 0 and 1
_SIZE: Final = 256
_STRIDE: Final = 3  # every third vertex is enough


class UnitVisibility:
    """Weights of the expression units of rendered faces.

    A unit counts as visible if the parts of the surface that it moves are: eyeballs for gaze, lips for the tongue
    (a tongue that is not stuck out is visible as well: as its absence), skin for all others. The weight grows from 0
    to 1 between two shares of what a frontal, neutral face shows.

    Attributes:
        vertices: (K,) of the head that the weights are computed from.

    Args:
        head: the open head.
    """

    def __init__(self, head: HeadModel) -> None:
        motion = np.linalg.norm(head.expression_basis, axis=2)
        regions = head.regions
        balls = regions["eye_left"] | regions["eye_right"]
        for k, name in enumerate(head.expression_names):
            part = balls if name.startswith("eyeLook") else regions["skin"]
            motion[k] = regions["lips"] if name == "tongueOut" else motion[k] * part
        motion[motion < _LEAST_SHARE * motion.max(axis=1, keepdims=True)] = 0
        scale = _SIZE / 330
        frontal = (head.mean * scale * FLIP_Y + [_SIZE / 2, _SIZE / 2, 0]).astype(np.float32)
        depth = rasterize(frontal, head.triangles, _SIZE, _SIZE).depth
        self.vertices = np.flatnonzero(motion.any(axis=0))[::_STRIDE]
        motion = motion[:, self.vertices]
        reference = motion @ visible_vertices(frontal[self.vertices], depth, scale)
        self._motion = (motion / np.maximum(reference, 1e-6)[:, None]).astype(np.float32)

    def weights(self, visible: Bools) -> Float32:
        """Weights (E,) in [0, 1] of an image that shows those of `vertices` that `visible` (K,) marks."""
        share = self._motion @ visible
        return np.asarray(np.clip((share - _HIDDEN) / (_SEEN - _HIDDEN), 0, 1), np.float32)


def visible_vertices(points: Float32, depth: Float32, scale: float, opacity: Float32 | None = None) -> Bools:
    """Find the vertices that an image shows.

    Args:
        points: (V, 3) image px.
        depth: (H, W) of the visible surface, px.
        scale: px per mm.
        opacity: (H, W) in [0, 1] of what is in front of everything; nothing by default.

    Returns:
        (V,) bool.
    """
    height, width = depth.shape
    column, row = np.rint(points[:, 0]).astype(int), np.rint(points[:, 1]).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = column.clip(0, width - 1), row.clip(0, height - 1)
    result = inside & (points[:, 2] > depth[row, column] - _SLACK_MM * scale)
    if opacity is not None:
        result &= opacity[row, column] < 0.5
    return np.asarray(result)
