"""Occlusion matte: the opacity of occluders of a face, from skin colour and the occlusion network."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.occlusion.skin_colour import brightness, log_colours
from ddfa.raster.blending import smoothstep

_WORK: Final = 192  # px; longest side at which the matte is computed
_TONE, _HUE = 0.45, 0.22  # natural variation of skin: log brightness and log chroma
_FEATURES: Final = 2.2  # factor on that variation at brows, lids and lips
_SURE: Final = (0.35, 0.65)  # range of network probabilities that is stretched to [0, 1]
_POSSIBLE: Final = (0.06, 0.3)  # range of network probabilities in which colour counts gradually
_NEAR: Final = 0.02  # of the image's height: colour counts within this distance
_MIN_AREA: Final = 0.004  # fraction of the face; smaller spots are moles or highlights


def occlusion_matte(
    image: UInt8,
    expected: Float32,
    face: Float32,
    feature_weight: Float32,
    probability: Float32,
    *,
    confirmed: bool = False,
) -> Float32:
    """Estimate how much of each pixel is an occluder instead of the face.

    Pixels whose colour differs from the expected skin colour by more than skin varies are candidates; small isolated
    ones are dropped, and skin-coloured patches that candidates cut off are added. The network contributes what colour
    cannot find, above all hands. A guided filter aligns the result with the edges of the image.

    Args:
        image: (h, w, 3) uint8 RGB.
        expected: (h, w, 3) float32, logarithms of the colours that bare skin would have.
        face: (h, w) float32, 1 where the face projects.
        feature_weight: (h, w) float32, 1 on facial features, whose colour differs from skin.
        probability: (h', w') float32 in [0, 1] over the same area: occlusion as the network predicts it.
        confirmed: count colour only near pixels that the network does not rule out, and the network only where what
            it finds enters the face from outside. Highlights, shadows and make-up are then hardly taken for occluders;
            small occluders may be missed.

    Returns:
        (h, w) float32 in [0, 1]; 0 outside the face.
    """
    height, width = face.shape
    factor = min(1.0, _WORK / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_AREA), np.float32)
    skin, features = (  # both are smooth, so nearest-neighbour sampling suffices
        np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_NEAREST), np.float32) for a in (expected, feature_weight)
    )
    difference = log_colours(cv2.GaussianBlur(small, (0, 0), 1.0)) - skin
    tone = brightness(difference)
    hue = np.maximum.reduce([np.abs(difference[..., channel] - tone) for channel in range(3)])
    score = np.hypot(tone / _TONE, hue / _HUE) / (1 + (_FEATURES - 1) * features)
    predicted = np.asarray(cv2.resize(probability, size, interpolation=cv2.INTER_LINEAR), np.float32)
    sure = smoothstep(predicted, *_SURE) * (inside > 0.05)
    occluded = smoothstep(score, 0.8, 1.3) * (inside > 0.05)
    if confirmed:
        near = np.asarray(cv2.dilate(predicted, _disc(_NEAR * inside.shape[0])), np.float32)
        occluded = occluded * smoothstep(near, *_POSSIBLE)
        sure = sure * _from_outside(np.maximum(sure, occluded), inside)
    occluded = np.maximum(occluded * _connected(occluded, inside), _cut_off(occluded, inside))
    occluded = np.maximum(occluded, sure)
    matte = smoothstep(guided_filter(_grey(small), occluded, 4, 2e-3), 0.15, 0.75)
    return np.asarray(cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR) * face, np.float32)


def _connected(occluded: Float32, face: Float32) -> Bools:
    """Components that touch the edge of the face, where occluders enter it, or are large; never small spots."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((occluded > 0.3).astype(np.uint8), connectivity=8)
    edge = cv2.dilate((face <= 0.05).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    touches = np.bincount(labels[edge], minlength=count) > 0
    large = stats[:, cv2.CC_STAT_AREA] > _MIN_AREA * max(float((face > 0.5).sum()), 1)
    kept = large & (touches | (stats[:, cv2.CC_STAT_AREA] > 4 * _MIN_AREA * (face > 0.5).sum()))
    kept[0] = False
    return np.asarray(cv2.dilate(kept[labels].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _from_outside(occluded: Float32, face: Float32) -> Bools:
    """Components that touch the edge of the face."""
    count, labels = cv2.connectedComponents((occluded > 0.3).astype(np.uint8), connectivity=8)
    edge = cv2.dilate((face <= 0.05).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    touches = np.bincount(labels[edge], minlength=count) > 0
    touches[0] = False
    return np.asarray(cv2.dilate(touches[labels].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _disc(radius: float) -> UInt8:
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _cut_off(occluded: Float32, face: Float32) -> Bools:
    """Skin-coloured pixels that an occluder separates from the rest of the face, as blond hair behind dark strands."""
    skin = ((occluded < 0.5) & (face > 0.5)).astype(np.uint8)
    # Opening closes narrow gaps between strands, which would otherwise connect both sides.
    core = cv2.morphologyEx(skin, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=4)
    if len(stats) < 3:
        return np.zeros(face.shape, np.bool_)
    apart = (labels > 0) & (labels != 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))
    return (cv2.dilate(apart.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & (skin > 0)


def guided_filter(guide: Float32, mask: Float32, radius: int, epsilon: float) -> Float32:
    """Smooth a mask along the edges of a guide.

    He, Sun and Tang, "Guided image filtering", ECCV 2010: in every window the output is a linear function of the guide.

    Args:
        guide: (h, w) float32, for example grey levels.
        mask: (h, w) float32; the guide itself is smoothed with its own edges kept.
        radius: of the window, px.
        epsilon: variance of the guide below which a window counts as flat.

    Returns:
        (h, w) float32.
    """
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(a: Float32) -> Float32:
        return np.asarray(cv2.blur(a, window), np.float32)

    centre, level = mean(guide), mean(mask)
    slope = (mean(guide * mask) - centre * level) / (mean(guide * guide) - centre**2 + epsilon)
    return np.asarray(mean(slope) * guide + mean(level - slope * centre), np.float32)


def _grey(image: UInt8) -> Float32:
    """Grey levels in [0, 1]."""
    return brightness(np.asarray(image, np.float32) / np.float32(255))
