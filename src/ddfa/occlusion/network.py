"""Predicts occlusion of a face (hands, objects) with a small network that also gets the position of every face part."""

from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.errors import ModelError
from ddfa.files import shipped_bytes
from ddfa.sessions import Session, open_session, session_options

SIDE: Final = 128  # px; side of the network's input
WEIGHTS: Final = Path(__file__).parent / "assets" / "occlusion.onnx"
_SHA256: Final = "effc819ea4f8d3a8f18a87df68af30a63c08014ce93e14e2f80fb5fcb5a302ab"


def network_input(image: UInt8, codes: Float32) -> Float32:
    """Input of the network: three colour channels and four of surface codes.

    Args:
        image: (h, w, 3) uint8 RGB around the face.
        codes: (SIDE, SIDE, 4) float32, surface codes (`FaceSurface.codes`) rasterised over the same area, 0 outside.

    Returns:
        (7, SIDE, SIDE) float32; colours are (v - 127.5) / 128.
    """
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    colours = (small.astype(np.float32) - np.float32(127.5)) / np.float32(128)
    return np.ascontiguousarray(np.dstack([colours, codes]).transpose(2, 0, 1), np.float32)


def predict_occlusion(image: UInt8, codes: Float32, weights: Path = WEIGHTS) -> Float32:
    """Predict the probability that each pixel shows an occluder.

    Args:
        image: (h, w, 3) uint8 RGB around the face.
        codes: (SIDE, SIDE, 4) float32, surface codes rasterised over the same area, 0 outside.
        weights: file of the shipped network; its checksum is verified.

    Returns:
        (SIDE / 2, SIDE / 2) float32 in [0, 1] over the same area.

    Raises:
        ModelError: the weights are missing or altered.
    """
    (probability,) = _session(weights).run(None, {"input": network_input(image, codes)[None]})
    return np.asarray(probability[0, 0], np.float32)


@cache
def _session(weights: Path) -> Session:
    content = shipped_bytes(weights, _SHA256, "the weights of the occlusion network", ModelError)
    return open_session(content, session_options(1))
