"""Calibration of region networks on training photos, and bundles that contain them.

A regression shrinks its outputs towards the mean, and the mesh teacher's scores of a neutral face are not 0. Each unit
therefore gets a rest level, subtracted, and a gain.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ddfa.arrays import Float32
from ddfa.data.pseudo_labels.mesh_scores import exclusive_gaze
from ddfa.data.regions.labels import Corpus, neutral_faces
from ddfa.files import write_atomically
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.open import load_open_head
from ddfa.regress.bundle import REGIONS_FOLDER, Bundle, write_bundle
from ddfa.regress.regions import EYE_FILE, EYE_UNITS, MOUTH_FILE, MOUTH_UNITS, SIDES, RegionNetworks
from ddfa.train.regions.config import Region
from ddfa.train.regions.export import export_region
from ddfa.train.regions.network import RegionNetwork

FILES: Final[dict[Region, str]] = {"eye": EYE_FILE, "mouth": MOUTH_FILE}
UNITS: Final[dict[Region, tuple[str, ...]]] = {"eye": EYE_UNITS, "mouth": MOUTH_UNITS}
_PHOTOS = 700  # per corpus, in addition to all neutral faces
# Amplitude of units on the open head over that of the teacher's score, chosen on the human landmarks of 300-W: a score
# of 1 is an ordinary laugh for the teacher, the widest possible one for the head.
_AMPLITUDE: Final = {"mouthSmile": 0.5, "mouthUpperUp": 0.5}
_MAX_GAIN = 2.5


@dataclass(frozen=True, eq=False)
class Calibration:
    """Rest level and gain of the units of a network.

    Attributes:
        units: names of the U units.
        rest: (U,) float32 median prediction for neutral faces.
        gain: (U,) float32 standard deviation of the teacher's scores over that of the predictions, 1 to 2.5.
    """

    units: tuple[str, ...]
    rest: Float32
    gain: Float32

    def save(self, path: Path) -> None:
        """Write it as JSON: unit -> [rest, gain]."""
        values = {unit: [float(r), float(g)] for unit, r, g in zip(self.units, self.rest, self.gain, strict=True)}
        write_atomically(path, (json.dumps(values, indent=2) + "\n").encode())


def calibrate(network: RegionNetwork, region: Region, corpora: Sequence[Corpus], seed: int = 0) -> Calibration:
    """Compare the predictions of a network for training photos with the teacher's scores.

    Args:
        network: not calibrated.
        region: of the network.
        corpora: training photos; all neutral faces are used, and 700 other photos of each corpus.
        seed: of the choice of photos.
    """
    names = load_open_head().expression_names
    with tempfile.TemporaryDirectory() as folder:
        export_region(network, Path(folder) / FILES[region])
        networks = RegionNetworks.load(names, Path(folder), threads=1)
    random = np.random.default_rng(seed)
    predictions, scores = [], []
    for corpus in corpora:
        labels, images = corpus.labels, corpus.images
        neutral = corpus.chosen[neutral_faces(names, labels.scores[corpus.chosen])]
        sample = random.choice(corpus.chosen, min(_PHOTOS, len(corpus.chosen)), replace=False)
        for i in np.unique(np.concatenate([neutral, sample])):
            rotation = matrix_from_euler(labels.pose_deg[i : i + 1])
            found = networks([images[i]], labels.landmarks[i : i + 1], rotation, labels.coefficients[i : i + 1])
            predictions.append(found.units[0])
            scores.append(labels.scores[i])
    return fit_calibration(UNITS[region], names, np.array(predictions), np.array(scores))


def fit_calibration(units: Sequence[str], names: Sequence[str], predictions: Float32, scores: Float32) -> Calibration:
    """Rest level and gain per unit; the two sides of a unit of the eyes have the same gain.

    Args:
        units: of the network, U names.
        names: of the 52 units.
        predictions: (n, 52) of the network.
        scores: (n, 52) of the teacher.
    """
    names = list(names)
    neutral = neutral_faces(names, scores)
    targets = exclusive_gaze(names, scores)
    rest, gain = np.zeros(len(units), np.float32), np.ones(len(units), np.float32)
    for number, unit in enumerate(units):
        columns = [names.index(unit)] if unit in names else [names.index(unit + side) for side in SIDES]
        predicted, target = predictions[:, columns].ravel(), targets[:, columns].ravel()
        if predicted.std() < 1e-6:
            continue
        if neutral.any():
            rest[number] = np.median(predictions[neutral][:, columns])
        amplitude = next((value for start, value in _AMPLITUDE.items() if unit.startswith(start)), 1.0)
        gain[number] = amplitude * np.clip(target.std() / predicted.std(), 1, _MAX_GAIN)
    return Calibration(tuple(units), rest, gain)


def add_region(bundle: Bundle, network: Path, output: Path) -> Bundle:
    """Write a copy of a bundle with a region network added or replaced.

    Args:
        bundle: the bundle.
        network: `eye.onnx` or `mouth.onnx`.
        output: folder of the new bundle; may be that of the bundle itself.

    Returns:
        The new bundle.

    Raises:
        OutputError: the folder cannot be written, or exists and is not a bundle.
    """
    assert bundle.folder is not None
    sources = {name: bundle.folder / name for name in bundle.files} | {f"{REGIONS_FOLDER}/{network.name}": network}
    return write_bundle(bundle, output, sources)
