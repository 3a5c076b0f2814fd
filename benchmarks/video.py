"""Speed of tracking a face through a 720p video, with and without drawing, and peak memory.

    python benchmarks/video.py [--video FILE] [--frames N]

Without a video, a sample photo is panned over a 720p clip. The first frame rate includes decoding and tracking, the
second also drawing and encoding; stages are CPU milliseconds per frame over all threads, each measured separately.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import tyro
from rich.console import Console

from ddfa.align import FaceAligner
from ddfa.draw.overlay import draw_overlay
from ddfa.draw.styles import parse_style
from ddfa.faces import Faces
from ddfa.images import read_image
from ddfa.video.io.frames import Frame, VideoWriter, open_video
from ddfa.video.io.threads import Worker, prefetched
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

SAMPLE = Path(__file__).parents[1] / "samples" / "astronaut.jpg"
STYLE = parse_style("mesh+landmarks")


def make_clip(path: Path) -> Path:
    """Pan a sample photo over 60 frames of 1280 x 720 px."""
    photo = cv2.resize(read_image(SAMPLE), (1280, 1280), interpolation=cv2.INTER_CUBIC)[:720]
    with VideoWriter(path, (1280, 720)) as writer:
        for k in range(60):
            writer.write(np.roll(photo, round(40 * np.sin(k / 10)), axis=1), k / 25)
    return path


def looped(path: Path, count: int) -> Iterator[Frame]:
    """The frames of a video repeated endlessly, decoded each time."""
    index, start = 0, 0.0
    while True:
        last = start
        for frame in open_video(path):
            yield Frame(frame.image, start + frame.time, index)
            index, last = index + 1, start + frame.time
            if index == count:
                return
        start = last + 0.04


def cpu_ms(work: Callable[[], int]) -> float:
    """CPU milliseconds per frame of a function that returns its number of frames."""
    start = time.process_time()
    count = work()
    return 1e3 * (time.process_time() - start) / count


def run(path: Path, count: int, draw: Path | None) -> tuple[float, list[float]]:
    """Track faces; returns frames per second and the peak memory (MB) after each fifth of the video."""
    tracker, memory = FaceTracker(FaceAligner(threads=1), look_ahead=4), []
    writer = None if draw is None else VideoWriter(draw, open_video(path).size)

    def draw_one(item: tuple[Frame, list[TrackedFace]]) -> None:
        frame, faces = item
        drawn = draw_overlay(frame.image, faces[0].faces, STYLE, sides=None) if faces else frame.image
        if writer is not None:
            writer.write(drawn, frame.time)

    drawer = Worker(draw_one)
    start = time.perf_counter()
    for number, item in enumerate(tracker.follow(prefetched(looped(path, count)))):
        if writer is not None:
            drawer.put(item)
        if (number + 1) % max(1, count // 5) == 0:
            memory.append(
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)
            )
    drawer.close()
    if writer is not None:
        writer.close()
    return count / (time.perf_counter() - start), memory


def main(video: Path | None = None, frames: int = 300) -> None:
    """Measure and print.

    Args:
        video: a 720p file; a panned sample by default.
        frames: number of frames to process; the video is repeated.
    """
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        path = video or make_clip(Path(folder) / "clip.mp4")
        out = Path(folder) / "out.mp4"
        some = list(islice(looped(path, 50), 50))
        tracker = FaceTracker(FaceAligner(threads=1), look_ahead=4)
        tracker(some[0])
        found: list[Faces] = []
        console.print(f"decode {cpu_ms(lambda: len(list(open_video(path)))):.1f} ms")
        console.print(
            f"track  {cpu_ms(lambda: len([found.append(f[0].faces) for _, f in tracker.follow(some)])):.1f} ms"
        )
        draw_overlay(some[0].image, found[0], STYLE, sides=None)

        def draw() -> int:
            for frame, face in zip(some, found, strict=True):
                draw_overlay(frame.image, face, STYLE, sides=None)
            return len(some)

        def encode() -> int:
            with VideoWriter(out, (1280, 720)) as writer:
                for frame in some:
                    writer.write(frame.image, frame.time)
            return len(some)

        console.print(f"draw   {cpu_ms(draw):.1f} ms")
        if some[0].image.shape[:2] == (720, 1280):
            console.print(f"encode {cpu_ms(encode):.1f} ms")
        rate, memory = run(path, frames, None)
        console.print(f"tracked: {rate:.0f} frames/s, peak memory by fifths {[round(m) for m in memory]} MB")
        rate, memory = run(path, frames, out)
        console.print(f"tracked, drawn and encoded: {rate:.0f} frames/s, peak memory {[round(m) for m in memory]} MB")


if __name__ == "__main__":
    tyro.cli(main)
