"""Compositing of a coloured surface over an image, antialiased along its outlines."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.compiling import compiled

_STEP: Final = 8.0  # px; a larger difference in depth between neighbours is an outline
_FAR: Final = np.float32(-1e6)  # depth of the background
_SIGMA: Final = 0.8  # px
_WEIGHTS: Final = cv2.getGaussianKernel(3, _SIGMA, cv2.CV_32F)[:, 0]


def composite(ground: UInt8, colour: Float32, cover: Float32, depth: Float32) -> None:
    """Composite a surface over an image, in place.

    At outlines, which are depth discontinuities such as the rim of a face or the edge of the nose in front of the
    cheek, colour and opacity are averaged over 3 x 3 pixels.

    Args:
        ground: (h, w, 3) uint8 RGB, changed.
        colour: (h, w, 3) float32 in [0, 255].
        cover: (h, w) float32 opacity in [0, 1].
        depth: (h, w) float32 px, larger is nearer; -inf where there is no surface.
    """
    _composite(ground, colour, cover, np.maximum(depth, _FAR), _WEIGHTS)


def composite_reference(ground: UInt8, colour: Float32, cover: Float32, depth: Float32) -> None:
    """Slow, readable reference implementation of `composite`: same arguments, same result up to rounding."""
    kernel, solid = np.ones((3, 3), np.uint8), np.maximum(depth, _FAR)
    outline = cv2.dilate(solid, kernel) - cv2.erode(solid, kernel) > _STEP
    layer = np.dstack([colour * cover[..., None], cover])
    smooth = cv2.GaussianBlur(layer, (3, 3), _SIGMA, borderType=cv2.BORDER_REPLICATE)
    layer[outline] = smooth[outline]
    mixed = ground * (1 - layer[..., 3:]) + layer[..., :3]
    ground[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


@compiled
def _composite(ground: UInt8, colour: Float32, cover: Float32, depth: Float32, weights: Float32) -> None:
    height, width = cover.shape
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            before, after = max(x - 1, 0), min(x + 1, width - 1)
            nearest = farthest = depth[y, x]
            for row in (above, y, below):
                for column in (before, x, after):
                    nearest, farthest = max(nearest, depth[row, column]), min(farthest, depth[row, column])
            red, green, blue, share = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            if nearest - farthest > _STEP:
                for i, row in enumerate((above, y, below)):
                    for j, column in enumerate((before, x, after)):
                        part = weights[i] * weights[j] * cover[row, column]
                        share += part
                        red += part * colour[row, column, 0]
                        green += part * colour[row, column, 1]
                        blue += part * colour[row, column, 2]
            else:
                share = cover[y, x]
                red, green, blue = share * colour[y, x, 0], share * colour[y, x, 1], share * colour[y, x, 2]
            if share > 0:
                rest = 1 - share
                ground[y, x, 0] = np.uint8(min(max(ground[y, x, 0] * rest + red + 0.5, 0.0), 255.0))
                ground[y, x, 1] = np.uint8(min(max(ground[y, x, 1] * rest + green + 0.5, 0.0), 255.0))
                ground[y, x, 2] = np.uint8(min(max(ground[y, x, 2] * rest + blue + 0.5, 0.0), 255.0))
