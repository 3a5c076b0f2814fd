"""YuNet's network and what its outputs mean: what OpenCV's `FaceDetectorYN` does, by ONNX Runtime, which is faster."""

from typing import Any, Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.sessions import Device, open_session, session_options

_STRIDES: Final = (8, 16, 32)  # px between the places of each grid at which a face can be found
_OUTPUTS: Final = tuple(f"{name}_{stride}" for stride in _STRIDES for name in ("cls", "obj", "bbox"))
# The file fixes the picture's height and width at 640 px, but the network takes any multiple of the largest stride:
# as Protobuf, the field dim_value 640 becomes dim_param "h" or "w", of the same length.
_FIXED_SIDE: Final = b"\x0a\x03\x08\x80\x05"
_ANY_SIDES: Final = (b"\x0a\x03\x12\x01h", b"\x0a\x03\x12\x01w")
_MOST: Final = 5000  # faces that overlapping ones are sought among


class YuNetNetwork:
    """Finds faces in a picture as it is; safe to call from several threads.

    Args:
        content: of the published ONNX file.
        score_threshold: faces below this confidence are dropped.
        nms_overlap: of two boxes that overlap (IoU) by more than this the better one stays.
        threads: CPU threads; None leaves the choice to ONNX Runtime.
        device: what runs it.

    Raises:
        ModelError: there is nothing to run it.
    """

    def __init__(
        self, content: bytes, score_threshold: float, nms_overlap: float, threads: int | None, device: Device = "cpu"
    ) -> None:
        self._score_threshold, self._nms_overlap = score_threshold, nms_overlap
        for side in _ANY_SIDES:
            content = content.replace(_FIXED_SIDE, side, 1)
        options = session_options(threads)
        options.enable_mem_pattern = False  # every picture has a size of its own
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leaves the cores to other work
        self._session = open_session(content, options, device)

    def __call__(self, image: UInt8) -> tuple[Float32, Float32]:
        """Find the faces of an RGB uint8 image (H, W, 3).

        Returns:
            Boxes (n, 4), x0 y0 x1 y1 px, and scores (n,), best first.
        """
        blob = _padded_input(image)
        outputs: Any = self._session.run(_OUTPUTS, {"input": blob})
        found = [
            self._found(stride, blob.shape[3] // stride, *outputs[3 * k : 3 * k + 3])
            for k, stride in enumerate(_STRIDES)
        ]
        boxes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        best = self._best(boxes, scores)
        return boxes[best], scores[best]

    def _found(self, stride: int, columns: int, face: Float32, there: Float32, box: Float32) -> tuple[Float32, Float32]:
        """Boxes and scores of one grid; the outputs are (1, places, 1), (1, places, 1) and (1, places, 4)."""
        scores = np.sqrt(np.clip(face[0, :, 0], 0, 1) * np.clip(there[0, :, 0], 0, 1))
        places = np.flatnonzero(scores >= self._score_threshold)
        box = box[0, places]
        corner = np.stack([places % columns, places // columns], axis=1).astype(np.float32)
        centre, half = (corner + box[:, :2]) * stride, np.exp(box[:, 2:]) * (stride / 2)
        return np.concatenate([centre - half, centre + half], axis=1), scores[places]

    def _best(self, boxes: Float32, scores: Float32) -> Any:
        """The boxes that stay; as in OpenCV those in whole px are compared."""
        whole = np.trunc(np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)).tolist()
        kept = cv2.dnn.NMSBoxes(whole, scores.tolist(), self._score_threshold, self._nms_overlap, top_k=_MOST)
        return np.asarray(kept, np.intp)


def _padded_input(image: UInt8) -> Float32:
    """(1, 3, H', W') float32 BGR, black below and to the right up to whole grids."""
    height, width = image.shape[:2]
    blob = np.zeros((1, 3, height + -height % _STRIDES[-1], width + -width % _STRIDES[-1]), np.float32)
    for channel in range(3):  # several times faster than OpenCV's blobFromImage
        blob[0, 2 - channel, :height, :width] = image[..., channel]
    return blob
