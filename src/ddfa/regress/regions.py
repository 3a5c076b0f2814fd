"""Blendshapes from patches of the eyes and the mouth: two small networks that read the photo at its own resolution.

One network serves both eyes (the right one mirrored); the other reads the mouth with chin and nose. Besides the patch,
each one reads the head pose and the coefficients that the first network predicted for its units. It predicts the units,
the geometry of the region (pupil, aperture) and its uncertainty: the last output is the logarithm of the expected
squared error of the units, in units of their variance.
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

EYE_FILE, MOUTH_FILE = "eye.onnx", "mouth.onnx"
# The units of one eye; the names of the two sides have "Left" or "Right" appended, except browInnerUp.
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
# The fit of the whole face determines these better than the mouth network, which predicts its teacher's scores: they
# move the landmarks of jaw and lips so directly that replacing them makes the landmarks less accurate (300-W).
GEOMETRIC_UNITS: Final = (
    "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthLeft", "mouthRight",
)  # fmt: skip
# Number of geometry outputs after the units. Eye: the pupil's x and y in the patch, -1 to 1, and the eye aperture as a
# share of the patch side. Mouth: the aperture of the inner lips as a share of the patch side.
EYE_GEOMETRY, MOUTH_GEOMETRY = 3, 1
# Number of auxiliary inputs after the coefficients: head direction (2), patch size, whether the coefficients are known.
AUXILIARY_INPUTS: Final = 4
MIN_SIDE_PX: Final = 20.0  # for smaller patches the first network is used
MAX_YAW_DEG: Final = 40.0  # beyond, the far eye is hidden by the nose
MIN_CONFIDENCE: Final = 0.35
SIDES: Final = ("Left", "Right")
_MEAN, _RANGE = 127.5, 128.0
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Regions:
    """Predictions of the region networks for n faces.

    Attributes:
        units: (n, 52) float32 blendshapes in [0, 1]; 0 for units that no region network predicts.
        confidence: (n, 52) float32 in [0, 1]; 0 where the first network's coefficient applies.
        pupils: (n, 2, 2) float32 image px of the left and the right pupil.
        eye_aperture: (n, 2) float32 distance between the lids of the left and the right eye, image px.
        mouth_aperture: (n,) float32 distance between the inner edges of the lips, image px.
    """

    units: Float32
    confidence: Float32
    pupils: Float32
    eye_aperture: Float32
    mouth_aperture: Float32

    def merged(self, first: Floats, min_confidence: float = MIN_CONFIDENCE) -> Float32:
        """Blendshapes (n, 52) of the regions where they are confident, of the first network elsewhere.

        Args:
            first: (n, 52) coefficients of the first network.
            min_confidence: confidence from which on a region replaces the first network. Between half of it and all of
                it the two are blended linearly, so that results do not jump between the frames of a video.
        """
        share = np.clip(2 * self.confidence / min_confidence - 1, 0, 1)
        return np.asarray(first + share * (self.units - first), np.float32)


class RegionNetworks:
    """The networks of eyes and mouth; `RegionNetworks.load` opens those of a bundle.

    Args:
        expression_names: the 52 units in ARKit order.
        eye: ONNX Runtime session of the eye network; None for no eye network.
        mouth: the same of the mouth network.
    """

    def __init__(self, expression_names: Sequence[str], eye: Any = None, mouth: Any = None) -> None:
        names = list(expression_names)
        self._eye, self._mouth = eye, mouth
        self._eye_columns = eye_columns(names)
        self._mouth_columns = [names.index(unit) for unit in MOUTH_UNITS]
        self._mouth_share = np.array([unit not in GEOMETRIC_UNITS for unit in MOUTH_UNITS], np.float32)
        self._count = len(names)

    @staticmethod
    def load(
        expression_names: Sequence[str], folder: Path, threads: int | None = None, device: Device = "cpu"
    ) -> "RegionNetworks":
        """Open the networks in a folder: `eye.onnx`, `mouth.onnx` or both.

        Args:
            expression_names: the 52 units in ARKit order.
            folder: the networks.
            threads: CPU threads, at least 1; None leaves the choice to ONNX Runtime.
            device: "cpu" or "cuda".

        Raises:
            ModelError: there is no network, or one cannot be loaded or has another number of outputs.
        """
        outputs = {EYE_FILE: len(EYE_UNITS) + EYE_GEOMETRY + 1, MOUTH_FILE: len(MOUTH_UNITS) + MOUTH_GEOMETRY + 1}
        found = {file: folder / file for file in outputs if (folder / file).is_file()}
        if not found:
            raise ModelError(f"{folder} contains neither {EYE_FILE} nor {MOUTH_FILE}: download the bundle again")
        sessions = {file: _open(path, outputs[file], threads, device) for file, path in found.items()}
        return RegionNetworks(expression_names, sessions.get(EYE_FILE), sessions.get(MOUTH_FILE))

    def __call__(self, image: UInt8, landmarks: Floats, rotation: Floats, units: Floats) -> Regions:
        """Predict the blendshapes of all faces of an image.

        Args:
            image: (H, W, 3) uint8 RGB.
            landmarks: (n, 68, 2 or more) of the first network, image px.
            rotation: (n, 3, 3) head to camera.
            units: (n, 52) expression coefficients of the first network.

        Returns:
            The predictions.
        """
        eyes = eye_patches(landmarks, rotation)
        eye_sides = sides_in_image(eyes, EYE_SIDE)
        eye = self._predict_eyes(image, eyes, eye_sides, rotation, units)
        mouth, mouth_sides = self._predict_mouths(image, landmarks, rotation, units)
        merged, confidence = (np.zeros((len(landmarks), self._count), np.float32) for _ in range(2))
        _gather(merged, confidence, self._eye_columns, eye, _visible(eye_sides, rotation))
        merged[:, self._mouth_columns] = np.clip(mouth[:, : len(MOUTH_UNITS)], 0, 1)
        # Its teacher was trusted up to MAX_YAW_DEG only; fading out before keeps videos free of jumps.
        sine = np.abs(np.asarray(rotation, np.float64)[:, 0, 2])
        frontal = np.clip(2 * (1 - sine / np.sin(np.deg2rad(MAX_YAW_DEG))), 0, 1)
        sure = mouth[:, -1] * (mouth_sides >= MIN_SIDE_PX) * frontal
        confidence[:, self._mouth_columns] = sure[:, None] * self._mouth_share
        count = len(EYE_UNITS)
        return Regions(
            merged,
            confidence,
            pupils=_to_image(eye[..., count : count + 2], eyes),
            eye_aperture=np.asarray(eye[..., count + 2] * eye_sides, np.float32),
            mouth_aperture=np.asarray(mouth[:, len(MOUTH_UNITS)] * mouth_sides, np.float32),
        )

    def _predict_eyes(self, image: UInt8, affines: Float64, sides: Float64, rotation: Floats, units: Floats) -> Float32:
        """Outputs (n, 2, O) for both eyes; zeros, with no confidence, without an eye network."""
        n, width = len(affines), len(EYE_UNITS) + EYE_GEOMETRY + 1
        if self._eye is None:
            return np.zeros((n, 2, width), np.float32)
        auxiliary = [
            auxiliary_inputs(units[:, columns], rotation, sides[:, k] / EYE_SIDE, mirror=k == 1)
            for k, columns in enumerate(self._eye_columns)
        ]
        rows = np.stack(auxiliary, axis=1).reshape(2 * n, len(EYE_UNITS) + AUXILIARY_INPUTS)
        return _run(self._eye, image, affines.reshape(-1, 2, 3), EYE_SIDE, rows).reshape(n, 2, width)

    def _predict_mouths(
        self, image: UInt8, landmarks: Floats, rotation: Floats, units: Floats
    ) -> tuple[Float32, Float64]:
        """Outputs (n, O) and sides (n,) of the patches, px; zeros, with no confidence, without a mouth network."""
        n = len(landmarks)
        if self._mouth is None:
            return np.zeros((n, len(MOUTH_UNITS) + MOUTH_GEOMETRY + 1), np.float32), np.zeros(n)
        affines = mouth_patches(landmarks, rotation)
        sides = sides_in_image(affines, MOUTH_SIDE)
        rows = auxiliary_inputs(units[:, self._mouth_columns], rotation, sides / MOUTH_SIDE)
        return _run(self._mouth, image, affines, MOUTH_SIDE, rows), sides


def eye_columns(names: Sequence[str]) -> list[list[int]]:
    """Indices of the units of the left and of the right eye among the 52."""
    names = list(names)
    return [[names.index(u) if u in names else names.index(u + side) for u in EYE_UNITS] for side in SIDES]


def auxiliary_inputs(units: Floats, rotation: Floats, zoom: Floats, mirror: bool = False) -> Float32:
    """Inputs of a network in addition to the patch.

    Args:
        units: (n, U) coefficients of the first network for the network's units.
        rotation: (n, 3, 3) head to camera.
        zoom: (n,) image px per patch px.
        mirror: whether the patch is mirrored.

    Returns:
        (n, U + 4) float32: the units; x and y of the direction of the face, in [-1, 1]; log2 of the zoom; 1, for units
        that are known (in training, unknown ones are 0).
    """
    forward = np.asarray(rotation, np.float64)[:, :2, 2] * ([-1, 1] if mirror else [1, 1])
    size = np.clip(np.log2(np.maximum(zoom, 1e-6)), -2, 2)
    known = np.ones(len(units))
    return np.column_stack([np.clip(units, -0.5, 1.5), forward, size, known]).astype(np.float32)


def network_patches(patches: UInt8) -> Float32:
    """Normalise patches (m, S, S, 3) uint8 RGB to network inputs (m, 3, S, S), (v - 127.5) / 128."""
    batch = np.ascontiguousarray(patches.transpose(0, 3, 1, 2), np.float32)
    batch -= _MEAN
    batch /= _RANGE
    return batch


def _visible(sides: Float64, rotation: Floats) -> Bools:
    """(n, 2) whether the patch of the left and of the right eye is large enough and faces the camera."""
    # Positive where the face is turned to the image right, which hides its left eye.
    to_right = np.asarray(rotation, np.float64)[:, 0, 2]
    hidden = np.stack([to_right, -to_right], axis=1) > np.sin(np.deg2rad(MAX_YAW_DEG))
    return np.asarray((sides >= MIN_SIDE_PX) & ~hidden, bool)


def _gather(merged: Float32, confidence: Float32, columns: list[list[int]], eye: Float32, visible: Bools) -> None:
    """Write the units of both eyes (n, 2, ...) into their columns.

    A unit that both eyes predict (browInnerUp) is their mean, weighted by confidence.
    """
    weights = eye[..., -1] * visible
    total = np.zeros_like(merged)
    for k, own in enumerate(columns):
        merged[:, own] += weights[:, k, None] * np.clip(eye[:, k, : len(EYE_UNITS)], 0, 1)
        total[:, own] += weights[:, k, None]
        confidence[:, own] = np.maximum(confidence[:, own], weights[:, k, None])
    np.divide(merged, total, out=merged, where=total > 0)


def _to_image(positions: Floats, affines: Float64) -> Float32:
    """Map positions (n, 2, 2) in eye patches, -1 to 1, to image px."""
    in_patch = (np.asarray(positions, np.float64) * EYE_SIDE + EYE_SIDE - 1) / 2
    inverse = np.linalg.inv(affines[..., :2])
    return np.asarray(np.einsum("nkij,nkj->nki", inverse, in_patch - affines[..., 2]), np.float32)


def _run(session: Any, image: UInt8, affines: Float64, side: int, auxiliary: Float32) -> Float32:
    """Outputs (m, O) for the patches of maps (m, 2, 3) and auxiliary inputs (m, F); the last one is the confidence."""
    patches_name, auxiliary_name = (one.name for one in session.get_inputs())
    width = session.get_outputs()[0].shape[-1]
    results = [np.zeros((0, width), np.float32)]
    for start in range(0, len(affines), _BATCH):
        part = slice(start, start + _BATCH)
        patches = network_patches(cut_patches(image, affines[part], side))
        results.append(session.run(None, {patches_name: patches, auxiliary_name: auxiliary[part]})[0])
    out = np.concatenate(results)
    out[:, -1] = np.exp(-np.exp(np.minimum(out[:, -1], 5)))  # exp(-e) of the expected squared error e
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
        raise ModelError(f"{path} is another network: it has {shape[-1]} outputs, not {outputs}")
    return session
