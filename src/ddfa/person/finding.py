"""Which face of each image is the person: by the colours of face and hair, see `ddfa.person.appearance`.

Colours tell people apart in one recording. Between photos in other light the same person may look as different as two
people do, so that a photo with a single face is better taken at its word.
"""

import numpy as np

from ddfa.arrays import UInt8
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.person.appearance import OTHER, Appearance, Look


class PersonFinder:
    """Finds one person in images, one after the other. Every face that is found makes the next one easier to find.

    Args:
        head: the head model.
        trusting: a single face of an image is the person, however it looks.
    """

    def __init__(self, head: HeadModel, *, trusting: bool = False) -> None:
        self._trusting = trusting
        self._appearance = Appearance(head)
        self._looks: list[Look] = []

    def begin(self, image: UInt8, face: Faces) -> Faces:
        """Remember who is looked for.

        Args:
            image: (H, W, 3) uint8 RGB.
            face: a result with one face.

        Returns:
            The face.
        """
        self._looks.append(self._appearance(image, face))
        return face

    def find(self, image: UInt8, faces: Faces) -> Faces | None:
        """Find the person in another image.

        Args:
            image: (H, W, 3) uint8 RGB.
            faces: all of its faces.

        Returns:
            The face that is most alike; None if all faces look like somebody else. A single face that shows too little
            in common with the others to be compared, as two opposite profiles do, counts as the person.
        """
        looks = [self._appearance(image, face) for face in faces.singles()]
        distances = np.array([self._distance(look) for look in looks])
        if self._trusting and len(distances) == 1:
            best: int | None = 0
        elif np.isnan(distances).all():
            best = 0 if len(distances) == 1 else None
        else:
            nearest = int(np.nanargmin(distances))
            best = nearest if distances[nearest] < OTHER else None
        if best is None:
            return None
        self._looks.append(looks[best])
        return faces.single(best)

    def _distance(self, look: Look) -> float:
        """From the nearest known look; NaN if none can be compared."""
        known = [self._appearance.distance(one, look) for one in self._looks]
        return min((distance for distance in known if not np.isnan(distance)), default=float("nan"))
