"""What a person looks like: colours at points of the face and the hair, by which a track recognises a person.

Colours are sampled at a few hundred vertices of the fitted head, so that head pose and position do not matter. The
brightness pattern is normalised to zero mean and unit contrast, and chromaticity divides by brightness, so that the
exposure does not matter either. Patterns are compared in four overlapping parts of the face, since a hand or a
microphone hides only some of them.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.faces import Faces
from ddfa.head.model import HeadModel

# Distances of looks (`Appearance.distance`). One person in a news clip: median 0.06, at most 0.34; photos of different
# people: median 0.91, 1 % below 0.36.
SAME: Final = 0.4  # below: the same person, wherever the face appears
OTHER: Final = 0.6  # above: another person, even at the same place in a video
_CELLS: Final = 20  # of the grid from which points are chosen, per axis
_ABOVE: Final = 0.45  # of the height of the landmarks' box: forehead and hair, which differ most between people
_DETAIL: Final = 40  # px, height of the landmarks' box in the image that is sampled: details of pose and noise vanish
_LEAST: Final = 0.25  # cosine of the angle to the viewer from which a point counts as visible
_FEWEST: Final = 30  # points in common below which two looks are not compared
_CHROMA: Final = 6.0  # weight of a difference of chromaticity relative to one of the pattern
_SHIFT: Final = 2.0  # weight of a shift of chromaticity common to all points
_RATE: Final = 0.1  # weight of a new frame in the running mean


@dataclass(frozen=True, eq=False)
class Look:
    """Colours of a face at the points of `Appearance`.

    Attributes:
        colours: (K, 3) float32: brightness and two chromaticities.
        weights: (K,) float32 in [0, 1]: how well each point is seen.
    """

    colours: Float32
    weights: Float32


class Appearance:
    """Samples looks of faces of one head model.

    Args:
        head: the head model.
    """

    def __init__(self, head: HeadModel) -> None:
        low, high = head.landmark_points.mean[:, :2].min(axis=0), head.landmark_points.mean[:, :2].max(axis=0)
        high = high + np.array([0, _ABOVE * (high[1] - low[1])], np.float32)
        cell = np.floor((head.mean[:, :2] - low) / (high - low) * _CELLS).astype(int)
        inside = np.flatnonzero(((cell >= 0) & (cell < _CELLS)).all(axis=1))
        # The front-most vertex of each cell, which is on the surface that a viewer sees.
        order = inside[np.argsort(head.mean[inside, 2], kind="stable")[::-1]]
        _, first = np.unique(cell[order] @ [_CELLS, 1], return_index=True)
        chosen = order[first].astype(np.int32)
        self._points = head.subset(chosen)
        mean = np.asarray(self._points.mean, np.float64)
        # Normals of an ellipsoid: accurate enough to tell which half of a face is turned away.
        centre = np.array([mean[:, 0].mean(), mean[:, 1].mean(), mean[:, 2].max() - np.ptp(mean[:, 0])])
        self._normals = (mean - centre) / np.linalg.norm(mean - centre, axis=1, keepdims=True)
        across = (mean[:, :2] - mean[:, :2].mean(axis=0)) / np.ptp(mean[:, :2], axis=0)
        margin = 0.08
        parts = [across[:, 0] < margin, across[:, 0] > -margin, across[:, 1] < margin, across[:, 1] > -margin]
        self._parts: Bools = np.array(parts)

    def __call__(self, image: UInt8, face: Faces) -> Look:
        """Sample the look of a face.

        Args:
            image: (H, W, 3) uint8 RGB.
            face: a result with one face.
        """
        points = face.model.decode(self._points, face.params, face.roi)[0, :, :2]
        landmarks = face.landmarks68[0, :, :2]
        scale = min(1.0, _DETAIL / max(float(np.ptp(landmarks[:, 1])), float(np.ptp(landmarks[:, 0])), 1.0))
        low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 2, 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 3, [image.shape[1], image.shape[0]])
        seen = np.clip(face.rotation[0, 2] @ self._normals.T, 0, 1)
        seen = np.where(seen > _LEAST, seen, 0.0)
        if (high - low < 4).any():
            return Look(np.zeros((len(points), 3), np.float32), np.zeros(len(points), np.float32))
        window = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
        small = cv2.resize(window, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else window
        factor = np.array([small.shape[1] / window.shape[1], small.shape[0] / window.shape[0]])
        at = ((points - low + 0.5) * factor - 0.5).astype(np.float32)
        x, y = at[:, None, 0], at[:, None, 1]
        rgb = cv2.remap(small.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = ((points >= 0) & (points <= [image.shape[1] - 1, image.shape[0] - 1])).all(axis=1)
        colours, weights = _opponent(np.asarray(rgb[:, 0], np.float32)), (seen * inside).astype(np.float32)
        if weights.any():
            colours[:, 0] = _normalised(colours[:, 0], weights)
        return Look(colours, weights)

    def distance(self, first: Look, second: Look) -> float:
        """How different two looks are: near 0 for one person, near 1 for two; NaN if too little is seen in common."""
        weights = np.minimum(first.weights, second.weights)
        parts = [w for w in self._parts * weights if np.count_nonzero(w) >= _FEWEST]
        return min((_difference(first.colours, second.colours, w) for w in parts), default=float("nan"))


def mixed(past: Look, new: Look, rate: float = _RATE) -> Look:
    """The running mean of looks, point by point; a point that is seen for the first time takes its new colour."""
    share = np.where(past.weights > 0, rate * new.weights, new.weights > 0)[:, None]
    colours = past.colours + share * (new.colours - past.colours)
    return Look(colours.astype(np.float32), np.maximum(past.weights, new.weights))


def _opponent(rgb: Float32) -> Float32:
    """Square root of brightness; red minus green and yellow minus blue, relative to brightness."""
    r, g, b = rgb.T
    total = r + g + b + 30
    return np.stack([np.sqrt(total / 3), (r - g) / total, (0.5 * (r + g) - b) / total], axis=1).astype(np.float32)


def _normalised(values: Float32, weights: Float32) -> Float32:
    """Values (K,) with weighted mean 0 and standard deviation 1."""
    share = weights / weights.sum()
    centred = values - share @ values
    return np.asarray(centred / max(float(np.sqrt(share @ centred**2)), 1e-3), np.float32)


def _difference(first: Float32, second: Float32, weights: Float32) -> float:
    """1 - correlation of the brightness patterns, plus the weighted mean difference of chromaticity.

    A shift common to all points counts less: it may be the light or the white balance of the camera.
    """
    share = weights / weights.sum()
    pattern = 1.0 - share @ (_normalised(first[:, 0], weights) * _normalised(second[:, 0], weights))
    chroma = first[:, 1:] - second[:, 1:]
    shift = share @ chroma
    own = share @ np.sqrt(((chroma - shift) ** 2).sum(axis=1))
    return float(pattern + _CHROMA * own + _SHIFT * np.sqrt(shift @ shift))
