"""A visible mark on synthetic pictures."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import UInt8

_TEXT: Final = "SYNTHETIC FACE"
_FONT: Final = cv2.FONT_HERSHEY_DUPLEX
_HEIGHT: Final = 0.028  # of letters, share of the shorter side
_LEAST: Final = 9  # px, below it letters cannot be read


def draw_watermark(image: UInt8) -> None:
    """Write what the picture is into its lower left corner, in place.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    letters = max(_LEAST, _HEIGHT * min(height, width))
    scale = cv2.getFontScaleFromHeight(_FONT, max(1, round(letters)), 1)
    (text_width, _), _ = cv2.getTextSize(_TEXT, _FONT, scale, 1)
    scale *= min(1.0, (width - 6) / (text_width + letters))  # better smaller letters than half a word
    thickness = max(1, round(letters / 14))
    (text_width, text_height), below = cv2.getTextSize(_TEXT, _FONT, scale, thickness)
    pad = max(1, round(0.5 * text_height))
    x0, y1 = min(pad, max(0, width - text_width - 2 * pad)), height - pad
    y0, x1 = max(0, y1 - text_height - below - 2 * pad), min(width, x0 + text_width + 2 * pad)
    plate = image[y0:y1, x0:x1]
    plate[:] = (0.35 * plate.astype(np.float32)).astype(np.uint8)
    base = (x0 + pad, y1 - pad - below // 2)
    cv2.putText(image, _TEXT, base, _FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
