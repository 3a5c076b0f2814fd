"""Training of the quality head (`ddfa train-quality`): extract features, train, calibrate, add to a bundle."""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ddfa.align import FaceAligner
from ddfa.bench.predict import predict
from ddfa.bench.quality import deviation_ratio
from ddfa.bench.sets import AnnotatedSet, true_landmarks
from ddfa.data.occlusion_set import draw_hands
from ddfa.data.quality.samples import QualitySamples, known_faces
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.errors import DataError
from ddfa.files import make_folder
from ddfa.head.model import HeadModel
from ddfa.jobs import check_settings
from ddfa.progress import track
from ddfa.regress.bundle import MODEL_FILE, Bundle, write_bundle
from ddfa.regress.quality import LANDMARKS
from ddfa.regress.registry import find_bundle
from ddfa.train.descent import descend
from ddfa.train.log import RunLog
from ddfa.train.quality.attach import attach_quality
from ddfa.train.quality.calibration import calibrate, evaluate
from ddfa.train.quality.config import QualityConfig
from ddfa.train.quality.features import FeatureSet, feature_set
from ddfa.train.quality.network import QualityHead, quality_loss
from ddfa.train.schedule import cosine
from ddfa.train.state import ema_of

_HELD_OUT_SEED: Final = 2**40  # beyond the seeds of the training samples
_EYES_AND_MOUTH: Final = slice(36, 68)
_HANDS: Final = 400
_GRAD_CLIP: Final = 5.0
_FLOOR: Final = 0.01


def make_quality(config: QualityConfig) -> tuple[Bundle, dict[str, float]]:
    """Train a quality head and write a copy of the bundle `config.model` that contains it.

    Args:
        config: the settings.

    Returns:
        The bundle, and figures on held-out photos, see `calibration.evaluate`.

    Raises:
        DataError: the data are missing, or the run folder was begun with other settings.
        ModelError: the bundle is missing, damaged or not of a kind that a head can be added to.
        OutputError: the run folder cannot be written.
    """
    if not config.data:
        raise DataError("name the data sets: --data FOLDER [FOLDER ...]")
    bundle = find_bundle(config.model)
    make_folder(config.output)
    training, held_out = _feature_sets(config, bundle)
    head = train_head(config, training)
    # Calibrated on one half of the held-out photos' samples and measured on the other.
    first, second = _halves(held_out)
    calibrate(head, first)
    figures = evaluate(head, second)
    made = _with_head(bundle, head, config.output / "bundle")
    if config.annotated is not None:
        ratio = _deviation_ratio(made, config.annotated)
        head.calibrate((1.0, 0.0), torch.full((LANDMARKS,), math.log(ratio)), (1.0, 0.0))
        made = _with_head(bundle, head, config.output / "bundle")
        figures["annotated"] = ratio
    return made, figures


def _with_head(bundle: Bundle, head: QualityHead, folder: Path) -> Bundle:
    """Write a copy of a bundle with a quality head."""
    assert bundle.folder is not None
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / MODEL_FILE
        attach_quality(bundle.model_path, head, model)
        files = {name: bundle.folder / name for name in bundle.files} | {MODEL_FILE: model}
        return write_bundle(bundle, folder, files)


def _deviation_ratio(bundle: Bundle, data: Path) -> float:
    """How much larger the errors of eyes and mouth on annotated photos are than their deviations."""
    annotated = AnnotatedSet.load(data)
    found = predict(FaceAligner(bundle, threads=1, regions=False), annotated)
    return deviation_ratio(found, true_landmarks(annotated), _EYES_AND_MOUTH)


def train_head(config: QualityConfig, training: FeatureSet) -> QualityHead:
    """Train a head on features; returns the EMA of its weights, not calibrated.

    Raises:
        DataError: the loss is no longer finite.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    channels, height, width = training.features.shape[1:]
    head = QualityHead(channels, height * width)
    average = ema_of(head, 0.5 ** (1 / 200))
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    steps = config.epochs * (len(training) // config.batch_size)
    log, lr = RunLog(config.output, 0, config.batch_size, tensorboard=False), 0.0
    for step, batch in enumerate(track(_batches(training, config), "training", steps)):
        lr = cosine(step, steps, config.lr, min(100, steps), _FLOOR)
        features, errors, sizes, occluded = batch
        terms = quality_loss(head(features), errors, sizes, occluded)
        descend(terms["loss"], lr, head, average, optimizer, _GRAD_CLIP)
        log.add(step + 1, lr, {name: value.detach() for name, value in terms.items()})
    log.close(steps, lr)
    trained = average.module
    assert isinstance(trained, QualityHead)
    return trained.eval()


def _feature_sets(config: QualityConfig, bundle: Bundle) -> tuple[FeatureSet, FeatureSet]:
    """Features of training photos and of held-out ones."""
    settings = {"data": [str(path) for path in config.data], "model": bundle.files[MODEL_FILE], "seed": config.seed,
                "samples": config.samples, "held_out": config.held_out}  # fmt: skip
    check_settings(config.output / "settings.json", settings)
    head = HeadModel.load(bundle.head_path)
    splits = [LabelledPhotos.open(folder, head, worst=0.04).split(config.held_out) for folder in config.data]
    hands = draw_hands(_HANDS, config.seed, config.workers)
    results = []
    for part, count, seed in (
        (0, config.samples, config.seed),
        (1, max(1, config.samples // 10), config.seed + _HELD_OUT_SEED),
    ):
        name = ("training", "held_out")[part]
        sets = [split[part] for split in splits]
        if not all(len(data.labels) for data in sets):
            raise DataError(f"a data set has no photo for the {name} split: label more photos, or change --held-out")
        faces = [
            known_faces(data, head, config.output / f"{name}_faces_{number}", config.workers)
            for number, data in enumerate(sets)
        ]
        samples = QualitySamples(sets, faces, hands, bundle.input_size)
        results.append(feature_set(bundle, samples, count, config.output / f"{name}_features", seed, config.workers))
    return results[0], results[1]


def _batches(training: FeatureSet, config: QualityConfig) -> Iterator[tuple[Tensor, ...]]:
    rng = np.random.default_rng(config.seed)
    for _ in range(config.epochs):
        order = rng.permutation(len(training))
        for start in range(0, len(order) - config.batch_size + 1, config.batch_size):
            yield tensors(training, order[start : start + config.batch_size])


def tensors(data: FeatureSet, rows: "np.typing.NDArray[np.intp] | slice") -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features, errors, sizes and occlusion of some samples, see `FeatureSet`."""
    features = torch.from_numpy(data.features[rows].astype(np.float32))
    errors, sizes, occluded = (torch.from_numpy(array[rows]) for array in (data.errors, data.sizes, data.occluded))
    return features, errors, sizes, occluded


def _halves(data: FeatureSet) -> tuple[FeatureSet, FeatureSet]:
    even, odd = slice(0, None, 2), slice(1, None, 2)
    return data.select(even), data.select(odd)
