"""Face units from patches of eyes and mouth: two small networks that look at the photo at its own resolution.

One network serves both eyes, the right one mirrored; the other sees the mouth with chin and nose.  Each also reads the
head's direction and what the first network said of its units.  It gives units, places, and how sure it is: its last
value is the logarithm of the squared error it expects, over the variance of the units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats, UInt8
from ddfa.errors import ModelError, reason
from ddfa.regress.patches import EYE_SIDE, MOUTH_SIDE, cut_patches, eye_patches, mouth_patches, sides_in_image
from ddfa.sessions import Device, open_session, session_options

FOLDER: Final = Path(__file__).parent / "regions_models"
EYE_FILE, MOUTH_FILE = "eye.onnx", "mouth.onnx"
# Units of one eye: those of both sides by their name without it.
EYE_UNITS: Final = (
    "browDown", "browInnerUp", "browOuterUp", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp",
    "eyeSquint", "eyeWide",
)  # fmt: skip
MOUTH_UNITS: Final = (
    "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft",
    "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "tongueOut",
)  # fmt: skip
# What follows the units in a network's output: the pupil in the patch, from -1 to 1, and the opening of the lids over
# the patch's side; the opening of the lips over the patch's side.
EYE_PLACES, MOUTH_PLACES = 3, 1
# Beside the units of the first network: the head's direction, the size of the patch, whether the units are known.
FURTHER_INPUTS: Final = 4
MIN_SIDE_PX: Final = 20.0  # smaller patches are left to the first network
_MIDDLE, _RANGE = 127.5, 128.0
_BATCH = 64
SIDES: Final = ("Left", "Right")


@dataclass(frozen=True, eq=False)
class Regions:
    """What the regions of n faces say.

    Attributes:
        units: (n, 52) float32 face units in [0, 1]; 0 where no region judges a unit.
        confidence: (n, 52) float32 in [0, 1]; 0 where the first network's word counts.
        pupils: (n, 2, 2) float32 image px of the left and the right pupil.
        lid_opening: (n, 2) float32 distance of the lids of the left and the right eye, image px.
        lip_opening: (n,) float32 distance of the lips' inner edges, image px.
    """

    units: Float32
    confidence: Float32
    pupils: Float32
    lid_opening: Float32
    lip_opening: Float32

    def merged(self, first: Floats, least: float = 0.35) -> Float32:
        """Face units (n, 52): those of the regions where they are sure, those of the first network elsewhere.

        Args:
            first: (n, 52) units of the first network.
            least: confidence from which on a region counts fully; from half of it on it counts more and more.
        """
        share = np.clip(2 * self.confidence / least - 1, 0, 1)
        return np.asarray(first + share * (self.units - first), np.float32)


class RegionNetworks:
    """The networks of eyes and mouth.

    Args:
        expression_names: the 52 units, Apple's order.
        folder: holds `eye.onnx`, and `mouth.onnx` where there is a network of the mouth.
        threads: CPU threads, at least 1; None leaves the choice to ONNX Runtime.
        device: what runs them.

    Raises:
        ModelError: a network cannot be loaded or is another one.
    """

    def __init__(
        self,
        expression_names: Sequence[str],
        folder: Path = FOLDER,
        threads: int | None = None,
        device: Device = "cpu",
    ) -> None:
        names = list(expression_names)
        self._eye = _open(folder / EYE_FILE, len(EYE_UNITS) + EYE_PLACES + 1, threads, device)
        self._mouth = None
        if (folder / MOUTH_FILE).is_file():
            self._mouth = _open(folder / MOUTH_FILE, len(MOUTH_UNITS) + MOUTH_PLACES + 1, threads, device)
        self._eye_columns = eye_columns(names)
        self._mouth_columns = [names.index(unit) for unit in MOUTH_UNITS]
        self._count = len(names)

    def __call__(self, image: UInt8, landmarks: Floats, rotation: Floats, units: Floats) -> Regions:
        """Look at eyes and mouth of all faces of an image.

        Args:
            image: (H, W, 3) uint8 RGB.
            landmarks: (n, 68, 2 or more) of the first fit, image px.
            rotation: (n, 3, 3) head to camera.
            units: (n, 52) expression coefficients of the first network.

        Returns:
            What they say.
        """
        n = len(landmarks)
        eyes, mouths = eye_patches(landmarks, rotation), mouth_patches(landmarks, rotation)
        eye_sides, mouth_sides = sides_in_image(eyes, EYE_SIDE), sides_in_image(mouths, MOUTH_SIDE)
        further = [
            further_inputs(units[:, columns], rotation, eye_sides[:, k] / EYE_SIDE, mirror=k == 1)
            for k, columns in enumerate(self._eye_columns)
        ]
        eye = _run(self._eye, image, eyes.reshape(-1, 2, 3), EYE_SIDE, np.stack(further, axis=1))
        eye = eye.reshape(n, 2, eye.shape[-1])
        mouth = np.zeros((n, len(MOUTH_UNITS) + MOUTH_PLACES + 1), np.float32)  # no confidence
        if self._mouth is not None:
            beside = further_inputs(units[:, self._mouth_columns], rotation, mouth_sides / MOUTH_SIDE)
            mouth = _run(self._mouth, image, mouths, MOUTH_SIDE, beside)
        found, sure = np.zeros((n, self._count), np.float32), np.zeros((n, self._count), np.float32)
        _gather(found, sure, self._eye_columns, eye, _visible(eye_sides, rotation))
        found[:, self._mouth_columns] = np.clip(mouth[:, : len(MOUTH_UNITS)], 0, 1)
        large = mouth_sides >= MIN_SIDE_PX
        sure[:, self._mouth_columns] = (mouth[:, -1] * large)[:, None]
        count = len(EYE_UNITS)
        return Regions(
            found,
            sure,
            pupils=_to_image(eye[..., count : count + 2], eyes),
            lid_opening=np.asarray(eye[..., count + 2] * eye_sides, np.float32),
            lip_opening=np.asarray(mouth[:, len(MOUTH_UNITS)] * mouth_sides, np.float32),
        )


def eye_columns(names: Sequence[str]) -> list[list[int]]:
    """Where the units of the left and of the right eye stand among the 52."""
    names = list(names)
    return [[names.index(u) if u in names else names.index(u + side) for u in EYE_UNITS] for side in SIDES]


def further_inputs(units: Floats, rotation: Floats, zoom: Floats, mirror: bool = False) -> Float32:
    """What a network reads beside the patch.

    Args:
        units: (n, U) the first network's word on the network's units.
        rotation: (n, 3, 3) head to camera.
        zoom: (n,) image px per patch px.
        mirror: whether the patch is mirrored.

    Returns:
        (n, U + 4) float32: the units; where the face looks, to the side and up, in [-1, 1]; log2 of the zoom; 1.
    """
    forward = np.asarray(rotation, np.float64)[:, :2, 2] * ([-1, 1] if mirror else [1, 1])
    size = np.clip(np.log2(np.maximum(zoom, 1e-6)), -2, 2)
    known = np.ones(len(units))
    return np.column_stack([np.clip(units, -0.5, 1.5), forward, size, known]).astype(np.float32)


def network_patches(patches: UInt8) -> Float32:
    """Normalise patches (m, S, S, 3) uint8 RGB to network inputs (m, 3, S, S), (v - 127.5) / 128."""
    batch = np.ascontiguousarray(patches.transpose(0, 3, 1, 2), np.float32)
    batch -= _MIDDLE
    batch /= _RANGE
    return batch


def _visible(sides: Float64, rotation: Floats) -> Bools:
    """(n, 2) whether the patch of an eye is large enough, and turned to the camera: the left and the right eye."""
    to_left = np.asarray(rotation, np.float64)[:, 0, 2]  # > 0: the face looks to the image right, its left eye hides
    hidden = np.stack([to_left, -to_left], axis=1) > np.sin(np.deg2rad(40.0))
    return np.asarray((sides >= MIN_SIDE_PX) & ~hidden, bool)


def _gather(found: Float32, sure: Float32, columns: list[list[int]], eye: Float32, seen: Bools) -> None:
    """Put the units of both eyes (n, 2, ...) in their columns; what both judge is the mean by confidence."""
    weights = eye[..., -1] * seen
    total = np.zeros_like(found)
    for k, own in enumerate(columns):
        found[:, own] += weights[:, k, None] * np.clip(eye[:, k, : len(EYE_UNITS)], 0, 1)
        total[:, own] += weights[:, k, None]
        sure[:, own] = np.maximum(sure[:, own], weights[:, k, None])
    np.divide(found, total, out=found, where=total > 0)


def _to_image(places: Floats, affines: Float64) -> Float32:
    """Places (n, 2, 2) in patches of eyes, from -1 to 1, in image px."""
    in_patch = (np.asarray(places, np.float64) * EYE_SIDE + EYE_SIDE - 1) / 2
    inverse = np.linalg.inv(affines[..., :2])
    return np.asarray(np.einsum("nkij,nkj->nki", inverse, in_patch - affines[..., 2]), np.float32)


def _run(session: Any, image: UInt8, affines: Float64, side: int, further: Float32) -> Float32:
    """Outputs (m, O) of a network for the patches of maps (m, 2, 3); `further` is (..., F), m rows."""
    rows = further.reshape(len(affines), further.shape[-1])
    width = session.get_outputs()[0].shape[-1]
    results = [np.zeros((0, width), np.float32)]
    for start in range(0, len(affines), _BATCH):
        part = slice(start, start + _BATCH)
        inputs = {"patches": network_patches(cut_patches(image, affines[part], side)), "further": rows[part]}
        results.append(session.run(None, inputs)[0])
    out = np.concatenate(results)
    out[:, -1] = np.exp(-np.exp(np.minimum(out[:, -1], 5)))  # of the log of the expected squared error
    return out


def _open(path: Path, outputs: int, threads: int | None, device: Device) -> Any:
    try:
        session = open_session(str(path), session_options(threads), device)
        shape = session.get_outputs()[0].shape
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's own exception types are not public
        raise ModelError(f"{path} cannot be loaded as a region network ({reason(error)})") from None
    if shape[-1] != outputs:
        raise ModelError(f"{path} is another network: it gives {shape[-1]} values, not {outputs}")
    return session
