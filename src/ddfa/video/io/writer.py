"""Frames into a video file that is whole at any end: finished, interrupted or failed."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

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
from ddfa.video.io.threads import Worker


class _Format(NamedTuple):
    container: str
    codec: str
    options: dict[str, str]


# Visually lossless, and fast enough to go beside the network on two cores.
_H264: Final = ("libx264", {"crf": "18", "preset": "veryfast"})
_FORMATS: Final = {
    ".mp4": _Format("mp4", *_H264),
    ".m4v": _Format("mp4", *_H264),
    ".mov": _Format("mov", *_H264),
    ".mkv": _Format("matroska", *_H264),
    ".webm": _Format("webm", "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "8"}),
}
_CLOCK: Final = Fraction(1, 90_000)  # s; divides all usual frame rates
_BT709: Final = 1


class VideoWriter:
    """Writes a video; encoding happens in a thread of its own.

        with VideoWriter("out.mp4", source.size, source.rate, sound=source.sound) as writer:
            writer.write(image, time)

    The file appears under a temporary name and gets its own when it is finished. Left by an error or Ctrl-C, the part
    written so far is finished and kept; a video without frames leaves nothing, and an older file where it is. H.264 and
    AAC in .mp4, .m4v, .mov, .mkv; VP9 and Opus in .webm. Odd sides get one more pixel, which these codecs need.

    Args:
        path: the file; its suffix names the format.
        size: (width, height) of the frames, px.
        rate: frames per second on average, a hint for players; the times given to `write` count.
        sound: a file whose sound is kept: copied, or encoded anew where the format does not allow it.
        metadata: tags of the file.
        seal: changes the finished file, given by its temporary path, before it gets its name; what it raises leaves an
            older file of that name as it is.

    Attributes:
        written: frames taken so far.
        keep: whether the finished file gets its name; otherwise nothing is left, and an older file stays.

    Raises:
        OutputError: an unknown format, or the file cannot be created.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        rate: Fraction | float = 25,
        *,
        sound: Path | None = None,
        metadata: Mapping[str, str] | None = None,
        seal: Callable[[Path], None] | None = None,
    ) -> None:
        self.path, self.size, self.written, self.keep = Path(path), size, 0, True
        self._seal = seal
        if self.path.suffix.lower() not in _FORMATS:
            raise OutputError(f"cannot write {path}: use one of the suffixes {', '.join(_FORMATS)}")
        form = _FORMATS[self.path.suffix.lower()]
        self._file = PendingFile(self.path)
        self._closed = False
        self._last, self._period = -1, max(1, round(1 / (Fraction(rate) * _CLOCK)))
        try:
            self._container = _create(self._file.temporary, form, dict(metadata or {}))
            self._stream = _add_video(self._container, form, size, Fraction(rate))
            self._sound = None if sound is None else AudioCopy(sound, self._container, form.container)
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
        self._last = max(round(time / _CLOCK), self._last + 1)
        self.written += 1
        self._worker.put((image, self._last))

    def close(self, *, whole: bool = True) -> None:
        """Finish the file; nothing happens the second time.

        Args:
            whole: keep the sound to its end; else only as long as the frames last.

        Raises:
            OutputError: it cannot be written; nothing is left behind then.
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
        if isinstance(error, OutputError):  # the file itself failed: there is nothing to finish
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
            frame.pts, frame.time_base, frame.duration = ticks, _CLOCK, self._period
            if self._sound is not None:
                self._sound.advance(float(ticks * _CLOCK))
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._file.failure(error) from None

    def _finish(self, whole: bool) -> None:
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.advance(float("inf") if whole else float((self._last + self._period) * _CLOCK))
            self._sound.finish()
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
            pass  # only tidying up: the reason was told already
        self._file.discard()


def _create(path: Path, form: _Format, metadata: dict[str, str]) -> OutputContainer:
    # The index goes to the front, for players on the web; tags of any name need a flag of their own.
    flags = "+faststart" + "+use_metadata_tags" * bool(metadata)
    options = {"movflags": flags} if form.container in ("mp4", "mov") else {}
    container = av.open(str(path), "w", format=form.container, options=options)
    container.metadata.update(metadata)
    return container


def _add_video(container: OutputContainer, form: _Format, size: tuple[int, int], rate: Fraction) -> VideoStream:
    stream = container.add_stream(form.codec, rate=rate.limit_denominator(1001), options=form.options)
    if not isinstance(stream, VideoStream):
        raise ValueError(f"{form.codec} makes no pictures")
    stream.width, stream.height = (side + side % 2 for side in size)
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = _CLOCK
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = ColorRange.MPEG
    return stream


def _even(image: UInt8) -> UInt8:
    """Repeat the last row or column of pictures with an odd side."""
    down, right = image.shape[0] % 2, image.shape[1] % 2
    if not (down or right):
        return np.ascontiguousarray(image)
    return np.asarray(cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)
