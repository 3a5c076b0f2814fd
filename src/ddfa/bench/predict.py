"""Predictions of a model on a set of photos, as arrays: the first step of every benchmark."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, Floats, UInt8
from ddfa.bench.sets import AnnotatedSet
from ddfa.detect.detections import box_overlap
from ddfa.errors import DataError
from ddfa.faces import Faces

Watch: TypeAlias = Callable[[Sequence[int]], Iterable[int]]
"""Wraps a sequence to show progress, as `rich.progress.track` does."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The faces one model found, at most one per photo.

    Attributes:
        model: the bundle's name.
        index: (m,) numbers of the photos in which the face was found.
        count: number of photos.
        landmarks68: (m, 68, 3) float32 px.
        rotation: (m, 3, 3) float32 head to camera.
        euler_deg: (m, 3) float32 yaw, pitch, roll.
        expression: (m, E) float32 as regressed.
        expression_names: E names.
        quality: (m,) float32, see `Faces.quality`; None for bundles without a quality head.
        landmark_std: (m, 68) float32 px, see `Faces.landmark_std`; None likewise.
    """

    model: str
    index: "np.typing.NDArray[np.intp]"
    count: int
    landmarks68: Float32
    rotation: Float32
    euler_deg: Float32
    expression: Float32
    expression_names: tuple[str, ...]
    quality: Float32 | None = None
    landmark_std: Float32 | None = None

    @property
    def missed(self) -> int:
        """Photos in which the face was not found."""
        return self.count - len(self.index)


def predict(aligner: FaceAligner, data: AnnotatedSet, *, detected: bool = False, watch: Watch = iter) -> Predictions:
    """Run a model on a set.

    Args:
        aligner: the model.
        data: the photos.
        detected: detect the faces and regress twice; of several faces the one whose box overlaps the true landmarks'
            box most is used, or the largest if the truth is unknown. Otherwise the RoI comes from the true landmarks
            and the face is regressed once.
        watch: shows progress.

    Returns:
        The predictions.

    Raises:
        DataError: a photo is missing, or the true landmarks are needed and missing.
    """
    landmarks = data.landmarks68
    if landmarks is None and not detected:
        raise DataError(f"{data.name} has no landmarks68 for the RoIs: detect the faces (--detected)")

    def look(i: int) -> Faces:
        image = data.photos.read(data.names[i])
        truth = None if landmarks is None else landmarks[i]
        return detect_face(aligner, image, truth) if detected or truth is None else aligner(image, None, truth[None])

    return collect(aligner, len(data), look, watch)


def detect_face(aligner: FaceAligner, image: UInt8, near: Floats | None = None) -> Faces:
    """Detect one face and regress twice.

    Args:
        aligner: the model and its detector.
        image: (H, W, 3) uint8 RGB.
        near: (K, 2 or more) px, landmarks of the expected face: the face whose box overlaps theirs most is returned,
            or none. By default the largest face is returned.

    Returns:
        One face or none.
    """
    faces = aligner(image, refine=True)
    if near is None or not len(faces):
        return faces[:1]
    overlap = box_overlap(faces.boxes, np.concatenate([near[:, :2].min(axis=0), near[:, :2].max(axis=0)]))
    return faces[np.flatnonzero(overlap == overlap.max())[:1]] if overlap.max() > 0 else faces[:0]


def collect(aligner: FaceAligner, count: int, look: Callable[[int], Faces], watch: Watch = iter) -> Predictions:
    """Collect the faces of photos 0 to count - 1; `look` returns one face or none for each."""
    found = [(i, faces) for i in watch(range(count)) if len(faces := look(i))]
    names = aligner.head.expression_names[: aligner.bundle.layout.expression]

    def stacked(attribute: str, *shape: int) -> Float32:
        return np.concatenate([np.zeros((0, *shape), np.float32), *(getattr(faces, attribute) for _, faces in found)])

    def optional(attribute: str) -> Float32 | None:
        parts = [getattr(faces, attribute) for _, faces in found]
        return None if not parts or parts[0] is None else np.concatenate(parts)

    return Predictions(
        model=aligner.bundle.name,
        index=np.array([i for i, _ in found], np.intp),
        count=count,
        landmarks68=stacked("landmarks68", 68, 3),
        rotation=stacked("rotation", 3, 3),
        euler_deg=stacked("euler_deg", 3),
        expression=stacked("expression", len(names)),
        expression_names=names,
        quality=optional("quality"),
        landmark_std=optional("landmark_std"),
    )
