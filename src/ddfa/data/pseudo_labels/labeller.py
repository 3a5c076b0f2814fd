"""One chunk of photos labelled: faces located, teachers run, our head fitted, bad fits rejected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, Floats, UInt8
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher, MeshView
from ddfa.data.pseudo_labels.observation import observe
from ddfa.data.pseudo_labels.observed_fit import fit_error, fit_observations
from ddfa.data.pseudo_labels.points_fit import WEIGHT, disagreement
from ddfa.data.pseudo_labels.points_teacher import PointsTeacher
from ddfa.data.pseudo_labels.teacher import Teacher
from ddfa.data.pseudo_labels.teacher_map import TeacherMap
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.photos import Photos
from ddfa.errors import DDFAError
from ddfa.geometry.roi import central_square, roi_from_landmarks
from ddfa.head.model import HeadModel

_BATCH: Final = 32  # photos in memory at once


class _Seen(NamedTuple):
    """What the teachers predict for n photos.

    Attributes:
        points: (n, 2, K, 3), see `observe`.
        spread: (n,) disagreement of views and teachers as a share of the face size.
        mesh: of the mesh teacher, if any.
        inner: (n, 51, 2) mean of the points teachers, image px, if there are any.
    """

    points: Float32
    spread: Float32
    mesh: MeshView | None
    inner: Float32 | None

    @staticmethod
    def joined(parts: "Sequence[_Seen]") -> "_Seen":
        meshes = [part.mesh for part in parts if part.mesh is not None]
        inner = [part.inner for part in parts if part.inner is not None]
        return _Seen(
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.spread for part in parts]),
            MeshView.joined(meshes) if meshes else None,
            np.concatenate(inner) if inner else None,
        )


@dataclass(eq=False)
class PhotoLabeller:
    """Labels photos with one set of teachers.

    Attributes:
        photos: the photos.
        head: our head.
        mapping: of all teachers' points, `joined`.
        teachers: by their heads, in the order of the maps that were joined.
        max_error: photos with a larger fit error are rejected, as a share of the face size.
        centred: the RoI is the centred square of this share of the image width; None to detect faces.
        mesh_teacher: second teacher for eyelids, gaze and lips, if any.
        human: (68, 2) landmarks annotated by people, image px, by photo; NaN for photos without.
        points_teachers: predict the inner landmarks.
        points_weight: of their mean in the mixture with the fitted landmarks.
    """

    photos: Photos
    head: HeadModel
    mapping: TeacherMap
    teachers: Mapping[str, Sequence[Teacher]]
    max_error: float
    centred: float | None = None
    mesh_teacher: MeshTeacher | None = None
    human: Mapping[str, Float32] = field(default_factory=dict)
    points_teachers: Sequence[PointsTeacher] = ()
    points_weight: float = WEIGHT

    def label(self, names: Sequence[str]) -> tuple[Labels, dict[str, str]]:
        """Label some photos.

        Returns:
            The labels of the photos that were accepted, and the reason for each of the others by its name; both in
            the order of `names`.
        """
        located = {name: self._locate(name) for name in names}
        rejected = {name: found for name, found in located.items() if isinstance(found, str)}
        readable = [(name, *found) for name, found in located.items() if not isinstance(found, str)]
        if not readable:
            return _no_labels(self.head), rejected
        batches = [readable[start : start + _BATCH] for start in range(0, len(readable), _BATCH)]
        seen = _Seen.joined(
            [self._see([image for _, image, _ in batch], np.stack([roi for *_, roi in batch])) for batch in batches]
        )
        kept = tuple(name for name, *_ in readable)
        human = np.stack([self.human[name] for name in kept]) if self.human else None
        found = fit_observations(
            self.mapping, self.head, seen.points, None, seen.mesh, human, seen.inner, self.points_weight
        )
        # Teachers that disagree and a fit that does not reach them are independent signs of a bad label.
        error = np.hypot(seen.spread, fit_error(found, self.mapping))
        if seen.inner is not None:
            error = np.hypot(error, disagreement(self.head, found, seen.inner))
        labels = Labels(kept, found.pose, found.identity, found.expression, error, self.head.name)
        for name, value in zip(kept, error, strict=True):
            if value > self.max_error:
                rejected[name] = f"views, teachers and fit differ by {100 * value:.0f} % of the face's size"
        return labels.select(error <= self.max_error), {name: rejected[name] for name in names if name in rejected}

    def _see(self, images: list[UInt8], rois: Floats) -> "_Seen":
        """What all teachers predict for some photos."""
        points, spread = observe(list(self.teachers.values()), images, rois)
        landmarks = points[:, 0, -68:, :2]
        mesh = None if self.mesh_teacher is None else self.mesh_teacher.observe(images, landmarks)
        inner = [teacher.observe(images, landmarks) for teacher in self.points_teachers]
        return _Seen(points, spread, mesh, np.mean(inner, axis=0) if inner else None)

    def _locate(self, name: str) -> tuple[UInt8, Floats] | str:
        """A photo and the RoI of its largest face, or the reason why there is none."""
        try:
            photo = self.photos.read(name)
            roi = self._roi(photo)
        except DDFAError as error:
            return str(error)
        return "no face" if roi is None else (photo, roi)

    def _roi(self, photo: UInt8) -> Float32 | None:
        if self.centred is not None:
            height, width = photo.shape[:2]
            return central_square(width, height, self.centred)
        faces = self._aligner(photo, refine=True)
        if not len(faces):
            return None
        largest = int(np.argmax(np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)))
        return np.asarray(roi_from_landmarks(faces.landmarks68[largest : largest + 1])[0])

    @cached_property
    def _aligner(self) -> FaceAligner:
        """The first teacher as an aligner, for photos that are not face crops."""
        first = next(iter(self.teachers.values()))[0]
        return FaceAligner(first.regressor.bundle, threads=1)


def _no_labels(head: HeadModel) -> Labels:
    """Labels of no photos."""
    pose, identity, expression, error = (
        np.zeros(shape, np.float32)
        for shape in ((0, 3, 4), (0, head.points.identities), (0, len(head.expression_names)), (0,))
    )
    return Labels((), pose, identity, expression, error, head.name)
