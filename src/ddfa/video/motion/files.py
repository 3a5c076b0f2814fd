"""Files with the motion of one person: the CSV of Live Link Face and BVH."""

import csv
import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from ddfa.arrays import Float64
from ddfa.errors import OutputError
from ddfa.faces import Faces
from ddfa.files import write_atomically
from ddfa.head.model import HeadModel
from ddfa.video.io.source import Frame
from ddfa.video.motion.bvh import bvh_text
from ddfa.video.motion.choice import LongestTrack
from ddfa.video.motion.live_link import CSV_HEADER, csv_row
from ddfa.video.motion.motion import Motion, motion_of
from ddfa.video.motion.neutral import NeutralPose, at_first_position
from ddfa.video.tracking.tracker import TrackedFace

SUFFIXES: Final = (".csv", ".bvh")
_METRES: Final = 1e-3  # per mm


class MotionWriter:
    """Collects the motion of the faces of a video; `close` writes that of one of them.

    Args:
        path: the file: `.csv` as Live Link Face writes it, or `.bvh`.
        head: head model of the faces.
        fps: frames per second of the video.
        calibrate: seconds at the start of the track that define the neutral pose; 0 for camera axes and weights as
            they are.
        track: id of the track to write; by default the one that is largest and longest (size summed over frames).

    Raises:
        OutputError: another suffix, or the folder does not exist.
        ModelError: the head has no ARKit blendshapes.
    """

    def __init__(
        self, path: Path, head: HeadModel, fps: Fraction, *, calibrate: float = 0.0, track: int | None = None
    ) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise OutputError(f"cannot write {path}: use one of the suffixes {', '.join(SUFFIXES)}")
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path} (no such folder): choose another place")
        head.require_arkit(f"{path.suffix} files")
        self._path, self._fps, self._calibrate = path, fps, calibrate
        self._choice = LongestTrack(track)
        self._motions: dict[int, list[Motion]] = {}
        self._last: dict[int, Faces] = {}  # with the identity averaged over most frames

    def add(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """Add the next frame."""
        for face in self._choice.add(faces):
            self._motions.setdefault(face.id, []).append(motion_of(frame, face.faces))
            self._last[face.id] = face.faces

    def close(self) -> None:
        """Write the file, unless the video has no faces.

        Raises:
            OutputError: it cannot be written, or the video has faces, but not this track.
        """
        chosen = self._choice.chosen(self._path)
        if chosen is None:
            return
        motions = calibrated(self._motions[chosen], self._calibrate)
        if self._path.suffix.lower() == ".csv":
            content = _csv_text(motions, self._fps)
        else:
            content = bvh_text(evenly_spaced(motions, self._fps), _eye_centres(self._last[chosen]), self._fps)
        write_atomically(self._path, content.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def calibrated(motions: Sequence[Motion], seconds: float) -> list[Motion]:
    """Express the motions of a track relative to the neutral pose in its first seconds; see `MotionWriter`."""
    first = motions[0]
    resting = [motion for motion in motions if motion.time - first.time < seconds]
    neutral = NeutralPose.of(resting) if resting else at_first_position(first)
    return [neutral.relative(motion) for motion in motions]


def evenly_spaced(motions: Sequence[Motion], fps: Fraction) -> list[Motion]:
    """One motion per frame at a constant rate, from the start of the video to the last motion.

    Each frame has the motion that is current at its middle: gaps repeat the motion before them, frames before the first
    motion have that.
    """
    times = np.array([motion.time for motion in motions])
    middles = (np.arange(round(times[-1] * float(fps)) + 1) + 0.5) / float(fps)
    return [motions[i] for i in np.maximum(np.searchsorted(times, middles, side="right") - 1, 0)]


def _csv_text(motions: Sequence[Motion], fps: Fraction) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows(csv_row(motion, fps) for motion in motions)
    return text.getvalue()


def _eye_centres(face: Faces) -> Float64:
    """(2, 3) centres of the left and the right eye, metres."""
    eyes = [face.neutral_vertices[0, face.head.regions[f"eye_{side}"]] for side in ("left", "right")]
    return np.array([(eye.max(axis=0) + eye.min(axis=0)) / 2 for eye in eyes]) * _METRES
