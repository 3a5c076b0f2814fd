"""Joins parts of a video, one after the other, without encoding them again."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from ddfa.errors import OutputError
from ddfa.files import atomic_path
from ddfa.video.io.audio import AudioCopy
from ddfa.video.io.containers import create_container, format_of
from ddfa.video.io.source import AudioPart


def join_videos(
    path: Path,
    parts: Sequence[tuple[Path, float]],
    *,
    audio: AudioPart | Path | None = None,
    whole: bool = True,
    metadata: Mapping[str, str] | None = None,
    seal: Callable[[Path], None] | None = None,
) -> None:
    """Write the parts of a video as one file: their packets, at later times.

    Args:
        path: the file; its suffix names the format, which is that of the parts.
        parts: files of `VideoWriter` with the same size and rate, each with the time in seconds at which it begins.
        audio: a file, or a part of one, whose audio is kept, as by `VideoWriter`.
        whole: keep all of the audio; otherwise only up to the last frame.
        metadata: tags of the file.
        seal: called with the temporary path of the finished file, to change it before it is renamed.

    Raises:
        OutputError: a part cannot be read, or the file cannot be written; an existing file stays.
    """
    form, sound = format_of(path), AudioPart(audio) if isinstance(audio, Path) else audio
    with atomic_path(path) as temporary:
        try:
            with create_container(temporary, form, dict(metadata or {})) as output:
                _copy(output, parts, sound, form.container, whole)
            if seal is not None:
                seal(temporary)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"cannot write {path} ({error}): remove the parts beside it and start again") from None


def frames_in(path: Path) -> int:
    """Number of frames of a part.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        with av.open(str(path)) as file:
            return sum(packet.size > 0 for packet in file.demux(file.streams.video[0]))
    except (av.FFmpegError, OSError, IndexError) as error:
        raise OutputError(f"{path} cannot be read ({error}): remove it and start again") from None


def _copy(
    output: OutputContainer, parts: Sequence[tuple[Path, float]], audio: AudioPart | None, container: str, whole: bool
) -> None:
    stream: VideoStream | None = None
    copied: AudioCopy | None = None
    last, end = None, 0.0
    for part, begin in parts:
        with av.open(str(part)) as file:
            source = file.streams.video[0]
            if stream is None:
                stream = output.add_stream_from_template(source)
                copied = None if audio is None else AudioCopy(audio, output, container)
                output.start_encoding()
            for packet in file.demux(source):
                if packet.pts is None:  # the demuxer's flush packet
                    continue
                shift = round(Fraction(begin) / packet.time_base)
                packet.pts += shift
                # Decoding times increase. An encoder's first ones lie before its first frame, that is in the previous
                # part; Matroska has none.
                dts = packet.pts if packet.dts is None else packet.dts + shift
                if last is not None:
                    dts = last + 1 if packet.dts is None else max(dts, last + 1)
                packet.dts = min(dts, packet.pts)
                last = packet.dts
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if copied is not None:
                    copied.advance(end)
                packet.stream = stream
                output.mux(packet)
    if copied is not None:
        copied.advance(float("inf") if whole and audio is not None and audio.to_end else end)
        copied.finish()
