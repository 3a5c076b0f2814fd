"""Annotated test sets: `.npz` files, folders of `.pts` files, folders of AFLW2000-3D `.mat` files."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ddfa.array_files import open_npz
from ddfa.arrays import Float32
from ddfa.data.sets.face_mat import read_face_mat
from ddfa.data.sets.photos import Photos
from ddfa.data.sets.pts import read_pts
from ddfa.errors import DataError

_UNKNOWN = np.full(3, np.nan, np.float32)


@dataclass(frozen=True, eq=False)
class AnnotatedSet:
    """Photos with one annotated face each.

    Attributes:
        name: the file's or folder's name without suffix.
        photos: the photos.
        names: n names of photos.
        landmarks68: (n, 68, 2 or 3) float32 px, pixel centres at integers from 0; None if unknown.
        euler_deg: (n, 3) float32 yaw, pitch, roll, 300W-LP convention; NaN where unknown.
    """

    name: str
    photos: Photos
    names: tuple[str, ...]
    landmarks68: Float32 | None
    euler_deg: Float32

    @property
    def yaw_deg(self) -> Float32:
        """(n,) float32, NaN where unknown."""
        return self.euler_deg[:, 0]

    @staticmethod
    def load(path: Path) -> "AnnotatedSet":
        """Read an annotated set.

        Args:
            path: one of

                - an `.npz` with `names` (n,) and any of `landmarks68` (n, 68, 2 or 3) px, `yaw_deg` (n,) and
                  `euler_deg` (n, 3), with a `.tar` or folder of the same name that contains the photos;
                - a folder of photos with AFLW2000-3D `.mat` files of the same names;
                - a folder of photos with `.pts` files (68 points) of the same names.

        Returns:
            The set.

        Raises:
            DataError: a file is missing, damaged or inconsistent.
        """
        return _load_folder(path) if path.is_dir() else _load_npz(path)

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, index: Iterable[int]) -> "AnnotatedSet":
        """Select photos by number."""
        chosen = list(index)
        names = tuple(self.names[i] for i in chosen)
        landmarks = None if self.landmarks68 is None else self.landmarks68[chosen]
        return replace(self, names=names, landmarks68=landmarks, euler_deg=self.euler_deg[chosen])


def true_landmarks(data: AnnotatedSet) -> Float32:
    """The landmarks of a set.

    Raises:
        DataError: the set has none.
    """
    if data.landmarks68 is None:
        raise DataError(f"{data.name} has no landmarks68: score it by another benchmark, or detect the faces")
    return data.landmarks68


def _photos_beside(path: Path) -> Photos:
    """The photos of an `.npz`: the folder, or otherwise the `.tar`, of the same name."""
    folder = path.with_suffix("")
    return Photos(folder if folder.is_dir() else path.with_suffix(".tar"))


def _load_npz(path: Path) -> AnnotatedSet:
    if not path.exists():
        raise DataError(f"no annotated set at {path}: name an .npz or a folder, see docs/benchmarks.md")
    with open_npz(path, DataError, "not an annotated set", "name an .npz with names and landmarks68") as archive:
        names = tuple(str(name) for name in archive["names"])
        known = {key: np.asarray(archive[key], np.float32) for key in archive.files if key in _SHAPES}
    if not known:
        raise DataError(f"{path} has no annotations: it needs one of {', '.join(_SHAPES)}")
    for key, array in known.items():
        if array.shape not in [(len(names), *shape) for shape in _SHAPES[key]]:
            raise DataError(f"{path}: {key} is {array.shape} for {len(names)} names")
    euler = known.get("euler_deg", np.tile(_UNKNOWN, (len(names), 1)))
    if "yaw_deg" in known:
        euler[:, 0] = known["yaw_deg"]
    return AnnotatedSet(path.stem, _photos_beside(path), names, known.get("landmarks68"), euler)


_SHAPES: dict[str, list[tuple[int, ...]]] = {"landmarks68": [(68, 2), (68, 3)], "yaw_deg": [()], "euler_deg": [(3,)]}


def _load_folder(folder: Path) -> AnnotatedSet:
    photos = Photos(folder)
    readers: dict[str, Callable[[Path], tuple[Float32 | None, Float32] | None]] = {".mat": _from_mat, ".pts": _from_pts}
    for suffix, reader in readers.items():
        read = {name: reader(path) for name in photos.names if (path := (folder / name).with_suffix(suffix)).is_file()}
        labels = {name: label for name, label in read.items() if label is not None}
        if labels:
            points = [landmarks for landmarks, _ in labels.values() if landmarks is not None]
            euler = np.stack([angles for _, angles in labels.values()])
            landmarks = np.stack(points) if len(points) == len(labels) else None
            return AnnotatedSet(folder.resolve().name, photos, tuple(labels), landmarks, euler)
    raise DataError(f"{folder} has no annotations: each photo needs a .mat or .pts file of the same name")


def _from_mat(path: Path) -> tuple[Float32 | None, Float32] | None:
    label = read_face_mat(path)
    return None if label is None else (label.landmarks68, label.euler_deg.astype(np.float32))


def _from_pts(path: Path) -> tuple[Float32 | None, Float32]:
    points = read_pts(path)
    if len(points) != 68:
        raise DataError(f"{path} has {len(points)} points, not 68: remove it")
    return points, _UNKNOWN
