"""Reads video files with FFmpeg (PyAV)."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from ddfa.arrays import UInt8
from ddfa.errors import ImageTooLargeError, VideoError, reading, reason
from ddfa.files import check_regular
from ddfa.images import MAX_PIXELS, check_size
from ddfa.video.io.source import SAME_TIME, AudioPart, Frame, FrameSource

if TYPE_CHECKING:
    from ddfa.video.io.hdr import ToneMapper

USUAL_RATE: Final = Fraction(25)
_PADDING: Final = 2**16  # px, of the smallest frames
_HD_HEIGHT: Final = 720  # px; untagged videos are BT.709 from this height on, otherwise BT.601, as in players
_UNTAGGED: Final = 2
_HDR_TRANSFERS: Final = (16, 18)  # PQ and HLG, code points of H.273
_WIDE_PRIMARIES: Final = 9  # BT.2020
_MICROSECONDS: Final = 1_000_000  # per second; the unit of a container's times


class VideoFile(FrameSource):
    """A video file; its frames are upright (rotation metadata applied), BT.709 and have square pixels.

    HDR (PQ, HLG) and BT.2020 are tone-mapped, see `ddfa.video.io.hdr`.

    Frames keep their timestamps, also at variable frame rates. Damaged frames are skipped and counted.

    Args:
        path: the file.
        max_pixels: maximum width times height of a frame.

    Raises:
        VideoError: it is missing, empty, not a video, truncated before its first frame, or its frames are too large.
    """

    def __init__(self, path: Path, max_pixels: int = MAX_PIXELS) -> None:
        self.path, self.name, self._max_pixels = path, str(path), max_pixels
        self.size = (0, 0)
        self._tone_mapper: ToneMapper | None = None
        with self._opened() as (container, stream), reading(path, VideoError, "no readable video", "copy it again"):
            self.fps = stream.average_rate or stream.guessed_rate or USUAL_RATE
            self.count = _expected_frames(container, stream, self.fps)
            self.audio = AudioPart(path) if container.streams.audio else None
        first = next(iter(self), None)
        if first is None:
            raise VideoError(f"{path} has no readable frame: it is truncated or damaged, copy it again")
        self.size = (first.image.shape[1], first.image.shape[0])

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, from the first."""
        return self.frames_from(0.0)

    def frames_from(self, start: float) -> Iterator[Frame]:
        """Yield the frames from a time on, seconds; what is before is only decoded from the last key frame on."""
        self.skipped = 0
        index, last = 0, -1.0
        with self._opened() as (container, stream):
            origin = container.start_time or 0
            if start:
                with reading(self.path, VideoError, "a part cannot be found", "leave out --start"):
                    container.seek(origin + round(start * _MICROSECONDS))
            origin_s = origin / _MICROSECONDS
            for raw in self._decoded(container, stream):
                if start and raw.pts is not None and float(raw.time) - origin_s < start - SAME_TIME:
                    continue
                with reading(self.path, VideoError, "damaged, or of an unsupported kind", "copy or convert it"):
                    if index == 0 and self._tone_mapper is None:
                        self._tone_mapper = _tone_mapper(raw, stream)
                    time = start + float(index / self.fps) if raw.pts is None else float(raw.time) - origin_s
                    last = max(time, start) if index == 0 else max(time, last + SAME_TIME)
                    image = self._upright(raw, stream)
                yield Frame(image, last, index)
                index += 1

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        _check_file(self.path)
        try:
            container = av.open(str(self.path))
        except Exception as error:  # FFmpeg's errors have many types
            raise VideoError(f"{self.path} is not a video, or truncated ({reason(error)}): copy it again") from None
        with container:
            # The cover of a song is a video stream with one image.
            moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not moving:
                raise VideoError(f"{self.path} has audio only: name a video")
            stream = moving[0]
            try:
                check_size((stream.width, stream.height), self.path, self._max_pixels)
            except ImageTooLargeError as error:
                raise VideoError(str(error)) from None
            # A stream may change its size: FFmpeg refuses much larger frames, padding included, before it allocates.
            stream.codec_context.options = {"max_pixels": str(2 * self._max_pixels + _PADDING)}
            stream.thread_type = "AUTO"
            yield container, stream

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Decode packet by packet, so that a damaged packet affects only its own frames."""
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except Exception:  # the rest cannot be read
                self.skipped += 1
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except Exception:  # FFmpeg's errors have many types
                self.skipped += 1
                continue
            for frame in frames:
                if frame.is_corrupt or not isinstance(frame, VideoFrame):
                    self.skipped += 1
                else:
                    yield frame

    def _upright(self, frame: VideoFrame, stream: VideoStream) -> UInt8:
        """Convert to RGB at the size of the first frame, with square pixels, rotated as players do."""
        quarters = round(frame.rotation / 90) % 4
        if self.size == (0, 0):
            aspect = stream.sample_aspect_ratio or Fraction(1)
            width, height = max(1, round(frame.width * aspect)), frame.height
        else:  # a stream may change its size
            width, height = self.size if quarters % 2 == 0 else self.size[::-1]
        untagged = Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601
        space = untagged if frame.colorspace == _UNTAGGED else None
        mapper = self._tone_mapper
        layout = "rgb24" if mapper is None else "rgb48le"
        pixels = frame.to_ndarray(format=layout, width=width, height=height, src_colorspace=space)
        image = np.asarray(pixels, np.uint8) if mapper is None else mapper(np.asarray(pixels, np.uint16))
        return np.ascontiguousarray(np.rot90(image, quarters))


def _tone_mapper(frame: VideoFrame, stream: VideoStream) -> "ToneMapper | None":
    """What converts the frames of a video to BT.709; None if swscale does it."""
    transfer, primaries = stream.codec_context.color_trc, stream.codec_context.color_primaries
    if transfer not in _HDR_TRANSFERS and primaries != _WIDE_PRIMARIES:
        return None
    from ddfa.video.io.hdr import ToneMapper, colours_of  # its kernel is compiled with Numba, a slow import

    return ToneMapper(colours_of(frame, transfer, primaries))


def _check_file(path: Path) -> None:
    check_regular(path, VideoError)
    if not path.stat().st_size:
        raise VideoError(f"{path} is empty (0 bytes): copy it again")


def _expected_frames(container: InputContainer, stream: VideoStream, fps: Fraction) -> int | None:
    """The number of frames a player shows; the container's frame count includes those that an edit list hides."""
    if stream.duration and stream.time_base:
        return max(1, round(stream.duration * stream.time_base * fps))
    if container.duration:
        return max(1, round(Fraction(container.duration, _MICROSECONDS) * fps))
    return stream.frames or None
