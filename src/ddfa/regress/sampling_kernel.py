"""The compiled sampler of crops; its reference implementation is `ddfa.regress.sampling.sample_reference`."""

from functools import partial

import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.compiling import compiled
from ddfa.regress.sampling import MIDDLE, RANGE


@partial(compiled, fast=True)
def sample(
    image: UInt8, factor: int, left: int, columns: int, x: float, dx: float, top: int, rows: int, y: float, dy: float,
    crop: Float32,
) -> None:  # fmt: skip
    """Fill one crop from a contiguous image; see `ddfa.regress.sampling.Sampler`."""
    size = crop.shape[1]
    pixels = image.reshape(image.shape[0], 3 * image.shape[1])
    # Columns are the same for every row of the crop, so their indices and weights are computed once. The indices are
    # unsigned: with signed ones, every access would check for counting from the end.
    index, weight_x = np.empty(size, np.uintp), np.empty(size, np.float32)
    for j in range(size):
        position = x + dx * j
        before = min(int(position), columns - 2)  # rounding must not lead out of the image
        index[j], weight_x[j] = np.uintp(3 * factor * before), np.float32(position - before)
    length = 3 * factor * columns
    start = 3 * left
    line = np.zeros(length, np.float32)
    sums = line if factor == 1 else np.empty(length, np.float32)
    one, two, step = np.uintp(1), np.uintp(2), np.uintp(3 * factor)
    # Normalisation and the mean over a block are folded into the weights of the rows: no pass of their own. The offset
    # is subtracted once per column, so that the sum over `factor` columns subtracts MIDDLE / RANGE.
    weight = np.float32(1 / (RANGE * factor * factor))
    middle = np.float32(MIDDLE / (RANGE * factor))
    for i in range(size):
        position = y + dy * i
        before = min(int(position), rows - 2)
        low = np.float32(position - before) * weight
        high = weight - low
        first = top + factor * before
        upper, lower = pixels[first, start : start + length], pixels[first + factor, start : start + length]
        for k in range(length):
            sums[k] = high * np.float32(upper[k]) + low * np.float32(lower[k]) - middle
        for row in range(first + 1, first + factor):
            upper, lower = pixels[row, start : start + length], pixels[row + factor, start : start + length]
            for k in range(length):
                sums[k] += high * np.float32(upper[k]) + low * np.float32(lower[k])
        if factor > 1:
            # Sums over `factor` neighbouring columns by shifted additions, which vectorise; only every `factor`-th is
            # used, but picking those first would need strided loads.
            inner = length - 3 * (factor - 1)
            line[:inner] = sums[:inner]
            for shift in range(3, 3 * factor, 3):
                moved = sums[shift : shift + inner]
                for k in range(inner):
                    line[k] += moved[k]
        reds, greens, blues = crop[0, i], crop[1, i], crop[2, i]
        for j in range(size):
            at, share = index[j], weight_x[j]
            r, g, b = line[at], line[at + one], line[at + two]
            after = at + step
            reds[j] = r + share * (line[after] - r)
            greens[j] = g + share * (line[after + one] - g)
            blues[j] = b + share * (line[after + two] - b)
