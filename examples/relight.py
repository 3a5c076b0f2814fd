"""Photo tools: move the light on a face, with the normals of the fitted mesh.

Usage: python examples/relight.py samples/astronaut.jpg relit.png --azimuth 60
"""

import argparse
import math

import cv2
import numpy as np

import ddfa
from ddfa.raster.maps import FaceMaps


def main() -> None:
    """Divide by the shading of a frontal light and multiply by that of the new one, inside the face."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photo")
    parser.add_argument("output")
    parser.add_argument("--azimuth", type=float, default=60.0, help="degrees; positive is to the right of the image")
    parser.add_argument("--strength", type=float, default=0.8, help="0 to 1")
    options = parser.parse_args()
    image = ddfa.read_image(options.photo)
    faces = ddfa.FaceAligner()(image)
    light = np.array([math.sin(math.radians(options.azimuth)), 0.2, math.cos(math.radians(options.azimuth))])
    maps = FaceMaps(faces)
    normals = maps.normals()
    toward, frontal = np.clip(normals @ light, 0, 1), np.clip(normals[..., 2], 0, 1)
    gain = (0.35 + toward) / (0.35 + frontal)
    weight = options.strength * soft(maps.mask)
    result = image * (1 + weight * (gain - 1))[..., None]
    ddfa.write_image(options.output, np.clip(result, 0, 255).astype(np.uint8))


def soft(mask: np.ndarray) -> np.ndarray:
    """The mask with a soft edge, (H, W) float32."""
    inner = cv2.erode(mask.astype(np.float32), np.ones((5, 5)))
    return cv2.GaussianBlur(inner, (0, 0), 4)


if __name__ == "__main__":
    main()
