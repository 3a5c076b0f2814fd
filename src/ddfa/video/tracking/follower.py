"""Tracking by landmarks, from frame to frame and without smoothing.

The regressor has no confidence output: it returns a face for any crop. Tracking failures are therefore detected in
three ways: the RoI of the new landmarks must overlap the RoI they were regressed from, a detector must confirm the face
at intervals, in a small window around the track, which is much cheaper than a search of the whole frame, and the
face must look like the person of the track (`Appearance`).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, UInt8
from ddfa.detect import Detections, Detector
from ddfa.detect.detections import box_overlap
from ddfa.detect.yunet import YuNet
from ddfa.faces import Faces
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.person.appearance import OTHER, Appearance
from ddfa.person.motion import boxes_around
from ddfa.video.io.source import Frame
from ddfa.video.tracking.nearby import SAME_BOX, NearbyDetector
from ddfa.video.tracking.shot_boundary import ShotBoundaryDetector
from ddfa.video.tracking.sights import Sight, is_covered, is_replaced, remove_duplicates, undo_swaps
from ddfa.video.tracking.track import Track, returning

MEMORY: Final = 3.0  # s, by default: how long a lost face keeps its id
_SOON: Final = 5  # frames between searches of the whole frame while somebody is missing or nobody is in view
_CHECK: Final = 10  # frames between checks of a track
_PATIENCE: Final = 3  # failed checks in a row until a face is lost
_UNCERTAIN: Final = 1.0  # s for which a face that may be a covered one gets no new id
_FLASH: Final = 0.25  # change of the frame's brightness, relative, at which looks are not compared
_FAILURE: Final = 0.35  # IoU of consecutive RoIs below which tracking has failed
_SMALLEST: Final = 16.0  # px, side of the RoI
_CHECK_SCORE: Final = 0.3  # threshold of the checking detector; tracked profiles have lower scores than detected faces


@dataclass(frozen=True, eq=False)
class TrackedDetection:
    """A face in one frame, as regressed.

    Attributes:
        id: of its track, from 0; never reused for another person.
        face: a result with one face; its score is that of the last check.
        restarted: the person was not followed from the last frame: a first appearance, a return or a new shot.
    """

    id: int
    face: Faces
    restarted: bool = False


class Follower:
    """Tracks all faces of a video.

    Args:
        aligner: regresses the faces; its detector finds new ones.
        detect_every: frames between searches of the whole frame for new faces.
        check: detector that confirms a face in a small window; YuNet with a low threshold by default.
        memory: seconds after which a lost face gets a new id.

    Attributes:
        detections: number of searches of the whole frame so far.
    """

    def __init__(
        self, aligner: FaceAligner, detect_every: int = 30, check: Detector | None = None, memory: float = MEMORY
    ) -> None:
        self._aligner, self._every, self._memory = aligner, max(1, detect_every), memory
        self._detect_near = NearbyDetector(check or YuNet(score_threshold=_CHECK_SCORE))
        self._jumps = ShotBoundaryDetector()
        self._appearance = Appearance(aligner.head)
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._brightness = 0.0  # of the last frame
        self._since = self._every  # frames since the whole frame was searched
        self._count = 0
        self.detections = 0

    @property
    def cuts(self) -> int:
        """Number of shot boundaries so far."""
        return self._jumps.cuts

    def __call__(self, frame: Frame) -> list[TrackedDetection]:
        """Process the next frame.

        Returns:
            The faces in it, the oldest track first.
        """
        self._lost = [track for track in self._lost if frame.time - track.time <= self._memory]
        jump = self._jumps(frame.image)
        if jump:
            for track in [*self._tracks, *self._lost]:
                track.elsewhere = True
            self._lose(self._tracks)
        before = len(self._tracks)
        found, strangers = self._track_known(frame)
        found += self._identified(frame, strangers)
        self._since += 1
        waiting = self._every if self._tracks and not self._lost else min(_SOON, self._every)
        if jump or len(self._tracks) < before or self._since >= waiting:
            found += self._search(frame)
        return sorted(found, key=lambda one: one.id)

    def _track_known(self, frame: Frame) -> tuple[list[TrackedDetection], list[Faces]]:
        """Regress every track at its predicted position.

        Tracks that fail become lost ones. Also returns the faces of other people that are found instead.
        """
        sights = self._sights(frame)
        steady = not self._light_changes(frame.image)
        self._lose(remove_duplicates(sights))
        undo_swaps(sights, self._appearance)
        kept, strangers = [], []
        for sight in sights:
            track = sight.track
            if steady and sight.distance > OTHER and is_replaced(sight, self._lost, self._appearance):
                others = _boxes([other for other in self._tracks if other is not track])
                seen = None if track.contested else self._detect_near(frame.image, sight.face.boxes[0], track.roll)
                self._lose([track])
                if seen is not None and (box_overlap(others, track.box) < SAME_BOX).all():
                    strangers.append(_scored(sight.face, float(seen.scores[0])))
                continue
            if steady:
                track.remember(sight.look, sight.distance)
            else:
                track.last_look = sight.look
            self._turn(track, sight.face)
            kept.append(TrackedDetection(track.id, _scored(sight.face, track.score)))
        return kept, strangers

    def _sights(self, frame: Frame) -> list[Sight]:
        """Regress the tracks and check them; those that have failed are lost."""
        size = (frame.image.shape[1], frame.image.shape[0])
        expected = [track.landmarks[:, :2] + track.velocity for track in self._tracks]
        rois = [roi_from_landmarks(points[None])[0] for points in expected]
        inside = [_is_inside(roi, size) for roi in rois]
        self._lose([track for track, good in zip(self._tracks, inside, strict=True) if not good])
        rois = [roi for roi, good in zip(rois, inside, strict=True) if good]
        if not self._tracks:
            return []
        found = Detections(
            np.stack([track.box for track in self._tracks]), np.array([track.score for track in self._tracks])
        )
        rolls = np.array([track.roll for track in self._tracks], np.float32)
        faces = self._aligner.align_rois(frame.image, np.stack(rois), found, rolls)
        sights, failed = [], []
        for track, roi, face in zip(list(self._tracks), rois, faces.singles(), strict=True):
            confirmed = self._confirmed(frame, track, roi, face)
            if confirmed is None:
                failed.append(track)
                continue
            confirmed = replace(confirmed, boxes=boxes_around(confirmed.landmarks68))
            look = self._appearance(frame.image, confirmed)
            distance = float("nan") if track.look is None else self._appearance.distance(track.look, look)
            sights.append(Sight(track, confirmed, look, distance))
        self._lose(failed)
        return sights

    def _light_changes(self, image: UInt8) -> bool:
        """Whether the whole frame is suddenly brighter or darker, as in a flash."""
        last, self._brightness = self._brightness, float(image[::8, ::8].mean())
        return abs(self._brightness - last) > _FLASH * max(last, 1.0)

    def _confirmed(self, frame: Frame, track: Track, roi: Float32, face: Faces) -> Faces | None:
        """The face of a track, or None; checked by the detector at intervals, and at once if tracking seems to fail."""
        landmarks = face.landmarks68[0]
        suspect = box_overlap(roi_from_landmarks(landmarks[None]), roi)[0] < _FAILURE
        track.unchecked += 1
        if suspect or track.misses or track.unchecked >= _CHECK:
            track.unchecked = 0
            box = track.box if suspect else boxes_around(landmarks[None])[0]
            seen = self._detect_near(frame.image, box, track.roll)
            track.misses = 0 if seen is not None else track.misses + 1
            if (seen is None and suspect) or track.misses >= _PATIENCE:
                return None
            if seen is not None:
                track.score = float(seen.scores[0])
                if suspect:  # restart from the detected box
                    face = self._aligner(frame.image, boxes=seen.boxes, refine=True)
                    landmarks = face.landmarks68[0]
        track.advance(landmarks, frame.time)
        return _scored(face, track.score)

    def _turn(self, track: Track, face: Faces) -> None:
        if self._aligner.any_roll:
            track.turn(face.rotation)

    def _search(self, frame: Frame) -> list[TrackedDetection]:
        """Detect faces in the whole frame, and identify those without a track."""
        self._since = 0
        self.detections += 1
        located = self._aligner.locate(frame.image)
        known = _boxes(self._tracks)
        new = [i for i, box in enumerate(located.found.boxes) if (box_overlap(known, box) < SAME_BOX).all()]
        if not new:
            return []
        (faces,) = self._aligner.align_located([located.select(np.array(new))], refine=True)
        uncovered = [face for face in faces.singles() if not is_covered(face.landmarks68[0], self._tracks)]
        return self._identified(frame, uncovered)

    def _identified(self, frame: Frame, faces: list[Faces]) -> list[TrackedDetection]:
        """Give faces without a track the one that was lost, or a new one."""
        looks = [self._appearance(frame.image, face) for face in faces]
        landmarks = [face.landmarks68[0] for face in faces]
        owners = returning(self._lost, landmarks, looks, self._appearance)
        found = []
        for face, look, track in zip(faces, looks, owners, strict=True):
            score = float(face.scores[0])
            if self._is_full or (track is None and self._may_be_covered(frame, face)):
                continue
            if track is None:
                track = Track(self._count, face.landmarks68[0], score, frame.time)
                self._count += 1
            else:
                self._lost.remove(track)
                track.restart(face.landmarks68[0], score, frame.time)
            track.remember(look, 0.0)
            self._turn(track, face)
            self._tracks.append(track)
            found.append(TrackedDetection(track.id, face, restarted=True))
        return found

    @property
    def _is_full(self) -> bool:
        return 0 < self._aligner.limits.max_faces <= len(self._tracks)

    def _may_be_covered(self, frame: Frame, face: Faces) -> bool:
        """Whether an unknown face may be somebody who has just been lost behind a face that is close."""
        box = boxes_around(face.landmarks68)[0]
        lost = [track for track in self._lost if frame.time - track.time <= _UNCERTAIN and track.is_near(box)]
        return bool(lost) and any(track.is_close(box) for track in self._tracks)

    def _lose(self, tracks: list[Track]) -> None:
        for track in list(tracks):
            self._tracks.remove(track)
            self._lost.append(track)


def _boxes(tracks: list[Track]) -> Float32:
    """The boxes (n, 4) of tracks."""
    return np.array([track.box for track in tracks], np.float32).reshape(-1, 4)


def _is_inside(roi: Float32, size: tuple[int, int]) -> bool:
    """Whether at least a third of a RoI is inside the image, and its size is plausible."""
    side = float(roi[2] - roi[0])
    if not (np.isfinite(roi).all() and _SMALLEST <= side <= 4 * max(size)):
        return False
    seen = np.clip(np.minimum(roi[2:], size) - np.maximum(roi[:2], 0), 0, None)
    return float(np.prod(seen)) > side * side / 3


def _scored(face: Faces, score: float) -> Faces:
    return replace(face, scores=np.array([score], np.float32))
