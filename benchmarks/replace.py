"""Speed of face replacement in a video per stage, without reading and writing, and flicker of the result.

python benchmarks/replace.py SOURCE.jpg CLIP.mp4
"""

import argparse
import time
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ddfa import FaceAligner, read_image
from ddfa.arrays import UInt8
from ddfa.images import SyntheticImage
from ddfa.occlusion.temporal import TemporalState
from ddfa.replace.pairs import Pair
from ddfa.replace.replacer import Replacer
from ddfa.replace.source import source_from_photos
from ddfa.replace.target import TargetFace
from ddfa.replace.video import LIMIT, VideoReplacer
from ddfa.video.io.frames import open_video
from ddfa.video.tracking.tracker import FaceTracker

_WARM = 5  # warm-up frames that are not counted: kernels are compiled, faces are detected


def main() -> None:
    """Print milliseconds per frame: median over the frames of the clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    aligner = FaceAligner(threads=arguments.threads)
    photo = read_image(arguments.source)
    source = source_from_photos([photo], [aligner(photo, refine=True).single(0)])
    frames = list(islice(open_video(arguments.clip), arguments.frames))
    height, width = frames[0].image.shape[:2]
    rows = {shape: _stages(Replacer(source, shape, LIMIT), aligner, frames) for shape in ("target", "blend")}
    table = Table(
        title=f"{width} x {height} px, {len(frames)} frames, {arguments.threads} threads; ms per frame, median"
    )
    table.add_column("shape")
    for name in rows["target"]:
        table.add_column(name, justify="right")
    for shape, stages in rows.items():
        table.add_row(shape, *(f"{value:.3g}" for value in stages.values()))
    Console().print(table)


def _stages(replacer: Replacer, aligner: FaceAligner, frames) -> dict[str, float]:
    tracker, memory, looking, spent = FaceTracker(aligner), TemporalState(), TemporalState(), []
    for frame in frames:
        start = time.perf_counter()
        faces = tracker(frame)
        tracked = time.perf_counter()
        image = SyntheticImage(frame.image)
        for face in faces[:1]:
            replacer.draw(image, face.faces, memory)
        done = time.perf_counter()
        for face in faces[:1]:  # again, to time the occlusion matte alone
            view = TargetFace.of(
                replacer.surface, replacer.colour_basis, frame.image, face.faces, replacer.limit, looking
            )
            _ = view.visible_skin
        looked = time.perf_counter()
        spent.append((tracked - start, done - tracked, looked - done, done - start))
    track, draw, look, whole = 1000 * np.median(spent[_WARM:], axis=0)
    work, start = VideoReplacer([Pair(replacer)], FaceTracker(aligner)), time.perf_counter()
    drawn = [image.unmarked_pixels for image, _ in work.frames(frames)]
    return {
        "track": track,
        "replace": draw,
        "of which matte": look,
        "total": whole,
        "pipelined, frames/s": len(drawn) / (time.perf_counter() - start),
        "flicker": flicker([frame.image for frame in frames], drawn),
    }


def flicker(before: list[UInt8], after: list[UInt8]) -> float:
    """Ratio of the second temporal differences of the new frames to those of the old ones, in the replaced area."""
    ratio = []
    for k in range(1, len(before) - 1):
        changed = (before[k] != after[k]).any(axis=2)
        if changed.any():
            old, new = (
                np.abs(a[k - 1][changed].astype(int) - 2 * a[k][changed].astype(int) + a[k + 1][changed]).mean()
                for a in (before, after)
            )
            ratio.append(new / max(old, 1e-6))
    return float(np.median(ratio)) if ratio else float("nan")


if __name__ == "__main__":
    main()
