"""YuNet's network and the decoding of its outputs: OpenCV's `FaceDetectorYN` on ONNX Runtime, which is faster."""

from typing import Any, Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.detect.tiles import Tiles
from ddfa.sessions import Device, open_session, session_options

_STRIDES: Final = (8, 16, 32)  # px between the anchors of each grid
_OUTPUTS: Final = tuple(f"{name}_{stride}" for stride in _STRIDES for name in ("cls", "obj", "bbox"))
# The file fixes the input at 640 x 640 px, but the network accepts any multiple of the largest stride: in the Protobuf
# encoding, the field dim_value 640 is replaced by dim_param "h" or "w", which has the same length.
_FIXED_SIDE: Final = b"\x0a\x03\x08\x80\x05"
_ANY_SIDES: Final = (b"\x0a\x03\x12\x01h", b"\x0a\x03\x12\x01w")
_MAX_CANDIDATES: Final = 5000  # of non-maximum suppression; OpenCV's default


class YuNetNetwork:
    """Detects faces in an image at its own resolution; safe to call from several threads.

    Args:
        content: bytes of the original ONNX file.
        score_threshold: faces below this confidence are dropped.
        nms_overlap: of two boxes whose IoU exceeds this, the one with the higher score is kept.
        threads: CPU threads; None leaves the choice to ONNX Runtime.
        device: "cpu" or "cuda".

    Raises:
        ModelError: the device is not available.
    """

    def __init__(
        self, content: bytes, score_threshold: float, nms_overlap: float, threads: int | None, device: Device = "cpu"
    ) -> None:
        self._score_threshold, self._nms_overlap = score_threshold, nms_overlap
        for side in _ANY_SIDES:
            content = content.replace(_FIXED_SIDE, side, 1)
        options = session_options(threads)
        options.enable_mem_pattern = False  # memory patterns only pay if all images have the same size
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores free
        self._session = open_session(content, options, device)

    def __call__(self, image: UInt8, tiles: Tiles | None = None) -> tuple[Float32, Float32]:
        """Detect the faces in an RGB uint8 image (H, W, 3).

        Args:
            image: the image.
            tiles: the parts of the image to be searched; None for all of it. Faces that a tile cuts off are left out.

        Returns:
            Boxes (n, 4), x0 y0 x1 y1 px, and scores (n,), highest score first.
        """
        if tiles is None:
            boxes, scores = self._candidates(image)
        else:
            boxes, scores = self._candidates(tiles.sheet(image))
            boxes, whole = tiles.in_image(boxes)
            boxes, scores = boxes[whole], scores[whole]
        kept = self._suppress(boxes, scores)
        return boxes[kept], scores[kept]

    def _candidates(self, image: UInt8) -> tuple[Float32, Float32]:
        """Boxes and scores above the threshold, before suppression."""
        blob = _padded_input(image)
        outputs: Any = self._session.run(_OUTPUTS, {"input": blob})
        grids = [
            self._decode(stride, blob.shape[3] // stride, *outputs[3 * k : 3 * k + 3])
            for k, stride in enumerate(_STRIDES)
        ]
        boxes, scores = (np.concatenate(parts) for parts in zip(*grids, strict=True))
        return boxes, scores

    def _decode(
        self, stride: int, columns: int, face: Float32, objectness: Float32, box: Float32
    ) -> tuple[Float32, Float32]:
        """Boxes and scores of one grid; the outputs are (1, anchors, 1), (1, anchors, 1) and (1, anchors, 4)."""
        scores = np.sqrt(np.clip(face[0, :, 0], 0, 1) * np.clip(objectness[0, :, 0], 0, 1))
        anchors = np.flatnonzero(scores >= self._score_threshold)
        box = box[0, anchors]
        corner = np.stack([anchors % columns, anchors // columns], axis=1).astype(np.float32)
        centre, half = (corner + box[:, :2]) * stride, np.exp(box[:, 2:]) * (stride / 2)
        return np.concatenate([centre - half, centre + half], axis=1), scores[anchors]

    def _suppress(self, boxes: Float32, scores: Float32) -> Any:
        """Indices of the boxes that non-maximum suppression keeps; as in OpenCV, it compares boxes in whole px."""
        whole = np.trunc(np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)).tolist()
        kept = cv2.dnn.NMSBoxes(whole, scores.tolist(), self._score_threshold, self._nms_overlap, top_k=_MAX_CANDIDATES)
        return np.asarray(kept, np.intp)


def _padded_input(image: UInt8) -> Float32:
    """Return (1, 3, H', W') float32 BGR, padded with black at the bottom and right to a multiple of the last stride."""
    height, width = image.shape[:2]
    blob = np.zeros((1, 3, height + -height % _STRIDES[-1], width + -width % _STRIDES[-1]), np.float32)
    for channel in range(3):  # several times faster than OpenCV's blobFromImage
        blob[0, 2 - channel, :height, :width] = image[..., channel]
    return blob
