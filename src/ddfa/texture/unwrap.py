"""Unwrapping: the colours an image shows of a fitted head, on the open head's atlas.

There is one implementation, `unwrap`. Export (`unwrap_texture`), face replacement and synthetic data use it with the
policies `EXPORT`, `REPLACEMENT` and `SYNTHETIC`, which list where they differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.raster.blending import blend, smoothstep
from ddfa.raster.sampling import sample
from ddfa.texture.atlas import Atlas, atlas_of
from ddfa.texture.colour_checks import grazing_trust, skin_mask
from ddfa.texture.layers import Layer, continued_shading, join_layers, whole_head
from ddfa.texture.light import take_off_light
from ddfa.texture.occluders import beard, beside_occluders, frames_of_glasses, skin_likeness, unoccluded_skin
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


def head_view(image: UInt8, face: Faces, atlas: Atlas) -> HeadView:
    """The head of one face in its photo; arguments as for `photo_layer`."""
    vertices = face.vertices[0]
    buffer = DepthBuffer.fitted(vertices, face.head.triangles, _DEPTH_SIDE, reach=2, slack=(1, 3))
    return HeadView(image, vertices, atlas.normals(vertices * FLIP_Y), buffer)


def photo_layer(
    image: UInt8, face: Faces, atlas: Atlas, *, keep_occluders: bool = False, view: HeadView | None = None
) -> Layer:
    """Unwrap a photo, take the light off and find what is skin, hair or neither.

    Args:
        image: (H, W, 3) uint8 RGB, the photo.
        face: one face, found in it.
        atlas: of its head.
        keep_occluders: whatever the photo shows in front of the skin counts as skin.
        view: the `head_view` of the same arguments, if it has been computed.
    """
    view = head_view(image, face, atlas) if view is None else view
    colours, visible, _ = unwrap(view, atlas, EXPORT)
    free, with_glasses = (np.ones_like(visible), False) if keep_occluders else unoccluded_skin(image, face, atlas)
    skin = np.asarray(visible * atlas.skin * free, np.float32)
    albedo, shading, smooth, lit = _without_light(colours, view.normals, skin, atlas)
    like = skin_likeness(albedo, skin, atlas)
    if not keep_occluders:
        suspect = np.maximum(_border(atlas), beside_occluders(free, atlas))
        foreign = suspect * (1 - np.maximum(like, beard(like, skin, atlas)))
        # What is half foreign would lend its hue to what is hidden.
        skin = np.asarray(skin * (1 - foreign) ** 2, np.float32)
        albedo, shading, smooth, lit = _without_light(colours, view.normals, skin, atlas)
        skin = skin * lit
        if with_glasses:
            skin = skin * (1 - frames_of_glasses(albedo, atlas))
    skin = np.asarray(skin, np.float32)
    hair = np.asarray(visible * smoothstep(atlas.hair, 0.15, 0.45) * (1 - like), np.float32)
    seen = np.asarray(visible * atlas.skin, np.float32)
    inner = np.asarray(visible * atlas.inner * free, np.float32)
    shown = smoothstep(np.maximum.reduce([skin, hair, inner]), 0.05, 0.3)
    shading = continued_shading(shading, smooth, shown)
    return Layer(albedo, skin, hair, inner, seen, shading)


def unwrap_texture(
    image: UInt8,
    faces: Faces,
    size: int = 1024,
    *,
    delight: bool = False,
    keep_occluders: bool = False,
    view: HeadView | None = None,
) -> Texture:
    """Compute the texture of a face from its photo.

    Hair, hats, glasses and hands in front of the skin are left out. Hidden skin is taken from the other side of the
    face; what neither side shows is plain skin in the person's tone. The scalp has the colour of the visible hair.

    Args:
        image: (H, W, 3) uint8 RGB, the photo.
        faces: one face, found in it.
        size: side S of the texture in px.
        delight: remove shading, as far as second-order spherical harmonics separate it from the skin.
        keep_occluders: paint everything that the photo shows on the head.
        view: the `head_view` of the same arguments, if it has been computed.

    Returns:
        The texture; all of the atlas has a colour.

    Raises:
        ModelError: the faces' head model has no texture atlas.
        ValueError: `faces` is not one face.
    """
    if len(faces) != 1:
        raise ValueError(f"a texture shows one face, not {len(faces)}: unwrap them one by one")
    atlas = atlas_of(faces.head, size)
    layer = photo_layer(image, faces, atlas, keep_occluders=keep_occluders, view=view)
    return texture_of_layers([layer], atlas, delight=delight)


def texture_of_layers(layers: Sequence[Layer], atlas: Atlas, *, delight: bool = False) -> Texture:
    """Make one texture of what one or several photos of a person show.

    Args:
        layers: the best photo first; it sets the light and the colours.
        atlas: of their size.
        delight: without the light of the first photo.

    Returns:
        The texture; its validity is at each texel the highest of all photos.
    """
    layer = join_layers(layers)
    if not layer.skin.any():
        return Texture(np.full((atlas.size, atlas.size, 3), 127, np.uint8), np.zeros_like(layer.skin))
    colours, mirrored = whole_head(layer, atlas)
    lit = colours if delight else colours * layer.shading
    own = np.where(atlas.inner, layer.inner, np.maximum(layer.skin, layer.hair))
    validity = np.maximum(own, _MIRRORED * mirrored) * atlas.inside
    rounded = np.rint(np.clip(atlas.closed(lit), 0, 255)).astype(np.uint8)
    return Texture(rounded, np.asarray(validity, np.float32))


def _without_light(
    colours: Float32, normals: Float32, skin: Float32, atlas: Atlas
) -> tuple[Float32, Float32, Float32, Float32]:
    """Albedo, shading, smooth shading and lit parts, see `Delit`; on the scalp, the light is grey."""
    delit = take_off_light(colours, normals, skin, atlas)
    # The colour of the light is that on skin: it would give hair another hue.
    scalp = smoothstep(atlas.hair, 0.15, 0.5)
    shading, smooth = (blend(a, a.mean(axis=2, keepdims=True), scalp) for a in (delit.shading, delit.smooth))
    return np.asarray(colours / shading, np.float32), shading, smooth, delit.lit


@lru_cache(maxsize=2)
def _border(atlas: Atlas) -> Float32:
    """(S, S) float32 in [0, 1], 1 where hair, collars and background may be taken for skin: beside the face."""
    high = smoothstep(atlas.position[..., 1], atlas.brow_top + 3, atlas.brow_top + 9)
    wide = smoothstep(np.abs(atlas.position[..., 0]), 50, 58)
    return np.asarray(np.maximum.reduce([1 - atlas.face, high, wide]), np.float32)


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
