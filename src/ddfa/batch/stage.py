"""The stage of corpus mode: from a batch of encoded photos to a batch of rows, whatever shard they belong to."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib import import_module
from typing import Any, Final

import cv2
import numpy as np
import pyarrow as pa

from ddfa.align import FaceAligner
from ddfa.arrays import Float32
from ddfa.batch.schema import faces_schema
from ddfa.detect.detections import box_overlap
from ddfa.detect.limits import FaceLimits
from ddfa.detect.yunet import FINE_SIDE
from ddfa.errors import DDFAError
from ddfa.export.plain import TABLE, plain_face
from ddfa.faces import Faces
from ddfa.files import printable
from ddfa.geometry.perspective import Camera
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.images import MAX_PIXELS, ReducedImage, decode_image, decode_reduced
from ddfa.located import Located
from ddfa.regress.registry import find_bundle
from ddfa.sessions import Device

INPUT_SCHEMA: Final = pa.schema([("source", pa.string()), ("content", pa.binary()), ("error", pa.string())])
PHOTOS_TOGETHER: Final = 64
PIXELS_TOGETHER: Final = 32_000_000  # about 100 MB decoded; bounds the memory of a worker


@dataclass(frozen=True)
class StageSettings:
    """How photos are aligned.

    Attributes:
        model: folder or name of a bundle; None for the default.
        detector: name of a detector; None for the default.
        refine: regress twice.
        threads: CPU threads of the network and the detector.
        full: always decode large JPEGs at full resolution.
        device: where the networks run.
        regions: refine the blendshapes with the region networks.
        max_pixels: maximum width times height of a photo.
        limits: which of the detected faces become rows.
        camera: of the photos; None if unknown.
    """

    model: str | None = None
    detector: str | None = None
    refine: bool = False
    threads: int = 1
    full: bool = False
    device: Device = "cpu"
    regions: bool = True
    max_pixels: int = MAX_PIXELS
    limits: FaceLimits = field(default_factory=FaceLimits)
    camera: Camera | None = None


class AlignStage:
    """Aligns the faces in batches of photos; inference sessions are opened with the first batch.

    Args:
        settings: how photos are aligned.
    """

    def __init__(self, settings: StageSettings) -> None:
        self._settings = settings
        self.schema = faces_schema(find_bundle(settings.model))

    @cached_property
    def _aligner(self) -> FaceAligner:
        cv2.setNumThreads(1)  # each worker is one of several processes
        # Compiled before the first photo, so that all workers cut all crops in the same way.
        import_module("ddfa.regress.sampling_kernel")
        settings = self._settings
        where = (settings.threads, settings.device, settings.regions)
        return FaceAligner(settings.model, settings.detector, *where, **asdict(settings.limits), camera=settings.camera)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Align a batch.

        Args:
            batch: of `INPUT_SCHEMA`: name and encoded image, or the reason why it could not be read.

        Returns:
            Rows of `schema`, in the order of the photos. A photo that fails becomes a row with its error.
        """
        photos = (self._located(**photo) for photo in batch.to_pylist())
        rows = [row for group in _groups(photos) for row in self._rows(group)]
        return pa.RecordBatch.from_pylist(rows, self.schema)

    def _located(self, source: str, content: bytes | None, error: str | None) -> "_Photo":
        try:
            if error is not None:
                raise DDFAError(error)
            return self._detect(source, content or b"")
        except Exception as failure:  # one bad photo must not fail the others
            return _Photo(source, error=_message(failure))

    def _detect(self, source: str, content: bytes) -> "_Photo":
        """Find the faces in a photo, decoded at the lowest resolution that loses nothing the networks use."""
        limit = self._settings.max_pixels
        if not self._reduces:
            return _Photo(source, self._aligner.locate(decode_image(content, source, limit)))
        reduced = decode_reduced(content, source, FINE_SIDE, limit)
        located = self._aligner.locate(reduced.image, reduced_by=reduced.factor)
        sides = located.roi[:, 2] - located.roi[:, 0]
        if reduced.factor == 1 or (sides >= self._aligner.bundle.input_size).all():
            return _Photo(source, located, reduced)
        # The crop of the smallest face would have to be upsampled, although the photo has the pixels.
        found = replace(located.found, boxes=_at_full_size(located.found.boxes, reduced.factor))
        image, roi = decode_image(content, source, limit), _at_full_size(located.roi, reduced.factor)
        return _Photo(source, replace(located, image=image, roi=roi, found=found))

    @property
    def _reduces(self) -> bool:
        """Whether photos may be decoded at reduced size: YuNet needs no more px, and our RoIs are not rounded."""
        original = self._aligner.bundle.convention.is_original
        return not (self._settings.full or original) and self._settings.detector in (None, "yunet", "yunet:exact")

    def _rows(self, photos: "list[_Photo]") -> Iterator[dict[str, Any]]:
        """The rows of some photos, whose faces are regressed in one batch."""
        aligned = iter(self._aligned([photo.located for photo in photos if photo.located]))
        for photo in photos:
            outcome = photo.at_full_size(next(aligned)) if photo.located else photo.error
            yield from _photo_rows(photo.source, outcome)

    def _aligned(self, images: list[Located]) -> list[Faces | str]:
        """The faces of each image, or its error message."""
        try:
            return list(self._aligner.align_located(images, self._settings.refine))
        except Exception as failure:
            if len(images) == 1:
                return [_message(failure)]
            return [outcome for image in images for outcome in self._aligned([image])]  # to find the one that fails


@dataclass(frozen=True, eq=False)
class _Photo:
    """A photo with its detected faces, or the reason why there are none."""

    source: str
    located: Located | None = None
    reduced: ReducedImage | None = None
    error: str = ""

    def at_full_size(self, outcome: Faces | str) -> Faces | str:
        """The result in px of the photo at full size."""
        if isinstance(outcome, str) or self.reduced is None or self.reduced.factor == 1:
            return outcome
        boxes, roi = (_at_full_size(corners, self.reduced.factor) for corners in (outcome.boxes, outcome.roi))
        return replace(outcome, boxes=boxes, roi=roi, image_size=self.reduced.size)


def _groups(photos: Iterable[_Photo]) -> Iterator[list[_Photo]]:
    """Groups of photos that are in memory decoded at the same time."""
    group, pixels = list[_Photo](), 0
    for photo in photos:
        group.append(photo)
        pixels += math.prod(photo.located.size) if photo.located else 0
        if len(group) == PHOTOS_TOGETHER or pixels >= PIXELS_TOGETHER:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _at_full_size(corners: Float32, factor: int) -> Float32:
    """Coordinates in a reduced image as coordinates at full size; pixel centres are integers in both."""
    return np.asarray((corners + 0.5) * factor - 0.5, np.float32)


def _photo_rows(source: str, outcome: Faces | str) -> list[dict[str, Any]]:
    if isinstance(outcome, str):
        return [{"source": source, "faces": 0, "error": outcome}]
    width, height = outcome.image_size
    photo = {"source": source, "width": width, "height": height, "faces": len(outcome)}
    return [photo | row for row in face_rows(outcome)] or [photo]


def _message(failure: Exception) -> str:
    return printable(str(failure) if isinstance(failure, DDFAError) else f"{type(failure).__name__}: {failure}")


def face_rows(faces: Faces) -> list[dict[str, Any]]:
    """The columns of each face.

    `agreement` is the overlap (IoU) of the RoI given to the network with the RoI of its landmarks: near 1 where
    the landmarks are on a face in the middle of the RoI, low where they are not.
    """
    again, _ = roi_from_landmarks(faces.landmarks68), faces.euler_deg  # computed for all faces at once
    return [
        {
            "face": index,
            **plain_face(faces.single(index), TABLE),
            "agreement": np.float32(box_overlap(again[index : index + 1], faces.roi[index])[0]),
        }
        for index in range(len(faces))
    ]
