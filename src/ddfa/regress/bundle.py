"""Model bundles: a folder with a regressor and everything needed to use it.

model.onnx     input `input` (n, 3, S, S) float32, (v - 127.5) / 128, or `crops` (n, S, S, 3) uint8 RGB;
               output `output` (n, P) float32 whitened; any n
bundle.json    the fields of `Bundle`, and the SHA-256 of every other file
...            the files of the head model, unless it is the open head
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from ddfa.errors import ModelError, OutputError
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import POSE, ParamLayout
from ddfa.regress.whitening import Whitening
from ddfa.text_files import read_json

FORMAT = 1
MODEL_FILE = "model.onnx"
CARD_FILE = "bundle.json"
OPEN_HEAD = "open"
REGIONS_FOLDER = "regions"
_LARGEST_CARD = 16 << 20  # bytes
_SIZES = (8, 2048)  # px, sides of crops


@dataclass(frozen=True, eq=False)
class Bundle:
    """A regressor and the meaning of its parameters.

    Attributes:
        name: e.g. "mb1-v2".
        architecture: e.g. "mobilenet_v1_050.open".
        convention: how crop pixels map to image pixels.
        layout: which parameters are pose, identity and expression.
        whitening: mean and standard deviation of the parameters.
        licence: terms of use of the weights.
        channel_order: of the network's input; images are RGB everywhere else.
        input_size: side of the crop in px.
        head: "open", or the path of an original 3DDFA basis inside the bundle.
        training_data: what the weights were trained on.
        accuracy: measured figures, e.g. {"aflw2000_exact": {"mean": 3.55}}.
        files: name -> SHA-256 of every file except `bundle.json`.
        folder: path of the bundle; None until it is written.
    """

    name: str
    architecture: str
    convention: PixelConvention
    layout: ParamLayout
    whitening: Whitening
    licence: str
    channel_order: Literal["RGB", "BGR"] = "RGB"
    input_size: int = 120
    head: str = OPEN_HEAD
    training_data: str = ""
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self._path_of(MODEL_FILE)

    @property
    def head_path(self) -> Path | None:
        """The head model's file or folder for `HeadModel.load`; None for the open head."""
        return None if self.head == OPEN_HEAD else self._path_of(self.head)

    @property
    def regions_path(self) -> Path | None:
        """The folder of the region networks; None where the bundle has none."""
        has_regions = any(PurePosixPath(name).parts[0] == REGIONS_FOLDER for name in self.files)
        return self._path_of(REGIONS_FOLDER) if has_regions else None

    @staticmethod
    def load(folder: str | Path) -> "Bundle":
        """Read a bundle and verify its files.

        Args:
            folder: the bundle.

        Returns:
            The bundle.

        Raises:
            ModelError: it is missing or damaged, or a file differs from the one it was written with.
        """
        folder = Path(folder)
        if not os.path.exists(folder / CARD_FILE):
            raise ModelError(f"no model bundle at {folder}: a bundle is a folder with {CARD_FILE}")
        card = read_json(folder / CARD_FILE, ModelError, _LARGEST_CARD)
        try:
            bundle = _from_card(card, folder)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ModelError(
                f"{folder / CARD_FILE} is not a bundle's card ({_reason(error)}): download the bundle again"
            ) from None
        bundle.verify()
        return bundle

    def card(self) -> dict[str, Any]:
        """Return the content of `bundle.json`."""
        return {
            "format": FORMAT,
            "name": self.name,
            "architecture": self.architecture,
            "input_size": self.input_size,
            "channel_order": self.channel_order,
            "pixel_convention": self.convention.value,
            "layout": {"pose": POSE, "identity": self.layout.identity, "expression": self.layout.expression},
            "whitening": {"mean": self.whitening.mean.tolist(), "std": self.whitening.std.tolist()},
            "head": self.head,
            "files": dict(self.files),
            "licence": self.licence,
            "training_data": self.training_data,
            "accuracy": dict(self.accuracy),
        }

    def verify(self) -> None:
        """Compare every file with the SHA-256 in the bundle's card.

        Raises:
            ModelError: a file is missing or differs, or the folder contains a file that the card does not list; names
                that begin with a dot do not count.
        """
        for name, expected in self.files.items():
            path = self._path_of(name)
            if not path.is_file():
                raise ModelError(f"bundle '{self.name}' lacks its file {name}: import or download it again")
            if sha256_of(path) != expected:
                raise ModelError(
                    f"{path} differs from the file that its bundle was written with (SHA-256 differs): import or "
                    "download the bundle again"
                )
        for path in sorted(self.folder.rglob("*") if self.folder else ()):
            name = path.relative_to(self.folder or path).as_posix()
            if name not in {*self.files, CARD_FILE} and not path.name.startswith(".") and not path.is_dir():
                raise ModelError(
                    f"bundle '{self.name}' contains {name}, which its {CARD_FILE} does not list: remove that file, or "
                    "import or download the bundle again"
                )

    def _path_of(self, name: str) -> Path:
        if self.folder is None:
            raise ModelError(f"bundle '{self.name}' has not been written to a folder yet")
        return self.folder / name


def write_bundle(bundle: Bundle, folder: Path, files: Mapping[str, Path]) -> Bundle:
    """Write a bundle, completely or not at all; its files are copied.

    Args:
        bundle: its description; `files` and `folder` are filled in here.
        folder: the new bundle; an existing bundle is replaced, any other non-empty folder is an error.
        files: name inside the bundle -> file to copy; `model.onnx` and those of the head.

    Returns:
        The bundle as written.

    Raises:
        OutputError: the folder cannot be written, or exists and is not a bundle.
    """
    if folder.exists() and not (folder / CARD_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists and is not a model bundle: choose another folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            new = Path(temporary) / "new"
            for name, source in files.items():
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, new / name)
            card = replace(bundle, files={name: sha256_of(new / name) for name in sorted(files)}).card()
            (new / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
            if folder.exists():
                os.replace(folder, Path(temporary) / "old")
            os.replace(new, folder)
    except OSError as error:
        raise OutputError(f"cannot write the bundle {folder}: {error.strerror or error}") from None
    return Bundle.load(folder)


def sha256_of(path: Path) -> str:
    """Compute the SHA-256 of a file as lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_card(card: Any, folder: Path) -> Bundle:
    if not isinstance(card, dict):
        raise TypeError("it is not a JSON object")
    if card["format"] != FORMAT:
        raise ValueError(f"format {card['format']} is not known, this version reads {FORMAT}")
    if card["channel_order"] not in ("RGB", "BGR"):
        raise ValueError(f"channel_order must be RGB or BGR, not {card['channel_order']}")
    layout = ParamLayout(int(card["layout"]["identity"]), int(card["layout"]["expression"]))
    mean, std = (np.asarray(card["whitening"][key], np.float32) for key in ("mean", "std"))
    if mean.shape != (layout.size,) or std.shape != (layout.size,):
        raise ValueError(f"whitening has {mean.size} values, the layout {layout.size}")
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std >= 0).all()):
        raise ValueError("whitening contains numbers that are not finite, or negative deviations")
    if not _SIZES[0] <= int(card["input_size"]) <= _SIZES[1]:
        raise ValueError(f"input_size is {card['input_size']}, expected {_SIZES[0]} to {_SIZES[1]}")
    files = {str(name): str(digest) for name, digest in card["files"].items()}
    if MODEL_FILE not in files:
        raise ValueError(f"it does not list {MODEL_FILE}")
    for name in (*files, card["head"]):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            raise ValueError(f"'{name}' is outside the bundle")
    head = str(card["head"])
    if head != OPEN_HEAD and not any(name == head or name.startswith(f"{head}/") for name in files):
        raise ValueError(f"it does not list the files of its head model '{head}'")
    return Bundle(
        name=str(card["name"]),
        architecture=str(card["architecture"]),
        convention=PixelConvention(card["pixel_convention"]),
        layout=layout,
        whitening=Whitening(mean, std),
        licence=str(card["licence"]),
        channel_order=card["channel_order"],
        input_size=int(card["input_size"]),
        head=str(card["head"]),
        training_data=str(card["training_data"]),
        accuracy=dict(card["accuracy"]),
        files=files,
        folder=folder,
    )


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
