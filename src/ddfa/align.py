"""Detect, crop, regress, decode: the one class that ties them together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Bools, Float32, Floats, UInt8
from ddfa.detect import Detections, Detector, default_detector, load_detector
from ddfa.errors import DetectorError, ImageError
from ddfa.faces import FaceModel, Faces
from ddfa.geometry.roi import FITTED_ENLARGEMENT, ORIGINAL_ENLARGEMENT, roi_from_boxes, roi_from_landmarks
from ddfa.regress.bundle import Bundle
from ddfa.regress.registry import find_bundle
from ddfa.regress.session import Regressor
from ddfa.sessions import Device

# A RoI larger than this many times the image holds no face the network could see.
_LARGEST_ROI = 8


@dataclass(frozen=True, eq=False)
class Located:
    """An image whose faces are found but not aligned yet.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        roi: (n, 4) float32, the squares in image px that the network will see.
        found: the n detections.
    """

    image: UInt8
    roi: Float32
    found: Detections

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self.image.shape[1], self.image.shape[0]


class FaceAligner:
    """Fits the head model to every face of an image.

        aligner = ddfa.FaceAligner()
        faces = aligner(image)
        faces.landmarks68, faces.vertices, faces.euler_deg

    Args:
        model: a bundle, its folder or its name; None for the default weights.
        detector: finds the boxes when a call brings none; one of your own or the name of ours, see
            `ddfa.detect.load_detector`. None for the default, loaded on first use.
        threads: CPU threads of the network and of a detector given by name; None leaves the choice to ONNX Runtime.
        device: what runs the networks; "cuda" wants the package onnxruntime-gpu.

    Raises:
        ModelError: the bundle is missing, damaged or inconsistent, or there is no such device.
        DetectorError: there is no detector of that name, or it cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path | Bundle | None = None,
        detector: Detector | str | None = None,
        threads: int | None = None,
        device: Device = "cpu",
    ) -> None:
        self.bundle = model if isinstance(model, Bundle) else find_bundle(model)
        self._given_detector = load_detector(detector, threads, device) if isinstance(detector, str) else detector
        self._threads, self._device = threads, device
        self._regressor = Regressor(self.bundle, threads, device=device)
        self.model = FaceModel.of(self.bundle)
        self.head = self.model.head

    @cached_property
    def detector(self) -> Detector:
        """The detector in use."""
        return self._given_detector or default_detector(self._threads, self._device)

    def __call__(
        self,
        image: UInt8,
        boxes: Floats | None = None,
        landmarks: Floats | None = None,
        refine: bool = False,
    ) -> Faces:
        """Align all faces of an image.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (n, 4) your own face boxes x0, y0, x1, y1 in image px instead of detection.
            landmarks: (n, 68, 2 or 3) your own landmarks in image px instead of detection; the RoI then follows
                the landmark rule.
            refine: regress twice, the second time on the RoI around the first result's landmarks.

        Returns:
            The faces, largest first as detected, or in the order given; none is a valid result.

        Raises:
            ImageError: not an RGB uint8 image.
            DetectorError: boxes or landmarks that are not finite, empty or off the image.
        """
        (faces,) = self.align_located([self.locate(image, boxes, landmarks)], refine)
        return faces

    def locate(self, image: UInt8, boxes: Floats | None = None, landmarks: Floats | None = None) -> Located:
        """Find the faces of an image, the first half of a call: arguments and errors are the same."""
        image = _checked_image(image)
        found = self._detections(image, boxes, landmarks)
        if found.landmarks is not None:
            return Located(image, roi_from_landmarks(found.landmarks), found)
        original = self.bundle.convention.is_original
        enlargement = ORIGINAL_ENLARGEMENT if original else FITTED_ENLARGEMENT
        return Located(image, roi_from_boxes(found.boxes, enlargement=enlargement, truncate=original), found)

    def align_located(self, images: Sequence[Located], refine: bool = False) -> list[Faces]:
        """Regress the faces of several images together, the second half of a call.

        Args:
            images: with the faces found in them.
            refine: as in a call.

        Returns:
            The faces of each image.

        Raises:
            DetectorError: a RoI that does not touch its image or is far larger.
        """
        results = self._regress(images)
        if refine:
            # A first guess gone astray must not cost the result: such a face keeps its first RoI.
            results = self._regress([_closer(image, faces) for image, faces in zip(images, results, strict=True)])
        return results

    def align_rois(self, image: UInt8, roi: Float32, found: Detections) -> Faces:
        """Regress the faces in given RoIs, one step.

        Args:
            image: (H, W, 3) uint8 RGB.
            roi: (n, 4) squares in image px.
            found: the n detections they belong to.

        Returns:
            The faces.

        Raises:
            DetectorError: a RoI that does not touch the image or is far larger.
        """
        return self._regress([Located(image, roi, found)])[0]

    def _regress(self, images: Sequence[Located]) -> list[Faces]:
        """One step for all faces of all images."""
        for one in images:
            astray = np.flatnonzero(~_usable(one.roi, one.size))
            if len(astray):
                width, height = one.size
                raise DetectorError(
                    f"face {astray[0]} does not lie in this image of {width} x {height} px: check its box"
                )
        if not images:
            return []
        inputs = [self._regressor.inputs(one.image, one.roi) for one in images]
        joined: Any = inputs[0] if len(inputs) == 1 else np.concatenate(inputs)
        params = self._regressor.params_from_inputs(joined)
        parts = np.split(params, np.cumsum([len(one.roi) for one in images])[:-1])
        return [self._faces(one, own) for one, own in zip(images, parts, strict=True)]

    def _faces(self, one: Located, params: Float32) -> Faces:
        return Faces(
            boxes=one.found.boxes,
            scores=one.found.scores,
            params=params,
            roi=one.roi,
            model=self.model,
            image_size=one.size,
        )

    def _detections(self, image: UInt8, boxes: Floats | None, landmarks: Floats | None) -> Detections:
        if boxes is not None and landmarks is not None:
            raise DetectorError("give boxes or landmarks, not both")
        if boxes is not None:
            return Detections.from_boxes(boxes)
        if landmarks is not None:
            return Detections.from_landmarks(landmarks)
        return self.detector(image)


def _checked_image(image: Any) -> UInt8:
    array: NDArray[Any] = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise ImageError(
            f"an image must be RGB uint8 (H, W, 3), not {array.dtype} {array.shape}: read files with ddfa.read_image"
        )
    return array


def _closer(one: Located, faces: Faces) -> Located:
    """The same image with RoIs around the landmarks of a first result, where these can be used."""
    if not len(faces):
        return one
    closer = roi_from_landmarks(faces.landmarks68)
    return replace(one, roi=np.where(_usable(closer, one.size)[:, None], closer, one.roi))


def _usable(roi: Float32, image_size: tuple[int, int]) -> Bools:
    """Tell which RoIs (n, 4) touch the image and are not far larger than it."""
    width, height = image_size
    touches = (roi[:, 2] > 0) & (roi[:, 3] > 0) & (roi[:, 0] < width) & (roi[:, 1] < height)
    side = roi[:, 2] - roi[:, 0]
    return np.asarray(touches & (side > 0) & (side <= _LARGEST_ROI * max(width, height)))
