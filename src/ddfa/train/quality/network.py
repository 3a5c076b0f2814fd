"""The quality head as a PyTorch module, its loss, and its calibration."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ddfa.bench.quality import ACCURATE
from ddfa.regress.quality import LANDMARKS, QUALITY_SIZE

_LOG_STD: Final = -4.0  # initial logarithm of the standard deviation: 1.8 % of the crop side
_OCCLUSION_WEIGHT, _QUALITY_WEIGHT = 1.0, 1.0


class QualityHead(nn.Module):
    """Two small layers on the last feature map of a regressor.

    A 1x1 convolution reduces the channels; the linear layers keep the positions, without which occlusion could not be
    located.

    Args:
        channels: C of the feature map.
        positions: h * w of the feature map.
        reduced: channels after the convolution.
        hidden: width of the hidden layer.
        dropout: of the hidden layer, in training.
    """

    def __init__(
        self, channels: int, positions: int, reduced: int = 32, hidden: int = 96, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(channels, reduced, 1), nn.ReLU(inplace=True))
        self.mix = nn.Sequential(nn.Linear(reduced * positions, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.out = nn.Linear(hidden, QUALITY_SIZE)
        with torch.no_grad():
            self.out.bias[1 : 1 + LANDMARKS] = _LOG_STD

    def forward(self, features: Tensor) -> Tensor:
        """Outputs (n, 137), see `ddfa.regress.quality`, of feature maps (n, C, h, w)."""
        out: Tensor = self.out(self.mix(torch.flatten(self.reduce(features), 1)))
        return out

    def calibrate(self, quality: tuple[float, float], log_std: Tensor, occlusion: tuple[float, float]) -> None:
        """Fold a calibration into the last layer.

        Args:
            quality: factor and offset of the logit of quality (Platt scaling).
            log_std: (68,) added to the logarithms of the standard deviations.
            occlusion: factor and offset of the logits of occlusion.
        """
        weight, bias = self.out.weight, self.out.bias
        with torch.no_grad():
            for rows, (factor, offset) in ((slice(0, 1), quality), (slice(1 + LANDMARKS, None), occlusion)):
                weight[rows] *= factor
                bias[rows] = factor * bias[rows] + offset
            bias[1 : 1 + LANDMARKS] += log_std


def is_accurate(errors: Tensor, sizes: Tensor) -> Tensor:
    """Which fits are accurate, (n,) float: 1 where the mean landmark error is below `ACCURATE`; 0 without a face.

    Args:
        errors: (n, 68, 2), predicted minus true as a share of the crop side; NaN without a face.
        sizes: (n,) of the faces in the same unit.
    """
    relative: Tensor = errors.norm(dim=-1).mean(dim=1) / sizes
    return (relative < ACCURATE).float()  # a comparison with NaN is false


def quality_loss(output: Tensor, errors: Tensor, sizes: Tensor, occluded: Tensor) -> dict[str, Tensor]:
    """The terms of the loss and their sum, `loss`.

    The error of a landmark has a negative log-likelihood under an isotropic Laplace distribution in 2D, whose heavy
    tails do not let a few gross errors determine the deviations (compare Kumar et al., "LUVLi Face Alignment", CVPR
    2020); occlusion and quality have cross entropies.

    Args:
        output: (n, 137) of the head.
        errors: (n, 68, 2), see `is_accurate`.
        sizes: (n,), see `is_accurate`.
        occluded: (n, 68), 1, 0 or NaN where this is not known.
    """
    logit, log_std, hidden = output[:, 0], output[:, 1 : 1 + LANDMARKS], output[:, 1 + LANDMARKS :]
    distance = errors.norm(dim=-1)
    known = torch.isfinite(distance)
    # The density 3 / (2 pi s^2) exp(-sqrt(3) r / s) at distance r has standard deviation s along each axis.
    likelihood = 2 * log_std + 3**0.5 * torch.nan_to_num(distance) * torch.exp(-log_std)
    std = _mean(likelihood, known)
    certain = torch.isfinite(occluded)
    cross = binary_cross_entropy_with_logits(hidden, torch.nan_to_num(occluded), reduction="none")
    occlusion = _mean(cross, certain)
    quality = binary_cross_entropy_with_logits(logit, is_accurate(errors, sizes))
    loss = std + _OCCLUSION_WEIGHT * occlusion + _QUALITY_WEIGHT * quality
    return {"loss": loss, "std": std, "occlusion": occlusion, "quality": quality}


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
