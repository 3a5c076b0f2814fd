"""Labels: the head fitted to each photo, and the parameter vector of a crop of that photo."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfa.array_files import open_npz
from ddfa.arrays import Float32, Float64, Floats
from ddfa.errors import DataError
from ddfa.files import make_folder, write_atomically
from ddfa.geometry.camera import FLIP_Y_MATRIX, project
from ddfa.geometry.pose import decompose, euler_from_matrix
from ddfa.head.model import HeadModel

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Labels:
    """Heads fitted to n photos.

    Attributes:
        names: the photos, as `Photos.names` spells them.
        pose: (n, 3, 4) float32, head space to image space (x right, y down, z towards the viewer, px).
        identity: (n, I) float32.
        expression: (n, E) float32.
        fit_error: (n,) float32, disagreement of the fit with its teachers: mean error over the face as a share of the
            face size; lower is better.
        head: name of the head model.
        sources: the photos that pose-augmented images were made from; empty where the photos are originals.
        visibility: (n, E) float32 in [0, 1], how far each image shows each expression unit: weights of the loss. None
            means that every unit counts fully.

    Raises:
        DataError: the lengths of the arrays differ.
    """

    names: tuple[str, ...]
    pose: Float32
    identity: Float32
    expression: Float32
    fit_error: Float32
    head: str
    sources: tuple[str, ...] = ()
    visibility: Float32 | None = None

    def __post_init__(self) -> None:
        n = len(self.names)
        if len(self.sources) not in (0, n):
            raise DataError(f"labels of {n} photos name {len(self.sources)} sources")
        shapes = (self.pose.shape, self.fit_error.shape, self.identity.shape[:1], self.expression.shape[:1])
        if shapes != ((n, 3, 4), (n,), (n,), (n,)):
            raise DataError(f"labels of {n} photos have arrays of other lengths: {shapes}")
        if self.visibility is not None and self.visibility.shape != self.expression.shape:
            raise DataError(f"visibility {self.visibility.shape} does not fit expressions {self.expression.shape}")

    def __len__(self) -> int:
        return len(self.names)

    def select(self, index: NDArray[Any]) -> "Labels":
        """The labels at `index` (integers or booleans)."""
        names, sources = (
            tuple(np.asarray(values, dtype=object)[index].tolist()) if values else ()
            for values in (self.names, self.sources)
        )
        pose, identity, expression = self.pose[index], self.identity[index], self.expression[index]
        visibility = None if self.visibility is None else self.visibility[index]
        return Labels(names, pose, identity, expression, self.fit_error[index], self.head, sources, visibility)

    def landmarks(self, head: HeadModel) -> Float32:
        """The 68 landmarks in image space, (n, 68, 3) float32."""
        points = head.decode_landmarks(self.identity, self.expression)
        return np.asarray(project(points, self.pose), np.float32)

    def save(self, path: Path) -> None:
        """Write the labels as a compressed npz, completely or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        make_folder(path.parent)
        buffer = io.BytesIO()
        optional: dict[str, Any] = {} if self.visibility is None else {"visibility": self.visibility}
        np.savez_compressed(
            buffer,
            format=FORMAT,
            names=np.asarray(self.names),
            pose=self.pose,
            identity=self.identity,
            expression=self.expression,
            quality=self.fit_error,
            head=self.head,
            sources=np.asarray(self.sources, np.str_),
            **optional,
        )
        write_atomically(path, buffer.getvalue())

    @staticmethod
    def load(path: Path) -> "Labels":
        """Read labels.

        Raises:
            DataError: the file is missing, damaged or of another format.
        """
        with open_npz(path, DataError, "not a label file", "make it with `ddfa data label`") as file:
            if int(file["format"]) != FORMAT:
                raise DataError(f"{path} has label format {file['format']}: label the photos again")
            names = tuple(file["names"].tolist())
            pose, identity, expression = file["pose"], file["identity"], file["expression"]
            sources = tuple(file["sources"].tolist()) if "sources" in file else ()
            visibility = file.get("visibility")
            fit_error, head = file["quality"], str(file["head"])
            return Labels(names, pose, identity, expression, fit_error, head, sources, visibility)


def image_euler(pose: Floats) -> Float64:
    """Yaw, pitch and roll in degrees, (n, 3), of poses (n, 3, 4) from head space to image space (y down)."""
    camera = FLIP_Y_MATRIX @ pose
    return euler_from_matrix(decompose(camera).rotation)


def label_in_crop(
    pose: Floats, identity: Floats, expression: Floats, affine: Floats, mirrored: bool, size: int, head: HeadModel
) -> Float32:
    """The ground-truth parameter vector of a crop.

    Args:
        pose: (3, 4) head space to image space.
        identity: (I,).
        expression: (E,).
        affine: (2, 3) similarity, image px to crop px; contains the reflection of x where `mirrored`.
        mirrored: whether the crop is a mirror image; the label is then that of the mirrored head.
        size: side S of the crop in px.
        head: the head model; mirroring uses its `identity_mirror` and `expression_mirror`.

    Returns:
        (12 + I + E,) float32 in the "open" pixel convention: crop px, y up.

    Raises:
        DataError: the head model cannot be mirrored.
    """
    zoom = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    crop = np.empty((3, 4))
    crop[:2] = affine[:, :2] @ pose[:2]
    crop[:2, 3] += affine[:, 2]
    crop[2] = zoom * np.asarray(pose[2])
    crop[1] *= -1.0
    crop[1, 3] += size - 1
    if mirrored:
        if head.identity_mirror is None or head.expression_mirror is None:
            raise DataError(f"head '{head.name}' has no mirror maps: train on it without mirrored crops (mirror=0)")
        crop[:, 0] *= -1.0  # the mirrored head has the opposite x
        identity = identity * head.identity_mirror[: len(identity)]
        expression = expression[head.expression_mirror]
    return np.concatenate([crop.ravel(), identity, expression]).astype(np.float32)
