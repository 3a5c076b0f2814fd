"""The pipeline on frames in memory: outputs, counts and every way to end a run."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra `video`")

from ddfa.align import FaceAligner
from ddfa.draw.styles import DEFAULT_STYLE, EMPTY_STYLE
from ddfa.errors import OutputError, VideoError
from ddfa.images import read_image
from ddfa.video.io.camera import Window
from ddfa.video.io.clip import Clip
from ddfa.video.io.frames import Frame, FrameSource, open_video
from ddfa.video.outputs import TrackedOverlay, VideoOutputs
from ddfa.video.pipeline import TrackingOptions, process_video
from ddfa.video.tracking.tracker import TrackedFace

from ..face_factory import place_faces


class Frames(FrameSource):
    """A list of images at 25 frames/s; `broken` is raised after the last."""

    name, fps = "frames", Fraction(25)

    def __init__(self, images: list[np.ndarray], broken: BaseException | None = None) -> None:
        self.images, self.broken = images, broken
        self.size = (images[0].shape[1], images[0].shape[0])

    def __iter__(self) -> Iterator[Frame]:
        for index, image in enumerate(self.images):
            yield Frame(image, index / 25, index)
        if self.broken is not None:
            raise self.broken


@pytest.fixture(scope="module")
def images(root: Path) -> list[np.ndarray]:
    """A frame without a face, then two with one."""
    photo = read_image(root / "samples" / "astronaut.jpg")[:320, :320]
    return [np.full_like(photo, 90), photo, photo]


@pytest.fixture(scope="module")
def aligner() -> FaceAligner:
    return FaceAligner(threads=1)


EVERY_FRAME = TrackingOptions(detect_every=1, smooth=False)


def test_records_and_counts(images, aligner, tmp_path: Path) -> None:
    outputs = VideoOutputs(records=tmp_path / "x.jsonl", overlay=tmp_path / "x.mp4")
    seen: list[int] = []

    def progress(frames):
        for frame in frames:
            seen.append(frame.index)
            yield frame

    summary = process_video(Frames(images), aligner, outputs, EVERY_FRAME, progress=progress)
    assert (summary.frames, summary.with_face, summary.ids, summary.interrupted) == (3, 2, {0}, False)
    assert summary.cuts == 1 and seen == [0, 1, 2]  # from grey to the photo
    records = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [(record["frame"], record["id"]) for record in records] == [(1, 0), (2, 0)]
    written = [frame.image for frame in open_video(tmp_path / "x.mp4")]
    changes = [np.abs(new.astype(int) - old).max() for new, old in zip(written, images, strict=True)]
    assert changes[0] < 10 < 100 < changes[1]  # only frames with a face are drawn on


def test_a_limit(images, aligner, tmp_path: Path) -> None:
    summary = process_video(Clip(Frames(images), limit=2), aligner, VideoOutputs(tmp_path / "x.mp4"), EVERY_FRAME)
    assert summary.frames == 2 == len(list(open_video(tmp_path / "x.mp4")))


def test_an_interruption_keeps_what_is_done(images, aligner, tmp_path: Path) -> None:
    source = Frames(images, KeyboardInterrupt())
    summary = process_video(source, aligner, VideoOutputs(tmp_path / "x.mp4"), EVERY_FRAME)
    assert summary.interrupted and summary.frames == 3 == len(list(open_video(tmp_path / "x.mp4")))


def test_a_source_that_breaks_off_is_an_error(images, aligner, tmp_path: Path) -> None:
    outputs = VideoOutputs(records=tmp_path / "x.jsonl")
    with pytest.raises(VideoError, match="unplugged"):
        process_video(Frames(images, VideoError("unplugged")), aligner, outputs, EVERY_FRAME)
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 2


def test_closing_the_window_ends_the_run(images, aligner, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Window, "__init__", lambda self, title: None)
    monkeypatch.setattr(Window, "__exit__", lambda self, *_: None)
    monkeypatch.setattr(Window, "show", lambda self, image: image is images[0])  # an undrawn frame
    outputs = VideoOutputs(records=tmp_path / "x.jsonl", window=True)
    summary = process_video(Frames(images), aligner, outputs, EVERY_FRAME)
    assert summary.frames == 2
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 1  # the record of the last frame is kept


def test_overlays_show_all_faces(toy_head) -> None:
    faces = place_faces(toy_head, [(0, 0, 0), (10, 0, 0)])
    tracked = [TrackedFace(index, faces.single(index)) for index in range(2)]
    image = np.full((240, 320, 3), 90, np.uint8)
    drawn = TrackedOverlay(DEFAULT_STYLE)(image, tracked)
    left, right = drawn[:, :160] != 90, drawn[:, 160:] != 90
    assert drawn.shape == image.shape and left.any() and right.any() and (image == 90).all()
    assert TrackedOverlay(EMPTY_STYLE)(image, tracked) is image
    assert TrackedOverlay(DEFAULT_STYLE)(image, []) is image


def test_options_are_checked() -> None:
    with pytest.raises(OutputError, match="nothing to write"):
        VideoOutputs()
    with pytest.raises(OutputError, match="--glb"):
        VideoOutputs(records=Path("x.jsonl"), track=1)
    for options in ({"detect_every": 0}, {"look_ahead": -1}):
        with pytest.raises(VideoError, match="or more"):
            TrackingOptions(**options)
