"""`ddfa data profile`: pose-augmented images of labelled photos, by out-of-plane rotation."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import cv2
import numpy as np
from tyro.conf import arg

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.data.face_profiling.eyelids import EyelidSynthesizer
from ddfa.data.face_profiling.mouths import MouthSynthesizer
from ddfa.data.face_profiling.rotation import content, corner, fill_frame, rotate_face, textured_triangles, turn
from ddfa.data.pseudo_labels.observation import open_teachers
from ddfa.data.pseudo_labels.refinement import VIEWS, LabelRefiner
from ddfa.data.pseudo_labels.teacher_map import TeacherMap, joined, teacher_maps
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.sets.image_set import Draw, ImageSet, Sample, make_images
from ddfa.data.sets.labels import Labels, image_euler
from ddfa.errors import DataError
from ddfa.geometry.camera import project
from ddfa.geometry.pose import matrix_from_euler
from ddfa.geometry.roi import crop_matrix, roi_from_landmarks
from ddfa.head.model import HeadModel
from ddfa.options import Count, Folder, Margin, PictureSide, Seed, Workers, Worst

# The photo does not show enough of the cheek and ear for a larger rotation.
_FURTHEST_DEG = 65.0
# Photos of turned faces show the cheek best: their sampling weight grows by 1 per so many degrees of yaw.
_TURNED_DEG = 20.0
# Photos whose margin beside the face is below `_TIGHT` of its width are used less often, by this factor.
_TIGHT, _TIGHT_SHARE = 0.05, 0.2
# Beyond this yaw, the photo shows too little of the far side to render another expression.
_EXPRESSION_YAW_DEG = 40.0
_Share: TypeAlias = Annotated[float, arg(metavar="SHARE")]


@dataclass(frozen=True)
class ProfileConfig:
    """Settings of pose-augmented images.

    Attributes:
        data: a labelled data set.
        output: the data set folder to write; an interrupted run is resumed.
        count: how many.
        yaw_deg: minimum and maximum of |yaw| after the rotation.
        pitch_deg: standard deviation of the pitch after the rotation.
        nods: share of images rotated mostly up or down, at small yaw.
        frontal: share of images that are hardly rotated, where only the eyelids change.
        lids: share of the other images whose eyelids change as well.
        mouths: share of all images whose mouths change.
        other_backdrop: share of rotated heads in front of a corner of another photo instead of their own.
        picture: side of the images in px.
        margin: side of the image relative to the side of the face's RoI.
        worst: see `ddfa.options.Worst`.
        teacher: bundles of networks; each label is refined towards their predictions on the rotated image.
        trust: weight of the teachers, from 0 (labels unchanged) to 1 (labels follow the predictions).
        workers: see `ddfa.options.Workers`.
        seed: of the random generator.
    """

    data: Annotated[Path, arg(metavar="DIR")]
    output: Folder
    count: Count = 16_000
    yaw_deg: Annotated[tuple[float, float], arg(metavar="MIN MAX")] = (30.0, 92.0)
    pitch_deg: Annotated[float, arg(metavar="DEG")] = 14.0
    nods: _Share = 0.2
    frontal: _Share = 0.1
    lids: _Share = 0.3
    mouths: _Share = 0.12
    other_backdrop: _Share = 0.6
    picture: PictureSide = 160
    margin: Margin = 1.35
    worst: Worst = 0.04
    teacher: Annotated[tuple[Path, ...], arg(metavar="BUNDLE ...")] = ()
    trust: Annotated[float, arg(metavar="WEIGHT")] = 0.6
    workers: Workers = 0
    seed: Seed = 0


def make_face_profiles(config: ProfileConfig) -> Labels:
    """Rotate the faces of a labelled data set out of plane; writes a new data set.

    Args:
        config: the settings.

    Returns:
        The labels of the new images.

    Raises:
        DataError: the data set cannot be used, or `trust` is not in [0, 1].
        ModelError: a teacher cannot be used.
        OutputError: the folder cannot be written.
    """
    if not 0 <= config.trust <= 1:
        raise DataError(f"--trust {config.trust:g} is out of range: choose a number from 0 to 1")
    apart = {"output", "count", "seed", "workers", "teacher", "trust"}
    settings = {name: value for name, value in asdict(config).items() if name not in apart}
    if config.teacher:
        settings |= {"teacher": " ".join(map(str, config.teacher)), "trust": config.trust}
    head = HeadModel.load()
    LabelledPhotos.open(config.data, head)  # a bad data set is an error before any work
    maps = teacher_maps(config.teacher, head)
    made = ImageSet("ddfa data profile", config.output, config.count, config.seed, head.name, settings)
    return make_images(made, partial(open_draw, config, maps), config.workers)


class FaceRotator:
    """Rotates faces of one data set.

    Args:
        data: the labelled photos.
        head: the head model of the labels.
        config: the settings.
    """

    def __init__(self, data: LabelledPhotos, head: HeadModel, config: ProfileConfig) -> None:
        self._data, self._head, self._config = data, head, config
        self._triangles = textured_triangles(head)
        self._lids, self._mouths = EyelidSynthesizer(head), MouthSynthesizer(head)
        self._of_eyes = np.array([name.startswith("eye") for name in head.expression_names])
        weights = 1 + np.abs(data.yaw_deg) / _TURNED_DEG
        self._odds = np.cumsum(weights / weights.sum())[:-1]

    def draw(self, rng: np.random.Generator, count: int) -> Iterator[Sample]:
        """Render `count` random images (S, S, 3) with their labels."""
        for _ in range(count):
            yield self._sample(rng)

    def picture(
        self,
        index: int,
        aim: tuple[float, float],
        expression: Floats | None = None,
        backdrop: UInt8 | None = None,
        mix: float = 0.5,
    ) -> Sample:
        """Rotate one face to a pose.

        Args:
            index: of the photo.
            aim: yaw and pitch in degrees after the rotation.
            expression: (E,) with other eyelids or another mouth than in the photo; None keeps them.
            backdrop: (S, S, 3) uint8, background; None for the photo with its head removed.
            mix: see `EyelidSynthesizer.draw`.
        """
        labels = self._data.labels
        identity, own = labels.identity[index], labels.expression[index]
        photo, pose = self._window(index)
        shape = self._shape(identity, own)
        if expression is not None:
            photo, shape = self._changed(photo, pose, identity, own, shape, expression, mix)
        shown = own if expression is None else expression
        transform = self._turned(pose, aim, identity, shown)
        picture = rotate_face(photo, _placed(shape, pose), self._triangles, transform, backdrop)
        source = (labels.sources or labels.names)[index]
        seen = None if labels.visibility is None else labels.visibility[index]
        return Sample(picture, _after(transform, pose), identity, shown, float(labels.fit_error[index]), source, seen)

    def _changed(
        self,
        photo: UInt8,
        pose: Float64,
        identity: Floats,
        own: Floats,
        before: Float32,
        expression: Floats,
        mix: float,
    ) -> tuple[UInt8, Float32]:
        """Render the photo with another expression, eyelids first; also returns the new shape."""
        lids = np.where(self._of_eyes, expression, own)
        after = self._shape(identity, lids)
        photo = self._lids.draw(photo, pose, before, after, mix)
        if np.array_equal(lids, expression):
            return photo, after
        between, after = after, self._shape(identity, expression)
        closed = self._mouths.is_closed(identity, own)
        return self._mouths.draw(photo, pose, between, after, closed), after

    def _sample(self, rng: np.random.Generator) -> Sample:
        config, labels = self._config, self._data.labels
        frontal = rng.random() < config.frontal
        index = int(rng.integers(len(labels))) if frontal else self._turnable(rng)
        backdrop = None if frontal else self._backdrop(index, rng)
        pose = labels.pose[index]
        aim = self._near_aim(pose, rng) if frontal else self._aim(pose, rng)
        expression = None
        if abs(self._data.yaw_deg[index]) < _EXPRESSION_YAW_DEG:
            expression = self._another(labels.identity[index], labels.expression[index], frontal, rng)
        return self.picture(index, aim, expression, backdrop, rng.uniform(0.2, 0.8))

    def _turnable(self, rng: np.random.Generator) -> int:
        """Sample a photo: preferably of a turned face, and seldom one cropped at the cheeks, without ear and jaw."""
        while True:
            index = int(np.searchsorted(self._odds, rng.random()))
            if rng.random() < _TIGHT_SHARE or not self._is_tight(index):
                return index

    def _is_tight(self, index: int) -> bool:
        _, columns = content(self._data.photos.read(self._data.labels.names[index]))
        x = self._data.landmarks[index, :, 0]
        margin = _TIGHT * float(np.ptp(x))
        return bool(x.min() - margin < columns.start or x.max() + margin > columns.stop)

    def _another(self, identity: Floats, expression: Floats, frontal: bool, rng: np.random.Generator) -> Floats | None:
        """A random expression (E,) for a face, or None to keep its own."""
        lids, mouth = frontal or rng.random() < self._config.lids, rng.random() < self._config.mouths
        if lids:
            expression = self._lids.choose(identity, expression, rng)
        if mouth:
            expression = self._mouths.choose(identity, expression, rng)
        return expression if lids or mouth else None

    def _backdrop(self, index: int, rng: np.random.Generator) -> UInt8:
        """The background of the rotated head of photo `index`: a corner of it or of another photo."""
        other = int(rng.integers(len(self._data.labels)))
        photo, _ = self._window(other if rng.random() < self._config.other_backdrop else index)
        return corner(photo, rng)

    def _window(self, index: int) -> tuple[UInt8, Float64]:
        """Crop the face and its surroundings to the image's size; also returns the pose (3, 4) in the crop."""
        size, margin = self._config.picture, self._config.margin
        x0, y0, x1, y1 = roi_from_landmarks(self._data.landmarks[index : index + 1])[0].astype(np.float64)
        grow = (margin - 1) / 2 * (x1 - x0)
        affine = crop_matrix(np.array([[x0 - grow, y0 - grow, x1 + grow, y1 + grow]]), size)[0]
        photo = fill_frame(self._data.photos.read(self._data.labels.names[index]))
        # Replicated, so that rounding leaves no dark seam where the crop ends at the border of the photo.
        window = cv2.warpAffine(photo, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        pose = np.asarray(self._data.labels.pose[index], np.float64)
        zoom = affine[0, 0]
        moved = zoom * pose
        moved[:2, 3] += affine[:, 2]
        return np.asarray(window, np.uint8), moved

    def _shape(self, identity: Floats, expression: Floats) -> Float32:
        """The vertices (V, 3) in head space."""
        shape: Float32 = self._head.decode(identity[None], expression[None])[0]
        return shape

    def _near_aim(self, pose: Floats, rng: np.random.Generator) -> tuple[float, float]:
        """Random yaw and pitch in degrees close to those of the photo."""
        yaw, pitch, _ = image_euler(pose[None])[0]
        return yaw + rng.uniform(-10, 10), pitch + rng.uniform(-10, 10)

    def _aim(self, pose: Floats, rng: np.random.Generator) -> tuple[float, float]:
        """Random yaw and pitch in degrees after the rotation: further in the direction in which the face looks."""
        config = self._config
        yaw, pitch, _ = image_euler(pose[None])[0]
        if rng.random() < config.nods:
            return yaw + rng.uniform(-25, 25), rng.choice([-1.0, 1.0]) * rng.uniform(15, 45)
        side = np.sign(yaw) if abs(yaw) > 8 else rng.choice([-1.0, 1.0])
        least, most = config.yaw_deg
        most = min(most, abs(yaw) + _FURTHEST_DEG)
        goal = side * rng.uniform(min(max(least, abs(yaw)), most), most)
        return goal, float(np.clip(0.7 * pitch + rng.normal() * config.pitch_deg, -45, 45))

    def _turned(self, pose: Float64, aim: tuple[float, float], identity: Floats, expression: Floats) -> Float64:
        """The map (3, 4) of image space that rotates the head and centres its RoI."""
        size = self._config.picture
        yaw, pitch, _ = image_euler(pose[None])[0]
        before, after = matrix_from_euler(np.array([[yaw, pitch, 0.0], [aim[0], aim[1], 0.0]]))
        rotated = turn(after @ before.T, pose[:, 3])
        points = self._head.decode_landmarks(identity[None], expression[None])
        roi = roi_from_landmarks(_placed(points, _after(rotated, pose)))[0].astype(np.float64)
        zoom = size / self._config.margin / (roi[2] - roi[0])
        middle = (roi[:2] + roi[2:]) / 2
        result: Float64 = zoom * rotated
        result[:2, 3] += (size - 1) / 2 - zoom * middle
        return result


def _after(transform: Float64, pose: Float64) -> Float64:
    """The pose (3, 4) after an affine map (3, 4) of image space."""
    moved = np.asarray(transform[:, :3] @ pose, np.float64)
    moved[:, 3] += transform[:, 3]
    return moved


def _placed(points: Float32, pose: Float64) -> Float32:
    """Points (..., 3) of head space in image space."""
    return np.asarray(project(points, pose), np.float32)


def open_draw(config: ProfileConfig, maps: dict[str, TeacherMap]) -> Draw:
    """Open what generates the images of a run, in a worker process.

    Args:
        config: how far faces turn.
        maps: of the teachers' heads, by name; empty to leave the labels as they are.
    """
    head = HeadModel.load()
    profiler = FaceRotator(LabelledPhotos.open(config.data, head, config.worst), head, config)
    if not maps:
        return profiler.draw
    teachers = list(open_teachers(config.teacher, maps, VIEWS).values())
    look = LabelRefiner(head, joined(list(maps.values())), teachers, config.trust)
    return lambda rng, count: look.correct(list(profiler.draw(rng, count)))
