"""A visible label on synthetic images."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import UInt8

_TEXT: Final = "SYNTHETIC FACE"
_FONT: Final = cv2.FONT_HERSHEY_DUPLEX
_HEIGHT: Final = 0.028  # of the letters, as a fraction of the shorter side
_MIN_HEIGHT: Final = 9  # px; smaller letters are not legible


def labelled(image: UInt8) -> UInt8:
    """Copy an image and draw "SYNTHETIC FACE" into its lower left corner.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 RGB, a new array.
    """
    image = image.copy()
    height, width = image.shape[:2]
    letters = max(_MIN_HEIGHT, _HEIGHT * min(height, width))
    scale = cv2.getFontScaleFromHeight(_FONT, max(1, round(letters)), 1)
    (text_width, _), _ = cv2.getTextSize(_TEXT, _FONT, scale, 1)
    scale *= min(1.0, (width - 6) / (text_width + letters))  # smaller letters rather than a truncated text
    thickness = max(1, round(letters / 14))
    (text_width, text_height), descent = cv2.getTextSize(_TEXT, _FONT, scale, thickness)
    pad = max(1, round(0.5 * text_height))
    x0, y1 = min(pad, max(0, width - text_width - 2 * pad)), height - pad
    y0, x1 = max(0, y1 - text_height - descent - 2 * pad), min(width, x0 + text_width + 2 * pad)
    background = image[y0:y1, x0:x1]
    background[:] = (0.35 * background.astype(np.float32)).astype(np.uint8)  # keeps white text legible anywhere
    origin = (x0 + pad, y1 - pad - descent // 2)
    cv2.putText(image, _TEXT, origin, _FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
    return image
