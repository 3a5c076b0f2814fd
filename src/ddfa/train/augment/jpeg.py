"""JPEG artefacts of crops in batches: baseline JPEG with 4:2:0 subsampling, without the lossless entropy coding.

Follows ITU-T T.81 and the choices of libjpeg: its quality scale, its rounding of subsampled chroma and its triangle
filter for upsampling. `ddfa.data.degradations.jpeg` is the reference implementation; a few coefficients next to a
boundary of the quantiser are rounded differently.
"""

from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ddfa.train.augment.tensors import constant

# T.81, tables K.1 and K.2, row by row.
_LUMA: Final = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA: Final = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)  # fmt: skip
_BLOCK: Final = 8
# Halves are frequent in the mean of a block; libjpeg rounds them away from zero. The excess covers float32's errors.
_HALF: Final = 0.5 + 1e-4


def jpeg(crops: Tensor, quality: Tensor) -> Tensor:
    """Encode and decode crops.

    Args:
        crops: (m, 3, S, S) float32, whole numbers in 0..255. The first channel is read as blue, as OpenCV does in the
            reference implementation.
        quality: (m,) int64 in 1..100.
    """
    size = crops.shape[-1]
    luma, chroma = _to_ycc(crops.flip(1))
    half = (size + 1) // 2
    # libjpeg continues the width before subsampling and the height after it.
    padded = functional.pad(chroma, (0, -size % (2 * _BLOCK), 0, size % 2), mode="replicate")
    luma, chroma = _quantised(luma, quality, _LUMA), _quantised(_subsampled(padded), quality, _CHROMA)
    return _to_rgb(luma, _upsampled(chroma[..., :half, :half])[..., :size, :size]).flip(1)


def _to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Luma (m, 1, S, S) and chroma (m, 2, S, S), rounded."""
    red, green, blue = rgb.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    # libjpeg rounds halves of the chroma down.
    cb = (-0.168735892 * red - 0.331264108 * green + 0.5 * blue + 127.999).add_(0.5).floor_()
    cr = (0.5 * red - 0.418687589 * green - 0.081312411 * blue + 127.999).add_(0.5).floor_()
    return luma.add_(0.5).floor_().unsqueeze(1), torch.stack([cb, cr], dim=1)


def _to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """RGB (m, 3, S, S) of luma (m, 1, S, S) and chroma (m, 2, S, S), rounded and clipped."""
    y = luma.squeeze(1)
    cb, cr = (chroma - 128).unbind(1)
    rgb = torch.stack([y + 1.402 * cr, y - 0.344136286 * cb - 0.714136286 * cr, y + 1.772 * cb], dim=1)
    return rgb.round_().clamp_(0, 255)


def _subsampled(chroma: Tensor) -> Tensor:
    """Means (m, 2, H/2, W/2) of chroma (m, 2, H, W) over 2 x 2 px; along a row, halves go down and up in turn."""
    total = functional.avg_pool2d(chroma, 2, divisor_override=1)
    bias = 1 + torch.arange(total.shape[-1], device=chroma.device) % 2
    return ((total + bias) / 4).floor_()


def _upsampled(chroma: Tensor) -> Tensor:
    """Chroma at twice the resolution by libjpeg's triangle filter: 3/4 of the nearer pixel, 1/4 of the next."""
    padded = functional.pad(chroma, (0, 0, 1, 1), mode="replicate")
    near = 3 * chroma
    rows = torch.stack([near + padded[..., :-2, :], near + padded[..., 2:, :]], dim=-2).flatten(-3, -2)
    padded = functional.pad(rows, (1, 1, 0, 0), mode="replicate")
    near = 3 * rows
    columns = torch.stack([near + padded[..., :-2] + 8, near + padded[..., 2:] + 7], dim=-1).flatten(-2)
    return columns.div_(16).floor_()


def _quantised(planes: Tensor, quality: Tensor, base: tuple[int, ...]) -> Tensor:
    """Planes (m, C, H, W) after the quantisation of their DCT coefficients."""
    m, channels, height, width = planes.shape
    padding = (0, -width % _BLOCK, 0, -height % _BLOCK)
    padded = functional.pad(planes, padding, mode="replicate") if any(padding) else planes
    rows, columns = padded.shape[2] // _BLOCK, padded.shape[3] // _BLOCK
    blocks = padded.view(m, channels, rows, _BLOCK, columns, _BLOCK).transpose(3, 4).reshape(m, -1, _BLOCK**2)
    transform = _dct(planes.device)
    table = _table(quality, base)
    scaled = ((blocks - 128) @ transform.T).div_(table)
    coefficients = scaled.abs().add_(_HALF).floor_().copysign_(scaled).mul_(table)
    values = (coefficients @ transform).add_(128 + _HALF).floor_().clamp_(0, 255)
    planes = values.view(m, channels, rows, columns, _BLOCK, _BLOCK).transpose(3, 4).reshape(padded.shape)
    return planes[..., :height, :width]


@cache
def _dct(device: torch.device) -> Tensor:
    """Orthonormal 2D DCT of flattened 8 x 8 blocks (64, 64): one matrix product for all blocks."""
    k, n = np.mgrid[:_BLOCK, :_BLOCK]
    one = np.sqrt(np.where(k == 0, 1, 2) / _BLOCK) * np.cos(np.pi * (2 * n + 1) * k / (2 * _BLOCK))
    return torch.from_numpy(np.kron(one, one).astype(np.float32)).to(device)


def _table(quality: Tensor, base: tuple[int, ...]) -> Tensor:
    """Quantisation tables (m, 1, 64) of qualities (m,), by libjpeg's scale."""
    quality = quality.view(-1, 1)
    scale = torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    table = (constant(base, torch.int64, quality.device) * scale + 50) // 100
    return table.clamp_(1, 255).float().unsqueeze(1)
