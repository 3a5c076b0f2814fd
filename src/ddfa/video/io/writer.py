"""Writes video files that are always complete: when finished, interrupted or after an error."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from ddfa.arrays import UInt8
from ddfa.errors import OutputError
from ddfa.files import PendingFile
from ddfa.images import refuse_synthetic
from ddfa.video.io.audio import AudioCopy
from ddfa.video.io.containers import CLOCK, Format, create_container, format_of
from ddfa.video.io.source import AudioPart
from ddfa.video.io.threads import Worker

_BT709: Final = 1


class VideoWriter:
    """Writes a video; frames are encoded in a separate thread.

        with VideoWriter("out.mp4", source.size, source.fps, audio=source.audio) as writer:
            writer.write(image, time)

    The file has a temporary name until it is finished. After an error or Ctrl-C the frames written so far are kept; a
    video without frames is not written, and an existing file stays. H.264 and AAC in .mp4, .m4v, .mov, .mkv; VP9 and
    Opus in .webm. Odd widths and heights are padded by one pixel, since these codecs need even ones.

    Args:
        path: the file; its suffix names the format.
        size: (width, height) of the frames, px.
        fps: average frames per second, a hint for players; frames have the times given to `write`.
        audio: a file, or a part of one, whose audio is kept: copied, or re-encoded if the format does not support its
            codec.
        metadata: tags of the file.
        seal: called with the temporary path of the finished file, to change it before it is renamed; if it raises, an
            existing file stays.

    Attributes:
        written: number of frames so far.
        keep: whether the finished file is kept; otherwise it is removed, and an existing file stays.

    Raises:
        OutputError: an unknown format, or the file cannot be created.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: Fraction | float = 25,
        *,
        audio: AudioPart | Path | None = None,
        metadata: Mapping[str, str] | None = None,
        seal: Callable[[Path], None] | None = None,
    ) -> None:
        self.path, self.size, self.written, self.keep = Path(path), size, 0, True
        self._seal = seal
        form = format_of(self.path)
        part = AudioPart(audio) if isinstance(audio, Path) else audio
        self._to_end = part is None or part.to_end
        self._file = PendingFile(self.path)
        self._closed = False
        self._last, self._period = -1, max(1, round(1 / (Fraction(fps) * CLOCK)))
        try:
            self._container = create_container(self._file.temporary, form, dict(metadata or {}))
            self._stream = _add_video(self._container, form, size, Fraction(fps))
            self._audio = None if part is None else AudioCopy(part, self._container, form.container)
            self._container.start_encoding()
        except (av.FFmpegError, OSError, ValueError) as error:
            self._discard()
            raise self._file.failure(error) from None
        self._worker: Worker[tuple[UInt8, int]] = Worker(self._encode)

    def write(self, image: UInt8, time: float) -> None:
        """Append a frame.

        Args:
            image: (H, W, 3) uint8 RGB; must not be changed afterwards.
            time: seconds since the beginning.

        Raises:
            OutputError: a frame of another size, or the file cannot be written.
        """
        refuse_synthetic(image)
        if image.shape != (self.size[1], self.size[0], 3) or image.dtype != np.uint8:
            raise OutputError(f"a frame of {self.path} is RGB uint8 {self.size}, not {image.dtype} {image.shape}")
        self._last = max(round(time / CLOCK), self._last + 1)
        self.written += 1
        self._worker.put((image, self._last))

    def close(self, *, whole: bool = True) -> None:
        """Finish the file; a second call does nothing.

        Args:
            whole: keep all of the audio; otherwise only up to the last frame.

        Raises:
            OutputError: it cannot be written; no file is left then.
        """
        try:
            self._worker.close()
            if self.written and self.keep and not self._closed:
                self._finish(whole)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._file.failure(error) from None
        finally:
            self._closed = True
            self._discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OutputError):  # writing has failed: there is nothing to finish
            self._discard()
        else:
            self.close(whole=error is None)

    def _encode(self, item: tuple[UInt8, int]) -> None:
        image, ticks = item
        try:
            frame = VideoFrame.from_ndarray(_even(image), format="rgb24").reformat(
                format="yuv420p",
                src_color_range=ColorRange.JPEG,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            frame.pts, frame.time_base, frame.duration = ticks, CLOCK, self._period
            if self._audio is not None:
                self._audio.advance(float(ticks * CLOCK))
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._file.failure(error) from None

    def _finish(self, whole: bool) -> None:
        self._container.mux(self._stream.encode(None))
        if self._audio is not None:
            self._audio.advance(float("inf") if whole and self._to_end else float((self._last + self._period) * CLOCK))
            self._audio.finish()
        self._container.close()
        if self._seal is not None:
            self._seal(self._file.temporary)
        self._file.commit()

    def _discard(self) -> None:
        """Remove the temporary file; harmless after it got its name."""
        container = getattr(self, "_container", None)
        try:
            if container is not None:
                container.close()
        except (av.FFmpegError, OSError, ValueError):
            pass  # the error has already been raised
        self._file.discard()


def _add_video(container: OutputContainer, form: Format, size: tuple[int, int], fps: Fraction) -> VideoStream:
    stream = container.add_stream(form.codec, rate=fps.limit_denominator(1001), options=form.options)
    if not isinstance(stream, VideoStream):
        raise ValueError(f"{form.codec} is no video codec")
    stream.width, stream.height = (side + side % 2 for side in size)
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = CLOCK
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = ColorRange.MPEG
    return stream


def _even(image: UInt8) -> UInt8:
    """Pad odd widths and heights by repeating the last column or row."""
    down, right = image.shape[0] % 2, image.shape[1] % 2
    if not (down or right):
        return np.ascontiguousarray(image)
    return np.asarray(cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)
