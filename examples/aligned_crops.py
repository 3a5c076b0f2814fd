"""Upright crops of all faces at one scale, as other networks expect them: eyes level and at fixed places.

Usage: python examples/aligned_crops.py samples/test1.jpg --output outputs/crops
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

import ddfa

# The points of the 112 x 112 px crops that many recognition networks use: eyes, nose, corners of the mouth.
PLACES = np.array([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])


def main() -> None:
    """Warp each face so that five of its points lie at the places above."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path("outputs/crops"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    aligner = ddfa.FaceAligner()
    for path in options.photos:
        image = ddfa.read_image(path)
        for number, face in enumerate(aligner(image)):
            matrix, _ = cv2.estimateAffinePartial2D(five_points(face.landmarks68[:, :2]), PLACES, method=cv2.LMEDS)
            crop = cv2.warpAffine(image, matrix, (112, 112), flags=cv2.INTER_AREA)
            ddfa.write_image(options.output / f"{path.stem}_{number}.png", crop)
    print(f"{len(list(options.output.iterdir()))} crops in {options.output}")


def five_points(points: np.ndarray) -> np.ndarray:
    """Centres of the eyes, tip of the nose, corners of the mouth from 68 points, (5, 2)."""
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


if __name__ == "__main__":
    main()
