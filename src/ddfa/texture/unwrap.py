"""Unwrapping: the colours an image shows of a fitted head, on the open head's atlas.

There is one implementation, `unwrap`. Export (`unwrap_texture`), face replacement and synthetic data use it with the
policies `EXPORT`, `REPLACEMENT` and `SYNTHETIC`, which list where they differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.raster.blending import smoothstep
from ddfa.raster.sampling import sample
from ddfa.texture.atlas import Atlas, atlas_of
from ddfa.texture.colour_checks import grazing_trust, skin_mask
from ddfa.texture.completion import colour_gain, mirror_complete, paint_hidden
from ddfa.texture.light import take_off_light
from ddfa.texture.visibility import DepthBuffer, VisibilityPolicy, texel_visibility

_DEPTH_SIDE: Final = 420  # of the depth buffer, px: about 1.5 px per mm
_MIRRORED: Final = 0.5  # validity of a texel that the other side shows fully


@dataclass(frozen=True)
class UnwrapPolicy:
    """How an image is unwrapped.

    Attributes:
        visibility: which texels count as visible.
        delight: take off the light, see `ddfa.texture.light`.
        average: average over image pixels where the image has more of them than the atlas has texels, instead of
            interpolating between four.
        colour_check: reject texels by colour: "grazing" where the surface is seen at a grazing angle, "skin" wherever
            the colour is not that of skin; None trusts all.
    """

    visibility: VisibilityPolicy
    delight: bool = False
    average: bool = False
    colour_check: Literal["grazing", "skin"] | None = None


# A texture of the whole head for 3D files: eyes and teeth included, background rejected near the outline.
EXPORT: Final = UnwrapPolicy(
    VisibilityPolicy((0.15, 0.55), parts="openings", erode=True), average=True, colour_check="grazing"
)
# The skin of the face in the light of its photo; occluders are found beforehand and given as weights.
REPLACEMENT: Final = UnwrapPolicy(VisibilityPolicy((0.25, 0.65)))
# The same where the lips are open: a fit that is slightly off shows teeth on their edges.
REPLACEMENT_OPEN_MOUTH: Final = UnwrapPolicy(VisibilityPolicy((0.25, 0.65), lips_mm=(1.5, 4.5)))
# Reflectance of bare skin, to be relit; occluders are rejected by their colour.
SYNTHETIC: Final = UnwrapPolicy(
    VisibilityPolicy((0.2, 0.6), parts="skin", lids_mm=(2.2, 2.2), lips_mm=(1.3, 1.3)),
    delight=True,
    colour_check="skin",
)


class HeadView(NamedTuple):
    """A fitted head in an image.

    Attributes:
        image: (H, W, 3) RGB in [0, 255], uint8 or float32.
        vertices: (V, 3) image px; 0 for vertices that are not part of the surface.
        normals: (V, 3) in camera axes, y up; 0 for the same vertices.
        buffer: of the surface.
        frame: x0, y0, x1, y1, the part of the image with content, px; all of it by default.
        weight: (V,) float32 in [0, 1], multiplied with the visibility, as where occluders have been found.
    """

    image: Any
    vertices: Floats
    normals: Floats
    buffer: DepthBuffer
    frame: tuple[float, float, float, float] | None = None
    weight: Float32 | None = None


class Unwrapped(NamedTuple):
    """What an image shows of a head.

    Attributes:
        colours: (S, S, 3) float32 in [0, 255]; valid where `visible` is not 0.
        visible: (S, S) float32 in [0, 1], how well each texel is visible and is believed to show the head.
        rejected: (S, S) float32 in [0, 1], visible texels that the colour check rejected.
    """

    colours: Float32
    visible: Float32
    rejected: Float32


@dataclass(frozen=True, eq=False)
class Texture:
    """Colours of a head on the open head's atlas, v up: row 0 is v = 1.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        validity: (S, S) float32: 1 visible in a photo, lower where the mirrored side was, 0 in-painted.
    """

    image: UInt8
    validity: Float32

    @property
    def size(self) -> int:
        """Side S in px."""
        return len(self.image)


def unwrap(view: HeadView, atlas: Atlas, policy: UnwrapPolicy) -> Unwrapped:
    """Look up the colour of each texel in an image, and compute how well the image shows it.

    Args:
        view: the head in the image.
        atlas: of the head; its size is that of the result.
        policy: what counts as visible, and how colours are read.
    """
    rows, columns = view.image.shape[:2]
    given = [] if view.weight is None else [view.weight]
    fields = atlas.spread(np.column_stack([view.vertices, view.normals[:, 2], *given]))
    frame = view.frame or (0, 0, columns - 1, rows - 1)
    visible = texel_visibility(fields, view.buffer, frame, atlas, policy.visibility)
    if view.weight is not None:
        visible *= fields[..., 4]
    colours = _averaged(view, fields, atlas) if policy.average else sample(view.image, fields[..., :2])
    trust = None
    if policy.colour_check == "grazing":
        trust = grazing_trust(colours, visible, fields[..., 3], atlas)
    if policy.delight:
        colours = take_off_light(colours, view.normals, visible, atlas).albedo
    if policy.colour_check == "skin":
        trust = skin_mask(colours / np.float32(255), visible, atlas)
    if trust is None:
        return Unwrapped(colours, visible, np.zeros_like(visible))
    return Unwrapped(colours, visible * trust, visible * (1 - trust))


def unwrap_texture(image: UInt8, faces: Faces, size: int = 1024, *, delight: bool = False) -> Texture:
    """Compute the texture of a face from its photo.

    Hidden skin is taken from the other side of the face, in the colours of the visible parts around it; what neither
    side shows is continued from its surroundings.

    Args:
        image: (H, W, 3) uint8 RGB, the photo.
        faces: one face, found in it.
        size: side S of the texture in px.
        delight: remove shading, as far as second-order spherical harmonics separate it from the skin.

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
    buffer = DepthBuffer.fitted(vertices, faces.head.triangles, _DEPTH_SIDE, reach=2, slack=(1, 3))
    view = HeadView(image, vertices, atlas.normals(vertices * FLIP_Y), buffer)
    colours, visible, _ = unwrap(view, atlas, replace(EXPORT, delight=delight))
    skin = np.asarray(visible * atlas.skin, np.float32)
    completed = mirror_complete(colours, skin, atlas, within=atlas.skin, match_colours=True)
    if not completed.weight.any():
        return Texture(np.full((size, size, 3), 127, np.uint8), np.zeros_like(visible))
    filled = paint_hidden(completed, colours, visible, atlas)
    validity = np.where(atlas.inner, visible, skin + _MIRRORED * completed.mirrored) * atlas.inside
    rounded = np.rint(np.clip(atlas.closed(filled), 0, 255)).astype(np.uint8)
    return Texture(rounded, np.asarray(validity, np.float32))


def fuse_textures(textures: Sequence[Texture]) -> Texture:
    """Merge textures of several photos of one person, each weighted by its validity.

    Args:
        textures: of one size; the first sets the brightness and colour.

    Returns:
        The texture; its validity is at each texel the highest of all.

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
        colours = texture.image * colour_gain(first, texture.image.astype(np.float32), both)
        trust = np.square(texture.validity)[..., None] ** 2 + 1e-4
        mixed += trust * colours
        total += trust
    image = np.rint(np.clip(mixed / total, 0, 255)).astype(np.uint8)
    return Texture(image, np.max([texture.validity for texture in textures], axis=0))


def _averaged(view: HeadView, fields: Float32, atlas: Atlas) -> Float32:
    """Colours (S, S, 3) under each texel, of an image first reduced to about the resolution of the atlas."""
    rows, columns = view.image.shape[:2]
    vertices = view.vertices
    low = np.clip(np.floor(vertices[:, :2].min(axis=0)) - 2, 0, [columns - 1, rows - 1]).astype(int)
    high = np.clip(np.ceil(vertices[:, :2].max(axis=0)) + 3, low + 1, [columns, rows]).astype(int)
    photo = view.image[low[1] : high[1], low[0] : high[0]]
    # The head takes about half of the height of the atlas: of a larger photo, interpolation would skip pixels.
    shrink = max(1.0, float(np.ptp(vertices[:, 1])) / (0.5 * atlas.size))
    width, height = (max(round(side / shrink), 1) for side in photo.shape[1::-1])
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA) if shrink > 1 else photo
    kx, ky = small.shape[1] / photo.shape[1], small.shape[0] / photo.shape[0]
    x = np.ascontiguousarray((fields[..., 0] - low[0] + 0.5) * kx - 0.5, np.float32)
    y = np.ascontiguousarray((fields[..., 1] - low[1] + 0.5) * ky - 0.5, np.float32)
    return np.asarray(cv2.remap(small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
