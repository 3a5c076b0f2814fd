"""Writes synthetic videos: the only way to turn frames that are `SyntheticImage` into a file (extra `video`)."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from ddfa.files import write_atomically
from ddfa.images import SyntheticImage
from ddfa.provenance.c2pa import C2paSigner
from ddfa.provenance.watermark import labelled
from ddfa.provenance.xmp import VIDEO_TAGS
from ddfa.video.io.frames import VideoWriter
from ddfa.video.io.joining import join_videos
from ddfa.video.io.source import AudioPart


def join_synthetic(
    path: Path,
    parts: Sequence[tuple[Path, float]],
    *,
    audio: AudioPart | Path | None = None,
    whole: bool = True,
    signer: C2paSigner | None = None,
) -> None:
    """Join parts of a synthetic video to one file whose metadata states that it is synthetic.

    Args:
        path: the file; its suffix is that of the parts.
        parts: files of `SyntheticVideoWriter`, each with the time in seconds at which it begins.
        audio: a file, or a part of one, whose audio is copied.
        whole: keep all of the audio; otherwise only up to the last frame.
        signer: signs the finished file (C2PA); if it fails, no file is written and an existing one is kept.

    Raises:
        OutputError: the file cannot be written.
    """
    seal = _seal(signer, path.suffix)
    join_videos(path, parts, audio=audio, whole=whole, metadata=VIDEO_TAGS, seal=seal)


class SyntheticVideoWriter:
    """Writes synthetic frames to a video whose metadata states that it is synthetic.

        with SyntheticVideoWriter("out.mp4", source.size, source.fps, audio=source.audio) as writer:
            writer.write(image, time)

    Wraps a `VideoWriter`; formats, interruption and errors are the same.

    Args:
        path: the file; its suffix names the format.
        size: (width, height) of the frames, px.
        fps: frames per second on average.
        audio: a file, or a part of one, whose audio is copied.
        label: draw "SYNTHETIC FACE" into the lower left corner of every frame.
        signer: signs the finished file (C2PA); if it fails, no file is written and an existing one is kept.

    Raises:
        OutputError: the format is unknown or the file cannot be created.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: Fraction | float = 25,
        *,
        audio: AudioPart | Path | None = None,
        label: bool = False,
        signer: C2paSigner | None = None,
    ) -> None:
        self._label = label
        self._writer = VideoWriter(
            path, size, fps, audio=audio, metadata=VIDEO_TAGS, seal=_seal(signer, Path(path).suffix)
        )

    @property
    def written(self) -> int:
        """Number of frames written so far."""
        return self._writer.written

    @property
    def keep(self) -> bool:
        """Whether the finished file is kept; set it to False to leave an existing file untouched."""
        return self._writer.keep

    @keep.setter
    def keep(self, keep: bool) -> None:
        self._writer.keep = keep

    def write(self, image: SyntheticImage, time: float) -> None:
        """Append a frame.

        Args:
            image: the frame; must not be changed afterwards.
            time: seconds since the beginning.

        Raises:
            OutputError: the frame has another size, or the file cannot be written.
        """
        self._writer.write(labelled(image.unmarked_pixels) if self._label else image.unmarked_pixels, time)

    def close(self, *, whole: bool = True) -> None:
        """Finish the file; see `VideoWriter.close`."""
        self._writer.close(whole=whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


def _seal(signer: C2paSigner | None, suffix: str) -> Callable[[Path], None]:
    """What signs a finished file of a format."""

    def sign(finished: Path) -> None:
        if signer is not None:
            write_atomically(finished, signer.sign(finished.read_bytes(), suffix))

    return sign
