"""Error of a person's neutral shape from 1, 3 and 10 views, on drawn people whose shape is known.

    python benchmarks/fuse.py [--people 24] [--threads 2]

Each person is drawn from the prior of the head model, each view with another pose (yaw up to 60°, pitch up to 15°),
expression, skin, hair, light and background. The error is the mean distance of the vertices of the face from the truth,
in mm, after a similarity transform: photos define neither the axes of a head nor its size. "Mean" is the plain mean of
the coefficients, "fused" `FaceAligner.fuse`.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, Floats, UInt8
from ddfa.data.synthetic.backdrops import random_backdrop
from ddfa.data.synthetic.faces import Wardrobe
from ddfa.data.synthetic.lighting import random_light
from ddfa.data.synthetic.people import People
from ddfa.data.synthetic.scene import Painter, Scene
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y_MATRIX
from ddfa.geometry.pose import matrix_from_euler
from ddfa.geometry.similarity import fit_similarity
from ddfa.head.model import HeadModel
from ddfa.raster.lighting import ambient_occlusion
from ddfa.texture.atlas import Atlas

SIDE = 320  # px, of a view
MM_ACROSS = 280  # of the head's space that a view shows
YAW, PITCH, ROLL = 60.0, 15.0, 5.0  # degrees; the last is a standard deviation
VIEWS = (1, 3, 10)


class Drawer:
    """Draws views of people.

    Args:
        head: the open head.
    """

    def __init__(self, head: HeadModel) -> None:
        self._head, self._people = head, People(head, None)
        atlas = Atlas(head, 512)
        self._painter, self._wardrobe = Painter(atlas, ambient_occlusion(head)), Wardrobe(atlas)

    def person(self, rng: np.random.Generator, views: int) -> tuple[Float32, Iterator[tuple[UInt8, Float32]]]:
        """Draw a person.

        Returns:
            Identity (I,), and the views: (S, S, 3) uint8 RGB, and (1, 68, 3) landmarks in px.
        """
        identity = self._people.identity(None, rng)
        return identity, (self._view(identity, rng) for _ in range(views))

    def _view(self, identity: Float32, rng: np.random.Generator) -> tuple[UInt8, Float32]:
        expression = self._people.expression(rng)[None]
        shape = self._head.decode(identity[None], expression)[0]
        landmarks = self._head.decode_landmarks(identity[None], expression)[0]
        angles = np.array([rng.uniform(-YAW, YAW), rng.uniform(-PITCH, PITCH), rng.normal(0, ROLL)])
        linear = FLIP_Y_MATRIX @ matrix_from_euler(angles) * (SIDE / MM_ACROSS)
        centre = linear @ landmarks.mean(axis=0)
        pose = np.column_stack([linear, [*((SIDE - 1) / 2 - centre[:2]), 0.0]])
        face, scalp = self._wardrobe.painted(rng), self._wardrobe.scalp
        raised, extras = scalp.raise_surface(shape, face.style, rng), scalp.extras(shape, face.style, rng)
        ground = random_backdrop(SIDE, rng)
        scene = Scene(raised, face.texture, extras, pose, *random_light(rng), rng.uniform(0, 1), ground, face.inner)
        image = self._painter.draw(scene).image
        pixels = np.ascontiguousarray(np.clip(255 * np.sqrt(np.clip(image, 0, 1)) + 0.5, 0, 255).astype(np.uint8))
        return pixels, np.asarray(landmarks @ linear.T + pose[:, 3], np.float32)[None]


def fitted(aligner: FaceAligner, people: int) -> list[tuple[Float32, list[Faces]]]:
    """The true identity (I,) and the fitted views of each person."""
    drawer, found = Drawer(aligner.head), []
    for seed in track(range(people), "drawing and fitting"):
        identity, views = drawer.person(np.random.default_rng(seed), max(VIEWS))
        found.append((identity, [aligner(image, landmarks=landmarks, refine=True) for image, landmarks in views]))
    return found


class Error:
    """Distance of neutral shapes, mm.

    Args:
        head: the open head.
    """

    def __init__(self, head: HeadModel) -> None:
        self._mean = head.mean[head.regions["face"]].astype(np.float64)
        self._basis = head.identity_basis[:, head.regions["face"]].astype(np.float64)

    def __call__(self, identity: Floats, truth: Floats) -> float:
        """Mean distance of the vertices of the face after a similarity transform."""
        shape, target = (self._mean + np.tensordot(one, self._basis, 1) for one in (identity, truth))
        return float(np.linalg.norm(fit_similarity(shape, target).apply(shape) - target, axis=1).mean())


def main(people: int = 24, threads: int = 2, model: str | None = None) -> None:
    """Measure and print.

    Args:
        people: number of drawn people.
        threads: CPU threads of the network.
        model: folder or name of a model bundle; the shipped one by default.
    """
    aligner = FaceAligner(model, threads=threads)
    found, error = fitted(aligner, people), Error(aligner.head)
    methods: dict[str, Callable[[Sequence[Faces]], Floats]] = {
        "mean": lambda faces: np.mean([face.identity[0] for face in faces], axis=0),
        "fused": lambda faces: aligner.fuse(faces).identity,
    }
    table = Table("mm", *(f"{views} views" if views > 1 else "1 view" for views in VIEWS))
    for name, method in methods.items():
        row = [
            np.mean([error(method(faces[k : k + n]), t) for t, faces in found for k in range(0, len(faces) - n + 1, n)])
            for n in VIEWS
        ]
        table.add_row(name, *(f"{value:.2f}" for value in row))
    table.add_row("mean face", *[f"{np.mean([error(0 * truth, truth) for truth, _ in found]):.2f}"] * len(VIEWS))
    spread = np.sqrt(np.mean([np.square(face.identity) for _, faces in found for face in faces]))
    Console().print(table, f"root mean square of the fitted coefficients {spread:.2f}; of the drawn ones 1")


if __name__ == "__main__":
    tyro.cli(main)
