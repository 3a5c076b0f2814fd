"""Loss of the region networks: units, differences between left and right, geometry and uncertainty."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from ddfa.arrays import Float32, UInt8
from ddfa.regress.regions import EYE_UNITS, MOUTH_UNITS
from ddfa.train.regions.batches import OFF_TARGET_ERROR, Batch, PatchStream, mirrored_units
from ddfa.train.regions.network import RegionNetwork

_MIN_STD = 0.04  # errors of units that hardly vary are not amplified further
_TONGUE_STD = 0.15  # tongueOut varies in patches with rendered tongues only
_GEOMETRY_STD = 0.08  # patch units
_GEOMETRY_WEIGHT, _UNCERTAINTY_WEIGHT = 0.3, 0.05
_HUBER_DELTA = 2.0


@dataclass(eq=False)
class Spread:
    """Standard deviations by which errors are divided.

    Attributes:
        units: (U,) of each unit.
        difference: (U,) of the difference between the left and the right side of each unit.
    """

    units: Tensor
    difference: Tensor


def spread_of(stream: PatchStream) -> Spread:
    """The spread of the targets of a stream."""
    units = stream.targets.reshape(-1, stream.unit_count)
    floor = np.full(stream.unit_count, _MIN_STD)
    if stream.region == "eye":
        differences = stream.targets[:, 0] - stream.targets[:, 1]
    else:
        differences = units - units[:, mirrored_units(MOUTH_UNITS)]
        floor[MOUTH_UNITS.index("tongueOut")] = _TONGUE_STD
    return Spread(
        torch.from_numpy(np.maximum(units.std(axis=0), floor).astype(np.float32)),
        torch.from_numpy(np.maximum(differences.std(axis=0), floor).astype(np.float32)),
    )


def region_loss(network: RegionNetwork, batch: Batch, spread: Spread, asymmetry: float = 0.5) -> dict[str, Tensor]:
    """The terms of the loss and their weighted sum, `loss`.

    Args:
        network: in training mode.
        batch: for the eye network, rows alternate between the left and the right eye of a photo.
        spread: of the targets.
        asymmetry: weight of the term on differences between left and right.
    """
    out = network(network_inputs(batch.patches), torch.from_numpy(batch.auxiliary))
    count = network.units
    on_target = (~torch.from_numpy(batch.off_target)).float()
    error = out[:, :count] - torch.from_numpy(batch.units)
    scaled = error / spread.units
    units = (_huber(scaled).mean(dim=1) * on_target).mean()
    geometry_error = (out[:, count:-1] - torch.from_numpy(batch.geometry)) / _GEOMETRY_STD
    geometry = (_huber(geometry_error).mean(dim=1) * on_target).mean()
    # Without this term, a network predicts the mean of both sides, which is nearly as good for `units`.
    if count == len(EYE_UNITS):
        difference, valid = error[0::2] - error[1::2], on_target[0::2] * on_target[1::2]
    else:
        difference, valid = error - error[:, mirrored_units(MOUTH_UNITS)], on_target
    sides = (_huber(difference / spread.difference).mean(dim=1) * valid).mean()
    # Gaussian negative log-likelihood of the error, with the network's estimate of its variance (Kendall & Gal, 2017).
    observed = scaled.detach().square().clamp(max=9).mean(dim=1) * on_target + OFF_TARGET_ERROR * (1 - on_target)
    log_error = out[:, -1].clamp(-6, 3)
    uncertainty = (observed * torch.exp(-log_error) + log_error).mean()
    loss = units + asymmetry * sides + _GEOMETRY_WEIGHT * geometry + _UNCERTAINTY_WEIGHT * uncertainty
    return {"loss": loss, "units": units, "asymmetry": sides, "geometry": geometry, "uncertainty": uncertainty}


def network_inputs(patches: UInt8) -> Tensor:
    """Patches (m, S, S, 3) uint8 as network inputs (m, 3, S, S), channels last."""
    return (torch.from_numpy(patches).permute(0, 3, 1, 2).float() - 127.5) / 128


def predict_batch(network: torch.nn.Module, batch: Batch) -> Float32:
    """Outputs (m, O) of a network in evaluation mode, as of `RegionNetwork.forward`."""
    with torch.no_grad():
        out = network(network_inputs(batch.patches), torch.from_numpy(batch.auxiliary))
    return np.asarray(out.numpy(), np.float32)


def _huber(error: Tensor) -> Tensor:
    return huber_loss(error, torch.zeros_like(error), reduction="none", delta=_HUBER_DELTA)
