"""Several unwrapped images of a face merged, and its hidden side taken from the other one by mirroring."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float32
from ddfa.texture.atlas import Atlas

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


def mirror_complete(colours: Float32, visible: Float32, atlas: Atlas) -> Completed:
    """Fill hidden texels from the other side of the face.

    Args:
        colours: (S, S, 3) float32.
        visible: (S, S) float32 in [0, 1].
        atlas: of the head.
    """
    other = atlas.mirrored(np.dstack([colours * visible[..., None], visible]))
    other_weight = np.asarray(other[..., 3], np.float32)
    mirrored = np.asarray(other[..., :3] / np.maximum(other[..., 3:], 1e-3), np.float32)
    share = np.asarray((1 - visible) * other_weight, np.float32)
    total = np.maximum(visible + share, 1e-3)[..., None]
    merged = (visible[..., None] * colours + share[..., None] * mirrored) / total
    return Completed(np.asarray(merged, np.float32), visible, share)


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
