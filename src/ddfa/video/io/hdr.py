"""Tone mapping: HDR and wide-gamut frames (PQ, HLG, BT.2020) become BT.709, as a player shows them on an SDR display.

The steps of `to_sdr`: light of the display (SMPTE ST 2084 for PQ, BT.2100 with 1000 cd/m² for HLG, BT.1886 for SDR);
highlights are compressed to the reference white of 203 cd/m² (BT.2408) by the curve of BT.2390, applied to the largest
of R, G, B, so that hues are kept; primaries of BT.709, with clipping; inverse of BT.1886. Skin and everything else
below the knee of the curve therefore has the brightness of an SDR version. `ToneMapper` computes the same with tables.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from av.video.frame import VideoFrame

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.compiling import compiled

Transfer = Literal["pq", "hlg", "sdr"]
USUAL_PEAK: Final = 1000.0  # cd/m², of HLG displays, and of PQ videos without metadata
WHITE: Final = 203.0  # cd/m², reference white of HDR (BT.2408), which becomes white in SDR
_PQ, _HLG, _BT2020 = 16, 18, 9  # code points of H.273
_GAMMA: Final = 2.4  # BT.1886
_SYSTEM_GAMMA: Final = 1.2  # of an HLG display with 1000 cd/m²
_LUMINANCE: Final = np.array([0.2627, 0.6780, 0.0593])  # of BT.2020
# From BT.2020 to BT.709 primaries (BT.2087), linear light.
_TO_BT709: Final = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
_TABLE: Final = 4096  # entries of a table


@dataclass(frozen=True)
class Colours:
    """The colours of a video that is not BT.709.

    Attributes:
        transfer: transfer characteristics.
        wide: BT.2020 primaries; otherwise those of BT.709.
        peak: cd/m², of the brightest highlights; for PQ only.
    """

    transfer: Transfer
    wide: bool
    peak: float = USUAL_PEAK


def colours_of(frame: VideoFrame, transfer: int, primaries: int) -> Colours:
    """The colours of a video that is HDR or has BT.2020 primaries.

    Args:
        frame: its first frame, with the metadata of the video.
        transfer: transfer characteristics, code point of H.273.
        primaries: colour primaries, code point of H.273.
    """
    wide = primaries == _BT2020
    if transfer == _PQ:
        return Colours("pq", wide, _peak(frame))
    return Colours("hlg" if transfer == _HLG else "sdr", wide)


def to_sdr(signal: Floats, colours: Colours) -> Float64:
    """Tone-map colours.

    Args:
        signal: (..., 3) R'G'B' of the video, in [0, 1].
        colours: of the video.

    Returns:
        (..., 3) float64 R'G'B' of BT.709, in [0, 1].
    """
    light = _display_light(np.asarray(signal, np.float64), colours.transfer)
    if colours.transfer != "sdr":
        brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
        light = light * (_compressed(brightest, colours.peak) / brightest)
    linear = light / WHITE
    if colours.wide:
        linear = linear @ _TO_BT709.T
    return np.asarray(np.clip(linear, 0.0, 1.0) ** (1 / _GAMMA))


class ToneMapper:
    """`to_sdr` for whole frames; every function of one number is a table, accurate to one level of 8 bits.

    Args:
        colours: of the video.
    """

    def __init__(self, colours: Colours) -> None:
        signal = np.linspace(0.0, 1.0, _TABLE)
        peak = colours.peak if colours.transfer == "pq" else USUAL_PEAK
        if colours.transfer == "hlg":
            light, self._most = _hlg_scene(signal), USUAL_PEAK
            gain = np.maximum(signal, 1e-4) ** (2 * (_SYSTEM_GAMMA - 1))
        else:
            light, self._most = _display_light(signal, colours.transfer), 10_000.0
            light, gain = light / self._most, np.ones(_TABLE)
        brightest = np.maximum(self._most * signal**2, 1e-6)
        kept = _compressed(brightest, peak) / brightest if colours.transfer != "sdr" else np.ones(_TABLE)
        shown = 255 * signal ** (2 / _GAMMA)
        # Tables of light have its square root as index, which resolves dark colours as finely as the eye does.
        self._tables: Float32 = np.stack([light, gain, kept, shown]).astype(np.float32)
        self._matrix: Float32 = (_TO_BT709 if colours.wide else np.eye(3)).astype(np.float32)

    def __call__(self, frame: "np.typing.NDArray[np.uint16]") -> UInt8:
        """Tone-map a frame (H, W, 3) uint16 R'G'B'; returns (H, W, 3) uint8."""
        mapped = np.empty(frame.shape, np.uint8)
        _map(*self._tables, self._matrix, np.float32(self._most / WHITE), frame, mapped)
        return mapped


def _display_light(signal: Float64, transfer: Transfer) -> Float64:
    """Light (..., 3) in cd/m² that a display emits for a signal; SDR with its white at `WHITE`."""
    if transfer == "pq":
        return pq_light(signal)
    if transfer == "sdr":
        return np.asarray(WHITE * signal**_GAMMA)
    scene = _hlg_scene(signal)
    luminance = np.maximum(scene @ _LUMINANCE, 1e-9)[..., None]
    return np.asarray(USUAL_PEAK * scene * luminance ** (_SYSTEM_GAMMA - 1))  # the OOTF of BT.2100


def _hlg_scene(signal: Float64) -> Float64:
    """Light of the scene in [0, 1]: the inverse OETF of HLG (BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # of SMPTE ST 2084


def pq_light(signal: Floats) -> Float64:
    """Light in cd/m² of PQ signals in [0, 1]; SMPTE ST 2084."""
    root = np.asarray(signal, np.float64) ** (1 / _M2)
    return np.asarray(10_000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1))


def pq_signal(light: Floats) -> Float64:
    """PQ signals in [0, 1] of light in cd/m²: the inverse of `pq_light`."""
    power = (np.asarray(light, np.float64) / 10_000) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def _compressed(light: Float64, peak: float) -> Float64:
    """The EETF of BT.2390: `peak` becomes `WHITE`, light below the knee is kept."""
    if peak <= WHITE:
        return light
    source = float(pq_signal(np.array(peak)))
    target = float(pq_signal(np.array(WHITE))) / source
    knee = 1.5 * target - 0.5
    signal = np.minimum(pq_signal(light) / source, 1.0)
    t = np.clip((signal - knee) / (1 - knee), 0.0, 1.0)
    # A Hermite spline from the knee, with slope 1, to the target, with slope 0.
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * target
    return pq_light(source * np.where(signal < knee, signal, spline))


def _peak(frame: VideoFrame) -> float:
    """Peak luminance in cd/m² from the metadata: MaxCLL, else that of the mastering display."""
    level = _side_data(frame, "CONTENT_LIGHT_LEVEL")
    display = _side_data(frame, "MASTERING_DISPLAY_METADATA")
    peak = 0.0
    if len(level) >= 4:
        peak = float(struct.unpack_from("=I", level)[0])
    if not peak and len(display) >= 80:
        numerator, denominator = struct.unpack_from("=ii", display, 72)  # the tenth of the rationals in the struct
        peak = numerator / denominator if denominator else 0.0
    return float(np.clip(peak, WHITE, 10_000)) if peak else USUAL_PEAK


def _side_data(frame: VideoFrame, name: str) -> bytes:
    data: Any = frame.side_data.get(name)
    return b"" if data is None else bytes(data)


@compiled
def _map(
    light: Float32, gain: Float32, kept: Float32, shown: Float32, matrix: Float32, most: float,
    frame: "np.typing.NDArray[np.uint16]", mapped: UInt8,
) -> None:  # fmt: skip
    """Tone-map a frame (H, W, 3): tables of (4096,), (3, 3) primaries, largest light as a multiple of white."""
    last = np.float32(len(light) - 1)
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            r, g, b = light[frame[y, x, 0] >> 4], light[frame[y, x, 1] >> 4], light[frame[y, x, 2] >> 4]
            luminance = np.float32(0.2627) * r + np.float32(0.6780) * g + np.float32(0.0593) * b
            factor = gain[int(np.sqrt(luminance) * last + np.float32(0.5))]
            brightest = min(max(r, g, b) * factor, np.float32(1))
            factor *= kept[int(np.sqrt(brightest) * last + np.float32(0.5))] * most
            for c in range(3):
                linear = factor * (matrix[c, 0] * r + matrix[c, 1] * g + matrix[c, 2] * b)
                linear = min(max(linear, np.float32(0)), np.float32(1))
                mapped[y, x, c] = np.uint8(shown[int(np.sqrt(linear) * last + np.float32(0.5))] + np.float32(0.5))
