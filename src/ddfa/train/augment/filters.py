"""Blur, sharpening and low resolution of crops in batches.

Crops are (m, 3, S, S) float32 with whole numbers in 0..255, and each has a filter of its own. A separable linear filter
is a matrix for rows and columns, its border included, so that Gaussians and resampling are batched matrix products:
cuDNN would search for a convolution algorithm for each new number of crops. The reference implementations are in
`ddfa.data.degradations`.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from ddfa.arrays import Float64, Int64
from ddfa.data.augmentation import SHRINK_SIDE
from ddfa.data.degradations import line_kernel, motion_ends


def separable(crops: Tensor, matrix: Tensor) -> Tensor:
    """Filter rows and columns of crops (m, 3, S, S) with matrices (m, K, S): (m, 3, K, K)."""
    transposed = matrix.transpose(1, 2)
    for _ in range(2):
        m, channels, rows, _ = crops.shape
        filtered = torch.bmm(crops.reshape(m, channels * rows, -1), transposed)
        crops = filtered.view(m, channels, rows, -1).transpose(2, 3)
    return crops


def sharpen(crops: Tensor, sigma: Tensor, amount: Tensor) -> Tensor:
    """Unsharp masking: add `amount` (m,) times the difference to crops blurred by `sigma` (m,) px.

    An amount of -1 results in the blurred crops.
    """
    blurred = separable(crops, gaussian_matrix(sigma, crops.shape[-1])).round()
    return crops.lerp(blurred, -amount.view(-1, 1, 1, 1)).round_().clamp_(0, 255)


def gaussian_matrix(sigma: Tensor, size: int) -> Tensor:
    """Matrices (m, S, S) of Gaussians of `sigma` (m,) px, with OpenCV's kernel size for uint8 and reflected borders."""
    radius = ((6 * sigma + 1).round().long() | 1) // 2
    position = torch.arange(2 * size, device=sigma.device)
    kernel = torch.exp(-0.5 * (position / sigma.unsqueeze(1)).square()) * (position <= radius.unsqueeze(1))
    kernel /= 2 * kernel.sum(dim=1, keepdim=True) - 1  # the centre counts once
    row, column = position[:size].view(-1, 1), position[:size]
    before = torch.where(column > 0, row + column, 2 * size - 1)  # of the reflection; the border pixel has none
    after = torch.where(column < size - 1, 2 * (size - 1) - row - column, 2 * size - 1)
    return kernel[:, (row - column).abs()] + kernel[:, before] + kernel[:, after]


def shrink(crops: Tensor, side: Tensor) -> Tensor:
    """Downsample crops (m, 3, S, S) to `side` (m,) px by area and upsample them bilinearly."""
    size = crops.shape[-1]
    most = int(size * SHRINK_SIDE[1])  # smaller ones are padded with rows of zeros
    reduced = separable(crops, _area_matrix(side, size, most)).round()
    return separable(reduced, _bilinear_matrix(side, size, most)).round().clamp_(0, 255)


def _area_matrix(side: Tensor, size: int, most: int) -> Tensor:
    """Matrices (m, K, S): share of each of S pixels in the mean over each of `side` (m,) <= K larger ones."""
    scale = (size / side).view(-1, 1, 1)
    row = torch.arange(most, device=side.device).view(-1, 1)
    column = torch.arange(size, device=side.device)
    overlap = torch.minimum((row + 1) * scale, column + 1) - torch.maximum(row * scale, column)
    return (overlap.clamp_min_(0) / scale) * (row < side.view(-1, 1, 1))


def _bilinear_matrix(side: Tensor, size: int, most: int) -> Tensor:
    """Matrices (m, S, K): weights of `side` (m,) <= K pixels in each of S smaller ones; the border is repeated."""
    scale = (side / size).view(-1, 1, 1)
    row = torch.arange(size, device=side.device).view(-1, 1)
    position = ((row + 0.5) * scale - 0.5).clamp_min(0).minimum(side.view(-1, 1, 1) - 1.0)
    return (1 - (position - torch.arange(most, device=side.device)).abs()).clamp_min_(0)


def motion_taps(length: Int64, angle: Float64) -> tuple[Int64, Float64]:
    """Pixels that motion blur averages.

    Args:
        length: (m,) px.
        angle: (m,) radians.

    Returns:
        Steps (m, K, 2) in y and x from each pixel, and their weights (m, K), 0 where a kernel has fewer than K.
    """
    most = int(length.max(initial=1))
    steps, weights = np.zeros((len(length), most, 2), np.int64), np.zeros((len(length), most))
    for k, (own, ends) in enumerate(zip(length.tolist(), motion_ends(length, angle).tolist(), strict=True)):
        line = _line(own, *ends)
        steps[k, : len(line)] = line
        weights[k, : len(line)] = 1 / len(line)
    return steps, weights


@cache  # few lines have different ends
def _line(length: int, x0: int, y0: int, x1: int, y1: int) -> Int64:
    """Steps (K, 2) in y and x from the middle of a kernel to the pixels of a line."""
    return np.asarray(np.argwhere(line_kernel(length, x0, y0, x1, y1) > 0) - length // 2, np.int64)


def motion_blur(crops: Tensor, steps: Tensor, weights: Tensor) -> Tensor:
    """Average pixels along a line.

    Args:
        crops: (m, 3, S, S).
        steps: (m, K, 2) int64, in y and x.
        weights: (m, K).
    """
    size = crops.shape[-1]
    position = torch.arange(size, device=crops.device)
    result = torch.zeros_like(crops)
    flat = crops.flatten(2)
    for k in range(steps.shape[1]):
        y, x = (size - 1 - (size - 1 - (position + steps[:, k, axis, None]).abs()).abs() for axis in (0, 1))
        index = (y.unsqueeze(2) * size + x.unsqueeze(1)).view(-1, 1, size * size).expand(-1, 3, -1)
        result.addcmul_(flat.gather(2, index).view_as(crops), weights[:, k].view(-1, 1, 1, 1))
    return result.round_().clamp_(0, 255)
