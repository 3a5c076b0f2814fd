"""Augmentation of the patches that the region networks are trained on: geometry, degradations, colours, occlusion."""

from typing import Any

import cv2
import numpy as np

from ddfa.arrays import Float64, UInt8

_LEVELS = np.arange(256) / 255


def jitter(affine: Float64, side: int, random: np.random.Generator, off_target: bool) -> Float64:
    """Shift, scale, roll and shear the map of a patch; `off_target` shifts it away from its region."""
    shift = random.normal(0, 0.03, 2) * side
    if off_target:
        shift = random.uniform(0.5, 1.3) * side * random.choice([-1, 1], 2)
    roll, zoom = np.deg2rad(random.normal(0, 4.0)), np.exp(random.normal(0, 0.06))
    cos, sin = np.cos(roll), np.sin(roll)
    linear = zoom * np.array([[cos, -sin], [sin, cos]])
    if random.random() < 0.3:
        linear = linear @ np.array([[random.uniform(0.8, 1.08), random.normal(0, 0.08)], [random.normal(0, 0.04), 1]])
    centre = np.full(2, (side - 1) / 2)
    return np.column_stack([linear @ affine[:, :2], linear @ (affine[:, 2] - centre) + centre + shift])


def block_around(image: UInt8, affine: Float64, points: Float64, side: int) -> tuple[UInt8, Float64, Float64]:
    """The part of an image around a patch, with the map and the points relative to it."""
    inverse = np.linalg.inv(affine[:, :2])
    corners = (np.array([[0, 0], [side, 0], [0, side], [side, side]]) - 0.5 - affine[:, 2]) @ inverse.T
    last = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0)) - 6, 0, last - 16).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 6, low + 16, last).astype(int)
    block = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    return block, np.column_stack([affine[:, :2], affine[:, :2] @ low + affine[:, 2]]), points - low


def degrade(
    block: UInt8, affine: Float64, points: Float64, random: np.random.Generator
) -> tuple[UInt8, Float64, Float64]:
    """Downsample, JPEG-compress, blur or sharpen a block at random; the map and the points are adapted."""
    if random.random() < 0.35:
        factor = float(np.exp(random.uniform(np.log(1.15), np.log(3.2))))
        height, width = block.shape[:2]
        size = max(4, round(width / factor)), max(4, round(height / factor))
        ratio = np.array(size) / [width, height]
        block = np.asarray(cv2.resize(block, size, interpolation=cv2.INTER_AREA), np.uint8)
        # Pixel centres: x' + 1/2 = (x + 1/2) * ratio.
        points = (points + 0.5) * ratio - 0.5
        linear = affine[:, :2] / ratio
        affine = np.column_stack([linear, affine[:, 2] + affine[:, :2] @ (0.5 / ratio - 0.5)])
    if random.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 90))]
        block = np.asarray(cv2.imdecode(cv2.imencode(".jpg", block, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    kind = random.random()
    if kind < 0.12:
        block = np.asarray(cv2.GaussianBlur(block, (0, 0), float(random.uniform(0.4, 1.6))), np.uint8)
    elif kind < 0.32:
        soft = cv2.GaussianBlur(block, (0, 0), float(random.uniform(0.6, 1.4)))
        amount = float(random.uniform(0.5, 2.5))
        block = np.asarray(cv2.addWeighted(block, 1 + amount, soft, -amount, 0), np.uint8)
    return block, affine, points


def cut_patch(block: UInt8, affine: Float64, side: int) -> UInt8:
    """Cut one patch, bilinear, border pixels replicated."""
    cut: Any = cv2.warpAffine(block, affine, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)


def recolour(patch: UInt8, random: np.random.Generator) -> UInt8:
    """Vary brightness, contrast, gamma and colour at random; some patches become grey or noisy."""
    noise = random.standard_normal(11)
    middle = float(patch[::4, ::4].mean()) / 255 + 0.06 * noise[0]
    levels = np.clip((_LEVELS - middle) * np.exp(0.2 * noise[1]) + middle + 0.06 * noise[2], 1e-4, 1)
    gains = np.exp(0.2 * noise[3] + 0.06 * noise[4:7])
    table = levels[:, None] ** np.exp(0.15 * noise[7]) * gains * 255
    grey, noisy, strength = random.random(3)
    if grey < 0.12:
        patch = np.asarray(cv2.cvtColor(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
        table = np.repeat(table.mean(axis=1, keepdims=True), 3, axis=1)
    result = np.asarray(cv2.LUT(patch, np.clip(table, 0, 255).astype(np.uint8)[None]), np.uint8)
    if noisy < 0.3:
        noise_image = random.standard_normal(patch.shape, np.float32) * np.float32(14 * strength)
        result = np.clip(result + noise_image, 0, 255).astype(np.uint8)
    return result


def occlude(patch: UInt8, random: np.random.Generator) -> None:
    """Draw a random ellipse over a part of a patch, in place."""
    side = len(patch)
    centre = tuple(int(v) for v in random.integers(0, side, 2))
    axes = tuple(int(v) for v in random.integers(side // 10, side // 2, 2))
    colour = tuple(int(v) for v in random.integers(0, 256, 3))
    cv2.ellipse(patch, centre, axes, float(random.uniform(0, 180)), 0, 360, colour, -1)
