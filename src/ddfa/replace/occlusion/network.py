"""Hands and other things before a face, told by a small network that knows where the parts of a face should be."""

from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnxruntime as ort

from ddfa.arrays import Float32, UInt8
from ddfa.errors import ModelError
from ddfa.files import shipped_bytes
from ddfa.sessions import open_session, session_options

SIDE: Final = 128  # px of what the network sees
_NETWORK: Final = Path(__file__).parent / "assets" / "occlusion.onnx"
_SHA256: Final = "effc819ea4f8d3a8f18a87df68af30a63c08014ce93e14e2f80fb5fcb5a302ab"


def network_input(picture: UInt8, codes: Float32) -> Float32:
    """What the network sees of a face.

    Args:
        picture: (h, w, 3) uint8 RGB around the face.
        codes: (SIDE, SIDE, 4) float32, codes of the surface spread over it, 0 beside it.

    Returns:
        (7, SIDE, SIDE) float32.
    """
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    colours = (small.astype(np.float32) - np.float32(127.5)) / np.float32(128)
    return np.ascontiguousarray(np.dstack([colours, codes]).transpose(2, 0, 1), np.float32)


def predict_occlusion(picture: UInt8, codes: Float32) -> Float32:
    """How likely places of a picture show something before the face.

    Args:
        picture: (h, w, 3) uint8 RGB around the face.
        codes: (SIDE, SIDE, 4) float32, codes of the surface spread over it, 0 beside it.

    Returns:
        (SIDE / 2, SIDE / 2) float32 in [0, 1], of the whole picture.

    Raises:
        ModelError: the network's weights are missing or altered.
    """
    (found,) = _session().run(None, {"input": network_input(picture, codes)[None]})
    return np.asarray(found[0, 0], np.float32)


@cache
def _session() -> ort.InferenceSession:
    content = shipped_bytes(_NETWORK, _SHA256, "the weights that find hands", ModelError)
    return open_session(content, session_options(1))
