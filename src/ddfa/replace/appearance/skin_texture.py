"""The skin of a photographed face on the head's atlas: all of it, lids and lips too, in the light of the photo."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.raster.blending import fill_holes, smoothstep
from ddfa.replace.target import TargetFace
from ddfa.texture.atlas import Atlas

_FACING: Final = (0.25, 0.65)  # cosine to the viewer between which a place goes from unseen to seen
_SOFT: Final = 0.004  # of the atlas' side: width of seams
_CHOICE: Final = 3  # where two photos show a place, the better one counts for more by this power
_LIPS_MM: Final = (1.5, 4.5)  # from the line between open lips: a fit a little off shows teeth there
_HOLE_MM: Final = 14.0  # eyes, nostrils and mouths are narrower than that: what is wider was hidden by something
_FADE_MM: Final = 6.0  # so far within what is known the new face is faded in: seams, and shadows of hats, lie there
_EDGE: Final = 0.012  # of the face's height: so near to what hides it a place counts as hidden


def unwrap_skin(view: TargetFace, atlas: Atlas, mouth_open: bool = False) -> tuple[Float32, Float32]:
    """Lay what a picture shows of a face out on the atlas.

    Args:
        view: the face in its picture.
        atlas: of its head.
        mouth_open: whether teeth may be seen, so that the edge of the lips is not trusted.

    Returns:
        (S, S, 3) float32 colours in [0, 255], and (S, S) float32 in [0, 1]: how well each place is seen.
    """
    surface = view.surface
    values = np.zeros((surface.head.vertices, 5), np.float32)
    values[surface.vertices] = np.column_stack([view.shape, view.normals[:, 2], view.unoccluded])
    x, y, z, facing, unoccluded = (np.ascontiguousarray(field) for field in np.moveaxis(atlas.spread(values), -1, 0))
    colours = cv2.remap(view.picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    reach = max(1, round(_EDGE * view.size))
    depth = np.where(view.raster.mask, view.raster.depth, np.float32(-1e6))
    near = cv2.dilate(depth, np.ones((2 * reach + 1,) * 2, np.uint8))
    front = cv2.remap(near, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1e6)
    seen = smoothstep(facing, *_FACING) * (front - z < 2 + 2.5 * reach / np.maximum(facing, 0.1))
    if mouth_open:
        seen = seen * smoothstep(atlas.mouth_mm, *_LIPS_MM)
    soft = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), _SOFT * atlas.size) * (seen > 0)
    return np.asarray(colours, np.float32), np.asarray(soft * unoccluded, np.float32)


def whole_skin(photos: Sequence[tuple[Float32, Float32]], atlas: Atlas) -> tuple[UInt8, Float32]:
    """Join what photos show of one face; what none shows comes from its other side, and what neither shows from around.

    Args:
        photos: results of `unwrap_skin`.
        atlas: the same as theirs.

    Returns:
        (S, S, 3) uint8 colours, and (S, S) float32 in [0, 1]: how much of each place is known from either side.
    """
    first, reference = photos[0]
    total, mass, best = np.zeros_like(first), np.zeros_like(reference), np.zeros_like(reference)
    for colours, seen in photos:
        both = (seen > 0.5) & (reference > 0.5) & (atlas.face > 0.7)
        gain = first[both].mean(axis=0) / np.maximum(colours[both].mean(axis=0), 1) if both.any() else 1.0
        weight = seen**_CHOICE
        total, mass, best = total + weight[..., None] * colours * gain, mass + weight, np.maximum(best, seen)
    joined = total / np.maximum(mass, 1e-3)[..., None]
    other = atlas.mirrored(np.dstack([joined * best[..., None], best]))
    ghost, ghost_seen = other[..., :3] / np.maximum(other[..., 3:], 1e-3), (1 - best) * other[..., 3]
    known = best + ghost_seen
    mixed = (best[..., None] * joined + ghost_seen[..., None] * ghost) / np.maximum(known, 1e-3)[..., None]
    picture = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    return fill_holes(picture, known > 0.25), np.asarray(np.clip(known, 0, 1), np.float32)


def faded(known: Float32, atlas: Atlas) -> Float32:
    """Draw the border of what is known inwards, softly, where something hid a large part of the face.

    Args:
        known: (S, S) float32 in [0, 1].
        atlas: of the same size.

    Returns:
        (S, S) float32 in [0, 1], not above `known` but for rounding.
    """
    scale = _px_per_mm(atlas)
    reach, hole = max(1, round(_FADE_MM / 2 * scale)), max(1, round(_HOLE_MM / 2 * scale))
    lacking = np.where(atlas.inside & atlas.skin & (atlas.face > 0.5), 1 - known, 0).astype(np.float32)
    hidden = cv2.morphologyEx(lacking, cv2.MORPH_OPEN, _disc(hole))
    hidden = cv2.morphologyEx(hidden, cv2.MORPH_CLOSE, _disc(hole))  # islands between glasses and a hat look odd
    wide = cv2.GaussianBlur(cv2.dilate(hidden, _disc(reach)), (0, 0), 0.5 * reach)
    return np.asarray(np.minimum(known, 1 - np.clip(wide, 0, 1)), np.float32)


def _px_per_mm(atlas: Atlas) -> float:
    """Of the face, in the middle."""
    across = np.gradient(atlas.position, axis=1)[atlas.face > 0.9]
    return float(1 / max(np.median(np.linalg.norm(across, axis=1)), 1e-6))


def _disc(radius: int) -> UInt8:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2), np.uint8)
