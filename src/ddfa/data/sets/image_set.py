"""Generated images as a data set: made in chunks on all cores, then joined; an interrupted run is resumed."""

import io
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np

from ddfa.arrays import Floats, UInt8
from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_FILE
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.manifest import begin_parts, write_manifest
from ddfa.files import atomic_path
from ddfa.jobs import run_missing

_CHUNK = 200
_JPEG_QUALITY = 92
_ARRAYS = ("pose", "identity", "expression", "quality", "sources", "visibility")


class Sample(NamedTuple):
    """A generated image with its label.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        pose: (3, 4), head space to image space.
        identity: (I,) coefficients.
        expression: (E,) coefficients.
        fit_error: of the label, 0 where the head is known exactly; see `Labels.fit_error`.
        source: name of the photo that shows this face; "" if there is none.
        visibility: (E,) weights in [0, 1], see `Labels.visibility`; None for ones.
    """

    image: UInt8
    pose: Floats
    identity: Floats
    expression: Floats
    fit_error: float
    source: str
    visibility: Floats | None = None


# Generates a number of samples one by one; all randomness comes from the generator.
Draw: TypeAlias = Callable[[np.random.Generator, int], Iterable[Sample]]
_Chunk: TypeAlias = tuple[Path, int, int, int]  # its part file, the seed, its first sample and the number of samples


@dataclass(frozen=True)
class ImageSet:
    """A data set to be generated.

    Attributes:
        command: for the manifest and the progress bar.
        output: its folder.
        count: images to generate.
        seed: of everything random; the images do not depend on the number of workers.
        head: name of the head model of the labels.
        settings: everything that the images depend on.
    """

    command: str
    output: Path
    count: int
    seed: int
    head: str
    settings: Mapping[str, Any]


def make_images(made: ImageSet, open_draw: Callable[[], Draw], workers: int = 0) -> Labels:
    """Generate a data set on several cores and write it; parts that exist are kept.

    The folder then contains `photos.tar`, `labels.npz` and `manifest.json`.

    Args:
        made: what to generate.
        open_draw: called once in each worker process; picklable, that is a function of a module or a partial of one.
        workers: processes; 0 means one per core.

    Returns:
        The labels.

    Raises:
        DataError: the folder holds parts made with other settings.
        OutputError: it cannot be written.
    """
    folder = begin_parts(made.output, {**made.settings, "count": made.count, "seed": made.seed})
    starts = range(0, made.count, _CHUNK)
    parts = [folder / f"{start:07d}.npz" for start in starts]
    chunks: list[_Chunk] = [
        (path, made.seed, start, min(_CHUNK, made.count - start)) for path, start in zip(parts, starts, strict=True)
    ]
    run_missing(partial(_open, open_draw), parts, chunks, workers, made.command.split()[-1])
    labels = _join(made, parts)
    labels.save(made.output / LABEL_FILE)
    write_manifest(made.output, made.command, labels, made.settings, made.seed)
    return labels


def _open(open_draw: Callable[[], Draw]) -> Callable[[_Chunk], None]:
    cv2.setNumThreads(0)  # each worker is one of several processes
    return partial(_make_part, open_draw())


def _make_part(draw: Draw, chunk: _Chunk) -> None:
    """Generate one chunk and write it: encoded images and their labels."""
    path, seed, start, count = chunk
    # The seed depends on the chunk only, so that the images do not depend on the number of workers.
    samples = list(draw(np.random.default_rng([seed, start]), count))
    encoded = [encode(sample.image) for sample in samples]
    expression = np.asarray([sample.expression for sample in samples], np.float32)
    everything = np.ones(expression.shape[1])
    weights = [everything if sample.visibility is None else sample.visibility for sample in samples]
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            pictures=np.concatenate(encoded),
            lengths=np.array([len(image) for image in encoded]),
            pose=np.asarray([sample.pose for sample in samples], np.float32),
            identity=np.asarray([sample.identity for sample in samples], np.float32),
            expression=expression,
            quality=np.asarray([sample.fit_error for sample in samples], np.float32),
            sources=np.asarray([sample.source for sample in samples], np.str_),
            visibility=np.asarray(weights, np.float32),
        )


def encode(image: UInt8) -> UInt8:
    """An image (H, W, 3) uint8 RGB as the data set stores it: the bytes (n,) of a JPEG file."""
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return np.asarray(encoded.ravel(), np.uint8)


def _join(made: ImageSet, parts: list[Path]) -> Labels:
    """Write the images of all parts to one tar and return their labels."""
    names = list[str]()
    arrays: dict[str, list[Any]] = {name: [] for name in _ARRAYS}
    with atomic_path(made.output / PHOTO_FILE) as temporary, tarfile.open(temporary, "w") as archive:
        for part in parts:
            with np.load(part) as file:
                for name, collected in arrays.items():
                    collected.append(file[name])
                for image in np.split(file["pictures"], np.cumsum(file["lengths"])[:-1]):
                    names.append(f"{len(names):07d}.jpg")
                    entry = tarfile.TarInfo(names[-1])
                    entry.size = len(image)
                    archive.addfile(entry, io.BytesIO(image.tobytes()))
    joined = {name: np.concatenate(collected) for name, collected in arrays.items()}
    sources = tuple(source or name for source, name in zip(joined.pop("sources").tolist(), names, strict=True))
    fit_error, weights = joined.pop("quality"), joined.pop("visibility")
    visibility = None if (weights == 1).all() else weights
    return Labels(tuple(names), fit_error=fit_error, head=made.head, sources=sources, visibility=visibility, **joined)
