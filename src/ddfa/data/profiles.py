"""`ddfa data profile`: labelled photos become pictures of the same faces turned out of plane."""

import io
import os
import tarfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from ddfa.arrays import Float32, Float64, Floats, Int32, UInt8
from ddfa.data.dataset import LABEL_FILE, PHOTO_FILE, LabelledPhotos
from ddfa.data.labels import Labels
from ddfa.data.parts import PARTS, begin_parts
from ddfa.data.profiling import profile, remove_face, turn
from ddfa.errors import OutputError
from ddfa.geometry.pose import decompose, euler_from_matrix, matrix_from_euler
from ddfa.geometry.roi import crop_matrix, roi_from_landmarks
from ddfa.head.model import HeadModel

_CHUNK = 250
_SHOWN = ("skin",)  # the regions drawn; eyes and mouth are painted on the skin by the photo
_SEEN_THROUGH = ("eye_left", "eye_right", "teeth", "tongue", "mouth_inner")


@dataclass(frozen=True)
class ProfileConfig:
    """How many pictures are made, and how far faces turn.

    Attributes:
        data: a labelled data set.
        output: the data set folder to write; a run that was stopped goes on where it was.
        count: pictures to make.
        yaw_deg: least and largest |yaw| after the turn.
        pitch_deg: standard deviation of the pitch after the turn.
        nods: share of pictures turned mostly up or down, at little yaw.
        other_backdrop: share of pictures whose uncovered ground shows another photo's background.
        picture: side of the pictures in px.
        margin: side of the picture over the side of the face's RoI.
        worst: share of the labels with the worst quality to leave out.
        workers: processes; 0 means one per core.
        seed: of the choices.
    """

    data: Path
    output: Path
    count: int = 16_000
    yaw_deg: tuple[float, float] = (30.0, 92.0)
    pitch_deg: float = 14.0
    nods: float = 0.2
    other_backdrop: float = 0.5
    picture: int = 160
    margin: float = 1.35
    worst: float = 0.04
    workers: int = 0
    seed: int = 0


def make_profiles(config: ProfileConfig) -> Labels:
    """Turn faces of a labelled data set; writes a new data set.

    Args:
        config: what and how.

    Returns:
        The labels of the new pictures.

    Raises:
        DataError: the data set cannot be used.
        OutputError: the folder cannot be written.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in ("output", "workers")}
    parts = begin_parts(config.output, settings)
    starts = range(0, config.count, _CHUNK)
    todo = [start for start in starts if not (parts / f"{start:06d}.npz").is_file()]
    workers = config.workers or os.cpu_count() or 1
    with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(config,)) as pool:
        for _ in track(pool.map(_make_chunk, todo), "profile", total=len(todo)):
            pass
    return _collect(config, [parts / f"{start:06d}.npz" for start in starts])


class Profiler:
    """Draws turned faces from one data set.

    Args:
        data: the labelled photos.
        head: the head model of the labels.
        config: how far faces turn.
    """

    def __init__(self, data: LabelledPhotos, head: HeadModel, config: ProfileConfig) -> None:
        self._data, self._head, self._config = data, head, config
        self._triangles = _drawn_triangles(head)

    def draw(self, rng: np.random.Generator) -> tuple[UInt8, int, Float32]:
        """One picture (S, S, 3) uint8, the index of its label, and its pose (3, 4), head space to image space."""
        index = int(rng.integers(len(self._data.labels)))
        photo, pose = self._window(index)
        backdrop = None
        if rng.random() < self._config.other_backdrop:
            backdrop = self._empty(int(rng.integers(len(self._data.labels))))
        transform = self._turned(pose, self._aim(pose, rng), index)
        picture = profile(photo, self._vertices(index, pose), self._triangles, transform, backdrop)
        return picture, index, _after(transform, pose).astype(np.float32)

    def _window(self, index: int) -> tuple[UInt8, Float64]:
        """The face and its surroundings at the picture's size, and the head's pose (3, 4) there."""
        size, margin = self._config.picture, self._config.margin
        x0, y0, x1, y1 = roi_from_landmarks(self._data.landmarks[index : index + 1])[0].astype(np.float64)
        grow = (margin - 1) / 2 * (x1 - x0)
        affine = crop_matrix(np.array([[x0 - grow, y0 - grow, x1 + grow, y1 + grow]]), size)[0]
        photo = self._data.photos.read(self._data.labels.names[index])
        # A photo cropped to its own border must not get a dark seam from rounding.
        window = cv2.warpAffine(photo, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        pose = np.asarray(self._data.labels.pose[index], np.float64)
        zoom = affine[0, 0]
        moved = zoom * pose
        moved[:2, 3] += affine[:, 2]
        return np.asarray(window, np.uint8), moved

    def _vertices(self, index: int, pose: Float64) -> Float32:
        labels = self._data.labels
        shape = self._head.decode(labels.identity[index : index + 1], labels.expression[index : index + 1])[0]
        return np.asarray(shape @ pose[:, :3].T + pose[:, 3], np.float32)

    def _empty(self, index: int) -> UInt8:
        photo, pose = self._window(index)
        return remove_face(photo, self._vertices(index, pose), self._triangles)

    def _aim(self, pose: Float64, rng: np.random.Generator) -> tuple[float, float]:
        """Yaw and pitch in degrees to turn to: further the way the face looks already."""
        config = self._config
        yaw, pitch, _ = _euler(pose)
        if rng.random() < config.nods:
            return yaw + rng.uniform(-25, 25), rng.choice([-1.0, 1.0]) * rng.uniform(15, 45)
        side = np.sign(yaw) if abs(yaw) > 8 else rng.choice([-1.0, 1.0])
        least, most = config.yaw_deg
        goal = side * rng.uniform(min(max(least, abs(yaw)), most), most)
        return goal, float(np.clip(0.7 * pitch + rng.normal() * config.pitch_deg, -45, 45))

    def _turned(self, pose: Float64, aim: tuple[float, float], index: int) -> Float64:
        """The map (3, 4) of image space that turns the head and puts its RoI back in the middle."""
        size = self._config.picture
        yaw, pitch, _ = _euler(pose)
        before, after = matrix_from_euler(np.array([[yaw, pitch, 0.0], [aim[0], aim[1], 0.0]]))
        rotated = turn(after @ before.T, pose[:, 3])
        labels = self._data.labels
        shape = self._head.decode_landmarks(labels.identity[index : index + 1], labels.expression[index : index + 1])
        new = _after(rotated, pose)
        roi = roi_from_landmarks(shape @ new[:, :3].T + new[:, 3])[0].astype(np.float64)
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


def _euler(pose: Floats) -> Float64:
    """Yaw, pitch, roll of a pose (3, 4) in image space (y down)."""
    camera = np.diag([1.0, -1.0, 1.0]) @ pose
    return np.asarray(euler_from_matrix(decompose(camera[None]).rotation)[0])


def _drawn_triangles(head: HeadModel) -> Int32:
    """The triangles that carry texture: skin, eyes and mouth of the open head, everything of others."""
    drawn = [head.regions[name] for name in (*_SHOWN, *_SEEN_THROUGH) if name in head.regions]
    if not drawn:
        return head.triangles
    return np.asarray(head.triangles[np.any(drawn, axis=0)[head.triangles].all(axis=1)], np.int32)


_WORKER: list[tuple[Profiler, ProfileConfig]] = []


def _start_worker(config: ProfileConfig) -> None:
    cv2.setNumThreads(0)
    head = HeadModel.load()
    _WORKER[:] = [(Profiler(LabelledPhotos.open(config.data, head, config.worst), head, config), config)]


def _make_chunk(start: int) -> None:
    """Make some pictures and write them as one part: encoded pictures beside their labels."""
    ((profiler, config),) = _WORKER
    rng = np.random.default_rng([config.seed, start])
    pictures, poses, indices = [], [], []
    for _ in range(min(_CHUNK, config.count - start)):
        picture, index, pose = profiler.draw(rng)
        encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        pictures.append(encoded.ravel())
        poses.append(pose)
        indices.append(index)
    path = config.output / PARTS / f"{start:06d}.npz"
    temporary = path.with_suffix(".tmp.npz")
    lengths = np.array([len(p) for p in pictures])
    np.savez(temporary, pictures=np.concatenate(pictures), lengths=lengths, poses=np.stack(poses), indices=indices)
    os.replace(temporary, path)


def _collect(config: ProfileConfig, parts: list[Path]) -> Labels:
    """Join the parts to `photos.tar` and `labels.npz`."""
    head = HeadModel.load()
    source = LabelledPhotos.open(config.data, head, config.worst).labels
    temporary, names = config.output / f".{PHOTO_FILE}.tmp", list[str]()
    poses, indices = list[Float32](), list[Int32]()
    try:
        with tarfile.open(temporary, "w") as archive:
            for part in parts:
                with np.load(part) as file:
                    poses.append(file["poses"])
                    indices.append(file["indices"])
                    for picture in np.split(file["pictures"], np.cumsum(file["lengths"])[:-1]):
                        names.append(f"{len(names):06d}.jpg")
                        entry = tarfile.TarInfo(names[-1])
                        entry.size = len(picture)
                        archive.addfile(entry, io.BytesIO(picture.tobytes()))
        os.replace(temporary, config.output / PHOTO_FILE)
    except OSError as error:
        raise OutputError(f"cannot write {config.output / PHOTO_FILE} ({error.strerror}): choose another") from error
    own = source.select(np.concatenate(indices))
    sources = own.sources or own.names
    labels = Labels(tuple(names), np.concatenate(poses), own.identity, own.expression, own.quality, own.head, sources)
    labels.save(config.output / LABEL_FILE)
    return labels
