"""Correspondence between the 478-point face mesh and our landmarks, and the differences observed with it.

Mesh and head differ in where exactly a lid or a lip is, and in where the face is. Therefore only differences are used:
the aperture of eyes and mouth, the position of an iris between the corners of its eye, and that of a lip or brow point
relative to points that hardly move.
"""

from dataclasses import dataclass

import numpy as np

from ddfa.arrays import Float64, Floats
from ddfa.data.registration.landmark_placement import MIRRORED
from ddfa.errors import DataError
from ddfa.head.irises import landmarks_and_irises
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel

# Beyond the 68 landmarks: the centres of the subject's right and left iris.
IRIS_RIGHT, IRIS_LEFT = 68, 69
MESH_POINTS = 478
HEAD_POINTS = 70
HEAD_POINTS_MIRRORED = np.r_[MIRRORED, IRIS_LEFT, IRIS_RIGHT]

# Mesh points that mirror each other; the subject's right first.
_PAIRS = (
    (70, 300), (63, 293), (105, 334), (66, 296), (107, 336), (46, 276), (53, 283), (52, 282), (65, 295), (55, 285),
    (33, 263), (161, 388), (160, 387), (159, 386), (158, 385), (157, 384), (133, 362),
    (163, 390), (144, 373), (145, 374), (153, 380), (154, 381),
    (468, 473), (469, 476), (470, 475), (471, 474), (472, 477), (98, 327),
    (61, 291), (40, 270), (39, 269), (37, 267), (91, 321), (181, 405), (84, 314),
    (78, 308), (81, 311), (82, 312), (178, 402), (87, 317),
)  # fmt: skip
_MIDDLE = (2, 0, 17, 13, 14)
_MIRROR = {**dict(_PAIRS), **{left: right for right, left in _PAIRS}, **{k: k for k in _MIDDLE}}
# Our points on the subject's right and in the middle: the mesh points whose mean corresponds to them.
_RIGHT: dict[int, tuple[int, ...]] = {
    17: (70, 46), 18: (63, 53), 19: (105, 52), 20: (66, 65), 21: (107, 55),
    31: (98,), 33: (2,),
    36: (33,), 37: (161, 160, 159), 38: (159, 158, 157), 39: (133,), 40: (145, 153, 154), 41: (163, 144, 145),
    48: (61,), 49: (40, 39), 50: (37,), 51: (0,), 57: (17,), 58: (84,), 59: (91, 181),
    60: (78,), 61: (81, 82), 62: (13,), 66: (14,), 67: (178, 87),
    IRIS_RIGHT: (468, 469, 470, 471, 472),
}  # fmt: skip
MESH_OF = {**{int(HEAD_POINTS_MIRRORED[k]): tuple(_MIRROR[m] for m in mesh) for k, mesh in _RIGHT.items()}, **_RIGHT}
OBSERVED_POINTS = tuple(sorted(MESH_OF))
_NUMBER = {point: number for number, point in enumerate(OBSERVED_POINTS)}
_SEEN_MIRRORED = np.array([_NUMBER[int(HEAD_POINTS_MIRRORED[point])] for point in OBSERVED_POINTS])


@dataclass(frozen=True)
class Difference:
    """The mean of some of our points minus that of others.

    Attributes:
        plus: the former.
        minus: the latter.
        noise: expected error, head units.
        shift: (x, y) to be added to the difference on the mesh to obtain ours, head units.
        gain: factor of the difference on the mesh, applied first.
    """

    plus: tuple[int, ...]
    minus: tuple[int, ...]
    noise: float
    shift: tuple[float, float] = (0.0, 0.0)
    gain: float = 1.0

    def mirrored(self) -> "Difference":
        """The same on the other side of the face."""
        plus, minus = (tuple(int(HEAD_POINTS_MIRRORED[k]) for k in side) for side in (self.plus, self.minus))
        return Difference(plus, minus, self.noise, (-self.shift[0], self.shift[1]), self.gain)


_EYE, _NOSTRILS = (36, 39), (31, 33, 35)
_HALF = (
    # Closed lids of the mesh are half a millimetre apart, and open ones closer to each other than ours.
    Difference((37,), (41,), 0.5, (0.0, -0.5), 1.12),
    Difference((38,), (40,), 0.5, (0.0, -0.5), 1.12),
    Difference((IRIS_RIGHT,), _EYE, 1.0, (1.5, 0.6)),
    # Where our lips touch, the landmarks on their edges are two millimetres apart.
    Difference((61,), (67,), 0.7, (0.0, 0.7), 0.9),
    Difference((62,), (66,), 0.7, (0.0, 0.7), 0.9),
    # The shifts of the others are medians over photos of neutral and other faces.
    Difference((17,), _EYE, 2.5, (-0.3, 0.6)),
    Difference((18,), _EYE, 2.5, (1.2, 1.7)),
    Difference((19,), _EYE, 2.5, (2.4, 1.0)),
    Difference((20,), _EYE, 2.5, (0.6, 0.8)),
    Difference((21,), _EYE, 2.5, (-4.7, 1.9)),
    Difference((48,), _NOSTRILS, 1.0, (-0.4, -0.7)),
    Difference((49,), _NOSTRILS, 1.0, (0.5, 0.4)),
    Difference((50,), _NOSTRILS, 1.0, (1.8, 1.5)),
    Difference((51,), _NOSTRILS, 1.0, (0.0, 1.9)),
    Difference((57,), _NOSTRILS, 1.0, (0.0, 1.2)),
    Difference((58,), _NOSTRILS, 1.0, (-0.3, 1.7)),
    Difference((59,), _NOSTRILS, 1.0, (0.7, 0.8)),
)  # fmt: skip
DIFFERENCES = _HALF + tuple(half.mirrored() for half in _HALF if half.mirrored().plus != half.plus)
# Landmarks on the edges of eyelids and on the inner edges of the lips: the mesh is better there than teachers whose
# head model cannot close its eyes.
LIDS_AND_LIPS = (37, 38, 40, 41, 43, 44, 46, 47, 61, 62, 63, 65, 66, 67)


def observed_points(mesh: Floats) -> Float64:
    """The points `OBSERVED_POINTS` (n, P, 2) from mesh points (n, 478, 2)."""
    return np.stack([np.mean(mesh[:, list(MESH_OF[point])], axis=1) for point in OBSERVED_POINTS], axis=1)


def flip_averaged(plain: Floats, mirrored: Floats) -> Float64:
    """Mean of `observed_points` of photos and of their mirror images, the latter mapped back into the photos."""
    return np.asarray((plain + mirrored[:, _SEEN_MIRRORED]) / 2, np.float64)


def observed_differences(points: Floats) -> Float64:
    """The differences (n, D, 2) of `DIFFERENCES` between `OBSERVED_POINTS` points (n, P, 2), image px."""
    return np.asarray(np.einsum("dp,npc->ndc", _mixing()[:, list(OBSERVED_POINTS)], points, optimize=True))


def head_differences(head: HeadModel) -> LinearPoints:
    """The differences of `DIFFERENCES` on a head.

    Raises:
        DataError: the head has no irises.
    """
    points = landmarks_and_irises(head)
    if points is None:
        raise DataError(f"head '{head.name}' has no iris regions: the mesh teacher needs the open head")
    mixing = _mixing()
    return LinearPoints(
        (mixing @ points.mean).astype(np.float32),
        np.einsum("dk,bkc->bdc", mixing, points.bases, optimize=True).astype(np.float32),
        points.identities,
    )


def _mixing() -> Float64:
    """Coefficients (D, 70) of our points in each difference."""
    mixing = np.zeros((len(DIFFERENCES), HEAD_POINTS))
    for number, difference in enumerate(DIFFERENCES):
        mixing[number, list(difference.plus)] += 1 / len(difference.plus)
        mixing[number, list(difference.minus)] -= 1 / len(difference.minus)
    return mixing
