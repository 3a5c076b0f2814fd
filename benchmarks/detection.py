"""Recall and precision of detected faces over the thresholds of `--min-score`.

    python benchmarks/detection.py SET.npz [SET.npz ...] [--limit N] [--json FILE]

The sets have one annotated face per photo (300-W, AFLW2000-3D). Photos without faces are made from the same photos and
from the samples: every face is covered by the colours around it, so that hair, hands, clothes and backgrounds stay.
A face counts as found if its box overlaps the box of the annotated landmarks with an IoU of at least 0.3.
"""

import json
from pathlib import Path
from typing import Annotated, Final

import cv2
import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ddfa.align import FaceAligner
from ddfa.bench.sets import AnnotatedSet
from ddfa.detect.detections import box_overlap
from ddfa.images import read_image

SAMPLES: Final = Path(__file__).parents[1] / "samples"
THRESHOLDS: Final = (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
LOWEST: Final = 0.3
SAME: Final = 0.3  # IoU


def without_faces(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Cover faces, boxes (n, 4) px, with a smooth continuation of what surrounds them."""
    height, width = image.shape[:2]
    covered = np.zeros((height, width), np.uint8)
    for x0, y0, x1, y1 in boxes:
        centre = (round((x0 + x1) / 2), round(0.6 * y0 + 0.4 * y1))  # the landmarks leave out the forehead
        cv2.ellipse(covered, centre, (round(0.75 * (x1 - x0)), round(0.95 * (y1 - y0))), 0, 0, 360, 255, -1)
    scale = 128 / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small, mask = cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.resize(covered, size)
    filled = cv2.inpaint(small, np.where(mask > 0, 255, 0).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    smooth = cv2.resize(cv2.GaussianBlur(filled, (0, 0), 3), (width, height))
    return np.where(covered[..., None] > 0, smooth, image)


def landmark_box(points: np.ndarray) -> np.ndarray:
    """The box (4,) around landmarks (K, 2 or more)."""
    return np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])


def scores_on(aligner: FaceAligner, data: AnnotatedSet, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (photos,) of the annotated faces, 0 where not found; scores (m,) of faces in the photos without faces."""
    step = max(1, len(data) // limit) if limit else 1
    found, false = [], list[float]()
    for index in track(range(0, len(data), step), data.name):
        image, box = data.photos.read(data.names[index]), landmark_box(data.landmarks68[index])
        faces = aligner(image)
        overlap = box_overlap(faces.boxes, box)
        hits = faces.scores[overlap >= SAME]
        found.append(float(hits.max()) if len(hits) else 0.0)
        others = faces.boxes[overlap < SAME]  # bystanders are covered as well
        false += aligner(without_faces(image, np.concatenate([box[None], others]))).scores.tolist()
    return np.array(found), np.array(false)


def main(
    sets: Annotated[tuple[Path, ...], tyro.conf.Positional],
    limit: int = 0,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Measure and print.

    Args:
        sets: annotated sets, see `ddfa bench landmarks`.
        limit: about so many photos of each set, evenly spaced; 0 for all.
        json_file: receives the results as JSON.
    """
    aligner = FaceAligner(threads=1, min_score=LOWEST)
    names, found, false, photos = list[str](), list[np.ndarray](), list[np.ndarray](), 0
    for path in sets:
        data = AnnotatedSet.load(path)
        own, others = scores_on(aligner, data, limit)
        names.append(data.name)
        found.append(own)
        false.append(others)
        photos += len(own)
    for path in sorted(SAMPLES.glob("*.jpg")):
        image = read_image(path)
        landmarks = aligner(image).landmarks68
        boxes = np.array([landmark_box(points) for points in landmarks])
        false.append(aligner(without_faces(image, boxes)).scores)
        photos += 1
    all_found, all_false = np.concatenate(found), np.concatenate(false)
    rows = []
    for threshold in THRESHOLDS:
        hits, errors = int((all_found >= threshold).sum()), int((all_false >= threshold).sum())
        recall = [float((one >= threshold).mean()) for one in found]
        rows.append([threshold, *recall, errors / photos, hits / max(1, hits + errors)])
    table = Table("--min-score", *(f"recall, {name} ({len(one)})" for name, one in zip(names, found, strict=True)))
    for column in (f"false faces per photo without faces ({photos})", "precision"):
        table.add_column(column)
    for row in rows:
        table.add_row(f"{row[0]:g}", *(f"{value:.1%}" for value in row[1:-2]), f"{row[-2]:.3f}", f"{row[-1]:.1%}")
    Console(width=140).print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"sets": names, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(main)
