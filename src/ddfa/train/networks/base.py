"""The base of all regressors: features of a face crop, and the two heads on them."""

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Regress whitened 3DMM parameters from a face crop.

    Every layer works at any input size; that of the original networks is 120x120.

    Attributes:
        num_features: length F of the feature vector.
        fc: F features to P parameters.
        fc_lm: F features to 3D points: the landmark-regression regulariser of 3DDFA_V2, used in training only; None
            where the network has no such head.
    """

    num_features: int
    avgpool: nn.Module
    fc: nn.Linear
    fc_lm: nn.Linear | None

    def _add_heads(self, num_features: int, num_params: int, num_points: int) -> None:
        """To be called last: optimiser states identify parameters by their order, in which the heads come last."""
        self.num_features = num_features
        self.fc = nn.Linear(num_features, num_params)
        self.fc_lm = nn.Linear(num_features, 3 * num_points) if num_points else None

    def features(self, x: Tensor) -> Tensor:
        """Features (n, F) of normalised images (n, 3, h, w)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Whitened parameters (n, P) of normalised images (n, 3, h, w)."""
        out: Tensor = self.fc(self.features(x))
        return out

    def both_heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Whitened parameters (n, P) and points (n, K, 3); K is 0 without the second head."""
        features = self.features(x)
        if self.fc_lm is None:
            return self.fc(features), features.new_zeros(len(x), 0, 3)
        return self.fc(features), self.fc_lm(features).view(len(x), -1, 3)

    def deployed(self) -> "Network":
        """The same function in evaluation mode at the lowest cost: this is what is exported."""
        return self.eval()


def normalise(crops: Tensor) -> Tensor:
    """Map crops (n, S, S, 3) uint8 to network inputs (n, 3, S, S) float32, (v - 127.5) / 128, channels last."""
    images = (crops.permute(0, 3, 1, 2).float() - 127.5) / 128
    return images.contiguous(memory_format=torch.channels_last)
