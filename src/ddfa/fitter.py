"""The second half of alignment: from the RoIs of faces to their parameters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float32, UInt8
from ddfa.detect import Detections
from ddfa.detect.detections import box_areas
from ddfa.detect.limits import FaceLimits
from ddfa.errors import DetectorError
from ddfa.face_model import FaceModel
from ddfa.faces import Faces
from ddfa.geometry.duplicates import distinct_faces
from ddfa.geometry.perspective import Camera
from ddfa.geometry.pose import in_plane_matrix
from ddfa.located import Located, needed_turn, usable
from ddfa.regress.regions import RegionNetworks
from ddfa.regress.session import Regressor
from ddfa.regress.turned import turn_pose

_POOR: Final = 0.3  # quality of a fit that may be due to a wrong roll
_CLEARLY: Final = 0.3  # difference of quality above which another roll is right


class FaceFitter:
    """Regresses the parameters of located faces.

    Args:
        regressor: the network.
        model: what its parameters mean.
        regions: refine the expression; None for none.
        limits: which detected faces are wanted.
        camera: of the images; None if unknown.
        any_roll: whether crops of turned faces are turned upright.
    """

    def __init__(
        self,
        regressor: Regressor,
        model: FaceModel,
        regions: RegionNetworks | None,
        limits: FaceLimits,
        camera: Camera | None,
        any_roll: bool,
    ) -> None:
        self._regressor, self._model, self._regions = regressor, model, regions
        self._limits, self._camera, self._any_roll = limits, camera, any_roll

    def __call__(self, images: Sequence[Located], refine: bool) -> list[Faces]:
        """Regress the faces of several images in one batch, see `FaceAligner.align_located`."""
        results = self._retry(images, self._refine(images, self._regress(images), refine))
        wanted = [self._wanted(one, faces) for one, faces in zip(images, results, strict=True)]
        return self._with_regions([one.image for one in images], wanted)

    def _wanted(self, one: Located, faces: Faces) -> Faces:
        """Drop faces of low quality, those that repeat another one, and those beyond the largest `max_faces`."""
        if one.given:
            return faces
        scores = faces.scores
        if faces.quality is not None and len(faces):
            wanted = faces.quality >= self._limits.min_quality
            scores = (faces.scores * faces.quality)[wanted]  # of two fits to one face, the better one is kept
            faces = faces if wanted.all() else faces[np.flatnonzero(wanted)]
        kept = np.flatnonzero(distinct_faces(faces.landmarks68, faces.boxes, scores)) if len(faces) > 1 else None
        if kept is not None and len(kept) < len(faces):
            faces = faces[kept]
        most = self._limits.max_faces
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
            [one.select(index).refined(faces[index], turn=self._any_roll) for one, faces, index in first]
        )
        return [_with_rows(faces, index, new) for faces, index, new in zip(results, chosen, again, strict=True)]

    def _retry(self, images: Sequence[Located], results: list[Faces]) -> list[Faces]:
        """Try other rolls where the estimated quality is poor; a fit that is clearly better replaces the first one."""
        poor = [np.flatnonzero(np.zeros(0) if f.quality is None else f.quality < _POOR) for f in results]
        if not self._any_roll or not any(map(len, poor)):
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

    def in_rois(self, image: UInt8, roi: Float32, found: Detections, roll_deg: Float32 | None) -> Faces:
        """Regress the faces in given RoIs, in one step, see `FaceAligner.align_rois`."""
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
            layout, size = self._model.layout, self._model.crop_size
            pose, identity, expression = layout.split(params)
            params = layout.join(turn_pose(pose, one.roll_deg, size, self._model.convention), identity, expression)
        return Faces(
            boxes=one.found.boxes,
            scores=one.found.scores,
            params=params,
            roi=one.roi,
            model=self._model,
            image_size=one.size,
            camera=self._camera,
            quality_output=quality,
        )

    def _with_regions(self, images: Sequence[UInt8], results: list[Faces]) -> list[Faces]:
        """Replace the expression coefficients that the region networks are confident about."""
        counts = [len(faces) for faces in results]
        if self._regions is None or not sum(counts):
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
        refined = self._regions(each, landmarks, rotation, first).merged(first)
        parts = np.split(refined, np.cumsum(counts)[:-1])
        return [faces.with_expression(own) for faces, own in zip(results, parts, strict=True)]


def _with_rows(faces: Faces, index: "NDArray[np.intp]", new: Faces) -> Faces:
    """Replace the faces at `index` (m,) by m new ones."""
    if not len(index):
        return faces
    if len(index) == len(faces):
        return new
    order = np.arange(len(faces))
    order[index] = len(faces) + np.arange(len(index))
    return Faces.concat([faces, new])[order]
