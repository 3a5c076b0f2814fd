"""Long videos in parts: an interrupted run continues where it stopped.

Beside the output lies a folder with finished parts, each a video that is marked as synthetic, and with each of them the
state of the replacement at its end. A run that is started again tracks the faces of the finished parts once more, which
is fast and gives the same tracks, restores the state and goes on; the result is that of a run without interruption.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from ddfa.array_files import open_npz
from ddfa.arrays import Float32
from ddfa.errors import DataError, NoFaceError, OutputError
from ddfa.files import atomic_path, make_folder, parts_folder
from ddfa.images import SyntheticImage
from ddfa.jobs import check_settings, sole_writer
from ddfa.provenance.c2pa import C2paSigner
from ddfa.provenance.video import SyntheticVideoWriter, join_synthetic
from ddfa.video.io.frames import Frame, FrameSource
from ddfa.video.io.joining import frames_in

PART: Final = 500  # frames: what is lost at most
SETTINGS: Final = "settings.json"
_OWN: Final = ("begin", "frames")  # what the state of a part says about itself
_ENDS: Final = 1 << 20  # bytes at either end of a video by which it is recognised


class ResumableEditor(Protocol):
    """Edits the faces of a video.

    Attributes:
        replaced: number of frames so far in which a face was replaced.
        state: arrays from which the frames after the last one can be edited; set it before the first frame.
    """

    replaced: int
    state: Mapping[str, Float32]

    def frames(self, source: Iterable[Frame], done: int = 0) -> Iterator[tuple[SyntheticImage, float]]:
        """Yield every frame from number `done` on as edited, with its time in seconds; others are only tracked."""
        ...


@dataclass(frozen=True)
class Part:
    """A finished part.

    Attributes:
        path: the video.
        begin: time of its first frame, s.
        frames: number of frames.
    """

    path: Path
    begin: float
    frames: int


@dataclass(frozen=True)
class Marks:
    """Marks of a synthetic video in addition to its metadata.

    Attributes:
        label: write "SYNTHETIC FACE" into every frame.
        signer: signs the file.
    """

    label: bool = False
    signer: C2paSigner | None = None


def write_resumable(
    path: Path,
    source: FrameSource,
    editor: ResumableEditor,
    settings: Mapping[str, Any],
    marks: Marks,
    progress: Callable[[Iterable[Frame]], Iterable[Frame]] = iter,
    begun: Callable[[int], None] = lambda done: None,
) -> int:
    """Write the frames of a video file as edited, marked as synthetic; size, rate and audio are kept.

    After Ctrl-C the file has the frames so far, and the parts stay.

    Args:
        path: the video to write.
        source: the frames.
        editor: edits them.
        settings: what the result depends on, plain values; an interrupted run with others is not continued.
        marks: in addition to the metadata.
        progress: wraps the frames, for a progress bar.
        begun: called with the number of frames that earlier runs have edited.

    Returns:
        Number of frames written.

    Raises:
        NoFaceError: no frame shows the face, or it is not suitable; no file is written then.
        DataError: an interrupted run had other settings, or its files are damaged.
        OutputError: the file cannot be written.
    """
    folder = make_folder(parts_folder(path))

    def join(parts: list[Part], whole: bool) -> None:
        if editor.replaced and parts:
            videos = [(part.path, part.begin) for part in parts]
            join_synthetic(path, videos, audio=source.audio, whole=whole, signer=marks.signer)

    try:
        with sole_writer(folder):
            check_settings(folder / SETTINGS, settings, f"choose another output, or remove {folder}")
            parts = _finished(folder, path.suffix, editor)
            done = sum(part.frames for part in parts)
            begun(done)
            frames = editor.frames(progress(source), done)
            try:
                while (first := next(frames, None)) is not None:
                    name = f"{sum(part.frames for part in parts):08d}{path.suffix}"
                    writer = SyntheticVideoWriter(folder / name, source.size, source.fps, label=marks.label)
                    _write_part(writer, folder / name, editor, chain([first], islice(frames, PART - 1)), parts)
            except (NoFaceError, OutputError):
                raise
            except BaseException:
                join(parts, whole=False)
                raise
            if not editor.replaced:
                raise NoFaceError(f"{source.name} shows no face: choose another file")
            join(parts, whole=True)
    except NoFaceError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return sum(part.frames for part in parts)


def video_id(path: Path) -> dict[str, Any]:
    """What a video is recognised by: its size, and a digest of its two ends.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(_ENDS))
            size = file.seek(0, 2)
            file.seek(max(0, size - _ENDS))
            digest.update(file.read(_ENDS))
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): check the path") from None
    return {"bytes": size, "sha256": digest.hexdigest()}


def _write_part(
    writer: SyntheticVideoWriter,
    path: Path,
    editor: ResumableEditor,
    edited: Iterator[tuple[SyntheticImage, float]],
    parts: list[Part],
) -> None:
    """Write the next part, or as much of it as there is when it is interrupted, and add it to the parts."""
    begin, states = 0.0, {0: dict(editor.state)}
    path.unlink(missing_ok=True)  # of a run that was killed before it had written the state
    try:
        with writer:
            for number, (image, time) in enumerate(edited):
                begin = begin if number else time
                # The last two: an interruption can come before or after a frame is handed to the encoder.
                states = {number: states[number], number + 1: dict(editor.state)}
                writer.write(image, time - begin)
    finally:
        if path.is_file():
            frames = frames_in(path)
            arrays: dict[str, Any] = {**states[frames], "begin": begin, "frames": frames}
            with atomic_path(path.with_suffix(".npz")) as temporary:
                np.savez(temporary, **arrays)
            parts.append(Part(path, begin, frames))


def _finished(folder: Path, suffix: str, editor: ResumableEditor) -> list[Part]:
    """The parts in a folder; the editor gets the state at their end.

    Raises:
        DataError: a file is damaged.
    """
    parts: list[Part] = []
    while (path := folder / f"{sum(part.frames for part in parts):08d}{suffix}").is_file():
        state = path.with_suffix(".npz")
        if not state.is_file():
            break
        with open_npz(state, DataError, "not a state of a replacement", f"remove {folder} and start again") as file:
            parts.append(Part(path, float(file["begin"]), int(file["frames"])))
            editor.state = {name: np.asarray(file[name], np.float32) for name in file.files if name not in _OWN}
        if parts[-1].frames < 1:
            raise DataError(f"{state} is not a state of a replacement: remove {folder} and start again")
    return parts
