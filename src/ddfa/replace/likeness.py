"""Which face looks like a person on another photo, by the colours of face and hair."""

from pathlib import Path

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.faces import Faces
from ddfa.images import MAX_PIXELS, read_image
from ddfa.person.appearance import OTHER, Appearance
from ddfa.replace.source import select_face


class Likeness:
    """Compares faces with one on a reference photo.

    Args:
        image: (H, W, 3) uint8 RGB, the reference.
        face: one face of it.
        name: of the reference, for messages.
    """

    def __init__(self, image: UInt8, face: Faces, name: str = "the reference") -> None:
        self.name = name
        self._appearance = Appearance(face.head)
        self._look = self._appearance(image, face)

    @staticmethod
    def of(aligner: FaceAligner, photo: Path, max_pixels: int = MAX_PIXELS) -> "Likeness":
        """Read the reference, whose largest face counts.

        Raises:
            ImageError: the photo cannot be read.
            NoFaceError: it shows no face.
        """
        image = read_image(photo, max_pixels)
        return Likeness(image, select_face(aligner(image, refine=True), 0, str(photo)), str(photo))

    def distance(self, image: UInt8, face: Faces) -> float:
        """How different one face of an image looks: near 0 for the same photo; infinite for another person."""
        distance = self._appearance.distance(self._look, self._appearance(image, face))
        return distance if distance < OTHER else np.inf  # NaN, too little in common, is nobody either
