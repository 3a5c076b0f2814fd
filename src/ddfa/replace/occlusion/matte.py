"""What lies before a face: told from skin by its colour, or by the network; its edges are taken from the picture."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.raster.blending import smoothstep
from ddfa.replace.appearance.colour import brightness, log_colours

_WORK: Final = 192  # px; longest side of the picture that is judged
_TONE, _HUE = 0.45, 0.22  # logarithm of brightness and of colour by which skin differs from itself
_GUARD: Final = 2.2  # as much more on brows, lids and lips
_SURE: Final = (0.35, 0.65)  # of the network
_LEAST: Final = 0.004  # of the face; smaller spots are moles, or highlights


def occlusion_matte(target: UInt8, expected: Float32, face: Float32, guarded: Float32, likely: Float32) -> Float32:
    """How surely something else than the face is seen.

    Args:
        target: (h, w, 3) uint8 RGB.
        expected: (h, w, 3) float32, logarithms of the colours that bare skin would have.
        face: (h, w) float32, 1 where the face should be seen.
        guarded: (h, w) float32, 1 where a face differs from plain skin by nature.
        likely: (h', w') float32 in [0, 1], of the whole picture too: what the network finds. Hands look like skin.

    Returns:
        (h, w) float32 in [0, 1]; 0 outside the face.
    """
    height, width = face.shape
    factor = min(1.0, _WORK / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(cv2.resize(target, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_AREA), np.float32)
    wanted, guard = (  # smooth: what lies between pixels need not be averaged
        np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_NEAREST), np.float32) for a in (expected, guarded)
    )
    soft = cv2.GaussianBlur(small, (0, 0), 1.0)
    away = log_colours(soft) - wanted
    tone = brightness(away)
    hue = np.maximum.reduce([np.abs(away[..., channel] - tone) for channel in range(3)])
    score = np.hypot(tone / _TONE, hue / _HUE) / (1 + (_GUARD - 1) * guard)
    other = smoothstep(score, 0.8, 1.3) * (inside > 0.05)
    other = np.maximum(other * _connected(other, inside), _cut_off(other, inside))
    told = np.asarray(cv2.resize(likely, size, interpolation=cv2.INTER_LINEAR), np.float32)
    other = np.maximum(other, smoothstep(told, *_SURE) * (inside > 0.05))
    matte = guided_filter(small, other, 4, 2e-3)
    matte = smoothstep(matte, 0.15, 0.75)
    return np.asarray(cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR) * face, np.float32)


def _connected(other: Float32, face: Float32) -> Bools:
    """Keep what is large or touches the edge of the face."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((other > 0.3).astype(np.uint8), connectivity=8)
    edge = cv2.dilate((face <= 0.05).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    touches = np.bincount(labels[edge], minlength=count) > 0
    large = stats[:, cv2.CC_STAT_AREA] > _LEAST * max(float((face > 0.5).sum()), 1)
    kept = large & (touches | (stats[:, cv2.CC_STAT_AREA] > 4 * _LEAST * (face > 0.5).sum()))
    kept[0] = False
    return np.asarray(cv2.dilate(kept[labels].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _cut_off(other: Float32, face: Float32) -> Bools:
    """Where skin seems to be seen apart from the rest of the face, as light hair does above dark strands."""
    skin = ((other < 0.5) & (face > 0.5)).astype(np.uint8)
    # Strands are as good as closed where only narrow gaps lead through them.
    core = cv2.morphologyEx(skin, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=4)
    if len(stats) < 3:
        return np.zeros(face.shape, np.bool_)
    apart = (labels > 0) & (labels != 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))
    return (cv2.dilate(apart.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & (skin > 0)


def guided_filter(guide: UInt8, mask: Float32, radius: int, epsilon: float) -> Float32:
    """Smooth a mask along the edges of a picture (He, Sun and Tang, "Guided image filtering", 2010), on its grey tones.

    Args:
        guide: (h, w, 3) uint8.
        mask: (h, w) float32.
        radius: of the window, px.
        epsilon: variance below which the guide counts as flat.
    """
    window = (2 * radius + 1, 2 * radius + 1)
    grey = brightness(np.asarray(guide, np.float32) / np.float32(255))

    def mean(a: Float32) -> Float32:
        return np.asarray(cv2.blur(a, window), np.float32)

    centre, level = mean(grey), mean(mask)
    slope = (mean(grey * mask) - centre * level) / (mean(grey * grey) - centre**2 + epsilon)
    return np.asarray(mean(slope) * grey + mean(level - slope * centre), np.float32)
