"""Where small faces may be: a small network on the luma of the image, so that YuNet need not search all of it."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.errors import DetectorError
from ddfa.files import shipped_bytes
from ddfa.sessions import Device, open_session, session_options

WEIGHTS: Final = Path(__file__).parent / "assets" / "proposals.onnx"
WEIGHTS_SHA256: Final = "a37f7af7cdfa82323d0ccba6893ae887ef8a14ffe00581e4f99f55ce51d85aee"
STRIDE: Final = 8
"""Px of a cell."""
SAMPLED_EVERY: Final = 256  # px
_MULTIPLE: Final = 16  # of the sides of the input


class ProposalNetwork:
    """Proposes cells of an image in which there may be a face of 12 to 64 px; safe to call from several threads.

    Args:
        threads: CPU threads; None leaves the choice to ONNX Runtime.
        device: "cpu" or "cuda".
        weights: the ONNX file.

    Raises:
        DetectorError: the weights are missing or are not the expected file.
        ModelError: the device is not available.
    """

    def __init__(self, threads: int | None = None, device: Device = "cpu", weights: Path = WEIGHTS) -> None:
        content = shipped_bytes(weights, WEIGHTS_SHA256, "the weights of the proposal network", DetectorError)
        options = session_options(threads)
        options.enable_mem_pattern = False  # memory patterns only pay if all images have the same size
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores free
        self._session = open_session(content, options, device)

    def __call__(self, image: UInt8) -> Bools:
        """Propose cells of an RGB uint8 image (H, W, 3).

        Returns:
            (rows, columns) bool, cells of `STRIDE` px from the top left; the last ones may extend beyond the image.
        """
        height, width = image.shape[:2]
        padded = np.zeros((1, 1, height + -height % _MULTIPLE, width + -width % _MULTIPLE), np.float32)
        padded[0, 0, :height, :width] = luma(image)
        logits: Any = self._session.run(None, {"input": padded})[0]
        return np.asarray(logits[0, 0] > 0)


def sample(pixels: UInt8, every: int = SAMPLED_EVERY) -> UInt8:
    """A 16th of an array (H, W, ...): squares at regular distances of `every`, side by side; empty if it is smaller."""
    rows, columns = (side // every for side in pixels.shape[:2])
    blocks = pixels[: rows * every, : columns * every].reshape(rows, every, columns, every, *pixels.shape[2:])
    side = every // 4
    low, high = (every - side) // 2, (every + side) // 2
    return blocks[:, low:high, :, low:high].reshape(rows * side, columns * side, *pixels.shape[2:])


def luma(image: UInt8) -> UInt8:
    """The luma (H, W) uint8 of an RGB image (H, W, 3) uint8."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def mark(cells: Bools | UInt8, boxes: Float32, value: bool) -> None:
    """Set the cells (rows, columns) whose centres are inside one of the boxes (n, 4), px."""
    first = np.ceil(boxes[:, :2] / STRIDE - 0.5).clip(0).astype(int)
    last = np.floor(boxes[:, 2:] / STRIDE - 0.5).clip(-1).astype(int) + 1
    for (x0, y0), (x1, y1) in zip(first, last, strict=True):
        cells[y0:y1, x0:x1] = value
