"""The roll of a face before it is aligned, from a small network that sees faces turned by any angle.

Detectors find faces at every roll, but neither their boxes nor YuNet's five points tell it: YuNet places the eyes of a
face that is upside down in its lower half. The network reads the disc inside the RoI, so that it cannot infer the angle
from the corners of a turned training photo, and returns a direction. Idea: Shi et al., "Real-Time Rotation-Invariant
Face Detection with Progressive Calibration Networks" (CVPR 2018).
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats, UInt8
from ddfa.errors import ModelError
from ddfa.files import shipped_bytes
from ddfa.regress.sampling import best_sampler, network_crops
from ddfa.regress.turned import turned_patch
from ddfa.sessions import Device, open_session, session_options

WEIGHTS: Final = Path(__file__).parent / "assets" / "roll.onnx"
WEIGHTS_SHA256: Final = "4ab3461fe0793445f6643a38213bfa4b389e689c5af3c399eeeef6b5627b9f7b"
SIDE: Final = 32  # px of the input
# Networks are trained on photos whose roll has a standard deviation of 10 to 15°, so smaller angles need no turn.
UPRIGHT_DEG: Final = 35.0
_SETTLED_DEG: Final = 30.0  # a face this close to upright needs no further look
_LOOKS: Final = 3
_CONFIDENCE: Final = 0.5
_BATCH: Final = 64


class RollNetwork:
    """Estimates the roll of faces; safe to call from several threads.

    Args:
        threads: CPU threads; None leaves the choice to ONNX Runtime.
        device: "cpu" or "cuda".
        weights: the ONNX file.

    Raises:
        ModelError: the weights are missing or are not the expected file, or the device is not available.
    """

    def __init__(self, threads: int | None = None, device: Device = "cpu", weights: Path = WEIGHTS) -> None:
        content = shipped_bytes(weights, WEIGHTS_SHA256, "the weights of the roll network", ModelError)
        self._session = open_session(content, session_options(threads), device)
        self._crops = 0

    def __call__(self, image: UInt8, roi: Floats) -> Float32:
        """Estimate by how much faces have to be turned back before they are aligned.

        A face that does not look upright is looked at again, turned by the angle found so far, until it does.

        Args:
            image: (H, W, 3) uint8 RGB.
            roi: (n, 4) squares around the faces, image px.

        Returns:
            (n,) float32 degrees, clockwise; 0 for faces that are upright, or about which the network is unsure.
        """
        roll, sure = self._predict(self._inputs(image, roi))
        result = np.zeros(len(roi), np.float32)
        doubtful = np.flatnonzero(~sure | (np.abs(roll) > UPRIGHT_DEG))
        for _ in range(_LOOKS):
            if not len(doubtful):
                break
            patches = [turned_patch(image, roi[face], float(roll[face]), SIDE) for face in doubtful]
            rest, sure = self._predict(np.concatenate([self._inputs(patch, own[None]) for patch, own in patches]))
            roll[doubtful] = wrapped_deg(roll[doubtful] + rest)
            settled = sure & (np.abs(rest) < _SETTLED_DEG)
            result[doubtful[settled]] = roll[doubtful[settled]]
            doubtful = doubtful[~settled]
        return np.where(np.abs(result) > UPRIGHT_DEG, result, 0).astype(np.float32)

    def _inputs(self, image: UInt8, roi: Floats) -> Float32:
        self._crops += len(roi)
        return network_crops(image, roi, SIDE, best_sampler(self._crops))

    def _predict(self, crops: Float32) -> tuple[Float64, Bools]:
        """Angles (n,) in degrees, and whether the network is sure (n,)."""
        parts: list[Any] = [np.zeros((0, 2), np.float32)]
        for start in range(0, len(crops), _BATCH):
            parts.append(self._session.run(None, {"input": crops[start : start + _BATCH]})[0])
        direction = np.concatenate(parts)
        angle = np.rad2deg(np.arctan2(direction[:, 1], direction[:, 0]))
        return np.asarray(angle, np.float64), np.asarray(np.linalg.norm(direction, axis=1) >= _CONFIDENCE)


def wrapped_deg(angle: Floats) -> Float64:
    """Bring angles in degrees into -180 to 180."""
    return np.asarray((np.asarray(angle, np.float64) + 180) % 360 - 180)
