"""One chunk of photos labelled: faces located, teachers run, our head fitted, bad fits rejected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, Floats, UInt8
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher, MeshView
from ddfa.data.pseudo_labels.observation import observe
from ddfa.data.pseudo_labels.observed_fit import fit_error, fit_observations
from ddfa.data.pseudo_labels.teacher import Teacher
from ddfa.data.pseudo_labels.teacher_map import TeacherMap
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.photos import Photos
from ddfa.errors import DDFAError
from ddfa.geometry.roi import central_square, roi_from_landmarks
from ddfa.head.model import HeadModel

_BATCH: Final = 32  # photos in memory at once


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
    """

    photos: Photos
    head: HeadModel
    mapping: TeacherMap
    teachers: Mapping[str, Sequence[Teacher]]
    max_error: float
    centred: float | None = None
    mesh_teacher: MeshTeacher | None = None
    human: Mapping[str, Float32] = field(default_factory=dict)

    def label(self, names: Sequence[str]) -> tuple[Labels, dict[str, str]]:
        """Label some photos.

        Returns:
            The labels of the photos that were accepted, and the reason for each of the others by its name; both in
            the order of `names`.
        """
        located = {name: self._locate(name) for name in names}
        rejected = {name: found for name, found in located.items() if isinstance(found, str)}
        readable = [(name, *found) for name, found in located.items() if not isinstance(found, str)]
        points = np.zeros((0, 2, len(self.mapping.weights) // 2, 3), np.float32)
        spread, meshes = np.zeros(0, np.float32), []
        for start in range(0, len(readable), _BATCH):
            batch = readable[start : start + _BATCH]
            images = [image for _, image, _ in batch]
            seen, apart = observe(list(self.teachers.values()), images, np.stack([roi for *_, roi in batch]))
            points, spread = np.concatenate([points, seen]), np.concatenate([spread, apart])
            if self.mesh_teacher is not None:
                meshes.append(self.mesh_teacher.observe(images, seen[:, 0, -68:, :2]))
        kept = tuple(name for name, *_ in readable)
        mesh = MeshView.joined(meshes) if meshes else None
        human = np.stack([self.human[name] for name in kept]) if self.human and kept else None
        found = fit_observations(self.mapping, self.head, points, mesh=mesh, human=human)
        # Teachers that disagree and a fit that does not reach them are independent signs of a bad label.
        error = np.hypot(spread, fit_error(found, self.mapping))
        labels = Labels(kept, found.pose, found.identity, found.expression, error, self.head.name)
        for name, value in zip(kept, error, strict=True):
            if value > self.max_error:
                rejected[name] = f"views, teachers and fit differ by {100 * value:.0f} % of the face's size"
        return labels.select(error <= self.max_error), {name: rejected[name] for name in names if name in rejected}

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
