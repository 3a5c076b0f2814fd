"""Completion of an unwrapped face: from its other side by mirroring, and then from the surroundings."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats
from ddfa.raster.blending import blend, push_pull, smoothstep
from ddfa.texture.atlas import Atlas
from ddfa.texture.interior import inner_of

_REACH: Final = 0.04  # of the atlas: farther from any visible texel the plain colour of skin or hair is used
_GAIN: Final = 2.0  # bound on the factor between the colours of both sides
_JOIN_POWER: Final = 3  # of the visibility, where several images show a texel: the better one dominates


class Completed(NamedTuple):
    """Colours of both sides of a face, merged.

    Attributes:
        colours: (S, S, 3) float32; 0 where neither side is visible.
        own: (S, S) float32 in [0, 1], weight of the image itself.
        mirrored: (S, S) float32 in [0, 1], weight of its mirror image; `own + mirrored` is at most 1.
    """

    colours: Float32
    own: Float32
    mirrored: Float32

    @property
    def weight(self) -> Float32:
        """(S, S) float32 in [0, 1], how well a texel is visible on either side."""
        return self.own + self.mirrored


def mirror_complete(
    colours: Float32, visible: Float32, atlas: Atlas, *, within: Bools | None = None, match_colours: bool = False
) -> Completed:
    """Fill hidden texels from the other side of the face.

    Args:
        colours: (S, S, 3) float32.
        visible: (S, S) float32 in [0, 1].
        atlas: of the head.
        within: (S, S) bool, texels that may be filled; all by default.
        match_colours: bring the mirrored side to the colours of this side, so that light from one side leaves no seam.
            Colours are then in [0, 255].
    """
    other = atlas.mirrored(np.dstack([colours * visible[..., None], visible]))
    weight = other[..., 3] if within is None else other[..., 3] * within
    other_weight = np.asarray(weight, np.float32)
    mirrored = np.asarray(other[..., :3] / np.maximum(other[..., 3:], 1e-3), np.float32)
    if match_colours:
        mirrored *= colour_gain(colours, mirrored, np.asarray(visible * other_weight, np.float32))
    share = np.asarray((1 - visible) * other_weight, np.float32)
    total = np.maximum(visible + share, 1e-3)[..., None]
    merged = (visible[..., None] * colours + share[..., None] * mirrored) / total
    return Completed(np.asarray(merged, np.float32), visible, share)


def paint_hidden(completed: Completed, colours: Float32, visible: Float32, atlas: Atlas) -> Float32:
    """Give every texel of the head a colour: smooth continuation near visible skin, plain skin or hair beyond.

    Args:
        completed: the skin.
        colours: (S, S, 3) float32 in [0, 255], of the image.
        visible: (S, S) float32 in [0, 1], eyes and mouth included.
        atlas: of the head.

    Returns:
        (S, S, 3) float32 in [0, 255].
    """
    weight = completed.weight
    filled = push_pull(completed.colours, weight)
    filled = blend(filled, _plain(colours, completed.own, atlas), _far(weight, atlas))
    return inner_of(atlas).paint(filled, colours, visible)


def join_images(images: Sequence[tuple[Float32, Float32]], atlas: Atlas) -> tuple[Float32, Float32]:
    """Merge several unwrapped images of one face before completion.

    Args:
        images: (S, S, 3) float32 colours in [0, 255] and (S, S) float32 visibility of each; the first sets the
            brightness and colour of all.
        atlas: of the head.

    Returns:
        (S, S, 3) float32 colours, and (S, S) float32, the best visibility of each texel.
    """
    first, reference = images[0]
    total, mass, best = np.zeros_like(first), np.zeros_like(reference), np.zeros_like(reference)
    for colours, visible in images:
        both = (visible > 0.5) & (reference > 0.5) & (atlas.face > 0.7)
        gain = first[both].mean(axis=0) / np.maximum(colours[both].mean(axis=0), 1) if both.any() else 1.0
        weight = visible**_JOIN_POWER
        total, mass = total + weight[..., None] * colours * gain, mass + weight
        best = np.maximum(best, visible)
    return np.asarray(total / np.maximum(mass, 1e-3)[..., None], np.float32), best


def colour_gain(colours: Float32, other: Float32, both: Floats) -> Float32:
    """Estimate the factor that brings other colours to the given ones; it varies slowly over the atlas.

    Args:
        colours: (S, S, 3) float32 in [0, 255].
        other: (S, S, 3) float32 in [0, 255].
        both: (S, S) float32 in [0, 1], where both are known.

    Returns:
        (S, S, 3) float32.
    """
    size = len(both)
    if not both.any():
        return np.ones_like(colours)
    few = (max(size // 16, 4),) * 2
    mean, other_mean = (
        cv2.resize(layer * both[..., None], few, interpolation=cv2.INTER_AREA) for layer in (colours, other)
    )
    mass = cv2.resize(both, few, interpolation=cv2.INTER_AREA)
    # The offset of 4 grey levels keeps the ratio of dark colours from exploding.
    ratio = np.log((mean + 4 * mass[..., None] + 1e-3) / (other_mean + 4 * mass[..., None] + 1e-3))
    smooth = push_pull(ratio, 0.5 * mass)
    gain = np.clip(np.exp(smooth), 1 / _GAIN, _GAIN)
    return np.asarray(cv2.resize(gain, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _plain(colours: Float32, visible: Float32, atlas: Atlas) -> Float32:
    """Median colours of the visible skin and hair, (S, S, 3)."""
    step = max(atlas.size // 128, 1)
    flat, weight = colours[::step, ::step], visible[::step, ::step]
    skin, hair = atlas.face[::step, ::step] > 0.7, atlas.hair[::step, ::step] > 0.3
    bare = _median(flat, (weight > 0.5) & skin, np.array([170, 130, 110], np.float32))
    return blend(np.broadcast_to(bare, colours.shape), _median(flat, (weight > 0.3) & hair, 0.5 * bare), atlas.hair)


def _median(colours: Float32, mask: Bools, default: Float32) -> Float32:
    return np.asarray(np.median(colours[mask], axis=0), np.float32) if mask.sum() > 20 else default


def _far(weight: Float32, atlas: Atlas) -> Float32:
    """Distance (S, S) to the nearest visible texel: 0 near, 1 beyond `_REACH`."""
    distance = cv2.distanceTransform((weight < 0.3).astype(np.uint8), cv2.DIST_L2, 3)
    return smoothstep(distance.astype(np.float32), 0.2 * _REACH * atlas.size, _REACH * atlas.size)
