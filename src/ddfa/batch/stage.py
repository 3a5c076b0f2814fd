"""The one stage of corpus mode: a batch of encoded photos in, a batch of rows out. It knows nothing of shards."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any, Final

import cv2
import numpy as np
import pyarrow as pa

from ddfa.align import FaceAligner, Located
from ddfa.arrays import Float32
from ddfa.batch.schema import faces_schema
from ddfa.detect.detections import box_overlap
from ddfa.detect.yunet import FINE_SIDE
from ddfa.errors import DDFAError
from ddfa.export.plain import TABLE, plain_face
from ddfa.faces import Faces
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.images import ReducedImage, decode_image, decode_reduced
from ddfa.regress.registry import find_bundle
from ddfa.sessions import Device

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
        threads: CPU threads of the network and the detector.
        full: decode large JPEGs in full, whatever the size of their faces.
        device: what runs the networks.
    """

    model: str | None = None
    detector: str | None = None
    refine: bool = False
    threads: int = 1
    full: bool = False
    device: Device = "cpu"


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
        import_module("ddfa.regress.sampling_kernel")  # one way to cut crops in all workers, from the first photo on
        settings = self._settings
        return FaceAligner(settings.model, settings.detector, settings.threads, settings.device)

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
            return self._seen(source, content or b"")
        except Exception as failure:  # one bad photo must not cost the others
            return _Photo(source, error=_told(failure))

    def _seen(self, source: str, content: bytes) -> "_Photo":
        """Find the faces of a photo, in as many px of it as are looked at."""
        if not self._reduces:
            return _Photo(source, self._aligner.locate(decode_image(content, source)))
        seen = decode_reduced(content, source, FINE_SIDE)
        located = self._aligner.locate(seen.image)
        sides = located.roi[:, 2] - located.roi[:, 0]
        if seen.factor == 1 or (sides >= self._aligner.bundle.input_size).all():
            return _Photo(source, located, seen)
        # The network would see fewer px of the smallest face than there are.
        found = replace(located.found, boxes=_in_whole(located.found.boxes, seen.factor))
        return _Photo(source, Located(decode_image(content, source), _in_whole(located.roi, seen.factor), found))

    @property
    def _reduces(self) -> bool:
        """Whether photos may be decoded smaller: YuNet looks at no more px, and our RoIs are not in whole px."""
        original = self._aligner.bundle.convention.is_original
        return not (self._settings.full or original) and self._settings.detector in (None, "yunet")

    def _rows(self, photos: "list[_Photo]") -> Iterator[dict[str, Any]]:
        """The rows of some photos, whose faces are regressed together."""
        aligned = iter(self._aligned([photo.located for photo in photos if photo.located]))
        for photo in photos:
            outcome = photo.of_whole(next(aligned)) if photo.located else photo.error
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
    seen: ReducedImage | None = None
    error: str = ""

    def of_whole(self, outcome: Faces | str) -> Faces | str:
        """What was found, in px of the whole photo."""
        if isinstance(outcome, str) or self.seen is None or self.seen.factor == 1:
            return outcome
        boxes, roi = (_in_whole(corners, self.seen.factor) for corners in (outcome.boxes, outcome.roi))
        return replace(outcome, boxes=boxes, roi=roi, image_size=self.seen.size)


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


def _in_whole(corners: Float32, factor: int) -> Float32:
    """Places in a reduced picture as places in the whole."""
    return np.asarray((corners + 0.5) * factor - 0.5, np.float32)


def _photo_rows(source: str, outcome: Faces | str) -> list[dict[str, Any]]:
    if isinstance(outcome, str):
        return [{"source": source, "faces": 0, "error": outcome}]
    width, height = outcome.image_size
    photo = {"source": source, "width": width, "height": height, "faces": len(outcome)}
    return [photo | row for row in face_rows(outcome)] or [photo]


def _told(failure: Exception) -> str:
    return str(failure) if isinstance(failure, DDFAError) else f"{type(failure).__name__}: {failure}"


def face_rows(faces: Faces) -> list[dict[str, Any]]:
    """The columns of each face.

    `agreement` is the overlap (IoU) of the RoI given to the network with the RoI of its landmarks: near 1 where
    the landmarks are on a face in the middle of the RoI, low where they are not.
    """
    again, _ = roi_from_landmarks(faces.landmarks68), faces.euler_deg  # computed for all faces at once
    return [
        {
            "face": index,
            **plain_face(faces[index], TABLE),
            "agreement": np.float32(box_overlap(again[index : index + 1], faces.roi[index])[0]),
        }
        for index in range(len(faces))
    ]
