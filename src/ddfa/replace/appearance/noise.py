"""Sharpness and noise of a drawn face, made those of the picture it goes into."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.replace.appearance.colour import brightness
from ddfa.replace.temporal import TemporalState

# Sides in px of the box blurs whose differences are the bands that are compared, the finest first.
_BOXES: Final = (3, 5, 9)
_EVERY, _SHARE = 5, 0.3  # frames after which bands are compared again, share of that in what is remembered
_THIN: Final = 7  # of so many pixels one is judged
_FEWEST: Final = 200  # px on which a band can be judged
_NOISE: Final = 5.0  # grey levels of grain that are added at most
_NOISE_SHARE: Final = 0.8  # of what is missing in the finest band; the rest may be texture
_LITTLE: Final = 0.02  # change that nobody sees
_SEED: Final = 7


def match_noise(drawn: Float32, picture: UInt8, where: Bools, memory: TemporalState) -> Float32:
    """Soften a drawn face that is sharper than its picture, and add grain where the picture has more.

    Only brightness is changed, which is what eyes see details by.

    Args:
        drawn: (h, w, 3) float32 RGB in [0, 255].
        picture: (h, w, 3) uint8 RGB, what it is drawn over.
        where: (h, w) bool, where both show a face.
        memory: of the frames before.

    Returns:
        (h, w, 3) float32.
    """
    if np.count_nonzero(where) < _FEWEST:
        return drawn
    own = _bands(brightness(drawn))
    if memory.due("grain", _EVERY):
        theirs = _bands(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32))
        amounts = np.array([[_amount(band[where][::_THIN]) for band in bands] for bands in (own, theirs)], np.float32)
        memory("grain", amounts, _SHARE)
    mine, wanted = memory.last("grain")
    missing = min(_NOISE, _NOISE_SHARE * float(np.sqrt(max(float(wanted[0]) ** 2 - float(mine[0]) ** 2, 0))))
    height, width = drawn.shape[:2]
    change = np.float32(missing) * _grain(1 << max(height, width).bit_length())[:height, :width]
    for band, has, wants in zip(own, mine, wanted, strict=True):
        less = max(0.0, 1 - float(wants) / max(float(has), 1e-3))
        if less > _LITTLE:
            change = change - np.float32(less) * band
    return np.asarray(drawn + change[..., None], np.float32)


def _bands(grey: Float32) -> list[Float32]:
    """What each blur takes from the one before, (h, w) each."""
    bands, last = [], grey
    for box in _BOXES:
        soft = np.asarray(cv2.blur(last, (box, box)), np.float32)
        bands.append(np.asarray(last - soft, np.float32))
        last = soft
    return bands


def _amount(values: Float32) -> float:
    """Spread of values around 0, told by their median: edges of features do not count."""
    return 1.4826 * float(np.median(np.abs(values)))


@lru_cache(maxsize=2)
def _grain(side: int) -> Float32:
    """Noise (side, side) that has a spread of 1 in the finest band; the same in every frame: it must not flicker."""
    noise = np.random.default_rng(_SEED).standard_normal((side, side)).astype(np.float32)
    return np.asarray(noise / _bands(noise)[0].std(), np.float32)
