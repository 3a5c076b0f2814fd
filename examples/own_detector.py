"""Your own face detector: any function that returns boxes.

Here it is a box around the middle of the photo; put your network in its place.

Usage: python examples/own_detector.py samples/astronaut.jpg
"""

import argparse

import numpy as np

import ddfa


def detect(image: np.ndarray) -> np.ndarray:
    """Find faces in an RGB uint8 image (H, W, 3); return boxes x0, y0, x1, y1 in px, (n, 4)."""
    height, width = image.shape[:2]
    side = 0.45 * min(height, width)
    middle = np.array([0.5 * width, 0.32 * height])
    return np.concatenate([middle - side / 2, middle + side / 2])[None]


def main() -> None:
    """Align with the detector above; two passes forgive loose boxes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photo")
    options = parser.parse_args()
    aligner = ddfa.FaceAligner(detector=detect)
    for face in aligner(options.photo, refine=True):
        turn, nod, tilt = face.turn_nod_tilt_deg
        print(f"turn {turn:.0f}, nod {nod:.0f}, tilt {tilt:.0f} degrees; quality {face.quality:.2f}")


if __name__ == "__main__":
    main()
