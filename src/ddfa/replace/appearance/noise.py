"""Noise matching: the sharpness and the noise of a rendered face are adapted to the image it is drawn into."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.occlusion.skin_colour import brightness
from ddfa.occlusion.temporal import TemporalState

# Sides in px of the box blurs whose differences are the frequency bands that are compared, finest first.
_BOXES: Final = (3, 5, 9)
_EVERY, _SHARE = 5, 0.3  # frames between two measurements of the bands, weight of a new one in the running mean
_STRIDE: Final = 7  # one pixel in so many is measured
_MIN_PIXELS: Final = 200  # fewer px give no reliable measurement
_MAX_NOISE: Final = 5.0  # grey levels of noise that are added at most
_NOISE_SHARE: Final = 0.8  # of what is missing in the finest band; the rest may be texture
_IMPERCEPTIBLE: Final = 0.02  # smaller changes are skipped
_SEED: Final = 7


def match_noise(drawn: Float32, image: UInt8, where: Bools, memory: TemporalState) -> Float32:
    """Soften a rendered face that is sharper than the image, and add noise where the image has more.

    The spread of three frequency bands is compared. Bands that are too strong are attenuated; what is missing in the
    finest band is added as noise. Only brightness is changed: the eye is much less sensitive to detail in chroma.

    Args:
        drawn: (h, w, 3) float32 RGB in [0, 255], the rendered face.
        image: (h, w, 3) uint8 RGB, the image it is drawn over.
        where: (h, w) bool, pixels where both show a face.
        memory: state of the face over the previous frames; the bands are measured in every fifth frame only.

    Returns:
        (h, w, 3) float32; `drawn` itself where too few pixels can be compared.
    """
    if np.count_nonzero(where) < _MIN_PIXELS:
        return drawn
    own = _bands(brightness(drawn))
    if memory.due("noise", _EVERY):
        wanted_bands = _bands(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32))
        spreads = np.array(
            [[_spread(band[where][::_STRIDE]) for band in bands] for bands in (own, wanted_bands)], np.float32
        )
        memory("noise", spreads, _SHARE)
    present, wanted = memory.last("noise")
    # Variances of independent noise add up, hence the difference of squares.
    missing = min(_MAX_NOISE, _NOISE_SHARE * float(np.sqrt(max(float(wanted[0]) ** 2 - float(present[0]) ** 2, 0))))
    height, width = drawn.shape[:2]
    change = np.float32(missing) * _noise(1 << max(height, width).bit_length())[:height, :width]
    for band, spread, target in zip(own, present, wanted, strict=True):
        reduction = max(0.0, 1 - float(target) / max(float(spread), 1e-3))
        if reduction > _IMPERCEPTIBLE:
            change = change - np.float32(reduction) * band
    return np.asarray(drawn + change[..., None], np.float32)


def _bands(grey: Float32) -> list[Float32]:
    """Difference between each blur and the previous one, (h, w) each."""
    bands, last = [], grey
    for box in _BOXES:
        soft = np.asarray(cv2.blur(last, (box, box)), np.float32)
        bands.append(np.asarray(last - soft, np.float32))
        last = soft
    return bands


def _spread(values: Float32) -> float:
    """Robust standard deviation about 0 (scaled median of absolute values): edges of features do not count."""
    return 1.4826 * float(np.median(np.abs(values)))


@lru_cache(maxsize=2)
def _noise(side: int) -> Float32:
    """Noise (side, side) with unit spread in the finest band; the same in every frame, so that it does not flicker."""
    noise = np.random.default_rng(_SEED).standard_normal((side, side)).astype(np.float32)
    return np.asarray(noise / _bands(noise)[0].std(), np.float32)
