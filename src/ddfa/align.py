"""Face alignment: detect, crop, regress and decode, in one class."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.detect import Detections, Detector, load_detector
from ddfa.detect.detections import box_areas
from ddfa.detect.limits import MIN_QUALITY, FaceLimits
from ddfa.detect.turned import best_of, detect_turned
from ddfa.errors import DetectorError, ImageError
from ddfa.faces import FaceModel, Faces
from ddfa.geometry.duplicates import distinct_faces
from ddfa.geometry.perspective import Camera
from ddfa.geometry.pose import in_plane_matrix
from ddfa.geometry.roi import FITTED_ENLARGEMENT, ORIGINAL_ENLARGEMENT, roi_from_boxes, roi_from_landmarks
from ddfa.head.measure import intrinsics_at
from ddfa.located import Located, needed_turn, usable
from ddfa.regress.bundle import Bundle
from ddfa.regress.regions import RegionNetworks
from ddfa.regress.registry import find_bundle
from ddfa.regress.roll import RollNetwork
from ddfa.regress.session import Regressor
from ddfa.regress.turned import turn_pose
from ddfa.sessions import Device

_POOR: Final = 0.3  # quality of a fit that may be due to a wrong roll
_CLEARLY: Final = 0.3  # difference of quality above which another roll is right


class FaceAligner:
    """Fits the head model to every face of an image.

        aligner = ddfa.FaceAligner()
        faces = aligner(image)
        faces.landmarks68, faces.vertices, faces.euler_deg

    Args:
        model: a bundle, its folder or its name; None for the default weights.
        detector: used if a call passes neither boxes nor landmarks: a callable, or a name for
            `ddfa.detect.load_detector`. None for the default detector, loaded on first use.
        threads: CPU threads of the network and of a detector given by name; None leaves the choice to ONNX Runtime.
        device: "cpu" or "cuda"; "cuda" needs the package onnxruntime-gpu.
        regions: refine the blendshapes with the bundle's region networks, which read the eyes and the mouth at the
            resolution of the image; no effect if the bundle has none.
        min_score: drop detected faces with a lower score, above 0 and up to 1; None for the threshold of the detector
            (YuNet: 0.6). A value below the threshold of a detector that you pass as a callable has no effect.
        min_size: drop detected faces whose box is smaller: the square root of its area, image px.
        max_faces: keep only the largest so many of the detected faces; 0 for all.
        min_quality: drop detected faces whose estimated quality is lower, see `Faces.quality`; no effect for bundles
            without a quality head.
        camera: the camera of the images, for `Faces.perspective`: distance and 6-DoF pose in mm.
        any_roll: align faces at any roll, also upside down: crops of faces beyond 35° are turned upright. Upright faces
            are not affected.

    Attributes:
        bundle: the model.
        model: what its parameters mean.
        head: its head model.
        regions: the region networks in use; None for none.
        limits: which detected faces are wanted.
        any_roll: whether faces at any roll are aligned.

    Raises:
        ModelError: the bundle is missing, damaged or inconsistent, or the device is not available.
        DetectorError: the name of the detector is unknown, it cannot be loaded, or a limit is out of range.
    """

    def __init__(
        self,
        model: str | Path | Bundle | None = None,
        detector: Detector | str | None = None,
        threads: int | None = None,
        device: Device = "cpu",
        regions: bool = True,
        *,
        min_score: float | None = None,
        min_size: float = 0.0,
        max_faces: int = 0,
        min_quality: float = MIN_QUALITY,
        camera: Camera | None = None,
        any_roll: bool = True,
    ) -> None:
        self.limits = FaceLimits(min_score, min_size, max_faces, min_quality)
        self.camera = camera
        self.bundle = model if isinstance(model, Bundle) else find_bundle(model)
        self._threads, self._device = threads, device
        self._given_detector = self._load_detector(detector) if isinstance(detector, str) else detector
        self._regressor = Regressor(self.bundle, threads, device=device)
        self.any_roll = any_roll
        self._roll = RollNetwork(threads, device) if any_roll else None
        self.model = FaceModel.of(self.bundle)
        self.head = self.model.head
        folder = self.bundle.regions_path if regions and self.head.has_arkit else None
        names = self.head.expression_names
        self.regions = None if folder is None else RegionNetworks.load(names, folder, threads, device)

    @cached_property
    def detector(self) -> Detector:
        """The detector in use."""
        return self._given_detector or self._load_detector("yunet")

    def _load_detector(self, name: str) -> Detector:
        return load_detector(name, self._threads, self._device, self.limits.min_score)

    @overload
    def __call__(
        self, image: UInt8, boxes: Floats | None = None, landmarks: Floats | None = None, refine: bool = False
    ) -> Faces: ...

    @overload
    def __call__(
        self,
        image: list[UInt8] | tuple[UInt8, ...],
        boxes: Sequence[Floats | None] | None = None,
        landmarks: Sequence[Floats | None] | None = None,
        refine: bool = False,
    ) -> list[Faces]: ...

    def __call__(self, image: Any, boxes: Any = None, landmarks: Any = None, refine: bool = False) -> Any:
        """Align all faces of an image, or of several images, whose faces are regressed in one batch.

        Args:
            image: (H, W, 3) uint8 RGB; or a list or tuple of such images, of any sizes. `boxes` and `landmarks` are
                then lists of the same length.
            boxes: (n, 4) face boxes x0, y0, x1, y1 in image px, used instead of the detector.
            landmarks: (n, 68, 2 or 3) landmarks in image px, used instead of the detector; RoIs are then computed from
                the landmarks.
            refine: regress twice, the second time on RoIs computed from the landmarks of the first result.

        Returns:
            The faces, for several images a list of them. Detected ones are sorted by the size of their box, the largest
            first; each appears once, see `ddfa.geometry.duplicates`. Faces that were passed are all kept, in their
            order. No faces is a valid result.

        Raises:
            ImageError: the image is not RGB uint8, or the intrinsics of the camera are for another image size.
            DetectorError: boxes or landmarks are not finite, empty or outside the image.
        """
        if not isinstance(image, list | tuple):
            (faces,) = self.align_located([self.locate(image, boxes, landmarks)], refine)
            return faces
        given = [[None] * len(image) if each is None else each for each in (boxes, landmarks)]
        if any(len(each) != len(image) for each in given):
            raise DetectorError(f"{len(image)} images need as many entries of boxes or landmarks, None for detection")
        return self.align_located([self._numbered(*one) for one in zip(count(), image, *given, strict=False)], refine)

    def _numbered(self, number: int, image: UInt8, boxes: Floats | None, landmarks: Floats | None) -> Located:
        """`locate` for one of several images, which errors name."""
        try:
            return self.locate(image, boxes, landmarks)
        except (ImageError, DetectorError) as error:
            raise type(error)(f"image {number} of the list: {error}") from None

    def locate(
        self, image: UInt8, boxes: Floats | None = None, landmarks: Floats | None = None, reduced_by: float = 1.0
    ) -> Located:
        """Detect the faces in an image: the first half of a call, with the same arguments and errors.

        Args:
            image: as in a call.
            boxes: as in a call.
            landmarks: as in a call.
            reduced_by: px of the photo per px of `image`, if it has been reduced: `min_size` counts px of the photo.

        Returns:
            The image with the faces that `min_score` and `min_size` allow.
        """
        image = _checked_image(image)
        if self.camera is not None:  # an error before any work
            intrinsics_at(self.camera, (image.shape[1], image.shape[0]))
        given = boxes is not None or landmarks is not None
        found = self._detections(image, boxes, landmarks)
        roll = self._roll_of(image, found)
        quarters = set(np.round(roll / 90).astype(int) % 4) - {0}
        if quarters and not given:  # the whole photo may be turned, and other faces are easier to find upright
            found = best_of([found, *(detect_turned(self.detector, image, q) for q in quarters)]).largest_first()
            roll = self._roll_of(image, found)
        if not given:
            wanted = self.limits.accept(found.boxes * reduced_by, found.scores)
            if not wanted.all():
                found, roll = found.select(np.flatnonzero(wanted)), roll[wanted]
        if found.landmarks is not None:
            return Located(image, roi_from_landmarks(found.landmarks), found, given, roll)
        original = self.bundle.convention.is_original
        enlargement = ORIGINAL_ENLARGEMENT if original else FITTED_ENLARGEMENT
        roi = roi_from_boxes(found.boxes, enlargement=enlargement, truncate=original, roll_deg=roll)
        return Located(image, roi, found, given, roll)

    def _roll_of(self, image: UInt8, found: Detections) -> Float32:
        """By how much the faces are turned (n,), degrees clockwise."""
        if self._roll is None or not len(found):
            return np.zeros(len(found), np.float32)
        if found.landmarks is not None:
            roi = roi_from_landmarks(found.landmarks)
        else:
            roi = roi_from_boxes(found.boxes, enlargement=FITTED_ENLARGEMENT, shift_down=0.0)
        good = usable(roi, (image.shape[1], image.shape[0]))  # the others are refused when they are regressed
        roll = np.zeros(len(found), np.float32)
        roll[good] = self._roll(image, roi[good])
        return roll

    def align_located(self, images: Sequence[Located], refine: bool = False) -> list[Faces]:
        """Regress the faces of several images in one batch: the second half of a call.

        Args:
            images: images with their detected faces.
            refine: as in a call.

        Returns:
            The faces of each image; of those that were detected, each once and `max_faces` at most.

        Raises:
            DetectorError: an RoI does not touch its image or is far larger than it.
        """
        results = self._retry(images, self._refine(images, self._regress(images), refine))
        wanted = [self._wanted(one, faces) for one, faces in zip(images, results, strict=True)]
        return self._with_regions([one.image for one in images], wanted)

    def _wanted(self, one: Located, faces: Faces) -> Faces:
        """Drop faces of low quality, those that repeat another one, and those beyond the largest `max_faces`."""
        if one.given:
            return faces
        scores = faces.scores
        if faces.quality is not None and len(faces):
            wanted = faces.quality >= self.limits.min_quality
            scores = (faces.scores * faces.quality)[wanted]  # of two fits to one face, the better one is kept
            faces = faces if wanted.all() else faces[np.flatnonzero(wanted)]
        kept = np.flatnonzero(distinct_faces(faces.landmarks68, faces.boxes, scores)) if len(faces) > 1 else None
        if kept is not None and len(kept) < len(faces):
            faces = faces[kept]
        most = self.limits.max_faces
        if not most or len(faces) <= most:
            return faces
        return faces[np.sort(np.argsort(-box_areas(faces.boxes), kind="stable")[:most])]

    def _refine(self, images: Sequence[Located], results: list[Faces], every: bool) -> list[Faces]:
        """Regress again on the first landmarks: every face, or those that are turned, whose boxes are less accurate."""
        chosen = [np.arange(len(one.roi)) if every else np.flatnonzero(one.roll_deg) for one in images]
        if not any(map(len, chosen)):
            return results
        first = zip(images, results, chosen, strict=True)
        again = self._regress(
            [one.select(index).refined(faces[index], turn=self.any_roll) for one, faces, index in first]
        )
        return [_with_rows(faces, index, new) for faces, index, new in zip(results, chosen, again, strict=True)]

    def _retry(self, images: Sequence[Located], results: list[Faces]) -> list[Faces]:
        """Try other rolls where the estimated quality is poor; a fit that is clearly better replaces the first one."""
        poor = [np.flatnonzero(np.zeros(0) if f.quality is None else f.quality < _POOR) for f in results]
        if not self.any_roll or not any(map(len, poor)):
            return results
        chosen = [one.select(index) for one, index in zip(images, poor, strict=True)]
        best = [faces[index] for faces, index in zip(results, poor, strict=True)]
        for roll in (0.0, 90.0, 180.0, -90.0):
            turned = [replace(one, roll_deg=np.full(len(one.roi), roll, np.float32)) for one in chosen]
            tried = self._refine(turned, self._regress(turned), every=True)
            for place, (old, new) in enumerate(zip(best, tried, strict=True)):
                better = np.flatnonzero(np.asarray(new.quality) > np.asarray(old.quality) + _CLEARLY)
                best[place] = _with_rows(old, better, new[better])
        return [_with_rows(faces, index, new) for faces, index, new in zip(results, poor, best, strict=True)]

    def align_rois(self, image: UInt8, roi: Float32, found: Detections, roll_deg: Float32 | None = None) -> Faces:
        """Regress the faces in given RoIs, in one step.

        Args:
            image: (H, W, 3) uint8 RGB.
            roi: (n, 4) squares in image px.
            found: the n detections that they belong to.
            roll_deg: (n,) by how much the faces are turned clockwise, see `Located`; 0 by default.

        Returns:
            The faces.

        Raises:
            DetectorError: an RoI does not touch the image or is far larger than it.
        """
        one = Located(image, roi, found, roll_deg=np.zeros(len(roi), np.float32) if roll_deg is None else roll_deg)
        return self._with_regions([image], self._regress([one]))[0]

    def _regress(self, images: Sequence[Located]) -> list[Faces]:
        """Run one regression step for all faces of all images."""
        for one in images:
            unusable = np.flatnonzero(~usable(one.roi, one.size))
            if len(unusable):
                width, height = one.size
                raise DetectorError(
                    f"face {unusable[0]} is outside this image of {width} x {height} px, or far larger: check its box"
                )
        if not images:
            return []
        inputs = [self._regressor.inputs(one.image, one.roi, one.roll_deg) for one in images]
        joined: Any = inputs[0] if len(inputs) == 1 else np.concatenate(inputs)
        params, quality = self._regressor.outputs_from_inputs(joined)
        ends = np.cumsum([len(one.roi) for one in images])
        rows = [slice(end - len(one.roi), end) for one, end in zip(images, ends, strict=True)]
        return [
            self._faces(one, params[own], None if quality is None else quality[own])
            for one, own in zip(images, rows, strict=True)
        ]

    def _faces(self, one: Located, params: Float32, quality: Float32 | None) -> Faces:
        if one.roll_deg.any():
            layout, size = self.model.layout, self.model.crop_size
            pose, identity, expression = layout.split(params)
            params = layout.join(turn_pose(pose, one.roll_deg, size, self.model.convention), identity, expression)
        return Faces(
            boxes=one.found.boxes,
            scores=one.found.scores,
            params=params,
            roi=one.roi,
            model=self.model,
            image_size=one.size,
            camera=self.camera,
            quality_output=quality,
        )

    def _with_regions(self, images: Sequence[UInt8], results: list[Faces]) -> list[Faces]:
        """Replace the expression coefficients that the region networks are confident about."""
        counts = [len(faces) for faces in results]
        if self.regions is None or not sum(counts):
            return results
        landmarks, rotation, first = (
            np.concatenate(arrays)
            for arrays in zip(*((f.landmarks68, f.rotation, f.expression) for f in results), strict=True)
        )
        # The region networks expect faces that are almost upright, as the first network does.
        turn = needed_turn(rotation)
        if turn.any():
            rotation = (in_plane_matrix(-turn) @ rotation).astype(np.float32)
        each = [image for image, count in zip(images, counts, strict=True) for _ in range(count)]
        refined = self.regions(each, landmarks, rotation, first).merged(first)
        parts = np.split(refined, np.cumsum(counts)[:-1])
        return [faces.with_expression(own) for faces, own in zip(results, parts, strict=True)]

    def _detections(self, image: UInt8, boxes: Floats | None, landmarks: Floats | None) -> Detections:
        if boxes is not None and landmarks is not None:
            raise DetectorError("pass boxes or landmarks, not both")
        if boxes is not None:
            return Detections.from_boxes(boxes)
        if landmarks is not None:
            return Detections.from_landmarks(landmarks)
        return self.detector(image)


def _with_rows(faces: Faces, index: "NDArray[np.intp]", new: Faces) -> Faces:
    """Replace the faces at `index` (m,) by m new ones."""
    if not len(index):
        return faces
    if len(index) == len(faces):
        return new
    order = np.arange(len(faces))
    order[index] = len(faces) + np.arange(len(index))
    return Faces.concat([faces, new])[order]


def _checked_image(image: Any) -> UInt8:
    array: NDArray[Any] = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise ImageError(
            f"an image must be RGB uint8 (H, W, 3), not {array.dtype} {array.shape}: read files with ddfa.read_image"
        )
    return array
