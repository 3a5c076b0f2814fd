"""Make the result pictures of the README from the sample photos: `python tools/make_images.py`."""

import sys
from pathlib import Path

import cv2

from ddfa import FaceAligner, read_image, write_image
from ddfa.files import make_folder
from ddfa.render.overlay import draw_overlay

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 900


def main() -> int:
    """Align every sample and write its overlay, smaller, to docs/images."""
    aligner = FaceAligner()
    folder = make_folder(ROOT / "docs" / "images")
    for photo in sorted((ROOT / "samples").glob("*.jpg")):
        image = read_image(photo)
        overlay = draw_overlay(image, aligner(image, refine=True))
        height = round(overlay.shape[0] * WIDTH / overlay.shape[1])
        write_image(folder / photo.name, cv2.resize(overlay, (WIDTH, height), interpolation=cv2.INTER_AREA))
        print(folder / photo.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
