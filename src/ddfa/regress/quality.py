"""The quality head: a second output of a network that estimates how accurate its landmarks are and which are occluded.

The output `quality` (n, 137) of `model.onnx` contains, for each crop, the logit of `quality`, 68 logarithms of the
standard deviation of a landmark as a share of the crop side, and 68 logits of occlusion.
"""

from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float32, Floats

QUALITY_OUTPUT: Final = "quality"
LANDMARKS: Final = 68
QUALITY_SIZE: Final = 1 + 2 * LANDMARKS


class QualityEstimates(NamedTuple):
    """What the quality head estimates about n faces.

    Attributes:
        quality: (n,) float32 in [0, 1], probability that the crop shows a face and that the mean error of its
            landmarks is below 5 % of the face size.
        landmark_std: (n, 68) float32 px, standard deviation of each landmark's position along one axis.
        landmark_occlusion: (n, 68) float32 in [0, 1], probability that a landmark is hidden: by the head itself or by
            something in front of it.
    """

    quality: Float32
    landmark_std: Float32
    landmark_occlusion: Float32


def quality_estimates(output: Float32, roi: Floats) -> QualityEstimates:
    """Interpret the output of a quality head.

    Args:
        output: (n, 137) float32.
        roi: (n, 4) crop squares in image px.
    """
    side = (np.asarray(roi, np.float32)[:, 2] - np.asarray(roi, np.float32)[:, 0])[:, None]
    std = np.exp(np.clip(output[:, 1 : 1 + LANDMARKS], -10, 2)) * side
    occlusion = _sigmoid(output[:, 1 + LANDMARKS :])
    return QualityEstimates(_sigmoid(output[:, 0]), np.asarray(std, np.float32), occlusion)


def _sigmoid(logits: Float32) -> Float32:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits), np.float32)
