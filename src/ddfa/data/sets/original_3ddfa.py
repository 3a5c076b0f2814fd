"""The original training data: labels of the 3DDFA training set and of 300W-LP, converted to a data set of ours.

    train_aug_120x120/, train_aug_120x120.list.train, param_all_norm.pkl, param_whitening.pkl     (3DDFA V1)
    300W_LP/AFW/AFW_134212_1_0.jpg, .mat, ...                                                     (300W-LP, AFLW2000-3D)

Both contain coefficients of the Basel Face Model, which the bases of V1 and V2 share. A network is trained on them with
`ddfa train --head ... --augment.mirror 0`: a Basel head has no mirror maps.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeAlias

import numpy as np
from tyro.conf import arg

from ddfa.arrays import Float32
from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_LINK
from ddfa.data.sets.face_mat import read_face_mat
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.manifest import write_manifest
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.files import make_folder, read_text, write_atomically
from ddfa.head.readers import read_whitening
from ddfa.options import Folder
from ddfa.pickles import load_arrays
from ddfa.progress import track
from ddfa.regress.layout import ParamLayout
from ddfa.regress.whitening import Whitening

_CROP = 120
_File: TypeAlias = Annotated[Path | None, arg(metavar="FILE")]


@dataclass(frozen=True)
class ReadConfig:
    """What to read.

    Attributes:
        photos: folder of the images: `train_aug_120x120`, 300W-LP or AFLW2000-3D.
        output: the data set folder.
        names: list file of the 3DDFA training set, one image per line; with `params` and `whitening`. Without
            them the labels come from the `.mat` files beside the images.
        params: its labels, `param_all_norm.pkl`.
        whitening: mean and standard deviation they were whitened with, `param_whitening.pkl`.
        identity: identity coefficients to keep of a `.mat` file, of 199; the original bases have 40.
        expression: expression coefficients to keep of a `.mat` file, of 29; the original bases have 10.
        head: name of the head model to train with.
    """

    photos: Annotated[Path, arg(metavar="DIR")]
    output: Folder
    names: _File = None
    params: _File = None
    whitening: _File = None
    identity: Annotated[int, arg(metavar="N")] = 40
    expression: Annotated[int, arg(metavar="N")] = 10
    head: Literal["bfm-v1", "bfm-v2"] = "bfm-v1"


def read_original(config: ReadConfig) -> Labels:
    """Read original labels and write them as a data set folder.

    Args:
        config: what to read.

    Returns:
        The labels.

    Raises:
        DataError: a file is missing or damaged, or the files do not fit together.
        ModelError: a pickle is damaged or contains more than arrays.
        OutputError: the folder cannot be written.
    """
    given = (config.names, config.params, config.whitening)
    if any(given) and not all(given):
        raise DataError("the 3DDFA training set needs all of --names, --params and --whitening")
    if config.names and config.params and config.whitening:
        names, params = read_list(config.names), _read_params(config.params, config.whitening)
        labels = labels_of_crops(names, params, config.head)
        _check_images(config.photos, names)
    else:
        labels = labels_of_mats(Photos(config.photos), ParamLayout(config.identity, config.expression), config.head)
    make_folder(config.output)
    write_atomically(config.output / PHOTO_LINK, f"{config.photos.resolve()}\n".encode())
    labels.save(config.output / LABEL_FILE)
    settings = {name: value for name, value in asdict(config).items() if name != "output" and value is not None}
    write_manifest(config.output, "ddfa data read", labels, settings)
    return labels


def labels_of_crops(names: Sequence[str], params: Float32, head: str) -> Labels:
    """Labels of the 3DDFA training set, whose images are network crops.

    A parameter vector refers to crop pixels counted from 1, y up: x - 1 and 120 - y in pixels from 0 (see
    `PixelConvention.V1`).

    Args:
        names: n images of 120 x 120 px.
        params: (n, 62) de-whitened parameters.
        head: name of the head model.

    Returns:
        The labels, in px of the crops from 0.

    Raises:
        DataError: the numbers of names and parameters differ.
    """
    if len(names) != len(params):
        raise DataError(f"{len(names)} names in the list, but {len(params)} labels: use the list of this .pkl")
    parts = ParamLayout(40, 10).split(params)
    pose = parts.pose * np.array([[1], [-1], [1]], np.float32)
    pose[:, :2, 3] += (-1, _CROP)
    return _labels(names, pose, parts.identity, parts.expression, head)


def labels_of_mats(photos: Photos, layout: ParamLayout, head: str) -> Labels:
    """Labels from the `.mat` files beside the images of 300W-LP or AFLW2000-3D; images without one are left out.

    Args:
        photos: the images, in a folder.
        layout: how many coefficients to keep.
        head: name of the head model.

    Raises:
        DataError: a file is damaged or has fewer coefficients, or there is none.
    """
    found = []
    for name in track(photos.names, "reading"):
        path = (photos.path / name).with_suffix(".mat")
        label = read_face_mat(path) if path.is_file() else None
        if label is not None:
            if len(label.identity) < layout.identity or len(label.expression) < layout.expression:
                have = f"{len(label.identity)} and {len(label.expression)}"
                raise DataError(f"{path} has {have} coefficients: keep at most that many")
            pose = label.pose(photos.read(name).shape[0])
            found.append((name, pose, label.identity[: layout.identity], label.expression[: layout.expression]))
    if not found:
        raise DataError(f"no image in {photos.path} has a .mat with Pose_Para beside it: name the unpacked folder")
    names, poses, identities, expressions = zip(*found, strict=True)
    labels = _labels(names, np.stack(poses), np.stack(identities), np.stack(expressions), head)
    return replace(labels, sources=tuple(source_photo(name) for name in names))


def source_photo(name: str) -> str:
    """The photo that an image of 300W-LP was generated from, so that all its images are in the same split.

    `AFW_Flip/AFW_134212_1_12.jpg` comes from `AFW/AFW_134212_1`.
    """
    path = PurePosixPath(name)
    folder = re.sub(r"_Flip\b", "", path.parent.as_posix())
    return f"{folder}/{re.sub(r'_[0-9]+$', '', path.stem)}"


def _labels(names: Sequence[str], pose: Float32, identity: Float32, expression: Float32, head: str) -> Labels:
    """Labels of unknown fit error, set to 0."""
    return Labels(tuple(names), pose, identity, expression, np.zeros(len(names), np.float32), head)


def read_list(path: Path) -> tuple[str, ...]:
    """Read an original list file, one image per line.

    Raises:
        DataError: it cannot be read.
    """
    lines = read_text(path, DataError).splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def _read_params(path: Path, whitening: Path) -> Float32:
    whitened = load_arrays(path)
    mean, std = read_whitening(whitening)
    if not isinstance(whitened, np.ndarray) or whitened.ndim != 2 or whitened.shape[1] != len(mean):
        raise DataError(f"{path} contains no array (N, {len(mean)}): use the original param_all_norm.pkl")
    if len(mean) != ParamLayout(40, 10).size:
        raise DataError(f"{whitening} whitens {len(mean)} parameters, not 62: use the original param_whitening.pkl")
    return Whitening(mean, std).dewhiten(whitened)


def _check_images(folder: Path, names: Sequence[str]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{len(missing)} images of the list are not in {folder}, the first is {missing[0]}")
