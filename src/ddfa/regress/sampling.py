"""Crops straight as the network's input: sampled, normalised and laid out in one go.

The RoI is a square along the axes, so the bilinear weights of a row or column are the same for the whole crop: two
rows are blended first, then pairs of pixels of that one row. Large faces are averaged down by a whole factor first, as
in `affine_crop`.
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
_COMPILED_FROM: Final = 1000  # crops; Numba takes as long to load as some thousand plain crops take


class Places(NamedTuple):
    """Where a crop looks, along x or y, in blocks of some px: pixel k at `start` + k `step`, 0 the first's centre.

    Attributes:
        first: pixel that the first block begins with.
        blocks: how many are looked at; all of them lie in the image.
        start: place of the crop's first pixel.
        step: from one pixel of the crop to the next.
    """

    first: int
    blocks: int
    start: float
    step: float


class Sampler(Protocol):
    """Fills a crop (3, S, S) from an image (H, W, 3): means of blocks of factor x factor px, blended.

    The numbers are those of `Places`, first along x, then along y; as such they reach compiled code soonest.
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
    """Cut RoIs with sub-pixel precision, zeros outside, as `affine_crop` does but without rounding.

    Args:
        image: (H, W, 3) uint8 RGB.
        roi: (n, 4) squares in image px.
        size: side S of the crops in px.
        sample: does the work: `sample_reference`, or the compiled one of `ddfa.regress.sampling_kernel`.

    Returns:
        (n, 3, S, S) float32, (v - 127.5) / 128, channels RGB.
    """
    image = np.ascontiguousarray(image)
    crops = np.empty((len(roi), 3, size, size), np.float32)
    for crop, (x0, y0, x1, y1) in zip(crops, np.asarray(roi, np.float64).tolist(), strict=True):
        factor = max(int((x1 - x0) / size), 1)
        across, down = _places(x0, x1, size, factor), _places(y0, y1, size, factor)
        left, top, right, bottom = across.first, down.first, _end(across, factor), _end(down, factor)
        if left >= 0 and top >= 0 and right <= image.shape[1] and bottom <= image.shape[0]:
            sample(image, factor, *across, *down, crop)
        else:
            patch = cut(image, left, top, right, bottom)
            sample(patch, factor, 0, *across[1:], 0, *down[1:], crop)
    return crops


def _places(low: float, high: float, size: int, factor: int) -> Places:
    """Where a crop of `size` px looks between two sides of its RoI, px."""
    step = (high - low) / size
    first = int(low // 1) - factor
    # A block's centre lies (factor - 1) / 2 px right of and below its first pixel's centre.
    start = (low - first - (factor - 1) / 2 + step / 2) / factor
    return Places(first, int(start + step / factor * (size - 1)) + 2, start, step / factor)


def _end(places: Places, factor: int) -> int:
    return places.first + places.blocks * factor


def best_sampler(crops_so_far: int) -> Sampler:
    """The compiled sampler where Numba is loaded or pays for the time that loading it takes, else the plain one."""
    if "numba" in sys.modules or crops_so_far >= _COMPILED_FROM:
        from ddfa.regress.sampling_kernel import sample

        return sample
    return sample_reference


def sample_reference(
    image: UInt8, factor: int, left: int, columns: int, x: float, dx: float, top: int, rows: int, y: float, dy: float,
    crop: Float32,
) -> None:  # fmt: skip
    """The sampler in OpenCV and NumPy; see `Sampler`."""
    blocks = image[top : top + rows * factor, left : left + columns * factor]
    if factor > 1:
        blocks = np.asarray(cv2.resize(blocks, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    column, right_share = _between(x, dx, columns, crop.shape[2])
    row, lower_share = _between(y, dy, rows, crop.shape[1])
    upper = blocks[row].astype(np.float32)
    lines = upper + lower_share[:, None, None] * (blocks[row + 1] - upper)
    first = lines[:, column]
    values = first + right_share[:, None] * (lines[:, column + 1] - first)
    crop[:] = (values.transpose(2, 0, 1) - np.float32(MIDDLE)) / np.float32(RANGE)


def _between(start: float, step: float, blocks: int, size: int) -> tuple[NDArray[np.intp], Float32]:
    """The block before each place (S,), and how far behind its centre the place lies."""
    at = start + step * np.arange(size)
    before = np.minimum(at.astype(np.intp), blocks - 2)
    return before, (at - before).astype(np.float32)
