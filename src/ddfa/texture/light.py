"""Taking the light off an unwrapped face: what remains is the colour of the skin under even white light.

The shading of distant light is a second-order function of the normal, fitted robustly to the skin (`estimate_light`).
What it cannot explain differs between the two sides of the face, as cast shadows and highlights do, while brows, lips,
beards and flush are on both sides. So where one side is darker or brighter than its mirror image, the one that is
closer to the typical skin is taken as right, except near features, where a fit is rarely exact.

Colours are gamma-encoded in [0, 255]; light is fitted to linear values (exponent 2.2), in which it is additive.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64
from ddfa.raster.blending import push_pull, smoothstep
from ddfa.raster.lighting import estimate_light, harmonics
from ddfa.texture.atlas import Atlas, atlas_of

GAMMA: Final = 2.2
_BLACK: Final = 3.0  # grey levels added to ratios of dark colours, where noise dominates
_COARSE: Final = 192  # px; side of the atlas on which the light is fitted: it varies slowly
_RADIUS: Final = 3.3  # there: standard deviation of the blur before both sides are compared, and its range in log units
_RANGE: Final = 0.25
_SAMPLES: Final = 6000
_FEW: Final = 60  # fewer samples of skin tell nothing about the light
_BOUNDS: Final = (0.02, 0.98)  # quantiles of the shading of visible skin, beyond which it is not extrapolated
_SHADING: Final = (0.35, 1.9)  # bounds of the encoded shading
_HIGHLIGHT: Final = 0.10  # logarithm above the typical skin from which a smooth bright spot is a highlight
_DARK: Final = (8.0, 22.0)  # grey levels between which enough light reaches the camera to show the colour of skin
_DIM: Final = (0.3, 0.45)  # the same for the encoded shading


class Delit(NamedTuple):
    """Colours of a face, separated into reflectance and shading.

    Attributes:
        albedo: (S, S, 3) float32 in [0, 255], gamma-encoded: the colours under even white light.
        shading: (S, S, 3) float32, gamma-encoded: `albedo * shading` are the colours of the photo.
        smooth: (S, S, 3) float32, the same without cast shadows and highlights: the light on hidden skin.
        light: (9, 3) coefficients of the linear shading in the convention of `ddfa.raster.lighting`; its mean over the
            visible face is 1 in every channel.
        lit: (S, S) float32 in [0, 1], 0 where too little light reaches the camera to show the colour of the skin.
    """

    albedo: Float32
    shading: Float32
    smooth: Float32
    light: Float64
    lit: Float32


def take_off_light(colours: Float32, normals: Float32, trust: Float32, atlas: Atlas) -> Delit:
    """Separate the colours of an unwrapped face into reflectance and shading.

    Args:
        colours: (S, S, 3) float32 RGB in [0, 255], gamma-encoded, in the light of the photo.
        normals: (V, 3) of the fitted head, camera axes with y up.
        trust: (S, S) float32 in [0, 1], how well each texel is seen; 0 where something hides the skin.
        atlas: of the head.

    Returns:
        Reflectance and shading; the shading is 1 everywhere if too little skin is visible.
    """
    coarse = atlas_of(atlas.head, min(_COARSE, atlas.size))
    few = (coarse.size, coarse.size)
    small = np.asarray(cv2.resize(colours, few, interpolation=cv2.INTER_AREA), np.float32)
    seen = np.asarray(cv2.resize(trust, few, interpolation=cv2.INTER_AREA), np.float32)
    light = skin_light(small, normals, seen, coarse)
    if light is None:
        even = np.eye(9)[:, :1] * np.ones(3)
        return Delit(colours, np.ones_like(colours), np.ones_like(colours), even, np.ones_like(trust))
    encoded = np.power(np.maximum(harmonics(normals) @ light.astype(np.float32), 1e-3), np.float32(1 / GAMMA))
    shown = coarse.spread(encoded)
    low, high = np.quantile(shown[(seen > 0.5) & (coarse.face > 0.7)], _BOUNDS, axis=0)
    low, high = (
        np.asarray(bound, np.float32) for bound in (np.maximum(low, _SHADING[0]), np.minimum(high, _SHADING[1]))
    )
    uneven = np.exp(_uneven(np.asarray(small / np.clip(shown, low, high), np.float32), seen, coarse))
    smooth = np.clip(atlas.spread(encoded), low, high)
    shading = smooth * cv2.resize(uneven, (atlas.size, atlas.size), interpolation=cv2.INTER_LINEAR)[..., None]
    # Blurred: brows and pupils are dark for another reason.
    bright = smoothstep(cv2.GaussianBlur(small.max(axis=2), (0, 0), _RADIUS), *_DARK)
    lit = bright * smoothstep((np.clip(shown, low, high) * uneven[..., None]).mean(axis=2), *_DIM)
    lit = np.asarray(cv2.resize(lit, (atlas.size, atlas.size), interpolation=cv2.INTER_LINEAR), np.float32)
    return Delit(np.asarray(colours / shading, np.float32), shading, smooth, light, lit)


def skin_light(colours: Float32, normals: Float32, trust: Float32, atlas: Atlas) -> Float64 | None:
    """Estimate the light in a photo from the plain skin of an unwrapped face.

    Args:
        colours: (S, S, 3) float32 RGB in [0, 255], gamma-encoded.
        normals: (V, 3) of the fitted head, camera axes with y up.
        trust: (S, S) float32 in [0, 1], how well each texel is seen.
        atlas: of the head.

    Returns:
        (9, 3) coefficients of the linear shading, of which the mean over the seen skin is 1; None where too little
        skin is visible.
    """
    chosen = np.flatnonzero((trust > 0.5) & (atlas.plain > 0.5) & (atlas.beard < 0.3))
    if len(chosen) < _FEW:
        return None
    chosen = chosen[:: max(len(chosen) // _SAMPLES, 1)]
    linear = np.power((colours.reshape(-1, 3)[chosen] + _BLACK) / np.float32(255 + _BLACK), GAMMA)
    turned = atlas.spread(normals).reshape(-1, 3)[chosen]
    turned /= np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-6)
    return estimate_light(turned, linear, trust.reshape(-1)[chosen])


def _uneven(albedo: Float32, trust: Float32, atlas: Atlas) -> Float32:
    """Logarithm (S, S) of the shading that remains: cast shadows and highlights on one side, smooth bright spots."""
    tone = np.log(albedo.mean(axis=2) + _BLACK)
    weight = np.asarray(trust * atlas.plain, np.float32)
    if np.count_nonzero(weight > 0.5) < _FEW:
        return np.zeros_like(tone)
    tone = np.asarray((tone - np.median(tone[weight > 0.5])) * (weight > 0), np.float32)
    soft = np.asarray(cv2.bilateralFilter(push_pull(tone[..., None], weight)[..., 0], 0, _RANGE, _RADIUS), np.float32)
    other = atlas.mirrored(np.dstack([soft, weight]))
    mirrored, both = other[..., 0], np.minimum(weight, other[..., 1])
    nearer = smoothstep(np.abs(soft) - np.abs(mirrored), 0.0, 0.1) * smoothstep(both, 0.2, 0.6)
    excess = nearer * (soft - mirrored)
    excess = excess + 0.7 * np.maximum(soft - excess - _HIGHLIGHT, 0)
    # Over features, and where one side is hidden, the correction continues from around, and ends beyond what is seen.
    filled = push_pull(np.asarray(excess, np.float32)[..., None], smoothstep(weight, 0.1, 0.5))
    near = cv2.GaussianBlur((trust > 0.05).astype(np.float32), (0, 0), atlas.size / 60)
    ended = cv2.GaussianBlur(filled, (0, 0), 0.7) * np.clip(2 * near, 0, 1) * ~atlas.inner
    return np.asarray(ended, np.float32)
