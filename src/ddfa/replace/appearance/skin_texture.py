"""The source texture of a replacement: the skin of a face, lids and lips included, without the light of its photos."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.occlusion.skin_colour import brightness
from ddfa.raster.blending import fill_holes, push_pull, smoothstep
from ddfa.raster.sampling import sample
from ddfa.replace.appearance.cast_light import usual
from ddfa.replace.target import TargetFace
from ddfa.texture.atlas import Atlas
from ddfa.texture.completion import join_images, mirror_complete
from ddfa.texture.unwrap import REPLACEMENT, REPLACEMENT_OPEN_MOUTH, HeadView, unwrap
from ddfa.texture.visibility import DepthBuffer

_HOLE_MM: Final = 14.0  # eyes, nostrils and mouths are narrower: larger holes were occluded
_FADE_MM: Final = 6.0  # the new face fades in over this distance, since seams and shadows of hats are near the border
_EDGE: Final = 0.012  # of the face's height: within this distance of an occluding edge, a texel counts as hidden
SKIN_LEVEL: Final = 150.0  # grey level of skin once its light is taken off
_DARK: Final = (8.0, 22.0)  # grey levels between which enough light reaches the camera to show detail
_COARSE: Final = 256  # px; side of the atlas on which spots of light are found
_FEW: Final = 60  # fewer texels of visible skin tell nothing about spots
_SPOTS: Final = (0.25, 4.0)  # range in log units and standard deviation in texels of the edge-preserving blur
_DEEPEST, _HUE = 0.35, 0.15  # log units; bounds of differences of brightness and hue on plain skin
_MIDDLE_MM: Final = (25.0, 45.0)  # half the width of the middle of the face, and of its surroundings
_BETTER: Final = (0.1, 0.35)  # by which the visibility of the other side has to exceed that of a texel
_KNOWN: Final = 0.25  # least weight of a texel whose colour is kept


def unwrap_skin(view: TargetFace, atlas: Atlas, mouth_open: bool = False) -> tuple[Float32, Float32]:
    """Unwrap the skin of a face from an image and take the light off it.

    Args:
        view: the face in its image.
        atlas: of its head.
        mouth_open: whether teeth may be visible, so that the edge of the lips is not trusted.

    Returns:
        (S, S, 3) float32 colours in [0, 255], in which plain skin has the level `SKIN_LEVEL`, and (S, S) float32 in
        [0, 1], how well each texel is visible.
    """
    surface = view.surface
    values = np.zeros((surface.head.vertices, 11), np.float32)
    reach = max(1, round(_EDGE * view.size))
    free = view.unoccluded * _within_outline(view, reach)
    values[surface.vertices] = np.column_stack([view.shape, view.normals, free, view.lit(view.normals), surface.plain])
    buffer = DepthBuffer(view.raster, surface.triangles, reach, slack=(2, 2.5 * reach))
    head = HeadView(view.image, values[:, :3], values[:, 3:6], buffer, weight=values[:, 6])
    colours, visible, _ = unwrap(head, atlas, REPLACEMENT_OPEN_MOUTH if mouth_open else REPLACEMENT)
    spread = atlas.spread(values[:, 7:])
    flat = np.log(np.maximum(colours, 1) / 255) - spread[..., :3]
    plain = np.asarray(visible * spread[..., 3], np.float32)
    flat = _softened(_evened(np.asarray(flat, np.float32), visible, plain, atlas), plain, atlas)
    return np.asarray(SKIN_LEVEL * np.exp(flat), np.float32), visible * smoothstep(colours.max(axis=2), *_DARK)


def _within_outline(view: TargetFace, reach: int) -> Float32:
    """Weight (K,) of the vertices: 0 where the outline of a turned face is in its middle, as at the nose and the lips.

    There an inexact fit shows what is behind the face. The border of the region that is replaced is no outline: beside
    it there is skin.
    """
    filled = view.raster.mask.astype(np.uint8)  # eyes and mouth are holes of the surface, not its outline
    cv2.drawContours(filled, cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], -1, (1,), -1)
    inside = cv2.copyMakeBorder(filled, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    away = np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)
    near = 1 - smoothstep(sample(away, view.shape)[:, 0], 1 + 0.5 * reach, 1 + 2 * reach)
    middle = smoothstep(np.abs(view.surface.mm[:, 0]), *_MIDDLE_MM[::-1]) * view.surface.beyond_edge
    return np.asarray(1 - near * middle, np.float32)


def _evened(flat: Float32, visible: Float32, plain: Float32, atlas: Atlas) -> Float32:
    """Reduce what remains of hard light, cast shadows and highlights.

    Wide spots that are far brighter than the skin are taken as highlights, far darker ones of plain skin as shadows,
    except where both sides of a chin are dark, as beards are.

    Args:
        flat: (S, S, 3) float32, logarithms of colours relative to the smooth colour of the skin.
        visible: (S, S) float32 in [0, 1].
        plain: (S, S) float32 in [0, 1], visible skin without features.
        atlas: of the head.
    """
    side = (min(_COARSE, atlas.size),) * 2
    small, seen, skin, beard = (
        np.asarray(cv2.resize(a, side, interpolation=cv2.INTER_AREA), np.float32)
        for a in (brightness(flat), visible, plain, atlas.beard)
    )
    if np.count_nonzero(skin > 0.5) < _FEW:
        return flat
    tone = push_pull(small[..., None], seen)[..., 0]
    spots = np.asarray(cv2.bilateralFilter(tone, 0, *_SPOTS), np.float32)
    excess = spots - usual(spots)
    mirrored = np.minimum(0, cv2.resize(atlas.mirrored(_enlarged(excess, atlas.size))[..., 0], side))
    lone = np.where(excess < mirrored, excess - mirrored, 0)
    shadow = skin * (beard * lone + (1 - beard) * excess)
    excess = np.where(excess < 0, shadow, excess)
    return flat - _enlarged(np.asarray(excess, np.float32), atlas.size)


def _softened(flat: Float32, plain: Float32, atlas: Atlas) -> Float32:
    """Bound the darkest lines of plain skin, which hard light has deepened, and hues, which noise has."""
    tone = brightness(flat)[..., None]
    hue = flat - tone
    change = _HUE * np.tanh(hue / _HUE) - hue
    change += (1 - atlas.beard[..., None]) * (np.where(tone < 0, _DEEPEST * np.tanh(tone / _DEEPEST), tone) - tone)
    return np.asarray(flat + plain[..., None] * change, np.float32)


def _enlarged(layer: Float32, size: int) -> Float32:
    """A layer (s, s) resized to (size, size, 1)."""
    return np.asarray(cv2.resize(layer, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)[..., None]


def whole_skin(photos: Sequence[tuple[Float32, Float32]], atlas: Atlas) -> tuple[UInt8, Float32]:
    """Merge photos of one face; hidden skin is taken from the other side, and else from its surroundings.

    Args:
        photos: results of `unwrap_skin`.
        atlas: the same as theirs.

    Returns:
        (S, S, 3) uint8 colours, and (S, S) float32 in [0, 1], how well each texel is visible on either side.
    """
    colours, visible = join_images(photos, atlas)
    other = atlas.mirrored(visible)
    known = visible + (1 - visible) * other
    # Where the other side shows the skin much better, it alone does: a mixture shows features of turned faces twice.
    completed = mirror_complete(colours, visible * smoothstep(other - visible, *_BETTER[::-1]), atlas)
    rounded = np.clip(completed.colours + 0.5, 0, 255).astype(np.uint8)
    return fill_holes(rounded, known > _KNOWN), np.asarray(np.clip(known, 0, 1), np.float32)


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
