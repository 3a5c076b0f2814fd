"""Figures of one replaced face: whose face it is, seams, agreement of the light, errors where the truth is known."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, UInt8
from ddfa.faces import Faces
from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.skin_colour import ColourBasis, brightness
from ddfa.raster.lighting import harmonics
from ddfa.replace.target import TargetFace

_LIMIT: Final = 512  # px; longest side of the region in which faces are compared
_LEAST_SEEN: Final = 0.15  # visibility of a vertex that is compared
_SEAM_PX: Final = 0.02  # fraction of the face's height: half the width of the band around the border
_SEAM_BLUR: Final = 0.006  # the same: blur before gradients are taken, so that noise does not count


@dataclass(frozen=True)
class ReplacementFigures:
    """How good a replacement is.

    Attributes:
        skin_moved: how far the skin, without its light, has moved from the target's (0) to the source's (1).
        shape_moved: the same of the identity coefficients that the network sees.
        seam: gradient of the brightness at the border of the changed area, relative to that of the target there; 1 is
            no seam.
        light_error: rms difference of the shading of result and target, log units, apart from their mean.
    """

    skin_moved: float
    shape_moved: float
    seam: float
    light_error: float


class ReplacementJudge:
    """Measures replacements on one head model.

    Args:
        surface: the face of the head model.
    """

    def __init__(self, surface: FaceSurface) -> None:
        self._surface, self._basis = surface, ColourBasis(surface)

    def __call__(
        self, source: tuple[UInt8, Faces], target: tuple[UInt8, Faces], result: tuple[UInt8, Faces]
    ) -> ReplacementFigures:
        """Measure one replacement.

        Args:
            source: (H, W, 3) uint8 RGB and its face, likewise the others.
            target: before the replacement.
            result: after it, and the face fitted again.
        """
        views = [
            TargetFace.of(self._surface, self._basis, image, face, _LIMIT) for image, face in (source, target, result)
        ]
        own, old, new = (brightness(view.fine_colours - view.basis @ view.skin) for view in views)
        shown = np.min([view.visible_skin for view in views], axis=0)
        weights = 1 / np.square(self._surface.head.identity_std)
        return ReplacementFigures(
            moved(own, old, new, np.where(shown > _LEAST_SEEN, shown, 0)),
            moved(source[1].identity[0], target[1].identity[0], result[1].identity[0], weights),
            seam(target[0], result[0], views[1].size / views[1].canvas.scale),
            self._light_error(views[1], views[2]),
        )

    def _light_error(self, target: TargetFace, result: TargetFace) -> float:
        weights = self._surface.plain * np.minimum(target.visible_skin, result.visible_skin)
        used = np.flatnonzero(weights > _LEAST_SEEN)
        if len(used) < 50:
            return float("nan")
        share = weights[used] / weights[used].sum()
        basis = harmonics(target.normals[used]).astype(np.float64)
        difference = brightness(result.colours - target.colours)[used]
        damping = 1e-3 * np.eye(basis.shape[1])
        fitted = basis @ np.linalg.solve((basis.T * share) @ basis + damping, (basis.T * share) @ difference)
        return float(np.sqrt(share @ np.square(fitted - share @ fitted)))


def moved(source: Floats, target: Floats, result: Floats, weights: Floats) -> float:
    """Compute how far a vector has moved from the target's to the source's.

    Args:
        source: (K,).
        target: (K,).
        result: (K,).
        weights: (K,) not negative.

    Returns:
        0 for the target's vector, 1 for the source's: the projection onto the line between them. NaN if they are equal.
    """
    way = np.asarray(source, np.float64) - target
    length = float(weights @ way**2)
    return float(weights @ ((result - target) * way)) / length if length > 0 else float("nan")


def seam(target: UInt8, result: UInt8, face_px: float) -> float:
    """Compare gradients of the brightness at the border of the changed area with those of the target.

    Args:
        target: (H, W, 3) uint8 RGB before the replacement.
        result: after it.
        face_px: height of the face.

    Returns:
        The ratio of the mean gradients; NaN if nothing has changed.
    """
    changed = (np.abs(result.astype(np.int16) - target).max(axis=2) > 2).astype(np.uint8)
    reach = max(1, round(_SEAM_PX * face_px))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    whole = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, disc)
    band: Bools = cv2.morphologyEx(whole, cv2.MORPH_GRADIENT, disc) > 0
    if not band.any():
        return float("nan")
    before, after = (_gradient(image, _SEAM_BLUR * face_px)[band].mean() for image in (target, result))
    return float((after + 0.1) / (before + 0.1))


def error(truth: UInt8, image: UInt8, weights: Float32) -> float:
    """Mean absolute difference, grey levels, over an area.

    Args:
        truth: (H, W, 3) uint8 RGB.
        image: of the same size.
        weights: (H, W) float32 in [0, 1], the area.
    """
    difference = np.abs(truth.astype(np.float32) - image).mean(axis=2)
    return float((difference * weights).sum() / max(float(weights.sum()), 1e-6))


def _gradient(image: UInt8, blur: float) -> Float32:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), max(blur, 0.7))
    return np.asarray(np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)) / 8, np.float32)
