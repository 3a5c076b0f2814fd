"""Which face looks like a person on another photo, by the colours of face and hair."""

from pathlib import Path

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.errors import NoFaceError
from ddfa.faces import Faces
from ddfa.images import MAX_PIXELS, read_image
from ddfa.person.appearance import OTHER, Appearance
from ddfa.replace.source import select_face


class Likeness:
    """Compares faces with one on a reference photo.

    Args:
        image: (H, W, 3) uint8 RGB, the reference.
        face: one face of it.
    """

    def __init__(self, image: UInt8, face: Faces) -> None:
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
        return Likeness(image, select_face(aligner(image, refine=True), 0, str(photo)))

    def distance(self, image: UInt8, face: Faces) -> float:
        """How different one face of an image looks: near 0 for the same photo; infinite for another person."""
        distance = self._appearance.distance(self._look, self._appearance(image, face))
        return distance if distance < OTHER else np.inf  # NaN, too little in common, is nobody either

    def select(self, image: UInt8, faces: Faces, name: str) -> Faces:
        """Select the face of an image that is most alike.

        Args:
            image: (H, W, 3) uint8 RGB.
            faces: its faces.
            name: what the error calls the image.

        Raises:
            NoFaceError: no face is alike.
        """
        distances = [self.distance(image, faces.single(k)) for k in range(len(faces))]
        if not distances or not np.isfinite(min(distances)):
            raise NoFaceError(f"{name} shows nobody who looks like the reference: choose the face by its number")
        return faces.single(int(np.argmin(distances)))
