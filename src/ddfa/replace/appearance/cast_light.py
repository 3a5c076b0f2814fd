"""What the smooth light on a face cannot explain: cast shadows and highlights, as a ratio image."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.occlusion.matte import guided_filter
from ddfa.occlusion.skin_colour import brightness, log_colours
from ddfa.raster.blending import push_pull

_WORK: Final = 128  # px; longest side at which it is computed
_USUAL: Final = 0.16  # log units; smaller differences are the relief and the colours of a face, which are not light
_RADIUS, _EPSILON = 3, 0.01  # px, log units squared: window and variance of the edge-preserving filter
_WIDE: Final = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))  # about 15 mm
_LEAST_SKIN: Final = 0.02  # of the picture: of less visible skin nothing is concluded


def cast_light(image: UInt8, expected: Float32, free: Float32) -> Float32:
    """Estimate cast shadows and highlights on the skin of a face.

    Brightness is compared with that of the skin in smooth light. Only differences far beyond those of uneven skin
    count, smoothed along the edges of the image; over features and occluders they continue from their surroundings.

    Args:
        image: (h, w, 3) uint8 RGB.
        expected: (h, w, 3) float32, logarithms of the skin's colour in smooth light.
        free: (h, w) float32 in [0, 1], where plain skin is visible.

    Returns:
        (h, w) float32, logarithms of the factor on the brightness.
    """
    height, width = free.shape
    factor = min(1.0, _WORK / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    skin = np.asarray(cv2.resize(brightness(expected), size, interpolation=cv2.INTER_AREA), np.float32)
    weight = np.asarray(cv2.resize(free, size, interpolation=cv2.INTER_AREA), np.float32)
    if weight.mean() < _LEAST_SKIN:
        return np.zeros_like(free)
    weight = np.square(weight) * (weight > 0.5)  # blurred borders show other colours
    uneven = push_pull((brightness(log_colours(small)) - skin)[..., None], weight)[..., 0]
    # Shadows and highlights are wider than folds, which closing and opening remove.
    dark, bright = (cv2.morphologyEx(uneven, shape, _WIDE) for shape in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN))
    wide = np.asarray(np.minimum(dark, 0) + np.maximum(bright, 0), np.float32)
    smooth = guided_filter(wide, wide, _RADIUS, _EPSILON)
    light = smooth - usual(smooth)
    return np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def usual(uneven: Float32) -> Float32:
    """Part of differences of brightness, in log units, that is not light: small ones in full, large ones hardly."""
    return np.asarray(uneven / (1 + np.square(uneven / _USUAL)), np.float32)
