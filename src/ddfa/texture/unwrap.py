"""Textures of photographed faces: what the photo shows of the head, laid out on the open head's atlas.

What the photo hides is taken from the other side of the face, in the tones that the seen parts around it have; what
neither side shows is drawn together from around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, UInt8
from ddfa.faces import Faces
from ddfa.raster.blending import blend, push_pull, smoothstep
from ddfa.raster.lighting import harmonics, skin_light
from ddfa.raster.rasterize import interpolate, rasterize
from ddfa.raster.sampling import sample
from ddfa.texture.atlas import Atlas, atlas_of
from ddfa.texture.interior import inner_of

_DEPTH_SIDE: Final = 420  # of the picture in which parts hide each other, px: some 1.5 px per mm
_FACING: Final = (0.15, 0.55)  # cosine to the viewer between which a place goes from unseen to seen
_REACH: Final = 0.04  # of the atlas: beyond it what no photo shows has the plain colour of skin or hair
_TONE: Final = 2.0  # the mirrored side is made at most so much lighter or darker
_SHADING: Final = (0.45, 1.7)  # brightness is divided by shading within these bounds
_MIRRORED: Final = 0.5  # validity of what the other side shows fully


@dataclass(frozen=True, eq=False)
class Texture:
    """Colours of a head on the open head's atlas, v up: row 0 is v = 1.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        validity: (S, S) float32: 1 seen in a photo, lower where the mirrored side was, 0 in-painted.
    """

    image: UInt8
    validity: Float32

    @property
    def size(self) -> int:
        """Side S in px."""
        return len(self.image)


def unwrap_texture(image: UInt8, faces: Faces, size: int = 1024, *, delight: bool = False) -> Texture:
    """Take the texture of a face from its photo.

    Args:
        image: (H, W, 3) uint8 RGB, the photo.
        faces: one face, found in it.
        size: side S of the texture in px.
        delight: take the shading out, as far as second-order spherical harmonics tell it from the skin.

    Returns:
        The texture; all of the atlas has a colour.

    Raises:
        ModelError: the faces' head model has no texture atlas.
        ValueError: `faces` is not one face.
    """
    if len(faces) != 1:
        raise ValueError(f"a texture shows one face, not {len(faces)}: unwrap them one by one")
    atlas = atlas_of(faces.head, size)
    vertices = faces.vertices[0]
    normals = atlas.normals(vertices * np.array([1, -1, 1], np.float32))
    fields = atlas.spread(np.column_stack([vertices, normals[:, 2:]]))
    seen = _seen(image, vertices, fields, atlas)
    colours = _sampled(image, vertices, fields, atlas)
    seen *= _believed(colours, seen, fields[..., 3], atlas)
    if delight:
        light = skin_light(faces.head, normals, sample(image, vertices))
        colours /= atlas.spread((harmonics(normals) @ light)[:, None]).clip(*_SHADING)
    return _completed(colours, seen, atlas)


def fuse_textures(textures: Sequence[Texture]) -> Texture:
    """Make one texture of several photos of one person: at each place mostly of those that see it best.

    Args:
        textures: of one size; the tones are those of the first.

    Returns:
        The texture; its validity is at each place that of the best.

    Raises:
        ValueError: no textures, or of different sizes.
    """
    if len({texture.size for texture in textures}) != 1:
        raise ValueError("textures to be fused must be of one size")
    first = textures[0].image.astype(np.float32)
    total = np.zeros((*first.shape[:2], 1), np.float32)
    mixed = np.zeros_like(first)
    for texture in textures:
        both = smoothstep(textures[0].validity, 0.6, 0.95) * smoothstep(texture.validity, 0.6, 0.95)
        colours = texture.image * _tones(first, texture.image.astype(np.float32), both)
        trust = np.square(texture.validity)[..., None] ** 2 + 1e-4
        mixed += trust * colours
        total += trust
    image = np.rint(np.clip(mixed / total, 0, 255)).astype(np.uint8)
    return Texture(image, np.max([texture.validity for texture in textures], axis=0))


def _seen(image: UInt8, vertices: Floats, fields: Float32, atlas: Atlas) -> Float32:
    """How well the photo shows each place of the atlas, (S, S) float32 in [0, 1]."""
    triangles = atlas.head.triangles
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    scale = np.float32(_DEPTH_SIDE / max(float((high - low)[:2].max()), 1e-6))
    width, height = np.ceil((high - low)[:2] * scale).astype(int) + 1
    raster = rasterize(np.asarray((vertices - low) * scale, np.float32), triangles, int(height), int(width))
    # A fit is never exact: what lies this near to the edge of what hides it counts as hidden.
    front = cv2.dilate(raster.depth, np.ones((5, 5), np.uint8))
    inner = interpolate(raster, triangles, atlas.inner_vertices.astype(np.float32)[:, None])[..., 0]
    opening = cv2.erode((inner > 0.5).astype(np.float32), np.ones((3, 3), np.uint8))

    x, y, z = (np.ascontiguousarray((fields[..., axis] - low[axis]) * scale) for axis in range(3))
    facing = fields[..., 3]
    hidden = _nearest_at(front, x, y) - z > 1 + 3 / np.maximum(facing, 0.1)
    seen = smoothstep(facing, *_FACING) * atlas.inside * ~hidden
    seen = np.where(atlas.inner, seen * _nearest_at(opening, x, y), seen)
    rows, columns = image.shape[:2]
    px, py = fields[..., 0], fields[..., 1]
    seen = seen * ((px >= 0) & (px <= columns - 1) & (py >= 0) & (py <= rows - 1))
    soft = cv2.GaussianBlur(cv2.erode(seen, np.ones((3, 3), np.uint8)), (0, 0), atlas.size / 250)
    return np.asarray(np.minimum(soft, 1) * (seen > 0), np.float32)


def _believed(colours: Float32, seen: Float32, facing: Float32, atlas: Atlas) -> Float32:
    """How far (S, S) to believe what is seen aslant: near the outline a fit that is a little off shows what is behind.

    Skin that is there far from the tone of the face is hair or background; light and shadow change the brightness
    more than the hue. Where a beard may grow everything is believed.
    """
    step = max(atlas.size // 128, 1)
    sure = ((seen > 0.9) & (atlas.face > 0.7))[::step, ::step]
    if sure.sum() < 20:
        return np.ones_like(seen)
    tone = np.median(colours[::step, ::step][sure], axis=0)
    # Channel by channel: along a last axis of three NumPy takes ten times as long.
    red, green, blue = (np.log((colours[..., k] + 8) / (tone[k] + 8)) for k in range(3))
    brightness = (red + green + blue) / 3
    hue = np.maximum(np.maximum(abs(red - brightness), abs(green - brightness)), abs(blue - brightness))
    strange = smoothstep(np.maximum(np.abs(brightness) / 1.0, hue / 0.4), 0.7, 1.1)
    reach = max(atlas.size // 100, 1)
    spread = cv2.GaussianBlur(cv2.dilate(strange, np.ones((reach, reach), np.uint8)), (0, 0), reach / 2)
    bare = (1 - smoothstep(atlas.hair, 0.1, 0.4)) * (1 - atlas.beard) * atlas.skin
    return np.asarray(1 - spread * bare * (1 - smoothstep(facing, 0.6, 0.85)), np.float32)


def _nearest_at(picture: Any, x: Float32, y: Float32) -> Float32:
    """The values (S, S) of the pixels nearest to places in a picture."""
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _sampled(image: UInt8, vertices: Floats, fields: Float32, atlas: Atlas) -> Float32:
    """Colours (S, S, 3) of the photo under each place of the atlas, in [0, 255]."""
    rows, columns = image.shape[:2]
    low = np.clip(np.floor(vertices[:, :2].min(axis=0)) - 2, 0, [columns - 1, rows - 1]).astype(int)
    high = np.clip(np.ceil(vertices[:, :2].max(axis=0)) + 3, low + 1, [columns, rows]).astype(int)
    photo = image[low[1] : high[1], low[0] : high[0]]
    # The face takes about a third of the atlas' height: of a larger photo not every pixel would be hit.
    shrink = max(1.0, float(np.ptp(vertices[:, 1])) / (0.5 * atlas.size))
    width, height = (max(round(side / shrink), 1) for side in photo.shape[1::-1])
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA) if shrink > 1 else photo
    kx, ky = small.shape[1] / photo.shape[1], small.shape[0] / photo.shape[0]
    x = np.ascontiguousarray((fields[..., 0] - low[0] + 0.5) * kx - 0.5, np.float32)
    y = np.ascontiguousarray((fields[..., 1] - low[1] + 0.5) * ky - 0.5, np.float32)
    return np.asarray(cv2.remap(small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _completed(colours: Float32, seen: Float32, atlas: Atlas) -> Texture:
    """The whole texture, of what a photo shows of it."""
    skin = np.asarray(seen * atlas.skin, np.float32)
    other = atlas.mirrored(np.dstack([colours * skin[..., None], skin]))
    other_seen = np.asarray(other[..., 3] * atlas.skin, np.float32)
    ghost = np.asarray(other[..., :3] / np.maximum(other[..., 3:], 1e-3), np.float32)
    ghost *= _tones(colours, ghost, np.asarray(skin * other_seen, np.float32))
    share = np.asarray((1 - skin) * other_seen, np.float32)
    weight = skin + share
    if not weight.any():
        return Texture(np.full((*seen.shape, 3), 127, np.uint8), np.zeros_like(seen))
    whole = (skin[..., None] * colours + share[..., None] * ghost) / np.maximum(weight, 1e-3)[..., None]
    filled = push_pull(whole, weight)
    filled = blend(filled, _plain(colours, skin, atlas), _far(weight, atlas))
    filled = inner_of(atlas).paint(filled, colours, seen)
    validity = np.where(atlas.inner, seen, skin + _MIRRORED * share) * atlas.inside
    image = np.rint(np.clip(atlas.closed(filled), 0, 255)).astype(np.uint8)
    return Texture(image, np.asarray(validity, np.float32))


def _tones(colours: Float32, ghost: Float32, both: Floats) -> Float32:
    """How much lighter (S, S, 3) the mirrored side has to be, told where both sides are seen; it changes slowly."""
    size = len(both)
    if not both.any():
        return np.ones_like(colours)
    few = (max(size // 16, 4),) * 2
    mean, mirrored = (
        cv2.resize(layer * both[..., None], few, interpolation=cv2.INTER_AREA) for layer in (colours, ghost)
    )
    mass = cv2.resize(both, few, interpolation=cv2.INTER_AREA)
    ratio = np.log((mean + 4 * mass[..., None] + 1e-3) / (mirrored + 4 * mass[..., None] + 1e-3))
    smooth = push_pull(ratio, 0.5 * mass)
    gain = np.clip(np.exp(smooth), 1 / _TONE, _TONE)
    return np.asarray(cv2.resize(gain, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _plain(colours: Float32, seen: Float32, atlas: Atlas) -> Float32:
    """Skin and hair of the colours that the photo shows, (S, S, 3)."""
    step = max(atlas.size // 128, 1)
    flat, weight = colours[::step, ::step], seen[::step, ::step]
    skin, hair = atlas.face[::step, ::step] > 0.7, atlas.hair[::step, ::step] > 0.3
    tone = _median(flat, (weight > 0.5) & skin, np.array([170, 130, 110], np.float32))
    return blend(np.broadcast_to(tone, colours.shape), _median(flat, (weight > 0.3) & hair, 0.5 * tone), atlas.hair)


def _median(colours: Float32, mask: Bools, default: Float32) -> Float32:
    return np.asarray(np.median(colours[mask], axis=0), np.float32) if mask.sum() > 20 else default


def _far(weight: Float32, atlas: Atlas) -> Float32:
    """How far (S, S) each place lies from what has been seen: 0 near, 1 beyond reach."""
    distance = cv2.distanceTransform((weight < 0.3).astype(np.uint8), cv2.DIST_L2, 3)
    return smoothstep(distance.astype(np.float32), 0.2 * _REACH * atlas.size, _REACH * atlas.size)
