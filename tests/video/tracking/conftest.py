"""Two people from the sample photos as cut-outs, to be moved over a ground."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.images import read_image
from ddfa.video.io.source import Frame

WIDTH, HEIGHT = 640, 360


@dataclass(frozen=True, eq=False)
class Person:
    """A head cut out of a photo with a soft ellipse."""

    colours: np.ndarray
    opacity: np.ndarray

    def paste(self, image: np.ndarray, x: float, y: float) -> None:
        """Draw it with its centre at (x, y), partly outside of the image if need be."""
        height, width = self.colours.shape[:2]
        left, top = round(x - width / 2), round(y - height / 2)
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, WIDTH), min(top + height, HEIGHT)
        if x0 < x1 and y0 < y1:
            part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
            opacity = self.opacity[part]
            image[y0:y1, x0:x1] = image[y0:y1, x0:x1] * (1 - opacity) + self.colours[part] * opacity


class Stage:
    """Frames of people at given places; ground and noise are the same in each test."""

    def __init__(self, ground: np.ndarray) -> None:
        self._ground, self._rng = ground, np.random.default_rng(0)

    def frames(self, scenes, exposure: float = 1.0) -> list[Frame]:
        """One frame per scene, a list of (person, x), the nearest person last."""
        made = []
        for number, scene in enumerate(scenes):
            image = self._ground.astype(np.float32)
            for person, x in scene:
                person.paste(image, x, 180)
            noisy = exposure * image + self._rng.normal(0, 2, image.shape)
            made.append(Frame(np.clip(noisy, 0, 255).astype(np.uint8), number / 25, number))
        return made


@pytest.fixture(scope="session")
def aligner() -> FaceAligner:
    return FaceAligner(threads=1)


@pytest.fixture(scope="session")
def people(root) -> tuple[Person, Person]:
    """The astronaut and the admiral, 140 px high."""
    return _cut(root / "samples" / "astronaut.jpg", (150, 0, 300, 205)), _cut(
        root / "samples" / "grace_hopper.jpg", (160, 40, 390, 345)
    )


def _cut(path, box, height: int = 140) -> Person:
    x0, y0, x1, y1 = box
    part = read_image(path)[y0:y1, x0:x1]
    colours = cv2.resize(part, (height * (x1 - x0) // (y1 - y0), height), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[: colours.shape[0], : colours.shape[1]]
    radius = np.hypot(x / colours.shape[1] - 0.5, y / colours.shape[0] - 0.5) * 2
    return Person(colours, np.clip((1 - radius) / 0.15, 0, 1)[..., None])


@pytest.fixture
def stage(root) -> Stage:
    """On a part of a photo without a face."""
    part = read_image(root / "samples" / "astronaut.jpg")[280:480]
    return Stage(cv2.resize(np.hstack([part, part[:, ::-1]]), (WIDTH, HEIGHT)))
