"""Labels of the region networks: what the mesh teacher scores in whole photos, cached once.

A corpus is one folder or tar of square face crops.  Its pictures are kept decoded in `<name>_pictures.npy`, what was
seen in them in `<name>_labels.npz`; both are written once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.lib.format import open_memmap

from ddfa.align import FaceAligner
from ddfa.arrays import Bools, Float32, UInt8
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.sets.photos import Photos
from ddfa.detect.detections import Detections
from ddfa.errors import DataError

# Where the teacher is trusted: probability of a face, degrees of yaw.
MIN_PRESENCE: Final = 0.9
MAX_YAW_DEG: Final = 40.0
# The smaller score of two opposite directions of gaze is at most this.
_OPPOSITE_LIMIT: Final = 0.05
_OPPOSITES: Final = (("eyeLookIn", "eyeLookOut"), ("eyeLookUp", "eyeLookDown"))


@dataclass(frozen=True, eq=False)
class RegionLabels:
    """What is known of the n photos of a corpus.

    Attributes:
        names: (n,) file names.
        landmarks: (n, 68, 2) float32 iBUG-68 of the first network, image px.
        pose_deg: (n, 3) float32 yaw, pitch, roll of the first network.
        coefficients: (n, 52) float32 expressions of the first network, as regressed.
        scores: (n, 52) float32 in [0, 1] of the mesh teacher, Apple's order; `tongueOut` is not scored.
        presence: (n,) float32, the teacher's probability of a face.
        points: (n, P, 2) float32, the mesh points `mesh_points.OBSERVED_POINTS`, image px.
    """

    names: "np.typing.NDArray[np.str_]"
    landmarks: Float32
    pose_deg: Float32
    coefficients: Float32
    scores: Float32
    presence: Float32
    points: Float32

    def __len__(self) -> int:
        return len(self.names)

    @property
    def trusted(self) -> Bools:
        """(n,) bool, photos in which the teacher sees the whole face."""
        return np.asarray((self.presence > MIN_PRESENCE) & (np.abs(self.pose_deg[:, 0]) < MAX_YAW_DEG), bool)

    @property
    def held_out(self) -> Bools:
        """(n,) bool, the tenth of the photos that no network learns from."""
        return held_out(self.names)

    @staticmethod
    def load(path: Path) -> "RegionLabels":
        """Read a cache.

        Raises:
            DataError: it is missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                return RegionLabels(**{field.name: archive[field.name] for field in fields(RegionLabels)})
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path} holds no region labels ({error}): make them again") from None

    def save(self, path: Path) -> None:
        """Write the cache."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})


def held_out(names: Iterable[str], share: float = 0.1) -> Bools:
    """Which photos are kept aside, by a hash of their names: (n,) bool.

    Faces of one photo (`<photo>_1.jpg`, `<photo>_2.jpg`) stay together.
    """
    return np.array([crc32(_photo(str(name)).encode()) % 1000 < 1000 * share for name in names], bool)


def _photo(name: str) -> str:
    """The name of the photo that a crop was cut from."""
    stem = Path(name).stem
    head, _, tail = stem.rpartition("_")
    return head if head and len(tail) <= 2 and tail.isdigit() else stem


def exclusive_gaze(names: tuple[str, ...], scores: Float32) -> Float32:
    """Scores (n, E) in which an eye never looks two opposite ways at once.

    Args:
        names: of the E expressions.
        scores: (n, E) in [0, 1].
    """
    result = np.array(scores, np.float32)
    for pair in _OPPOSITES:
        for side in ("Left", "Right"):
            both = [names.index(f"{name}{side}") for name in pair]
            order = np.argsort(scores[:, both], axis=1)
            rows, smaller = np.arange(len(result)), np.array(both)[order[:, 0]]
            result[rows, smaller] = np.minimum(result[rows, smaller], _OPPOSITE_LIMIT)
    return result


def label_corpus(
    photos: Photos,
    folder: Path,
    name: str,
    aligner: FaceAligner,
    teacher: MeshTeacher,
    enlargement: float,
    watch: Any = iter,
) -> RegionLabels:
    """Look at every photo of a corpus with the first network (two steps) and the mesh teacher.

    Args:
        photos: square face crops of one size.
        folder: where `<name>_pictures.npy` and `<name>_labels.npz` are written.
        name: of the corpus.
        aligner: the first network, for our head.
        teacher: scores the expressions.
        enlargement: side of the pictures over that of the face's RoI in their middle.
        watch: wraps the sequence of names to show progress.
    """
    labels_path = folder / f"{name}_labels.npz"
    if labels_path.is_file():
        return RegionLabels.load(labels_path)
    folder.mkdir(parents=True, exist_ok=True)
    side = photos.read(photos.names[0]).shape[0]
    pictures = open_memmap(folder / f"{name}_pictures.npy", "w+", np.uint8, (len(photos), side, side, 3))
    rows: dict[str, list[Any]] = {field.name: [] for field in fields(RegionLabels)}
    for number, file in enumerate(watch(photos.names)):
        picture = photos.read(file)
        pictures[number] = picture
        row = _look(picture, aligner, teacher, enlargement)
        for key, value in {"names": file, **row}.items():
            rows[key].append(value)
    pictures.flush()
    labels = RegionLabels(
        np.array(rows.pop("names")), **{key: np.asarray(values, np.float32) for key, values in rows.items()}
    )
    labels.save(labels_path)
    return labels


def _look(picture: UInt8, aligner: FaceAligner, teacher: MeshTeacher, enlargement: float) -> dict[str, Any]:
    """The labels of one picture, by field."""
    side = picture.shape[0]
    middle, half = (side - 1) / 2, side / enlargement / 2
    roi = np.array([[middle - half, middle - half, middle + half, middle + half]], np.float32)
    first = aligner.align_rois(picture, roi, Detections.from_boxes(roi))
    faces = aligner(picture, landmarks=first.landmarks68)
    landmarks = faces.landmarks68[..., :2]
    mesh = teacher.observe([picture], landmarks)
    return {
        "landmarks": landmarks[0],
        "pose_deg": faces.euler_deg[0],
        "coefficients": faces.expression[0],
        "scores": mesh.scores[0],
        "presence": mesh.presence[0],
        "points": mesh.points[0],
    }
