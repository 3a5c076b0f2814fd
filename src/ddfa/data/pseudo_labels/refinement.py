"""Pseudo-label refinement: labels of pose-augmented images are moved towards what teachers predict for these images.

A label that is rotated with its face keeps the depth estimated in the fit to the photo. In the rotated image errors of
that depth become visible: the jaw, above all, is not where networks find it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddfa.arrays import Float32, Float64, Floats
from ddfa.data.pseudo_labels.fit import FitConstraints, fit
from ddfa.data.pseudo_labels.observation import observe
from ddfa.data.pseudo_labels.teacher import Teacher, View
from ddfa.data.pseudo_labels.teacher_map import TeacherMap
from ddfa.data.sets.image_set import Sample, encode
from ddfa.data.sets.photos import decode
from ddfa.geometry.camera import project
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.head.model import HeadModel

# Fewer than for photos: there are many images of each face, and the given label is used as well.
VIEWS = (View(0.0, False), View(0.0, True))
# The expression of a generated image is known better than teachers predict it, above all closed eyelids.
_EXPRESSION_STD = 0.03
_BATCH = 32  # images per call of the teachers


@dataclass(frozen=True, eq=False)
class LabelRefiner:
    """Teachers that refine the labels of generated images.

    Attributes:
        head: the head model of the labels.
        mapping: of all teachers' points, `joined`.
        teachers: by their heads, in the order of the maps that were joined.
        trust: weight of the teachers, from 0 to 1, in the points that a label is fitted to.
    """

    head: HeadModel
    mapping: TeacherMap
    teachers: Sequence[Sequence[Teacher]]
    trust: float

    def correct(self, samples: Sequence[Sample]) -> list[Sample]:
        """The same images with labels between the given ones and the predictions of the teachers.

        Points on the eyelids and the inner edges of the lips are ignored, and the expression hardly changes. The
        distance of the teachers from the given label adds to its `fit_error`.
        """
        pose, identity, expression = (
            np.stack([getattr(sample, name) for sample in samples]) for name in ("pose", "identity", "expression")
        )
        landmarks = _placed(self.head.decode_landmarks(identity, expression), pose)
        seen = _level(self._observe(samples, roi_from_landmarks(landmarks)))
        given = _level(_placed(self.mapping.own.decode(identity, expression), pose).reshape(seen.shape))
        targets = (given + self.trust * (seen - given)).reshape(len(samples), -1, 3)
        weights = np.where(self.mapping.lids_and_lips, 0, self.mapping.weights)
        hints = FitConstraints.prior(self.mapping.own, expression, np.full(expression.shape[1], _EXPRESSION_STD))
        found = fit(self.mapping.own, targets, weights, self.head.identity_std, hints=hints)
        size = np.sqrt(np.prod(np.ptp(landmarks[..., :2], axis=1), axis=-1))
        apart = np.linalg.norm((seen - given)[..., :2], axis=-1).mean(axis=(1, 2)) / size
        return [
            sample._replace(
                pose=found.pose[k],
                identity=found.identity[k],
                expression=found.expression[k],
                fit_error=float(np.hypot(sample.fit_error, apart[k])),
            )
            for k, sample in enumerate(samples)
        ]

    def _observe(self, samples: Sequence[Sample], rois: Floats) -> Float32:
        """The predictions of the teachers (n, 2, K, 3) for the images as stored, after JPEG coding."""
        images = [decode(encode(sample.image).tobytes(), sample.source) for sample in samples]
        batches = [slice(start, start + _BATCH) for start in range(0, len(images), _BATCH)]
        return np.concatenate([observe(self.teachers, images[batch], rois[batch])[0] for batch in batches])


def _placed(points: Float32, pose: Floats) -> Float32:
    """Points (n, K, 3) of head space in image space."""
    return np.asarray(project(points, pose), np.float32)


def _level(points: Float32) -> Float64:
    """Points (n, 2, K, 3) less the mean depth of each half: weak perspective leaves it undetermined."""
    result: Float64 = points.astype(np.float64)
    result[..., 2] -= result[..., 2].mean(axis=2, keepdims=True)
    return result
