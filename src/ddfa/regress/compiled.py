"""The compiled sampler of crops; its plain twin is `ddfa.regress.sampling.sample_plainly`."""

from functools import partial

import numpy as np

from ddfa.arrays import Float32, Float64, UInt8
from ddfa.compiling import compiled
from ddfa.regress.sampling import MIDDLE, RANGE


@partial(compiled, fast=True)
def sample(image: UInt8, left: int, top: int, factor: int, x: Float64, y: Float64, crop: Float32) -> None:
    """Fill one crop from a contiguous image; see `ddfa.regress.sampling.Sampler`."""
    size = len(x)
    pixels = image.reshape(image.shape[0], 3 * image.shape[1])
    # Unsigned places: of signed ones every access would ask whether they count from the end.
    place, share = np.empty(size, np.uintp), np.empty(size, np.float32)
    for j in range(size):
        place[j], share[j] = np.uintp(3 * factor * int(x[j])), np.float32(x[j] - int(x[j]))
    length = 3 * factor * (int(x[-1]) + 2)
    start = 3 * left
    line = np.zeros(length, np.float32)
    sums = line if factor == 1 else np.empty(length, np.float32)
    one, two, step = np.uintp(1), np.uintp(2), np.uintp(3 * factor)
    weight = np.float32(1 / (RANGE * factor * factor))
    middle = np.float32(MIDDLE / (RANGE * factor))
    for i in range(size):
        low = np.float32(y[i] - int(y[i])) * weight
        high = weight - low
        first = top + factor * int(y[i])
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
