"""Crops straight as the network's input: sampled, normalised and laid out in one go.

The RoI is a square along the axes, so the bilinear weights of a row or column are the same for the whole crop: two
rows are blended first, then pairs of pixels of that one row. Large faces are averaged down by a whole factor first, as
in `affine_crop`.
"""

import sys
from typing import Final, Protocol

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.regress.crop import cut

MIDDLE: Final = 127.5
RANGE: Final = 128.0  # the network's input is (v - MIDDLE) / RANGE
_COMPILED_FROM: Final = 1000  # crops; Numba takes as long to load as some thousand plain crops take


class Sampler(Protocol):
    """Fills a crop (3, S, S) from an image (H, W, 3): means of blocks of factor x factor px, blended.

    The blocks are counted from the pixel at column `left` and row `top`; the places x, y (S,) are in blocks, 0 the
    centre of the first. All blocks that are asked for lie in the image.
    """

    def __call__(
        self, image: UInt8, left: int, top: int, factor: int, x: Float64, y: Float64, crop: Float32, /
    ) -> None:
        """Fill the crop."""
        ...


def network_crops(image: UInt8, roi: Floats, size: int, sample: Sampler) -> Float32:
    """Cut RoIs with sub-pixel precision, zeros outside, as `affine_crop` does but without rounding.

    Args:
        image: (H, W, 3) uint8 RGB.
        roi: (n, 4) squares in image px.
        size: side S of the crops in px.
        sample: does the work: `sample_plainly`, or the compiled one of `ddfa.regress.compiled`.

    Returns:
        (n, 3, S, S) float32, (v - 127.5) / 128, channels RGB.
    """
    image = np.ascontiguousarray(image)
    crops = np.empty((len(roi), 3, size, size), np.float32)
    steps = np.arange(size) + 0.5
    for crop, (x0, y0, x1, y1) in zip(crops, np.asarray(roi, np.float64).tolist(), strict=True):
        step_x, step_y = (x1 - x0) / size, (y1 - y0) / size
        factor = max(int(step_x), 1)
        left, top = int(x0 // 1) - factor, int(y0 // 1) - factor
        # A block's centre lies (factor - 1) / 2 px right of and below its first pixel's centre.
        x = (x0 - left - (factor - 1) / 2 + step_x * steps) / factor
        y = (y0 - top - (factor - 1) / 2 + step_y * steps) / factor
        right, bottom = left + (int(x[-1]) + 2) * factor, top + (int(y[-1]) + 2) * factor
        if left >= 0 and top >= 0 and right <= image.shape[1] and bottom <= image.shape[0]:
            sample(image, left, top, factor, x, y, crop)
        else:
            sample(cut(image, left, top, right, bottom), 0, 0, factor, x, y, crop)
    return crops


def best_sampler(crops_so_far: int) -> Sampler:
    """The compiled sampler where Numba is loaded or pays for the time that loading it takes, else the plain one."""
    if "numba" in sys.modules or crops_so_far >= _COMPILED_FROM:
        from ddfa.regress.compiled import sample

        return sample
    return sample_plainly


def sample_plainly(image: UInt8, left: int, top: int, factor: int, x: Float64, y: Float64, crop: Float32) -> None:
    """The sampler in OpenCV and NumPy; see `Sampler`."""
    columns, rows = int(x[-1]) + 2, int(y[-1]) + 2
    blocks = image[top : top + rows * factor, left : left + columns * factor]
    if factor > 1:
        blocks = np.asarray(cv2.resize(blocks, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    column, row = x.astype(np.intp), y.astype(np.intp)
    right_share, lower_share = (x - column)[:, None].astype(np.float32), (y - row)[:, None, None].astype(np.float32)
    upper = blocks[row].astype(np.float32)
    lines = upper + lower_share * (blocks[row + 1] - upper)
    first = lines[:, column]
    values = first + right_share * (lines[:, column + 1] - first)
    crop[:] = (values.transpose(2, 0, 1) - np.float32(MIDDLE)) / np.float32(RANGE)
