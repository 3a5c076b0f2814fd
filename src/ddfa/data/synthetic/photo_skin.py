"""Skin of photographed people: what a photo shows of a fitted head, without its light, laid out on the atlas."""

from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, UInt8
from ddfa.raster.blending import fill_holes, smoothstep
from ddfa.raster.lighting import harmonics, skin_light
from ddfa.raster.rasterize import rasterize
from ddfa.raster.sampling import sample
from ddfa.texture.atlas import Atlas

# A fit is never exact: this near to the edges of lids and lips the photo may show the eye or the teeth.
_LID_MM: Final = 2.2
_MOUTH_MM: Final = 1.3
_SHADING: Final = (0.45, 1.7)  # brightness is divided by shading within these bounds
# What differs from the skin by more, in logarithms of RGB, is none; brightness is judged at the edge of the face only.
_HUE, _TONE = 0.4, 0.4
_LEAST_HAIR: Final = 300  # pixels of the atlas
_BORDER: Final = 12  # darker rows and columns at the edge belong to no photo


class Unwrapped(NamedTuple):
    """What a photo shows of a head.

    Attributes:
        skin: (S, S, 3) float32 reflectance of the bare skin, RGB in [0, 1].
        hair: (3,) float32 colour of the hair; None if none is seen.
        share: of the face that the photo shows.
    """

    skin: Float32
    hair: Float32 | None
    share: float


def unwrap(photo: UInt8, vertices: Floats, atlas: Atlas) -> Unwrapped:
    """Take the skin from a photo; what it does not show comes from the other side of the face, or from around.

    Args:
        photo: (H, W, 3) uint8 RGB.
        vertices: (V, 3) the fitted head in image space.
        atlas: of the head.
    """
    normals = atlas.normals(vertices * np.array([1, -1, 1], np.float32))
    picture = np.asarray(photo, np.float32) / np.float32(255)
    colours = sample(picture, vertices)
    light = skin_light(atlas.head, normals, colours)
    shade = np.clip(harmonics(normals) @ light, *_SHADING)
    fields = atlas.spread(np.column_stack([vertices, normals[:, 2], shade]))
    texture = np.asarray(sample(picture, fields[..., :2]) / np.maximum(fields[..., 4:], 1e-3), np.float32)
    seen = _seen(photo, vertices, fields, atlas)
    skinlike = _skinlike(texture, seen, atlas)
    hair = _hair_colour(texture, np.asarray(seen * (1 - skinlike), np.float32), atlas)
    seen = seen * skinlike
    other = atlas.mirrored(np.dstack([texture * seen[..., None], seen]))
    share = (1 - seen) * other[..., 3]
    weight = seen + share
    ghost = other[..., :3] / np.maximum(other[..., 3:], 1e-3)
    whole = (seen[..., None] * texture + share[..., None] * ghost) / np.maximum(weight, 1e-3)[..., None]
    filled = fill_holes(np.clip(255 * whole, 0, 255).astype(np.uint8), weight > 0.25)
    return Unwrapped(np.asarray(filled / np.float32(255), np.float32), hair, float(seen[atlas.face > 0.5].mean()))


def _seen(photo: UInt8, vertices: Floats, fields: Float32, atlas: Atlas) -> Float32:
    """How well the photo shows each place of the atlas, (S, S) float32 in [0, 1]."""
    height, width = photo.shape[:2]
    depth = rasterize(np.asarray(vertices, np.float32), atlas.head.triangles, height, width).depth
    x, y, z, facing = (np.ascontiguousarray(fields[..., k]) for k in range(4))
    front = cv2.remap(depth, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=np.inf)
    # Within a pixel a slanted surface spans some depth.
    seen = smoothstep(facing, 0.2, 0.6) * (z > front - 0.8 - 0.8 / np.maximum(facing, 0.2))
    x0, y0, x1, y1 = content(photo)
    seen = seen * ((x > x0 + 3) & (x < x1 - 4) & (y > y0 + 3) & (y < y1 - 4))
    seen = seen * atlas.skin * (atlas.lid_mm > _LID_MM) * (atlas.mouth_mm > _MOUTH_MM)
    return np.asarray(cv2.GaussianBlur(seen.astype(np.float32), (0, 0), atlas.size / 250) * (seen > 0), np.float32)


def _skinlike(texture: Float32, seen: Float32, atlas: Atlas) -> Float32:
    """0 where something else than skin lies before the face, as hair on the forehead or a scarf, else 1: (S, S)."""
    tones = np.log(np.maximum(texture, 0.02))
    plain = np.flatnonzero((seen > 0.5) & (atlas.face > 0.7) & (atlas.lips < 0.1))[::11]
    if not len(plain):
        return np.ones_like(seen)
    away = tones - np.median(tones.reshape(-1, 3)[plain], axis=0)
    shift = away.mean(axis=-1, keepdims=True)
    hue = np.abs(away - shift).max(axis=-1) * (atlas.lips < 0.1)
    forehead = (atlas.position[..., 1] > atlas.brow_top + 3) | (np.abs(atlas.position[..., 0]) > 52)
    tone = np.where(forehead, np.abs(shift[..., 0]), 0)
    other = ((hue > _HUE) | (tone > _TONE)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(other, (0, 0), atlas.size / 150) < 0.25, np.float32)


def _hair_colour(texture: Float32, covered: Float32, atlas: Atlas) -> Float32 | None:
    """The colour (3,) of what covers the upper edge of the face; None where too little does."""
    top = np.flatnonzero((covered > 0.3) & (atlas.position[..., 1] > atlas.brow_top + 12))
    return np.median(texture.reshape(-1, 3)[top], axis=0) if len(top) > _LEAST_HAIR else None


def content(photo: UInt8) -> tuple[int, int, int, int]:
    """The part of the photo inside a black frame: x0, y0, x1, y1."""
    light: Bools = photo.max(axis=2) > _BORDER
    columns, rows = np.flatnonzero(light.mean(axis=0) > 0.05), np.flatnonzero(light.mean(axis=1) > 0.05)
    if not len(columns) or not len(rows):
        return 0, 0, photo.shape[1], photo.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
