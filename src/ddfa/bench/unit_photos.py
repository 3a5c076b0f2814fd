"""Photos on which blendshapes are measured: held-out photos scored by the mesh teacher, or rendered faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, UInt8
from ddfa.bench.predict import Watch
from ddfa.data.regions.labels import Corpus
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.sets.image_set import Sample
from ddfa.data.sets.labels import image_euler
from ddfa.data.synthetic.pipeline import FaceRenderer, RenderConfig
from ddfa.errors import DataError
from ddfa.geometry.camera import project
from ddfa.head.model import HeadModel

_SIDE: Final = 320  # px, of rendered images
_SEEN: Final = 0.5  # visibility from which on a unit counts, see `ddfa.data.sets.labels.Labels.visibility`
_CHUNK: Final = 6  # rendered faces with one skin


@dataclass(frozen=True, eq=False)
class UnitPhotos:
    """Photos with one face each, and the true units.

    Attributes:
        images: n images (H, W, 3) uint8 RGB.
        landmarks: (n, 68, 2) float32 iBUG-68 image px, from which the RoI is computed.
        units: (n, 52) float32 true units, or the teacher's scores.
        seen: (n, 52) bool, units that the photo shows.
        yaw_deg: (n,) of the faces.
    """

    images: Sequence[UInt8]
    landmarks: Float32
    units: Float32
    seen: Bools
    yaw_deg: Float64

    def __len__(self) -> int:
        return len(self.images)

    @staticmethod
    def of_corpora(corpora: Sequence[Corpus]) -> "UnitPhotos":
        """The chosen photos of corpora, at least one, with the teacher's scores; images are read when used."""
        units = np.concatenate([corpus.labels.scores[corpus.chosen] for corpus in corpora])
        return UnitPhotos(
            [corpus.images[i] for corpus in corpora for i in corpus.chosen],
            np.concatenate([corpus.labels.landmarks[corpus.chosen] for corpus in corpora]),
            units,
            np.ones(units.shape, bool),
            np.concatenate([corpus.labels.pose_deg[corpus.chosen, 0] for corpus in corpora]),
        )


def render_units(head: HeadModel, count: int, skins: Path | None, seed: int, watch: Watch = iter) -> UnitPhotos:
    """Render faces with known units; the same images for the same arguments.

    Args:
        head: the open head.
        count: number of faces.
        skins: a labelled data set that provides skins, shapes and backgrounds; None paints them.
        seed: of the images.
        watch: shows progress.

    Raises:
        DataError: the data set cannot be used, or the count is not positive.
    """
    if count < 1:
        raise DataError(f"{count} rendered faces measure nothing: render at least one")
    data = None if skins is None else LabelledPhotos.open(skins, head)
    renderer = FaceRenderer(head, data, RenderConfig(Path(), skins, count, hands=0.0, glasses=0.0, picture=_SIDE))
    samples: list[Sample] = []
    for chunk in watch(range(-(-count // _CHUNK))):
        size = min(_CHUNK, count - chunk * _CHUNK)
        samples += renderer.draw(np.random.default_rng([seed, chunk]), size)
    expressions = np.array([sample.expression for sample in samples], np.float32)
    points = head.decode_landmarks(np.array([sample.identity for sample in samples]), expressions)
    poses = np.array([sample.pose for sample in samples])
    landmarks = np.array([project(own, pose)[:, :2] for own, pose in zip(points, poses, strict=True)], np.float32)
    seen = np.array([sample.visibility for sample in samples]) >= _SEEN
    return UnitPhotos([sample.image for sample in samples], landmarks, expressions, seen, image_euler(poses)[:, 0])
