"""What one photo shows of a head, as a layer on the atlas; and layers put together to the texture of a whole head."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32
from ddfa.raster.blending import blend, push_pull, smoothstep
from ddfa.texture.atlas import Atlas
from ddfa.texture.interior import inner_of
from ddfa.texture.plain_skin import hair_density, plain_skin, scalp_hair

_DARKEST: Final = 6.0  # grey levels added before logarithms, so that noise of dark colours does not count
_CALM: Final = 0.03  # weight of no difference: far from what is known, a correction ends
_SHOWN: Final = (0.05, 0.45)  # weights between which the photo replaces what is drawn
_FOLD: Final = 0.025  # of the atlas: depth of the folds of lips and lids
_INSIDE: Final = 0.006  # of the atlas: distance from the border of what is known from which it is continued
_LARGEST: Final = 0.35  # log units; bound of differences that are continued beyond what is known
_SOFT: Final = 0.4  # contrast of the light on parts that the photo does not show
_TONE: Final = np.array([190, 146, 124], np.float32)  # of skin, if none is visible
_FEW: Final = 30  # texels of an atlas of 256 px from which a colour is estimated
_JOIN_POWER: Final = 3  # of the visibility, where several photos show a texel: the better one dominates
_BALD: Final = 0.6  # share of skin on the visible scalp above which no hair is drawn on the rest
_HAIR_SHIFT, _HAIR_HUE = 0.8, 0.2  # log units of brightness and hue by which hair varies
_BROWS: Final = 0.7  # brightness of hair relative to brows, through which skin is seen
_DARK: Final = 45.0  # grey levels below which the hue of hair tells nothing


class Layer(NamedTuple):
    """What photos show of a head, without light.

    Attributes:
        albedo: (S, S, 3) float32 in [0, 255].
        skin: (S, S) float32 in [0, 1], where this is the skin of the head.
        hair: (S, S) float32 in [0, 1], where this is the hair on the scalp.
        inner: (S, S) float32 in [0, 1], where this is an eye or the inside of the mouth.
        seen: (S, S) float32 in [0, 1], where the scalp is visible, whatever is on it.
        shading: (S, S, 3) float32, light of the photo: `albedo * shading` are its colours; see `continued_shading`.
    """

    albedo: Float32
    skin: Float32
    hair: Float32
    inner: Float32
    seen: Float32
    shading: Float32


def join_layers(layers: Sequence[Layer]) -> Layer:
    """Merge what several photos show of one person; the first sets the colours and the light.

    Args:
        layers: of one size, the best photo first.
    """
    if len(layers) == 1:
        return layers[0]
    first = layers[0]
    total = np.zeros_like(first.albedo)
    mass = np.zeros((*first.skin.shape, 1), np.float32)
    for layer in layers:
        own, both = np.maximum.reduce([layer.skin, layer.hair, layer.inner]), np.sqrt(layer.skin * first.skin)
        colours = layer.albedo
        if layer is not first:
            gain = np.asarray((first.albedo + _DARKEST) / (layer.albedo + _DARKEST), np.float32)
            usual = _median(gain, both, np.ones(3, np.float32))
            colours = _laid(np.clip(usual * layer.albedo, 0, 255), first.albedo, both, share=0.0)
        weight = own[..., None] ** _JOIN_POWER + 1e-6
        total, mass = total + weight * colours, mass + weight
    skin, hair, inner, seen = (
        np.max([getattr(layer, name) for layer in layers], axis=0) for name in ("skin", "hair", "inner", "seen")
    )
    return Layer(np.asarray(total / mass, np.float32), skin, hair, inner, seen, first.shading)


def continued_shading(shading: Float32, smooth: Float32, known: Float32) -> Float32:
    """Continue the shading of what a photo shows over the rest of the head, where it is softer.

    Args:
        shading: (S, S, 3) float32 > 0.
        smooth: (S, S, 3) float32 > 0, of distant light alone.
        known: (S, S) float32 in [0, 1], what the photo shows.
    """
    soft = np.asarray(_SOFT * np.log(smooth), np.float32)
    return np.asarray(np.exp(soft + _continued(np.asarray(np.log(shading) - soft, np.float32), known)), np.float32)


def whole_head(layer: Layer, atlas: Atlas) -> tuple[Float32, Float32]:
    """Complete a layer: hidden skin comes from the other side of the face and from plain skin in the person's tone.

    Each source is brought to the colours of what it is put next to, with a smooth correction that agrees with both at
    their border (membrane interpolation, as in Poisson image editing; here by push-pull pyramids, in logarithms).

    Args:
        layer: what the photos show.
        atlas: of the head.

    Returns:
        (S, S, 3) float32 colours without light in [0, 255], and (S, S) float32 in [0, 1], how far each texel of skin
        comes from the other side.
    """
    tone = _median(layer.albedo, layer.skin * atlas.plain * (1 - atlas.beard), _TONE)
    hair = hair_colour(layer, tone, atlas)
    layer = layer._replace(hair=layer.hair * _like(layer.albedo, hair))
    other = atlas.mirrored(np.dstack([layer.albedo, layer.skin, layer.hair]))
    mirrored, skin_weight, hair_weight = other[..., :3], other[..., 3] * atlas.skin, other[..., 4]
    skin = plain_skin(tone, _brow_colour(layer, hair, tone, atlas), atlas)
    own_side = _laid(mirrored, layer.albedo, np.minimum(layer.skin, skin_weight), share=0.0)
    shown, shown_across = smoothstep(layer.skin, *_SHOWN), smoothstep(skin_weight, *_SHOWN)
    skin = _laid(skin, own_side, shown_across)
    skin = _laid(skin, layer.albedo, shown)
    skin = _features(skin, np.maximum(shown, shown_across), atlas)
    drawn = scalp_hair(hair, atlas)
    drawn = _laid(drawn, mirrored, hair_weight)
    drawn = _laid(drawn, layer.albedo, layer.hair)
    colours = blend(skin, drawn, _hair_share(layer, np.maximum(shown, shown_across), atlas))
    colours = inner_of(atlas).paint(colours, layer.albedo, layer.inner)
    return colours, np.asarray((1 - layer.skin) * skin_weight, np.float32)


def _features(skin: Float32, known: Float32, atlas: Atlas) -> Float32:
    """Continue lips, lids and nostrils into their folds, which no photo shows: from their edges, not as plain skin."""
    hidden = (known < 0.5).astype(np.uint8)
    distance = np.asarray(cv2.distanceTransform(hidden, cv2.DIST_L2, 3), np.float32)
    near = smoothstep(distance, _FOLD * atlas.size, 0.4 * _FOLD * atlas.size)
    return blend(skin, push_pull(skin, known), near * (1 - known) * (1 - atlas.plain) * (atlas.face > 0.5))


def hair_colour(layer: Layer, tone: Float32, atlas: Atlas) -> Float32:
    """Estimate the colour (3,) of the hair: of the visible hair, if it is a natural one, else of the brows.

    Args:
        layer: what the photos show; hats count as hair.
        tone: (3,) of the skin.
        atlas: of the head.
    """
    brows = _darkest(layer.albedo, layer.skin * (atlas.brow_mm < 3), 0.45 * tone)
    found = _median(layer.albedo, layer.hair, brows)
    red, green, blue = found
    bright, skin_level = float(found.mean()), float(tone.mean())
    odd = bright > _DARK and (blue > 1.04 * red or green > 1.04 * red or blue > 1.02 * green)
    # Bright hair above far darker brows is a hat, unless it is grey.
    hat = bright > 0.95 * skin_level and red > 1.2 * blue and bright > 1.6 * float(brows.mean())
    return np.asarray(_BROWS * brows, np.float32) if odd or hat else found


def _like(colours: Float32, hair: Float32) -> Float32:
    """(S, S) float32 in [0, 1], where colours are near to that of the hair: lights and shadows vary, hats differ."""
    away = np.log(colours + 4 * _DARKEST) - np.log(hair + 4 * _DARKEST)
    shift = away.mean(axis=2)
    hue = np.abs(away - shift[..., None]).max(axis=2)
    return smoothstep(np.hypot(shift / _HAIR_SHIFT, hue / _HAIR_HUE), 1.2, 0.8)


def _hair_share(layer: Layer, skin: Float32, atlas: Atlas) -> Float32:
    """How much of the texture (S, S) is hair: what the photo shows, and elsewhere as usual, unless the head is bald."""
    scalp = layer.seen * smoothstep(atlas.hair, 0.6, 0.9)
    total = float(scalp.sum())
    if total > _FEW * (atlas.size / 256) ** 2 and float((scalp * layer.skin).sum()) > _BALD * total:
        return np.asarray(layer.hair * smoothstep(atlas.hair, 0.2, 0.5), np.float32)
    bare = np.asarray(skin * smoothstep(atlas.hair, 0.98, 0.7), np.float32)
    return np.asarray(hair_density(atlas) * (1 - bare), np.float32)


def _brow_colour(layer: Layer, hair: Float32, tone: Float32, atlas: Atlas) -> Float32:
    found = _darkest(layer.albedo, layer.skin * (atlas.brow_mm < 3), hair)
    return np.asarray(np.minimum(found, 0.7 * tone), np.float32)


def _laid(under: Float32, over: Float32, weight: Float32, share: float = 1.0) -> Float32:
    """Lay colours over others: where they are known they stay, around them the others get their brightness and hue.

    Args:
        under: (S, S, 3) in [0, 255].
        over: (S, S, 3) in [0, 255].
        weight: (S, S) in [0, 1], where `over` is known.
        share: opacity of `over` where it is known; with 0, only the colours of `under` are adapted.
    """
    below, above = np.log(under + _DARKEST), np.log(np.clip(over, 0, 255) + _DARKEST)
    difference = above - below
    # Where it ends, what is known is least reliable, as beside hair: what is continued comes from farther inside.
    reach = 2 * max(1, round(_INSIDE * len(weight))) + 1
    inside = np.asarray(cv2.erode(weight, np.ones((reach, reach), np.uint8)), np.float32)
    correction = _continued(np.clip(difference, -_LARGEST, _LARGEST), inside)
    shown = share * weight[..., None]
    return np.asarray(np.exp(below + shown * difference + (1 - shown) * correction) - _DARKEST, np.float32).clip(0, 255)


def _continued(values: Float32, weight: Float32) -> Float32:
    """Continue values (S, S, C) smoothly beyond where they are known; far from there they end at 0."""
    trust = np.asarray(weight + _CALM * (1 - weight), np.float32)
    return push_pull(values * (weight / trust)[..., None], trust)


def _median(colours: Float32, weight: Float32, default: Float32) -> Float32:
    chosen = _chosen(colours, weight)
    return default if chosen is None else np.asarray(np.median(chosen, axis=0), np.float32)


def _darkest(colours: Float32, weight: Float32, default: Float32) -> Float32:
    """Mean colour (3,) of the darker third."""
    chosen = _chosen(colours, weight)
    if chosen is None:
        return default
    level = chosen.mean(axis=1)
    return np.asarray(chosen[level <= np.quantile(level, 0.33)].mean(axis=0), np.float32)


def _chosen(colours: Float32, weight: Float32) -> Float32 | None:
    """Colours (K, 3) where the weight is high; None if there are too few."""
    step = max(len(weight) // 256, 1)
    chosen = colours[::step, ::step][weight[::step, ::step] > 0.5]
    return chosen if len(chosen) > _FEW else None
