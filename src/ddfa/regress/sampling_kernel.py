"""The compiled sampler of crops; its plain twin is `ddfa.regress.sampling.sample_reference`."""

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
    # Unsigned places: of signed ones every access would ask whether they count from the end.
    place, share = np.empty(size, np.uintp), np.empty(size, np.float32)
    for j in range(size):
        at_x = x + dx * j
        before = min(int(at_x), columns - 2)  # rounding must not lead out of the image
        place[j], share[j] = np.uintp(3 * factor * before), np.float32(at_x - before)
    length = 3 * factor * columns
    start = 3 * left
    line = np.zeros(length, np.float32)
    sums = line if factor == 1 else np.empty(length, np.float32)
    one, two, step = np.uintp(1), np.uintp(2), np.uintp(3 * factor)
    weight = np.float32(1 / (RANGE * factor * factor))
    middle = np.float32(MIDDLE / (RANGE * factor))
    for i in range(size):
        at_y = y + dy * i
        before = min(int(at_y), rows - 2)
        low = np.float32(at_y - before) * weight
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
            inner = length - 3 * (factor - 1)
            line[:inner] = sums[:inner]
            for shift in range(3, 3 * factor, 3):
                moved = sums[shift : shift + inner]
                for k in range(inner):
                    line[k] += moved[k]
        reds, greens, blues = crop[0, i], crop[1, i], crop[2, i]
        for j in range(size):
            at, part = place[j], share[j]
            r, g, b = line[at], line[at + one], line[at + two]
            after = at + step
            reds[j] = r + part * (line[after] - r)
            greens[j] = g + part * (line[after + one] - g)
            blues[j] = b + part * (line[after + two] - b)
