"""An image with the RoIs of its faces, between detection and alignment."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Bools, Float32, Floats, UInt8
from ddfa.detect import Detections
from ddfa.faces import Faces
from ddfa.geometry.pose import in_plane_deg
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.regress.roll import UPRIGHT_DEG

# In a crop of an RoI more than this many times as large as the image, a face has too few pixels for the network.
LARGEST_ROI: Final = 8


@dataclass(frozen=True, eq=False)
class Located:
    """An image whose faces are detected but not aligned yet.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        roi: (n, 4) float32, squares in image px to crop for the network.
        found: the n detections.
        given: whether they are boxes or landmarks of the caller: those faces are all kept.
        roll_deg: (n,) float32, by how much each face is turned clockwise: its crop is turned back by this angle about
            the centre of the RoI. 0 for faces that are upright, to within the range of the networks.
    """

    image: UInt8
    roi: Float32
    found: Detections
    given: bool = False
    roll_deg: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        if len(self.roll_deg) != len(self.roi):
            object.__setattr__(self, "roll_deg", np.zeros(len(self.roi), np.float32))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self.image.shape[1], self.image.shape[0]

    def select(self, index: "NDArray[np.intp]") -> "Located":
        """The faces at `index` (m,), in that order."""
        return replace(self, roi=self.roi[index], found=self.found.select(index), roll_deg=self.roll_deg[index])

    def refined(self, faces: Faces, *, turn: bool = True) -> "Located":
        """Compute RoIs, and rolls, from the landmarks of a first result.

        Args:
            faces: the result, with the same n faces.
            turn: whether faces may be turned.

        Returns:
            The same faces. One whose first result is far off keeps its first RoI: refinement must not turn it into an
            error.
        """
        if not len(faces):
            return self
        again = roi_from_landmarks(faces.landmarks68)
        roi = np.where(usable(again, self.size)[:, None], again, self.roi)
        return replace(self, roi=roi, roll_deg=needed_turn(faces.rotation) if turn else self.roll_deg)


def usable(roi: Float32, image_size: tuple[int, int]) -> Bools:
    """Return which RoIs (n, 4) touch the image and are not far larger than it."""
    width, height = image_size
    touches = (roi[:, 2] > 0) & (roi[:, 3] > 0) & (roi[:, 0] < width) & (roi[:, 1] < height)
    side = roi[:, 2] - roi[:, 0]
    return np.asarray(touches & (side > 0) & (side <= LARGEST_ROI * max(width, height)))


def needed_turn(rotation: Floats, upright_deg: float = UPRIGHT_DEG) -> Float32:
    """By how much crops of faces have to be turned back, degrees clockwise: 0 for faces that are almost upright.

    Args:
        rotation: (n, 3, 3) head to camera.
        upright_deg: largest tilt of a face that is not turned.

    Returns:
        (n,) float32.
    """
    roll = in_plane_deg(rotation)
    return np.where(np.abs(roll) > upright_deg, roll, 0).astype(np.float32)
