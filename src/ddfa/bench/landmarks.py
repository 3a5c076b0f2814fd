"""Landmark accuracy of a model on annotated photos (AFLW2000-3D protocol).

An annotated set is an `.npz` with `names` (n,), `landmarks68` (n, 68, 3) in pixels and `yaw_deg` (n,), beside a `.tar`
of the same name with the photos.
"""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32
from ddfa.bench.metrics import Summary, aligned_nme, nme, summarise
from ddfa.data.photos import Photos
from ddfa.errors import DataError


@dataclass(frozen=True, eq=False)
class AnnotatedSet:
    """Photos of one face each with true landmarks.

    Attributes:
        name: the file's name without suffix.
        photos: the pictures.
        names: n names of pictures.
        landmarks68: (n, 68, 3) float32 px.
        yaw_deg: (n,) float32.
    """

    name: str
    photos: Photos
    names: tuple[str, ...]
    landmarks68: Float32
    yaw_deg: Float32

    @staticmethod
    def load(path: Path) -> "AnnotatedSet":
        """Read an annotated set.

        Args:
            path: the `.npz`; the `.tar` is taken from beside it.

        Returns:
            The set.

        Raises:
            DataError: a file is missing, damaged or inconsistent.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                names = tuple(str(name) for name in archive["names"])
                landmarks = np.asarray(archive["landmarks68"], np.float32)
                yaw = np.asarray(archive["yaw_deg"], np.float32)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is not an annotated set ({error}): it needs names, landmarks68, yaw_deg") from None
        if landmarks.shape != (len(names), 68, 3) or yaw.shape != (len(names),):
            raise DataError(f"{path}: landmarks68 is {landmarks.shape} and yaw_deg {yaw.shape} for {len(names)} names")
        return AnnotatedSet(path.stem, Photos(path.with_suffix(".tar")), names, landmarks, yaw)

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, index: Iterable[int]) -> "AnnotatedSet":
        """Select photos by number."""
        chosen = list(index)
        names = tuple(self.names[i] for i in chosen)
        return AnnotatedSet(self.name, self.photos, names, self.landmarks68[chosen], self.yaw_deg[chosen])


@dataclass(frozen=True)
class Result:
    """The accuracy of one model.

    Attributes:
        model: the bundle's name.
        nme: over the faces found.
        missed: photos in which no face was found; 0 with true RoIs.
    """

    model: str
    nme: Summary
    missed: int


def evaluate(aligner: FaceAligner, data: AnnotatedSet, *, detected: bool = False, aligned: bool = False) -> Result:
    """Measure a model.

    Args:
        aligner: the model.
        data: what to measure on.
        detected: find the faces with the aligner's detector, take the largest and regress in two steps; else the
            RoI comes from the true landmarks and one step is made.
        aligned: score after the best scale and translation.

    Returns:
        The accuracy.
    """
    found, predictions = [], []
    for i, name in enumerate(data.names):
        image = data.photos.read(name)
        faces = aligner(image, refine=True) if detected else aligner(image, landmarks=data.landmarks68[i : i + 1])
        if len(faces):
            found.append(i)
            predictions.append(faces[0].landmarks68)
    predicted = np.concatenate([np.zeros((0, 68, 3), np.float32), *predictions])
    errors = (aligned_nme if aligned else nme)(predicted, data.landmarks68[found])
    return Result(aligner.bundle.name, summarise(errors, data.yaw_deg[found]), len(data) - len(found))
