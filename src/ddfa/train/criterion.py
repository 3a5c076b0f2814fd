"""The loss of a training run: a weighted sum of terms."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ddfa.arrays import Float32, Int64
from ddfa.errors import DataError
from ddfa.head.irises import landmarks_and_irises
from ddfa.head.model import HeadModel
from ddfa.regress.whitening import Whitening
from ddfa.train import losses
from ddfa.train.config import LossWeights


class Criterion(nn.Module):
    """The weighted sum of losses on one device.

    Args:
        head: the head model.
        whitening: of the parameters.
        weights: of the terms.
        random_points: random vertices, others in each step, besides the landmarks.
        size: side S of the crop frame in px.
        asymmetry_spread: (K,) of the differences of `expression_pairs`, see `state.measure_asymmetry`; needed by the
            term `asymmetry`.

    Raises:
        DataError: the term `asymmetry` is in use, but the head model has no left and right expressions; or the term
            `gaze`, but it has no irises.
    """

    mean: Tensor
    std: Tensor
    scale: Tensor
    left: Tensor
    right: Tensor
    asymmetry_spread: Tensor

    def __init__(
        self,
        head: HeadModel,
        whitening: Whitening,
        weights: LossWeights,
        random_points: int,
        size: int,
        asymmetry_spread: Float32 | None = None,
    ) -> None:
        super().__init__()
        self.expressions = len(head.expression_basis)
        if weights.asymmetry:
            if asymmetry_spread is None or not len(asymmetry_spread):
                raise DataError(f"head '{head.name}' has no left and right expressions: set --loss.asymmetry 0")
            left, right = expression_pairs(head)
            self.register_buffer("left", torch.from_numpy(left))
            self.register_buffer("right", torch.from_numpy(right))
            self.register_buffer("asymmetry_spread", torch.from_numpy(asymmetry_spread))
        self.weights, self.size, self.random_points = weights, size, random_points
        self.register_buffer("mean", torch.from_numpy(whitening.mean))
        self.register_buffer("std", torch.from_numpy(whitening.std))
        self.register_buffer("scale", torch.tensor(camera_scale(head, whitening)))
        self.landmarks = _points(head.landmark_points.mean, head.landmark_points.bases)
        if weights.gaze:
            self.with_pupils = _landmarks_and_pupils(head)
            self.gaze = [_gaze_params(head, side) for side in ("Right", "Left")]
        skin = np.flatnonzero(head.regions["face"]) if "face" in head.regions else np.arange(head.vertices)
        self.surface = _points(head.mean[skin], head.points.bases[:, skin])

    def forward(self, params: Tensor, points: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The terms in use, by name.

        Args:
            params: (n, P) whitened, from the network.
            points: (n, 68, 3) from the auxiliary head, see `normalised`.
            target: (n, P) de-whitened labels, or (n, P + E) with the weights of the E expression units: units that an
                image does not show do not count in the terms of coefficients.
        """
        weights, terms = self.weights, dict[str, Tensor]()
        target, shown = split_weights(target, params.shape[1])
        whitened, raw = (target - self.mean) / self.std, self.dewhiten(params)
        if weights.wpdc or weights.vdc or weights.dense:
            chosen = self._choose()  # once, so that all terms use the same vertices
        if weights.pdc:
            terms["pdc"] = losses.pdc(params, whitened, shown)
        if weights.wpdc:
            terms["wpdc"] = losses.wpdc(params, whitened, self.mean, self.std, chosen, self.scale, shown)
        if weights.vdc:
            terms["vdc"] = losses.vdc(raw, target, chosen)
        if weights.landmark:
            terms["landmark"] = losses.landmark(raw, target, self.landmarks)
        if weights.aperture:
            terms["aperture"] = losses.aperture(raw, target, self.landmarks)
        if weights.gaze:
            both = None if shown is None else torch.stack([shown[:, gaze].amin(dim=1) for gaze in self.gaze], dim=1)
            terms["gaze"] = losses.gaze(raw, target, self.with_pupils, both)
        if weights.dense:
            terms["dense"] = losses.dense(raw, target, chosen)
        if weights.points:
            terms["points"] = (points - self.normalised(target)).abs().mean()
        own, true = raw[:, -self.expressions :], target[:, -self.expressions :]
        visible = None if shown is None else shown[:, -self.expressions :]
        if weights.units:
            terms["units"] = losses.units(own, true, self.std[-self.expressions :], visible)
        if weights.asymmetry:
            terms["asymmetry"] = losses.asymmetry(own, true, self.left, self.right, self.asymmetry_spread, visible)
        return terms

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of the terms."""
        return torch.stack([getattr(self.weights, name) * term for name, term in terms.items()]).sum()

    def dewhiten(self, params: Tensor) -> Tensor:
        """Undo the whitening of parameters (n, P)."""
        return params * self.std + self.mean

    def normalised(self, target: Tensor) -> Tensor:
        """Targets of the auxiliary head (n, 68, 3): landmarks in half crop sides from the centre, with mean depth 0."""
        points = self.landmarks(target)
        # Scaled to about [-1, 1], and without t_z, which cannot be inferred from an image.
        flat = points[..., :2] - (self.size - 1) / 2
        depth = points[..., 2:] - points[..., 2:].mean(dim=1, keepdim=True)
        return torch.cat([flat, depth], dim=-1) / (self.size / 2)

    def _choose(self) -> losses.HeadPoints:
        """The landmarks and some random vertices of the face."""
        # A random subset is an unbiased estimate of the error over all vertices, at a fraction of the cost.
        count = self.surface.mean.shape[0]
        index = torch.randperm(count, device=self.mean.device)[: self.random_points]
        few, marks = self.surface.at(index), self.landmarks
        return losses.HeadPoints(torch.cat([marks.mean, few.mean]), torch.cat([marks.bases, few.bases], dim=1))


def split_weights(target: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
    """Labels (n, P) and weights (n, P) of their parameters, of labels (n, P) or (n, P + E); None where all are 1.

    Args:
        target: labels, see `CropStream.batch`.
        count: P.
    """
    extra = target.shape[1] - count
    if not extra:
        return target, None
    label, units = target[:, :count], target[:, count:]
    return label, torch.cat([torch.ones_like(label[:, :-extra]), units], dim=1)


def expression_pairs(head: HeadModel) -> tuple[Int64, Int64]:
    """Left and right expressions (K,), those that mirroring exchanges; none for a head model without mirror maps."""
    mirror = head.expression_mirror
    if mirror is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    left = np.flatnonzero(mirror > np.arange(len(mirror)))
    return left, mirror[left].astype(np.int64)


def camera_scale(head: HeadModel, whitening: Whitening) -> float:
    """Mean camera scale in crop px per head unit, which converts displacements of the head to crop px."""
    if head.name.startswith("bfm"):
        return losses.ORIGINAL_SCALE  # so that WPDC is that of the original code
    mean, std = (values[:12].reshape(3, 4)[:, :3] for values in (whitening.mean, whitening.std))
    return math.sqrt(float((mean**2).sum() + (std**2).sum()) / 3)  # E|P|² = mean² + std², and |P|² = 3 scale²


def _landmarks_and_pupils(head: HeadModel) -> losses.HeadPoints:
    """The 68 landmarks, then the centres of the irises: right eye, left eye.

    Raises:
        DataError: the head model has no irises.
    """
    points = landmarks_and_irises(head)
    if points is None:
        raise DataError(f"head '{head.name}' has no irises: set --loss.gaze 0")
    return _points(points.mean, points.bases)


def _gaze_params(head: HeadModel, side: str) -> list[int]:
    """Indices, from the end, of the parameters that turn an eye."""
    names = head.expression_names
    return [index - len(names) for index, name in enumerate(names) if name.startswith("eyeLook") and side in name]


def _points(mean: Float32, bases: Float32) -> losses.HeadPoints:
    return losses.HeadPoints(*(torch.from_numpy(np.ascontiguousarray(array)) for array in (mean, bases)))
