"""Labels of the region networks (`ddfa data regions`): the mesh teacher's scores of photos at full resolution.

A corpus is a folder or tar of square face crops of one size. `<name>_images.npy` stores its decoded images,
`<name>_labels.npz` the labels. A corpus that is labelled already is not labelled again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final
from zlib import crc32

import numpy as np
from numpy.lib.format import open_memmap
from tyro.conf import arg

from ddfa.align import FaceAligner
from ddfa.array_files import open_npz
from ddfa.arrays import Bools, Float32, Floats, UInt8
from ddfa.data.pseudo_labels.mesh_scores import MAX_YAW_DEG, MIN_PRESENCE
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.sets.photos import Photos
from ddfa.detect.detections import Detections
from ddfa.errors import DataError, reading
from ddfa.files import atomic_path, check_regular, make_folder
from ddfa.options import Folder, MeshTeacherFile, ModelName
from ddfa.progress import track

# A face is neutral if the teacher's scores of these units (prefixes of their names) are below the limits.
_NEUTRAL: Final = {
    "eyeBlink": 0.25, "eyeWide": 0.05, "eyeLook": 0.3, "browDown": 0.3, "browInnerUp": 0.2, "browOuterUp": 0.2,
    "jaw": 0.03, "mouthSmile": 0.1, "mouthPucker": 0.3, "mouthFunnel": 0.05, "mouthUpperUp": 0.1,
    "mouthLowerDown": 0.1, "mouthPress": 0.15, "mouthStretch": 0.1, "mouthShrugLower": 0.3, "mouthRoll": 0.15,
}  # fmt: skip
_LABELS: Final = "_labels.npz"


@dataclass(frozen=True)
class RegionLabelConfig:
    """How photos are labelled.

    Attributes:
        photos: folder or uncompressed tar of square face crops of one size.
        mesh_teacher: scores the expressions.
        output: the folder of the corpora.
        name: of the corpus; by default that of the photos.
        model: bundle of the first network, whose landmarks, pose and coefficients are stored.
        enlargement: side of the crops relative to that of the face's RoI at their centre.
    """

    photos: Annotated[Path, arg(metavar="DIR|TAR")]
    mesh_teacher: MeshTeacherFile
    output: Folder
    name: Annotated[str | None, arg(metavar="NAME")] = None
    model: ModelName = None
    enlargement: Annotated[float, arg(metavar="FACTOR")] = 1.35


@dataclass(frozen=True, eq=False)
class RegionLabels:
    """Labels of the n photos of a corpus.

    Attributes:
        names: (n,) file names.
        landmarks: (n, 68, 2) float32 iBUG-68 of the first network, image px.
        pose_deg: (n, 3) float32 yaw, pitch, roll of the first network.
        coefficients: (n, 52) float32 expression coefficients of the first network, as regressed.
        scores: (n, 52) float32 in [0, 1] of the mesh teacher, ARKit order; `tongueOut`, which has no score, is 0.
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
        """(n,) bool, photos for which the teacher's scores are used."""
        return np.asarray((self.presence > MIN_PRESENCE) & (np.abs(self.pose_deg[:, 0]) < MAX_YAW_DEG), bool)

    @property
    def held_out(self) -> Bools:
        """(n,) bool, the tenth of the photos that no network is trained on."""
        return held_out(self.names)

    @staticmethod
    def load(path: Path) -> "RegionLabels":
        """Read a label file.

        Raises:
            DataError: it is missing or damaged.
        """
        with open_npz(path, DataError, "no file of region labels", "run ddfa data regions") as archive:
            return RegionLabels(**{field.name: archive[field.name] for field in fields(RegionLabels)})

    def save(self, path: Path) -> None:
        """Write the label file."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **{field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True, eq=False)
class Corpus:
    """Photos with their labels.

    Attributes:
        images: (n, S, S, 3) uint8 RGB, memory-mapped.
        labels: of the same n photos.
        chosen: indices of the photos to use.
    """

    images: UInt8
    labels: RegionLabels
    chosen: "np.typing.NDArray[np.intp]"

    @staticmethod
    def load(folder: Path, name: str, held_out: bool) -> "Corpus":
        """The trusted photos of one corpus: the held-out ones, or all others.

        Raises:
            DataError: there is no such corpus, or it is damaged.
        """
        labels = RegionLabels.load(folder / f"{name}{_LABELS}")
        pixels = folder / f"{name}_images.npy"
        check_regular(pixels, DataError)
        with reading(pixels, DataError, "no file of images", "label the corpus again"):
            images = np.load(pixels, mmap_mode="r", allow_pickle=False)
        return Corpus(images, labels, np.flatnonzero(labels.trusted & (labels.held_out == held_out)))

    @staticmethod
    def load_all(folder: Path, names: Sequence[str], held_out: bool) -> "list[Corpus]":
        """The corpora of a folder: those named, or all if no names are given.

        Raises:
            DataError: there is none, or one is damaged.
        """
        found = names or sorted(path.name.removesuffix(_LABELS) for path in folder.glob(f"*{_LABELS}"))
        if not found:
            raise DataError(f"no labelled corpus in {folder}: make one with ddfa data regions")
        return [Corpus.load(folder, name, held_out) for name in found]


def held_out(names: Iterable[str], share: float = 0.1) -> Bools:
    """Which photos are held out, by a hash of their names: (n,) bool.

    Faces of one photo (`<photo>_1.jpg`, `<photo>_2.jpg`) stay together.
    """
    return np.array([crc32(_photo(str(name)).encode()) % 1000 < 1000 * share for name in names], bool)


def _photo(name: str) -> str:
    """The name of the photo that a crop was cut from."""
    stem = Path(name).stem
    head, _, tail = stem.rpartition("_")
    return head if head and len(tail) <= 2 and tail.isdigit() else stem


def neutral_faces(names: Sequence[str], scores: Floats) -> Bools:
    """Which faces are neutral according to the teacher's scores (n, 52): (n,) bool."""
    limits = np.full(len(names), np.inf)
    for prefix, limit in _NEUTRAL.items():
        limits[[k for k, name in enumerate(names) if name.startswith(prefix)]] = limit
    return np.asarray((scores < limits).all(axis=1), bool)


def label_regions(config: RegionLabelConfig) -> RegionLabels:
    """Label a corpus, or read the labels it has.

    Args:
        config: what to label, and how.

    Raises:
        DataError: the photos or the teacher cannot be used.
    """
    photos = Photos(config.photos)
    # The labels describe the first network alone: region networks read its coefficients.
    aligner = FaceAligner(config.model, threads=1, regions=False)
    if aligner.head.expression_mirror is None:
        raise DataError(
            f"the head model of {aligner.bundle.name} has no ARKit blendshapes: use a model of the open head"
        )
    teacher = MeshTeacher(config.mesh_teacher, aligner.head.expression_mirror)
    name = config.name or config.photos.stem
    return label_corpus(photos, config.output, name, aligner, teacher, config.enlargement)


def label_corpus(
    photos: Photos,
    folder: Path,
    name: str,
    aligner: FaceAligner,
    teacher: MeshTeacher,
    enlargement: float,
) -> RegionLabels:
    """Run the first network (two steps) and the mesh teacher on every photo of a corpus.

    Args:
        photos: square face crops of one size.
        folder: where `<name>_images.npy` and `<name>_labels.npz` are written.
        name: of the corpus.
        aligner: the first network, for the open head, without region networks.
        teacher: scores the expressions.
        enlargement: side of the images relative to that of the face's RoI at their centre.

    Raises:
        DataError: a photo cannot be read, or its size differs from that of the first.
    """
    labels_path = folder / f"{name}{_LABELS}"
    if labels_path.is_file():
        return RegionLabels.load(labels_path)
    make_folder(folder)
    side = photos.read(photos.names[0]).shape[0]
    images = open_memmap(folder / f"{name}_images.npy", "w+", np.uint8, (len(photos), side, side, 3))
    rows: dict[str, list[Any]] = {field.name: [] for field in fields(RegionLabels)}
    for number, file in enumerate(track(photos.names, "labelling")):
        image = photos.read(file)
        if image.shape != (side, side, 3):
            height, width = image.shape[:2]
            raise DataError(
                f"{file} has {width} x {height} px, not {side} x {side}: crop all photos to one square size"
            )
        images[number] = image
        for key, value in {"names": file, **_label(image, aligner, teacher, enlargement)}.items():
            rows[key].append(value)
    images.flush()
    labels = RegionLabels(
        np.array(rows.pop("names")), **{key: np.asarray(values, np.float32) for key, values in rows.items()}
    )
    labels.save(labels_path)
    return labels


def _label(image: UInt8, aligner: FaceAligner, teacher: MeshTeacher, enlargement: float) -> dict[str, Any]:
    """The labels of one image, by field."""
    side = image.shape[0]
    middle, half = (side - 1) / 2, side / enlargement / 2
    roi = np.array([[middle - half, middle - half, middle + half, middle + half]], np.float32)
    first = aligner.align_rois(image, roi, Detections.from_boxes(roi))
    faces = aligner(image, landmarks=first.landmarks68)
    landmarks = faces.landmarks68[..., :2]
    mesh = teacher.observe([image], landmarks)
    return {
        "landmarks": landmarks[0],
        "pose_deg": faces.euler_deg[0],
        "coefficients": faces.expression[0],
        "scores": mesh.scores[0],
        "presence": mesh.presence[0],
        "points": mesh.points[0],
    }
