"""Crop geometry and labels of many crops at once, on the host in float64.

`ddfa.data.augmentation.crop_affine` and `ddfa.data.sets.labels.label_in_crop` are the reference implementations for one
crop.
"""

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats, Int64
from ddfa.errors import DataError
from ddfa.head.model import HeadModel


def crop_affines(
    landmarks: Floats, size: int, roll: Float64, mirrored: Bools, shift: Float64, log_scale: Float64
) -> Float64:
    """Similarities (n, 2, 3) from image px to crop px.

    Args:
        landmarks: (n, 68, >=2) image px.
        size: side of the crops in px.
        roll: (n,) radians.
        mirrored: (n,) whether x is reflected, after the rotation.
        shift: (n, 2) of the RoI centre, as a share of its side.
        log_scale: (n,) logarithm of the factor of the RoI side.
    """
    cos, sin = np.cos(roll), np.sin(roll)
    sign = np.where(mirrored, -1.0, 1.0)
    linear = np.stack([np.stack([sign * cos, -sign * sin], -1), np.stack([sin, cos], -1)], axis=1)
    x, y = landmarks[..., 0], landmarks[..., 1]
    # Written out: NumPy multiplies stacks of small matrices one at a time.
    turned = [row[:, :1] * x + row[:, 1:] * y for row in (linear[:, 0], linear[:, 1])]
    low, high = (np.stack([extreme(v, axis=1) for v in turned], axis=1) for extreme in (np.min, np.max))
    side = np.sqrt(2.0) * (high - low).max(axis=1)
    centre = (low + high) / 2 + shift * side[:, None]
    zoom = (size / (side * np.exp(log_scale)))[:, None]
    return np.concatenate([zoom[..., None] * linear, ((size - 1) / 2 - zoom * centre)[..., None]], axis=-1)


def rescaled_affines(affine: Float64, factor: float) -> Float64:
    """The maps (n, 2, 3) to crops of another resolution: x' + 0.5 = factor (x + 0.5), as pixel centres are integers."""
    result = factor * affine
    result[..., 2] += (factor - 1) / 2
    return result


def inverses(affine: Float64) -> Float64:
    """The maps (n, 2, 3) from crop px to image px."""
    linear = np.linalg.inv(affine[..., :2])
    return np.concatenate([linear, -linear @ affine[..., 2:]], axis=-1)


def reductions(affine: Float64) -> Int64:
    """Side (n,) in px of the blocks of the photo that are averaged before the maps (n, 2, 3) are sampled."""
    return np.maximum(1, (1 / np.hypot(affine[:, 0, 0], affine[:, 1, 0])).astype(np.int64))


def mirrored_expressions(values: Float32, mirrored: Bools, head: HeadModel) -> Float32:
    """Values (n, E) of the expressions, exchanged between left and right where `mirrored` (n,)."""
    mirror = head.expression_mirror
    return values if mirror is None else np.where(mirrored[:, None], values[:, mirror], values)


def labels_in_crops(
    pose: Floats, identity: Float32, expression: Float32, affine: Float64, mirrored: Bools, size: int, head: HeadModel
) -> Float32:
    """The ground-truth parameters (n, P) of crops, in the "open" pixel convention: crop px, y up.

    Args:
        pose: (n, 3, 4) head space to image space.
        identity: (n, I).
        expression: (n, E).
        affine: (n, 2, 3) similarities, image px to crop px.
        mirrored: (n,) whether the crop shows the mirror image.
        size: side S of the crops in px.
        head: the head model; mirroring needs its `identity_mirror` and `expression_mirror`.

    Raises:
        DataError: the head model cannot be mirrored.
    """
    zoom = np.sqrt(np.abs(np.linalg.det(affine[..., :2])))
    crop = np.empty((len(pose), 3, 4))
    crop[:, :2] = affine[..., :2] @ pose[:, :2]
    crop[:, :2, 3] += affine[..., 2]
    crop[:, 2] = zoom[:, None] * pose[:, 2]
    crop[:, 1] *= -1.0
    crop[:, 1, 3] += size - 1
    if mirrored.any():
        if head.identity_mirror is None or head.expression_mirror is None:
            raise DataError(f"head '{head.name}' has no mirror maps: train on it without mirrored crops (mirror=0)")
        flip = mirrored[:, None]
        crop[mirrored, :, 0] *= -1.0  # the mirrored head has the opposite x
        identity = np.where(flip, identity * head.identity_mirror[: identity.shape[1]], identity)
        expression = mirrored_expressions(expression, mirrored, head)
    return np.concatenate([crop.reshape(len(crop), 12), identity, expression], axis=1).astype(np.float32)
