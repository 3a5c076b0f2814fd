"""Validation of the EMA network on the held-out photos: figures, a table of the units and a preview image."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ddfa.arrays import Float32, UInt8
from ddfa.bench.report import Sheet
from ddfa.bench.units import score_units, units_sheet
from ddfa.head.model import HeadModel
from ddfa.train import losses
from ddfa.train.batches import HeldOut
from ddfa.train.criterion import Criterion
from ddfa.train.networks import Network, normalise

_BATCH = 128
_COLUMNS, _ROWS, _TILE = 8, 2, 240
_TRUTH, _PREDICTION = (90, 220, 90), (255, 80, 200)


@dataclass(frozen=True)
class Validation:
    """How well the labels of the held-out photos are predicted.

    Attributes:
        figures: errors in % of the face size, of the landmarks and of the eye and mouth apertures; and the median
            correlations of the expression units, and of left minus right, where the head model has the 52 of ARKit.
        units: the correlations unit by unit, if it has.
    """

    figures: dict[str, float]
    units: Sheet | None = None


def validate(network: Network, criterion: Criterion, data: HeldOut, head: HeadModel) -> Validation:
    """Compare the predictions for the validation split with its labels.

    Args:
        network: on the device of the criterion; left in evaluation mode.
        criterion: supplies the landmarks and the whitening.
        data: the validation split.
        head: the head model of both.
    """
    params = predict(network, criterion, data.crops)
    target, marks = data.target.to(params.device), criterion.landmarks
    figures = {"nme": losses.landmark(params, target, marks), "aperture_error": losses.aperture(params, target, marks)}
    shares = {name: 100 * float(value) for name, value in figures.items()}
    if not head.has_arkit:
        return Validation(shares)
    own, true = (values[:, -criterion.expressions :].cpu().numpy() for values in (params, target))
    scores = score_units("network", head.expression_names, own, true)
    medians = {"unit_r": scores.median_r, "difference_r": scores.median_r_difference}
    return Validation(shares | medians, units_sheet("held-out photos", scores))


@torch.no_grad()
def predict(network: Network, criterion: Criterion, crops: Tensor) -> Tensor:
    """De-whitened parameters (n, P) of crops (n, R, R, 3) uint8; the network is left in evaluation mode."""
    network.eval()
    device = criterion.mean.device
    parts = (crops[start : start + _BATCH] for start in range(0, len(crops), _BATCH))
    return torch.cat([criterion.dewhiten(network(normalise(part.to(device)))) for part in parts])


@torch.no_grad()
def preview(network: Network, criterion: Criterion, crops: Tensor, target: Tensor) -> UInt8:
    """An image (h, w, 3) uint8 RGB of some crops: landmarks of the labels in green, of the network in pink.

    Args:
        network: on the device of the criterion; left in evaluation mode.
        criterion: supplies the landmarks and the whitening.
        crops: (n, R, R, 3) uint8.
        target: (n, P) de-whitened, further columns are ignored.
    """
    shown = crops[: _COLUMNS * _ROWS]
    params = predict(network, criterion, shown)
    labels = target[: len(shown), : params.shape[1]].to(params.device)
    truth, found = (criterion.landmarks(p)[..., :2].cpu().numpy() for p in (labels, params))
    tiles = [_draw(*each, criterion.size) for each in zip(shown.cpu().numpy(), truth, found, strict=True)]
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % _COLUMNS)
    rows = [np.concatenate(tiles[k : k + _COLUMNS], axis=1) for k in range(0, len(tiles), _COLUMNS)]
    return np.concatenate(rows)


def _draw(crop: UInt8, truth: Float32, found: Float32, size: int) -> UInt8:
    """One crop, enlarged, with landmarks (68, 2) in the crop frame of side `size`, y up."""
    tile = np.ascontiguousarray(cv2.resize(crop, (_TILE, _TILE), interpolation=cv2.INTER_LINEAR))
    for points, colour in ((truth, _TRUTH), (found, _PREDICTION)):
        pixels = (points * [1, -1] + [0.5, size - 0.5]) * (_TILE / size) - 0.5
        for x, y in pixels:
            cv2.circle(tile, (round(float(x)), round(float(y))), 2, colour, -1, cv2.LINE_AA)
    return np.asarray(tile, np.uint8)
