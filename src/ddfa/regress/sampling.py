"""Crops directly as network input: sampled, normalised and transposed in one pass.

The RoI is an axis-aligned square, so bilinear interpolation is separable: two image rows are blended first, then pairs
of pixels of the blended row. As in `affine_crop`, large faces are first averaged down by an integer factor, in blocks
of factor x factor px.
"""

import sys
from typing import Final, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.regress.crop import cut

MIDDLE: Final = 127.5
RANGE: Final = 128.0  # the network's input is (v - MIDDLE) / RANGE
COMPILED_FROM: Final = 1000  # crops; loading Numba takes as long as about a thousand crops of the reference sampler


class Samples(NamedTuple):
    """The sample positions of a crop along x or y, in units of blocks: pixel k of the crop is at `start` + k `step`.

    Attributes:
        first: image pixel at which the first block begins.
        blocks: number of blocks that are read; all of them are inside the image.
        start: position of the crop's first pixel; 0 is the centre of the first block.
        step: distance between pixels of the crop.
    """

    first: int
    blocks: int
    start: float
    step: float


class Sampler(Protocol):
    """Fills a crop (3, S, S) from an image (H, W, 3) by bilinear interpolation of the means of factor x factor blocks.

    The numbers are the fields of two `Samples`, along x, then along y: scalars are passed to compiled code fastest.
    """

    def __call__(
        self, image: UInt8, factor: int,
        left: int, columns: int, x: float, dx: float,
        top: int, rows: int, y: float, dy: float,
        crop: Float32, /,
    ) -> None:  # fmt: skip
        """Fill the crop."""
        ...


def network_crops(image: UInt8, roi: Floats, size: int, sample: Sampler) -> Float32:
    """Cut RoIs with sub-pixel precision, zeros outside, like `affine_crop` but without rounding to 8 bits.

    Args:
        image: (H, W, 3) uint8 RGB.
        roi: (n, 4) squares in image px.
        size: side S of the crops in px.
        sample: the sampler: `sample_reference`, or the compiled one of `ddfa.regress.sampling_kernel`.

    Returns:
        (n, 3, S, S) float32, (v - 127.5) / 128, channels RGB.
    """
    image = np.ascontiguousarray(image)
    crops = np.empty((len(roi), 3, size, size), np.float32)
    for crop, (x0, y0, x1, y1) in zip(crops, np.asarray(roi, np.float64).tolist(), strict=True):
        factor = max(int((x1 - x0) / size), 1)
        xs, ys = _samples(x0, x1, size, factor), _samples(y0, y1, size, factor)
        left, top, right, bottom = xs.first, ys.first, _end(xs, factor), _end(ys, factor)
        # The compiled sampler does no bounds checks. Most faces are inside the image and are read in place; only those
        # at its border are copied to a padded patch.
        if left >= 0 and top >= 0 and right <= image.shape[1] and bottom <= image.shape[0]:
            sample(image, factor, *xs, *ys, crop)
        else:
            patch = cut(image, left, top, right, bottom)
            sample(patch, factor, 0, *xs[1:], 0, *ys[1:], crop)
    return crops


def _samples(low: float, high: float, size: int, factor: int) -> Samples:
    """Compute the sample positions of a crop of `size` px between two edges of its RoI, px."""
    step = (high - low) / size
    first = int(low // 1) - factor
    # The centre of a block is (factor - 1) / 2 px after the centre of its first pixel.
    start = (low - first - (factor - 1) / 2 + step / 2) / factor
    # The last sample reads the block before it and the one after it.
    return Samples(first, int(start + step / factor * (size - 1)) + 2, start, step / factor)


def _end(samples: Samples, factor: int) -> int:
    return samples.first + samples.blocks * factor


def best_sampler(crops_so_far: int) -> Sampler:
    """Return the compiled sampler if Numba is loaded or worth the time to load it, else the reference sampler."""
    if "numba" in sys.modules or crops_so_far >= COMPILED_FROM:
        from ddfa.regress.sampling_kernel import sample

        return sample
    return sample_reference


def sample_reference(
    image: UInt8, factor: int, left: int, columns: int, x: float, dx: float, top: int, rows: int, y: float, dy: float,
    crop: Float32,
) -> None:  # fmt: skip
    """Fill one crop with OpenCV and NumPy: the reference implementation of `Sampler`."""
    blocks = image[top : top + rows * factor, left : left + columns * factor]
    if factor > 1:
        blocks = np.asarray(cv2.resize(blocks, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    column, weight_x = _interpolation(x, dx, columns, crop.shape[2])
    row, weight_y = _interpolation(y, dy, rows, crop.shape[1])
    upper = blocks[row].astype(np.float32)
    lines = upper + weight_y[:, None, None] * (blocks[row + 1] - upper)
    left_values = lines[:, column]
    values = left_values + weight_x[:, None] * (lines[:, column + 1] - left_values)
    crop[:] = (values.transpose(2, 0, 1) - np.float32(MIDDLE)) / np.float32(RANGE)


def _interpolation(start: float, step: float, blocks: int, size: int) -> tuple[NDArray[np.intp], Float32]:
    """Return the block before each sample (S,) and the weight (S,) of the block after it."""
    position = start + step * np.arange(size)
    before = np.minimum(position.astype(np.intp), blocks - 2)  # rounding must not lead out of the image
    return before, (position - before).astype(np.float32)
