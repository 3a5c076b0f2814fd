"""How light skin appears in a photo: the individual typology angle and its groups.

The angle is arctan((L* - 50) / b*) of the skin's CIELAB colour, in degrees; the groups are those of Chardon, Cretois
and Hourseau, "Skin colour typology and suntanning pathways" (1991). It is defined for calibrated colour under a known
illuminant. In a photo it describes the apparent skin colour only: illumination, exposure and white balance can shift it
by whole groups.
"""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float64, Floats, UInt8
from ddfa.bench.predict import Predictions, Watch
from ddfa.bench.report import Scores
from ddfa.bench.sets import AnnotatedSet, true_landmarks

GROUPS: Final = ("very light", "light", "intermediate", "tan", "brown", "dark")
UNKNOWN: Final = "unknown"
_LOWEST: Final = (55.0, 41.0, 28.0, 10.0, -30.0)  # angle of each group but the last, degrees
# Triangles of the cheeks, the subject's right and left: lower lid, nostril, jaw below the ear; beards are below.
_CHEEKS: Final = ((41, 31, 2), (46, 35, 14))
_SHRUNK: Final = 0.6  # scale of the triangle, to stay clear of eye, nose and outline
_TURNED_AWAY: Final = 0.5  # a cheek is not used below this fraction of the other's area
# Range of skin colours under usual illumination; grey and tinted images are outside it.
_LEAST_CHROMA: Final = 5.0
_HUES_DEG: Final = (20.0, 90.0)


def tone_groups(data: AnnotatedSet, watch: Watch = iter) -> NDArray[np.str_]:
    """The group of each face (n,): one of `GROUPS`, or `UNKNOWN`.

    Raises:
        DataError: the set has no landmarks, or a photo is missing.
    """
    truth = true_landmarks(data)
    angles = [typology_angle(data.photos.read(data.names[i]), truth[i]) for i in watch(range(len(data)))]
    return np.array([UNKNOWN if np.isnan(a) else GROUPS[sum(a <= low for low in _LOWEST)] for a in angles])


def by_tone(found: Predictions, scores: Scores, groups: NDArray[np.str_]) -> list[Scores]:
    """Split scores by group; each is named by the group and its number of faces.

    Args:
        found: the predictions.
        scores: of the predictions.
        groups: (n,) of all photos, see `tone_groups`.
    """
    parts = []
    for group in (*GROUPS, UNKNOWN):
        chosen, faces = groups[found.index] == group, int((groups == group).sum())
        if faces:
            errors, yaw, missed = scores.errors[chosen], scores.yaw_deg[chosen], faces - int(chosen.sum())
            parts.append(replace(scores, errors=errors, yaw_deg=yaw, missed=missed, what=f"{group} ({faces})"))
    return parts


def typology_angle(photo: UInt8, landmarks68: Floats) -> float:
    """The individual typology angle of the cheeks.

    Args:
        photo: (H, W, 3) uint8, assumed to be sRGB.
        landmarks68: (68, 2 or more) image px.

    Returns:
        Degrees, larger for lighter skin; NaN if the cheeks are outside the image or do not have the colour of skin.
    """
    points = np.asarray(landmarks68, np.float64)[:, :2]
    cheeks = [points[list(corners)] for corners in _CHEEKS]
    areas = np.array([_signed_area(cheeks[0]), -_signed_area(cheeks[1])])
    mask = np.zeros(photo.shape[:2], np.uint8)
    for cheek, area in zip(cheeks, areas, strict=True):
        if area > 0 and area >= _TURNED_AWAY * areas.max():
            middle = cheek.mean(axis=0)
            cv2.fillConvexPoly(mask, np.rint(middle + _SHRUNK * (cheek - middle)).astype(np.int32), 1)
    skin = photo[mask > 0]
    if not len(skin):
        return float("nan")
    lightness, a, b = np.median(cv2.cvtColor(skin[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0], axis=0)
    if np.hypot(a, b) < _LEAST_CHROMA or not _HUES_DEG[0] <= np.degrees(np.arctan2(b, a)) <= _HUES_DEG[1]:
        return float("nan")
    return float(np.degrees(np.arctan2(lightness - 50, b)))


def _signed_area(triangle: Float64) -> float:
    (x1, y1), (x2, y2) = triangle[1] - triangle[0], triangle[2] - triangle[0]
    return float(x1 * y2 - x2 * y1) / 2
