"""Sends the motion of one person, frame by frame, in the time of the video: `ddfa video --to`."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from fractions import Fraction
from types import TracebackType
from typing import Final, Self

from ddfa.errors import OutputError
from ddfa.head.model import HeadModel
from ddfa.video.io.source import Frame
from ddfa.video.motion import live_link, vmc
from ddfa.video.motion.choice import FollowedTrack
from ddfa.video.motion.motion import Motion, motion_of
from ddfa.video.motion.neutral import NeutralPose, at_first_position
from ddfa.video.motion.targets import Target, UdpSender
from ddfa.video.tracking.tracker import TrackedFace

CALIBRATION_S: Final = 1.0


class MotionSender:
    """Sends the motion of one person to programs that show an avatar.

    A person is calibrated when they are first followed: during the first seconds, which define the neutral pose, only
    signs of life are sent. Where frames come from a file, sending takes as long as the file plays.

    Args:
        targets: who receives the motion.
        head: head model of the faces.
        fps: frames per second of the source.
        calibrate: seconds that define the neutral pose; 0 for camera axes and weights as they are.
        track: id of the person; by default the largest face, and then that person for as long as they are in view.
        live: whether frames come at the time of their display.
        wait: waits for so many seconds.

    Raises:
        ModelError: the head has no ARKit blendshapes.
        OutputError: a target cannot be reached.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        head: HeadModel,
        fps: Fraction,
        *,
        calibrate: float = CALIBRATION_S,
        track: int | None = None,
        live: bool = False,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        head.require_arkit("--to")
        self._fps, self._calibrate, self._wait = fps, calibrate, None if live else wait
        self._choice = FollowedTrack(track)
        self._resting: dict[int, list[Motion]] = {}
        self._neutral: dict[int, NeutralPose] = {}
        self._start: float | None = None
        self._midnight = _seconds_of_day()
        with ExitStack() as stack:
            self._senders = []
            for target in targets:
                self._senders.append(UdpSender(target))
                stack.callback(self._senders[-1].close)
            self._sockets = stack.pop_all()

    def send(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """Send the motion of the followed person in a frame, when the frame is due.

        Args:
            frame: the next frame.
            faces: its faces.

        Raises:
            OutputError: a target cannot be reached.
        """
        face = self._choice.among(faces)
        motion = None if face is None else self._calibrated(face.id, motion_of(frame, face.faces))
        self._until(frame.time)
        for sender in self._senders:
            if sender.target.protocol == "vmc":
                status = vmc.status_messages(
                    frame.time, calibrating=face is not None and motion is None, tracked=face is not None
                )
                datagrams = vmc.datagrams(status + ([] if motion is None else vmc.motion_messages(motion)))
            else:
                seconds = self._midnight + frame.time
                datagrams = [live_link.packet(motion, sender.target.subject, seconds, self._fps)]
            for datagram in datagrams:
                sender.send(datagram)

    def close(self) -> None:
        """Close the sockets.

        Raises:
            OutputError: nobody listened at a target.
        """
        self._sockets.close()
        for sender in self._senders:
            if sender.unheard:
                raise OutputError(f"nobody listens at {sender.target}: start the receiver first, and check its port")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._sockets.close()

    def _calibrated(self, id: int, motion: Motion) -> Motion | None:
        """The motion relative to the neutral pose of the person; None while that is measured."""
        if id not in self._neutral:
            resting = self._resting.setdefault(id, [])
            resting.append(motion)
            if not self._calibrate:
                self._neutral[id] = at_first_position(motion)
            elif motion.time - resting[0].time >= self._calibrate:
                self._neutral[id] = NeutralPose.of(self._resting.pop(id))
            else:
                return None
        return self._neutral[id].relative(motion)

    def _until(self, moment: float) -> None:
        """Wait until a frame of a file is due."""
        if self._wait is None:
            return
        now = time.monotonic()
        if self._start is None:
            self._start = now - moment
        if (early := self._start + moment - now) > 0:
            self._wait(early)


def _seconds_of_day() -> float:
    now = datetime.now()
    return (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
