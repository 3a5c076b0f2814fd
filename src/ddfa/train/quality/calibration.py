"""Calibration and figures of a quality head on held-out samples."""

import numpy as np
import torch
from torch import Tensor

from ddfa.bench.quality import auc, calibration_error, spearman
from ddfa.regress.quality import LANDMARKS
from ddfa.train.quality.features import FeatureSet
from ddfa.train.quality.network import QualityHead, is_accurate

_GROSS = 0.15  # mean errors above this share of the face size do not determine the scale of the deviations
_BATCH = 1024


def calibrate(head: QualityHead, data: FeatureSet) -> None:
    """Calibrate a head in place: logits by Platt scaling, deviations so that standardised errors have variance 1.

    Args:
        head: trained.
        data: samples that it was not trained on.
    """
    output, errors, sizes, occluded = outputs(head, data)
    distance = errors.norm(dim=-1)
    usable = (distance.mean(dim=1) / sizes) < _GROSS
    log_std = torch.zeros(LANDMARKS)
    if usable.any():
        ratio = errors[usable].square().mean(dim=-1) / torch.exp(2 * output[usable, 1 : 1 + LANDMARKS])
        log_std = 0.5 * torch.log(ratio.mean(dim=0))
    certain = torch.isfinite(occluded)
    head.calibrate(
        platt(output[:, 0], is_accurate(errors, sizes)),
        log_std,
        platt(output[:, 1 + LANDMARKS :][certain], occluded[certain]),
    )


def platt(logits: Tensor, targets: Tensor) -> tuple[float, float]:
    """Factor and offset of logits that minimise the cross entropy; (1, 0) where there is only one class.

    Source: Platt, "Probabilistic outputs for support vector machines" (1999).

    Args:
        logits: (n,).
        targets: (n,) 0 or 1.
    """
    if not len(targets) or targets.min() == targets.max():
        return 1.0, 0.0
    scale = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale], max_iter=50, line_search_fn="strong_wolfe")
    values, wanted = logits.detach().double(), targets.double()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scale[0] * values + scale[1], wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    factor, offset = scale.detach().tolist()
    return factor, offset


def evaluate(head: QualityHead, data: FeatureSet) -> dict[str, float]:
    """Figures of a head.

    Args:
        head: trained and calibrated.
        data: samples used for neither.

    Returns:
        spearman: rank correlation of the mean deviation and the mean error of a face, among faces with a mean error
        below 15 % of their size; calibration_error: expected calibration error of quality; auc_accurate: AUC of
        quality; auc_occlusion: AUC of occlusion.
    """
    output, errors, sizes, occluded = outputs(head, data)
    relative = (errors.norm(dim=-1).mean(dim=1) / sizes).numpy()
    usable = relative < _GROSS
    deviation = torch.exp(output[:, 1 : 1 + LANDMARKS]).mean(dim=1).numpy() / sizes.numpy()
    quality, accurate = torch.sigmoid(output[:, 0]).numpy(), is_accurate(errors, sizes).numpy() > 0
    certain = np.isfinite(occluded.numpy())
    hidden = output[:, 1 + LANDMARKS :].numpy()[certain]
    return {
        "spearman": spearman(deviation[usable], relative[usable]),
        "calibration_error": calibration_error(quality, accurate),
        "auc_accurate": auc(quality, accurate),
        "auc_occlusion": auc(hidden, occluded.numpy()[certain] > 0),
    }


def outputs(head: QualityHead, data: FeatureSet) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Outputs (n, 137) of a head in evaluation mode, and errors, sizes and occlusion of the samples."""
    head.eval()
    with torch.no_grad():
        parts = [
            head(torch.from_numpy(data.features[start : start + _BATCH].astype(np.float32)))
            for start in range(0, len(data), _BATCH)
        ]
    errors, sizes, occluded = (torch.from_numpy(array) for array in (data.errors, data.sizes, data.occluded))
    return torch.cat(parts), errors, sizes, occluded
