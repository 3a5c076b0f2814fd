"""The one stage of corpus mode: a batch of encoded photos in, a batch of rows out. It knows nothing of shards."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Final

import cv2
import numpy as np
import pyarrow as pa

from ddfa.align import FaceAligner, Located
from ddfa.batch.schema import faces_schema
from ddfa.detect.detections import box_overlap
from ddfa.errors import DDFAError
from ddfa.faces import Faces
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.images import decode_image
from ddfa.regress.registry import find_bundle

INPUT_SCHEMA: Final = pa.schema([("source", pa.string()), ("content", pa.binary()), ("error", pa.string())])
_PHOTOS_TOGETHER: Final = 64
_PIXELS_TOGETHER: Final = 32_000_000  # some 100 MB decoded: the memory of a worker does not depend on the photos


@dataclass(frozen=True)
class StageSettings:
    """How photos are aligned.

    Attributes:
        model: folder or name of a bundle; None for the default.
        detector: name of a detector; None for the default.
        refine: regress twice.
        threads: CPU threads of the network.
    """

    model: str | None = None
    detector: str | None = None
    refine: bool = False
    threads: int = 1


class AlignStage:
    """Aligns the faces of batches of photos; its sessions are made once, when the first batch comes.

    Args:
        settings: how.
    """

    def __init__(self, settings: StageSettings) -> None:
        self._settings = settings
        self.schema = faces_schema(find_bundle(settings.model))

    @cached_property
    def _aligner(self) -> FaceAligner:
        cv2.setNumThreads(1)  # each worker is one of several processes
        import_module("ddfa.regress.compiled")  # one way to cut crops in all workers, from the first photo on
        return FaceAligner(self._settings.model, self._settings.detector, self._settings.threads)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Align a batch.

        Args:
            batch: of `INPUT_SCHEMA`: name and encoded picture, or why it could not be read.

        Returns:
            Rows of `schema`, in the order of the photos; whatever a photo triggers is in its own row.
        """
        photos = (self._located(**photo) for photo in batch.to_pylist())
        rows = [row for group in _groups(photos) for row in self._rows(group)]
        return pa.RecordBatch.from_pylist(rows, self.schema)

    def _located(self, source: str, content: bytes | None, error: str | None) -> "_Photo":
        try:
            if error is not None:
                raise DDFAError(error)
            return _Photo(source, self._aligner.locate(decode_image(content or b"", source)))
        except Exception as failure:  # one bad photo must not cost the others
            return _Photo(source, error=_told(failure))

    def _rows(self, photos: "list[_Photo]") -> Iterator[dict[str, Any]]:
        """The rows of some photos, whose faces are regressed together."""
        aligned = iter(self._aligned([photo.located for photo in photos if photo.located]))
        for photo in photos:
            outcome = next(aligned) if photo.located else photo.error
            yield from _photo_rows(photo.source, outcome)

    def _aligned(self, images: list[Located]) -> list[Faces | str]:
        """The faces of each image, or what went wrong with it."""
        try:
            return list(self._aligner.align_located(images, self._settings.refine))
        except Exception as failure:
            if len(images) == 1:
                return [_told(failure)]
            return [outcome for image in images for outcome in self._aligned([image])]  # to find which one it is


@dataclass(frozen=True, eq=False)
class _Photo:
    """A photo whose faces are found, or why they cannot be."""

    source: str
    located: Located | None = None
    error: str = ""


def _groups(photos: Iterable[_Photo]) -> Iterator[list[_Photo]]:
    """Photos that are held decoded at the same time."""
    group, pixels = list[_Photo](), 0
    for photo in photos:
        group.append(photo)
        pixels += math.prod(photo.located.size) if photo.located else 0
        if len(group) == _PHOTOS_TOGETHER or pixels >= _PIXELS_TOGETHER:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _photo_rows(source: str, outcome: Faces | str) -> list[dict[str, Any]]:
    if isinstance(outcome, str):
        return [{"source": source, "faces": 0, "error": outcome}]
    width, height = outcome.image_size
    photo = {"source": source, "width": width, "height": height, "faces": len(outcome)}
    return [photo | row for row in face_rows(outcome)] or [photo]


def _told(failure: Exception) -> str:
    return str(failure) if isinstance(failure, DDFAError) else f"{type(failure).__name__}: {failure}"


def face_rows(faces: Faces) -> list[dict[str, Any]]:
    """The columns that tell of each face.

    `agreement` is the overlap (IoU) of the RoI the network looked at with the one its landmarks ask for: near 1 where
    it saw a face in the middle, low where it went astray.
    """
    again = roi_from_landmarks(faces.landmarks68)
    return [
        {
            "face": index,
            "box": faces.boxes[index],
            "score": faces.scores[index],
            "roi": faces.roi[index],
            "agreement": np.float32(box_overlap(again[index : index + 1], faces.roi[index])[0]),
            "params": faces.params[index],
            "euler_deg": faces.euler_deg[index].astype(np.float32),
            "landmarks68": faces.landmarks68[index].ravel(),
        }
        for index in range(len(faces))
    ]
