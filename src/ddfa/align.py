"""Face alignment: detect, crop, regress and decode, in one class."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, overload

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.detect import Detections, Detector, load_detector
from ddfa.detect.custom import AnyDetector, CustomDetector
from ddfa.detect.limits import MIN_QUALITY, FaceLimits
from ddfa.errors import DetectorError, ImageError
from ddfa.face_model import FaceModel
from ddfa.faces import Faces
from ddfa.fitter import FaceFitter
from ddfa.geometry.perspective import Camera
from ddfa.image_input import ImageLike, ImageSource, as_image
from ddfa.located import Located
from ddfa.locator import FaceLocator
from ddfa.person.fusion import FusedFaces, fuse
from ddfa.regress.bundle import Bundle
from ddfa.regress.regions import RegionNetworks
from ddfa.regress.registry import find_bundle
from ddfa.regress.roll import RollNetwork
from ddfa.regress.session import Regressor
from ddfa.sessions import Device


class FaceAligner:
    """Fits the head model to every face of an image.

        aligner = ddfa.FaceAligner()
        faces = aligner("photo.jpg")
        faces.landmarks68, faces.vertices, faces.euler_deg

    An aligner can be pickled, and used in processes that are forked or spawned: they load the model again. A detector
    of your own must be picklable for that.

    Args:
        model: a bundle, its folder or its name; None for the default weights.
        detector: used if a call passes neither boxes nor landmarks: a name for
            `ddfa.detect.load_detector`, or a callable that maps an RGB uint8 image (H, W, 3) to what
            `ddfa.detect.custom.as_detections` accepts: boxes (n, 4), with scores (n, 5), or landmarks (n, 68, 2). None
            for the default detector, loaded on first use.
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
        detector: AnyDetector | str | None = None,
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
        settings = {"threads": threads, "device": device, "regions": regions, "camera": camera, "any_roll": any_roll}
        self._settings = {"model": self.bundle, "detector": detector, **settings, **asdict(self.limits)}
        self.any_roll = any_roll
        self._locator = FaceLocator(
            partial(_detector, detector, threads, device, min_score),
            RollNetwork(threads, device) if any_roll else None,
            self.limits,
            camera,
            self.bundle.convention.is_original,
        )
        if isinstance(detector, str):
            _ = self.detector  # an unknown name is an error at once
        regressor = Regressor(self.bundle, threads, device=device)
        self.model = FaceModel.of(self.bundle)
        self.head = self.model.head
        folder = self.bundle.regions_path if regions and self.head.has_arkit else None
        names = self.head.expression_names
        self.regions = None if folder is None else RegionNetworks.load(names, folder, threads, device)
        self._fitter = FaceFitter(regressor, self.model, self.regions, self.limits, camera, any_roll)

    def __reduce__(self) -> Any:
        """A pickle contains the settings: the model is loaded again."""
        return _aligner, (self._settings,)

    @property
    def detector(self) -> Detector:
        """The detector in use."""
        return self._locator.detector

    @overload
    def __call__(
        self, image: ImageLike, boxes: Floats | None = None, landmarks: Floats | None = None, refine: bool = False
    ) -> Faces: ...

    @overload
    def __call__(
        self,
        image: list[Any] | tuple[ImageLike, ...],
        boxes: Sequence[Floats | None] | None = None,
        landmarks: Sequence[Floats | None] | None = None,
        refine: bool = False,
    ) -> list[Faces]: ...

    def __call__(self, image: Any, boxes: Any = None, landmarks: Any = None, refine: bool = False) -> Any:
        """Align all faces of an image, or of several images, whose faces are regressed in one batch.

        Args:
            image: a path, the bytes of a file, a Pillow image, or an array: grey, RGB or RGBA of uint8, uint16 or
                floats in [0, 1], see `ddfa.image_input.as_image`; or a list or tuple of images, of any sizes. `boxes`
                and `landmarks` are then lists of the same length.
            boxes: (n, 4) face boxes x0, y0, x1, y1 in image px, used instead of the detector.
            landmarks: (n, 68, 2 or 3) landmarks in image px, used instead of the detector; RoIs are then computed from
                the landmarks.
            refine: regress twice, the second time on RoIs computed from the landmarks of the first result.

        Returns:
            The faces, for several images a list of them. Detected ones are sorted by the size of their box, the largest
            first; each appears once, see `ddfa.geometry.duplicates`. Faces that were passed are all kept, in their
            order. No faces is a valid result.

        Raises:
            ImageError: the image cannot be read or is none, or the intrinsics of the camera are for another image size.
            DetectorError: boxes or landmarks are not finite, empty or outside the image.
        """
        if not isinstance(image, list | tuple):
            (faces,) = self.align_located([self.locate(image, boxes, landmarks)], refine)
            return replace(faces, source=ImageSource(image))
        given = [[None] * len(image) if each is None else each for each in (boxes, landmarks)]
        if any(len(each) != len(image) for each in given):
            raise DetectorError(f"{len(image)} images need as many entries of boxes or landmarks, None for detection")
        located = [self._numbered(*one) for one in zip(count(), image, *given, strict=False)]
        found = self.align_located(located, refine)
        return [replace(faces, source=ImageSource(one)) for faces, one in zip(found, image, strict=True)]

    def _numbered(self, number: int, image: ImageLike, boxes: Floats | None, landmarks: Floats | None) -> Located:
        """`locate` for one of several images, which errors name."""
        try:
            return self.locate(image, boxes, landmarks)
        except (ImageError, DetectorError) as error:
            raise type(error)(f"image {number} of the list: {error}") from None

    def locate(
        self, image: ImageLike, boxes: Floats | None = None, landmarks: Floats | None = None, reduced_by: float = 1.0
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
        return self._locator(as_image(image), boxes, landmarks, reduced_by)

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
        return self._fitter(images, refine)

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
        return self._fitter.in_rois(image, roi, found, roll_deg)

    def fuse(self, faces: Sequence[Faces]) -> FusedFaces:
        """Estimate one identity from several photos of a person.

            fused = aligner.fuse([aligner(photo).single(0) for photo in photos])
            fused.identity, fused.faces[0].neutral_vertices

        Args:
            faces: results with one face each; see `ddfa.person.fusion.fuse`.

        Returns:
            The identity, how much each photo counts, and the faces with this identity.

        Raises:
            NoFaceError: no faces.
            ModelError: results of different models.
            ValueError: a result is not one face.
        """
        return fuse(faces)


def _aligner(settings: dict[str, Any]) -> FaceAligner:
    """Unpickle an aligner."""
    return FaceAligner(**settings)


def _detector(
    given: AnyDetector | str | None, threads: int | None, device: Device, min_score: float | None
) -> Detector:
    if given is None or isinstance(given, str):
        return load_detector(given or "yunet", threads, device, min_score)
    return CustomDetector(given)
