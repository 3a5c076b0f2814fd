"""The default detector against `yunet:exact`: CPU time, and recall for each size of face.

    python benchmarks/detection_speed.py SET.npz ... [--photos FILE ...] [--limit N] [--json FILE]

Each picture is searched by both. Pictures:

- the photos of annotated sets (see `ddfa bench landmarks`), at their own size and enlarged to a megapixel;
- sheets of 17 megapixels, searched at full resolution (`max_side` 4200), on which the photos of the sets, and those of
  groups named with `--photos`, are repeated at many sizes: side by side, half a photo apart, a photo apart, and
  scattered over a background without faces.

An annotated face counts as found if a box overlaps that of its landmarks with an IoU of at least 0.3, a face of the
exact detector if a box of the other one overlaps it with an IoU of at least 0.5. Sizes are square roots of areas, in px
of the last pass.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import cv2
import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ddfa.bench.sets import AnnotatedSet
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.detect.detections import Detections, box_areas, box_overlap
from ddfa.detect.yunet import FINE_SIDE, YuNet
from ddfa.images import read_image

WIDTH, HEIGHT = 4768, 3568  # px of a sheet
MAX_SIDE: Final = 4200
BINS: Final = (0, 16, 20, 24, 32, 48, 64, 128)  # px, where each begins
APART: Final = {"side by side": 0.0, "close": 0.5, "loose": 1.0, "scattered": 3.0}  # distances, shares of the sides
ROUNDS: Final = 2  # the shorter time counts
SAME: Final = 0.5  # IoU
ANNOTATED: Final = 0.3  # IoU with the box of annotated landmarks, which is smaller than that of the face
OF_LANDMARKS: Final = 1.15  # size of a detected box, relative to that of the landmarks
Draw: TypeAlias = Callable[[np.random.Generator], tuple[np.ndarray, float, np.ndarray]]


@dataclass
class Result:
    """What was measured on one kind of pictures.

    Attributes:
        pictures: their number.
        megapixels: in all.
        seconds: CPU time of the exact detector and of the default one.
        annotated: annotated faces in each bin, and those that the exact and the default detector find.
        faces: faces of the exact detector in each bin, and those that the default detector finds as well.
    """

    pictures: int = 0
    megapixels: float = 0.0
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])
    annotated: list[list[int]] = field(default_factory=lambda: [[0, 0, 0] for _ in BINS])
    faces: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in BINS])

    def add(self, image: np.ndarray, detectors: tuple[YuNet, YuNet], truth: np.ndarray, most: int = FINE_SIDE) -> None:
        """Search a picture with both detectors; `truth` are the boxes (n, 4) of its annotated faces."""
        found, spent = list[Detections](), np.zeros((ROUNDS, 2))
        for k, j in np.ndindex(ROUNDS, 2):
            start = time.process_time()
            found.append(detectors[j](image))
            spent[k, j] = time.process_time() - start
        self.seconds = (self.seconds + spent.min(axis=0)).tolist()
        self.pictures += 1
        self.megapixels += image.shape[0] * image.shape[1] / 1e6
        scale = min(1.0, most / np.sqrt(image.shape[0] * image.shape[1]))
        for box in truth:
            row = self.annotated[place(box, scale * OF_LANDMARKS)]
            row[0] += 1
            for k, one in enumerate(found[:2]):
                row[k + 1] += int(box_overlap(one.boxes, box).max(initial=0) >= ANNOTATED)
        for box in found[0].boxes:
            row = self.faces[place(box, scale)]
            row[0] += 1
            row[1] += int(box_overlap(found[1].boxes, box).max(initial=0) >= SAME)


def place(box: np.ndarray, scale: float) -> int:
    """The bin of a box (4,) resized by `scale`."""
    size = scale * np.sqrt(np.prod(box[2:] - box[:2]))
    return max(0, int(np.searchsorted(BINS, size, "right")) - 1)


def sheet(photos: Draw, random: np.random.Generator, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Repeat photos, resized such that their faces have 14 to 140 px, in rows.

    Args:
        photos: draws a photo, the size of its faces and the boxes (n, 4) of the annotated ones, px.
        random: source of randomness.
        apart: distance between photos, in shares of their sides.

    Returns:
        The sheet, and the boxes (m, 4) of the annotated faces that are on it as a whole.
    """
    tints = smooth_noise(random, 256, (8, 8), 3) * 25 + smooth_noise(random, 256, (64, 64)) * 8 + 128
    result = np.clip(cv2.resize(tints, (WIDTH, HEIGHT)), 0, 255).astype(np.uint8)
    truth = list[np.ndarray]()
    y = 0
    while y < HEIGHT:
        face = float(np.exp(random.uniform(np.log(14), np.log(140))))
        x, row = 0, 0
        while x < WIDTH:
            photo, own, boxes = photos(random)
            scale = face / own
            small = cv2.resize(
                photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            )
            part = small[: HEIGHT - y, : WIDTH - x]
            result[y : y + part.shape[0], x : x + part.shape[1]] = part
            truth += [box * scale + [x, y, x, y] for box in boxes]
            x += round(small.shape[1] * (1 + apart * random.uniform(0.5, 1.5)))
            row = max(row, small.shape[0])
        y += round(row * (1 + apart))
    all_boxes = np.array(truth).reshape(-1, 4)
    return result, all_boxes[(all_boxes[:, 2:] <= [WIDTH, HEIGHT]).all(axis=1)]


def landmark_box(points: np.ndarray) -> np.ndarray:
    """The box (4,) around landmarks (K, 2 or more)."""
    return np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])


def set_photos(data: AnnotatedSet, limit: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Photos of a set with the boxes of their annotated faces."""
    step = max(1, len(data) // limit) if limit else 1
    for index in range(0, len(data), step):
        yield data.photos.read(data.names[index]), landmark_box(data.landmarks68[index])


def of_set(data: AnnotatedSet) -> Draw:
    """Draw a photo of a set."""

    def draw(random: np.random.Generator) -> tuple[np.ndarray, float, np.ndarray]:
        index = random.integers(len(data))
        box = landmark_box(data.landmarks68[index])
        size = OF_LANDMARKS * float(np.sqrt(np.prod(box[2:] - box[:2])))
        return data.photos.read(data.names[index]), size, box[None]

    return draw


def of_groups(paths: Iterable[Path], detector: YuNet) -> Draw:
    """Draw a photo of a group, without annotated faces."""
    photos = [read_image(path) for path in paths]
    sizes = [float(np.median(np.sqrt(box_areas(detector(photo).boxes)))) for photo in photos]

    def draw(random: np.random.Generator) -> tuple[np.ndarray, float, np.ndarray]:
        index = random.integers(len(photos))
        photo = photos[index]
        return photo[:, ::-1] if random.random() < 0.5 else photo, sizes[index], np.zeros((0, 4))

    return draw


def main(
    sets: Annotated[tuple[Path, ...], tyro.conf.Positional],
    photos: tuple[Path, ...] = (),
    limit: int = 200,
    sheets: int = 1,
    min_score: float = 0.6,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Measure and print.

    Args:
        sets: annotated sets, see `ddfa bench landmarks`.
        photos: photos of groups.
        limit: about so many photos of each set, evenly spaced; 0 for all.
        sheets: sheets of each kind and set.
        min_score: score threshold of both detectors.
        json_file: receives the results as JSON.
    """
    cv2.setNumThreads(1)
    detectors = (YuNet(min_score, threads=1, exact=True), YuNet(min_score, threads=1))
    large = (YuNet(min_score, MAX_SIDE, threads=1, exact=True), YuNet(min_score, MAX_SIDE, threads=1))
    results, sources = dict[str, Result](), dict[str, Any]()
    for path in sets:
        data = AnnotatedSet.load(path)
        own, enlarged = results[data.name], results[f"{data.name}, 1 MP"] = Result(), Result()
        for image, box in track(set_photos(data, limit), data.name, total=min(limit or len(data), len(data))):
            own.add(image, detectors, box[None])
            scale = FINE_SIDE / np.sqrt(image.shape[0] * image.shape[1])
            resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            enlarged.add(resized, detectors, box[None] * scale)
        sources[data.name] = of_set(data)
    if photos:
        sources["groups"] = of_groups(photos, detectors[0])
    for name, source in sources.items():
        for kind, apart in APART.items():
            result = results[f"{name}, {kind}"] = Result()
            for number in range(sheets):
                random = np.random.default_rng([number, round(10 * apart)])
                image, truth = sheet(source, random, apart)
                result.add(image, large, truth, MAX_SIDE)
    _print(results)
    if json_file is not None:
        record = {name: vars(result) for name, result in results.items()}
        json_file.write_text(json.dumps({"bins": BINS, "results": record}, indent=2) + "\n", encoding="utf-8")


def _print(results: dict[str, Result]) -> None:
    times = Table("pictures", "number", "MP", "exact, ms/MP", "default, ms/MP", "times faster")
    sizes = [f"{BINS[k]} px" for k in range(len(BINS))]
    annotated = Table("annotated faces found: exact, default", *sizes)
    same = Table("faces of exact found by default", *sizes)
    for name, one in results.items():
        exact, fast = (1e3 * seconds / one.megapixels for seconds in one.seconds)
        times.add_row(
            name, str(one.pictures), f"{one.megapixels:.1f}", f"{exact:.1f}", f"{fast:.1f}", f"{exact / fast:.2f}"
        )
        if any(row[0] for row in one.annotated):
            annotated.add_row(
                name, *(f"{a[1] / a[0]:.1%}, {a[2] / a[0]:.1%} ({a[0]})" if a[0] else "" for a in one.annotated)
            )
        same.add_row(name, *(f"{b[1] / b[0]:.1%} ({b[0]})" if b[0] else "" for b in one.faces))
    console = Console(width=200)
    for table in (times, annotated, same):
        console.print(table)


if __name__ == "__main__":
    tyro.cli(main)
