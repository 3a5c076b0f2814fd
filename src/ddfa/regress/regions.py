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
from ddfa.errors import ModelError
from ddfa.networks import open_network
from ddfa.regress.eyelids import even_blinks
from ddfa.regress.patches import EYE_SIDE, MOUTH_SIDE, PATCH_SIDES, cut_patches, region_patches, sides_in_image
from ddfa.regress.visible_side import follow_visible_eye, near_eye_share, visible_shares
from ddfa.sessions import Device

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
MIN_CONFIDENCE: Final = 0.35
SIDES: Final = ("Left", "Right")
_EYE_OUTPUTS: Final = len(EYE_UNITS) + EYE_GEOMETRY + 1
_MOUTH_OUTPUTS: Final = len(MOUTH_UNITS) + MOUTH_GEOMETRY + 1
# What the other eye shows at the same time: looking inwards for looking outwards.
_OTHER_EYE: Final = [
    EYE_UNITS.index({"eyeLookIn": "eyeLookOut", "eyeLookOut": "eyeLookIn"}.get(unit, unit)) for unit in EYE_UNITS
]
_MIRRORED_EYES: Final = np.array([False, True])  # as `region_patches` cuts the left and the right eye
_BLINK: Final = EYE_UNITS.index("eyeBlink")
_INNER_BROW: Final = EYE_UNITS.index("browInnerUp")  # predicted for both eyes, one unit of the face
_MEAN, _RANGE = np.float32(127.5), np.float32(128.0)
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Regions:
    """Predictions of the region networks for n faces.

    Attributes:
        units: (n, 52) float32 blendshapes in [0, 1]; 0 for units that no region network predicts.
        confidence: (n, 52) float32 in [0, 1]; 0 where the first network's coefficient applies.
        eye: (n, 2, O) float32 outputs of the eye network for the left and the right eye, the last one the confidence.
        mouth: (n, O) float32 the same of the mouth network.
        maps: (n, 3, 2, 3) from image px to patch px, see `region_patches`.
    """

    units: Float32
    confidence: Float32
    eye: Float32
    mouth: Float32
    maps: Float64

    @property
    def pupils(self) -> Float32:
        """(n, 2, 2) float32 image px of the left and the right pupil; NaN without confidence."""
        positions = _known(self.eye, slice(len(EYE_UNITS), len(EYE_UNITS) + 2)).astype(np.float64)
        in_patch = (positions * EYE_SIDE + EYE_SIDE - 1) / 2
        inverse = np.linalg.inv(self.maps[:, :2, :, :2])
        return np.asarray(np.einsum("nkij,nkj->nki", inverse, in_patch - self.maps[:, :2, :, 2]), np.float32)

    @property
    def eye_aperture(self) -> Float32:
        """(n, 2) float32 distance between the lids of the left and the right eye, image px; NaN without confidence."""
        return np.asarray(_known(self.eye, -2) * sides_in_image(self.maps[:, :2], EYE_SIDE), np.float32)

    @property
    def mouth_aperture(self) -> Float32:
        """(n,) float32 distance between the inner edges of the lips, image px; NaN without confidence."""
        return np.asarray(_known(self.mouth, -2) * sides_in_image(self.maps[:, 2], MOUTH_SIDE), np.float32)

    def merged(self, first: Floats, min_confidence: float = MIN_CONFIDENCE) -> Float32:
        """Blendshapes (n, 52) of the regions where they are confident, of the first network elsewhere.

        Args:
            first: (n, 52) coefficients of the first network.
            min_confidence: confidence from which on a region replaces the first network. Between half of it and all of
                it the two are blended linearly, so that results do not jump between the frames of a video.
        """
        share = (self.confidence * np.float32(2 / min_confidence) - 1).clip(0, 1)
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
        self._eye, self._mouth = _Network(eye, EYE_SIDE, _EYE_OUTPUTS), _Network(mouth, MOUTH_SIDE, _MOUTH_OUTPUTS)
        self._eye_columns = np.array(eye_columns(names))
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
        outputs = {EYE_FILE: _EYE_OUTPUTS, MOUTH_FILE: _MOUTH_OUTPUTS}
        found = {file: folder / file for file in outputs if (folder / file).is_file()}
        if not found:
            raise ModelError(f"{folder} contains neither {EYE_FILE} nor {MOUTH_FILE}: download the bundle again")
        sessions = {file: _open(path, outputs[file], threads, device) for file, path in found.items()}
        return RegionNetworks(expression_names, sessions.get(EYE_FILE), sessions.get(MOUTH_FILE))

    def __call__(self, images: Sequence[UInt8], landmarks: Floats, rotation: Floats, units: Floats) -> Regions:
        """Predict the blendshapes of faces, in one batch. Patches that are hidden or too small are not read.

        Args:
            images: n images (H, W, 3) uint8 RGB, one for each face; several may be the same.
            landmarks: (n, 68, 2 or more) of the first network, image px.
            rotation: (n, 3, 3) head to camera.
            units: (n, 52) expression coefficients of the first network.

        Returns:
            The predictions.
        """
        maps = region_patches(landmarks, rotation)
        sides = sides_in_image(maps, PATCH_SIDES)
        shares = visible_shares(rotation) * (sides >= MIN_SIDE_PX)
        zoom = sides / PATCH_SIDES
        eye_rows = auxiliary_inputs(units[:, self._eye_columns], rotation, zoom[:, :2], mirror=_MIRRORED_EYES)
        mouth_rows = auxiliary_inputs(units[:, self._mouth_columns], rotation, zoom[:, 2])
        trust = near_eye_share(rotation)[:, None]
        eye = self._eye(images, maps[:, :2], eye_rows, shares[:, :2] * trust > 0)
        eye[..., -1] *= trust
        mouth = self._mouth(images, maps[:, 2:], mouth_rows[:, None], shares[:, 2:] > 0)[:, 0]
        merged, confidence = (np.zeros((len(landmarks), self._count), np.float32) for _ in range(2))
        self._gather_eyes(merged, confidence, eye, shares[:, :2])
        merged[:, self._mouth_columns] = mouth[:, : len(MOUTH_UNITS)].clip(0, 1)
        confidence[:, self._mouth_columns] = mouth[:, -1:] * shares[:, 2:] * self._mouth_share
        return Regions(merged, confidence, eye, mouth, maps)

    def _gather_eyes(self, merged: Float32, confidence: Float32, eye: Float32, shares: Float64) -> None:
        """Write the units of both eyes (n, 2, O) into their columns.

        A unit that both eyes predict (browInnerUp) is their mean, weighted by confidence.
        """
        own = eye[..., : len(EYE_UNITS)].clip(0, 1)
        own[..., _BLINK] = even_blinks(own[..., _BLINK])
        units, sure = follow_visible_eye(own, eye[..., -1], shares, _OTHER_EYE)
        columns = self._eye_columns
        merged[:, columns], confidence[:, columns] = units, sure[..., None]
        shared, total = columns[0, _INNER_BROW], sure.sum(axis=1)
        merged[:, shared] = (sure * units[..., _INNER_BROW]).sum(axis=1) / np.where(total > 0, total, 1)
        confidence[:, shared] = sure.max(axis=1)


def eye_columns(names: Sequence[str]) -> list[list[int]]:
    """Indices of the units of the left and of the right eye among the 52."""
    names = list(names)
    return [[names.index(u) if u in names else names.index(u + side) for u in EYE_UNITS] for side in SIDES]


def auxiliary_inputs(units: Floats, rotation: Floats, zoom: Floats, mirror: bool | Bools = False) -> Float32:
    """Inputs of a network in addition to the patch.

    Args:
        units: (n, U) or, for k patches of each face, (n, k, U) coefficients of the first network for its units.
        rotation: (n, 3, 3) head to camera.
        zoom: (n,) or (n, k) image px per patch px.
        mirror: whether the patch is mirrored, for all or (k,).

    Returns:
        (n, U + 4) or (n, k, U + 4) float32: the units; x and y of the direction of the face, in [-1, 1]; log2 of the
        zoom; 1, for units that are known (in training, unknown ones are 0).
    """
    count = units.shape[-1]
    x, y = (rotation[:, k, 2].reshape(-1, *(1,) * (units.ndim - 2)) for k in (0, 1))
    rows = np.ones((*units.shape[:-1], count + AUXILIARY_INPUTS), np.float32)
    rows[..., :count] = units.clip(-0.5, 1.5)
    rows[..., count], rows[..., count + 1] = np.where(mirror, -x, x), y
    rows[..., count + 2] = np.log2(np.maximum(zoom, 1e-6)).clip(-2, 2)
    return rows


def network_patches(patches: UInt8) -> Float32:
    """Normalise patches (m, S, S, 3) uint8 RGB to network inputs (m, 3, S, S), (v - 127.5) / 128."""
    batch = np.ascontiguousarray(patches.transpose(0, 3, 1, 2), np.float32)
    batch -= _MEAN
    batch *= 1 / _RANGE
    return batch


def _known(outputs: Float32, index: int | slice) -> Float32:
    """Outputs of a network, NaN where it has no confidence."""
    sure = outputs[..., -1] > 0
    return np.asarray(np.where(sure if isinstance(index, int) else sure[..., None], outputs[..., index], np.nan))


class _Network:
    """Runs the network of a region.

    Args:
        session: of ONNX Runtime; None for no network.
        side: of its patches, px.
        outputs: number O of its outputs; the last one is the logarithm of the expected squared error.
    """

    def __init__(self, session: Any, side: int, outputs: int) -> None:
        self._session, self._side, self._outputs = session, side, outputs
        self._names = () if session is None else tuple(one.name for one in session.get_inputs())

    def __call__(self, images: Sequence[UInt8], maps: Float64, auxiliary: Float32, wanted: Bools) -> Float32:
        """Outputs (n, k, O) for k patches of n faces, with the confidence as the last one; zeros where not wanted.

        Args:
            images: n images.
            maps: (n, k, 2, 3) from image px to patch px.
            auxiliary: (n, k, F).
            wanted: (n, k), which patches are read.
        """
        out = np.zeros((*wanted.shape, self._outputs), np.float32)
        faces, patches = np.nonzero(wanted) if self._session is not None else ((), ())
        for start in range(0, len(faces), _BATCH):
            rows = faces[start : start + _BATCH], patches[start : start + _BATCH]
            inputs = network_patches(cut_patches([images[i] for i in rows[0]], maps[rows], self._side))
            found = self._session.run(None, dict(zip(self._names, (inputs, auxiliary[rows]), strict=True)))[0]
            if not np.isfinite(found).all():
                raise ModelError("a region network returns numbers that are not finite: download the bundle again")
            found[:, -1] = np.exp(-np.exp(np.minimum(found[:, -1], 5)))  # exp(-e) of the expected squared error e
            out[rows] = found
        return out


def _open(path: Path, outputs: int, threads: int | None, device: Device) -> Any:
    session = open_network(path, threads, device, "a region network")
    shape = session.get_outputs()[0].shape or [None]
    if shape[-1] != outputs:
        raise ModelError(f"{path} is another network: it has {shape[-1]} outputs, not {outputs}")
    return session
