"""Landmark accuracy of a model on annotated photos (AFLW2000-3D protocol)."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float64, Floats
from ddfa.bench.metrics import aligned, box_size, nme
from ddfa.bench.predict import Predictions, Watch, predict
from ddfa.bench.report import Scores
from ddfa.bench.sets import AnnotatedSet, true_landmarks
from ddfa.errors import DataError

Normaliser: TypeAlias = Literal["box", "eyes"]
_JAW = 17
_OUTER_EYE_CORNERS = (36, 45)


@dataclass(frozen=True)
class LandmarkOptions:
    """How landmarks are scored.

    Attributes:
        aligned: after the best scale and translation, for sets whose crops are not known exactly.
        inner: only the 51 points inside the face: in 2D annotations the jaw points of rotated faces follow the
            visible outline, while those of the models stay on the jaw.
        normaliser: the error is divided by "box", sqrt(width * height) of the true points' bounding box, or "eyes",
            the distance between the true outer eye corners, as in 300-W.
    """

    aligned: bool = False
    inner: bool = False
    normaliser: Normaliser = "box"


def evaluate(
    aligner: FaceAligner,
    data: AnnotatedSet,
    options: LandmarkOptions | None = None,
    *,
    detected: bool = False,
    watch: Watch = iter,
) -> Scores:
    """Measure a model.

    Args:
        aligner: the model.
        data: the annotated photos.
        options: how landmarks are scored.
        detected: see `predict`.
        watch: shows progress.

    Returns:
        The NME of each face in %.

    Raises:
        DataError: the set has no landmarks, or a photo is missing.
    """
    truth = true_landmarks(data)
    return score(predict(aligner, data, detected=detected, watch=watch), truth, data.yaw_deg, options)


def score(
    found: Predictions, truth: Floats, yaw_deg: Floats, options: LandmarkOptions | None = None, what: str = ""
) -> Scores:
    """Score predictions.

    Args:
        found: the predictions for n photos.
        truth: (n, 68, 2 or more) px.
        yaw_deg: (n,) true yaw.
        options: how to score.
        what: name of the ground truth, if there are several.

    Returns:
        The NME of each face found in %.
    """
    errors = landmark_errors(found.landmarks68, truth[found.index], options or LandmarkOptions())
    return Scores(found.model, errors, yaw_deg[found.index], found.missed, what)


def landmark_errors(predicted: Floats, truth: Floats, options: LandmarkOptions) -> Float64:
    """NME of 68 landmarks.

    Args:
        predicted: (n, 68, 2 or more) px.
        truth: (n, 68, 2 or more) px.
        options: how to score.

    Returns:
        (n,) float64 in %.
    """
    size = box_size(truth) if options.normaliser == "box" else eye_distance(truth)
    if not (size > 0).all():
        raise DataError(f"face {int(np.argmin(size))} has landmarks that are all at one point: remove it")
    first = _JAW if options.inner else 0
    predicted, truth = predicted[:, first:], truth[:, first:]
    return nme(aligned(predicted, truth) if options.aligned else predicted, truth, size=size)


def eye_distance(landmarks68: Floats) -> Float64:
    """Distance (n,) between the outer eye corners of (n, 68, 2 or more) landmarks in x and y, px."""
    right, left = (np.asarray(landmarks68, np.float64)[:, k, :2] for k in _OUTER_EYE_CORNERS)
    return np.asarray(np.linalg.norm(left - right, axis=1))
