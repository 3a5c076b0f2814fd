"""A corpus of drawn faces: discs for eyes, as dark as they are closed, and for a mouth, as bright as it is open."""

from pathlib import Path

import cv2
import numpy as np

from ddfa.data.pseudo_labels.mesh_points import IRIS_LEFT, IRIS_RIGHT, OBSERVED_POINTS
from ddfa.data.regions.labels import RegionLabels
from ddfa.head.open import load_open_head

NAMES = load_open_head().expression_names


def _disc(image: np.ndarray, centre: np.ndarray, radius: int, grey: int) -> None:
    x, y = (round(16 * float(v)) for v in centre)  # OpenCV takes sixteenths of a px
    cv2.circle(image, (x, y), 16 * radius, (grey,) * 3, -1, shift=4)


def drawn_corpus(folder: Path, name: str = "drawn", count: int = 24, side: int = 96) -> RegionLabels:
    """Write the images and labels of a corpus."""
    random = np.random.default_rng(0)
    head = load_open_head().landmark_points.mean[:, :2] * [1, -1]
    low, high = head.min(axis=0), head.max(axis=0)
    face = (head - (low + high) / 2) * 0.62 * side / (high - low).max() + side / 2
    images = np.full((count, side, side, 3), 150, np.uint8)
    scores = np.zeros((count, 52), np.float32)
    for image, score in zip(images, scores, strict=True):
        for eye, unit in ((slice(42, 48), "eyeBlinkLeft"), (slice(36, 42), "eyeBlinkRight")):
            score[NAMES.index(unit)] = random.random()
            grey = int(255 * (1 - score[NAMES.index(unit)]))
            _disc(image, face[eye].mean(axis=0), 5, grey)
        score[NAMES.index("jawOpen")] = random.random()
        grey = int(255 * score[NAMES.index("jawOpen")])
        _disc(image, face[48:68].mean(axis=0), 6, grey)
    irises = {IRIS_LEFT: face[42:48].mean(axis=0), IRIS_RIGHT: face[36:42].mean(axis=0)}
    points = np.array([irises.get(point, face[min(point, 67)]) for point in OBSERVED_POINTS])
    labels = RegionLabels(
        np.array([f"{number:06d}.jpg" for number in range(count)]),
        np.repeat(face[None], count, axis=0).astype(np.float32),
        np.zeros((count, 3), np.float32),
        np.zeros((count, 52), np.float32),
        scores,
        np.ones(count, np.float32),
        np.repeat(points[None], count, axis=0).astype(np.float32),
    )
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}_images.npy", images)
    labels.save(folder / f"{name}_labels.npz")
    return labels
