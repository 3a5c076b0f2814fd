"""The PDC, VDC and WPDC losses of 3DDFA for any head model, and losses of landmarks, apertures and vertices.

Source: Zhu et al., "Face Alignment in Full Pose Range: A 3D Total Solution" (PAMI 2019), section 4, in the form of the
original PyTorch training code. Parameter vectors are [12 pose: row-major P | t, identity, expression]; points are in
the crop frame, px, y up.
"""

import torch
from torch import Tensor, nn

POSE = 12
# Mean camera scale of the original training set, a constant of its WPDC, crop px per unit of the Basel model.
ORIGINAL_SCALE = 0.00057339936
_DEPTH = 11  # index of t_z, which weak perspective leaves undetermined
# Opposite landmarks of the upper and lower eyelids and of the inner lips (iBUG-68).
_UPPER = (37, 38, 43, 44, 61, 62, 63)
_LOWER = (41, 40, 47, 46, 67, 66, 65)
_EYES = (slice(36, 42), slice(42, 48))  # landmarks of the eyelids: right eye, left eye


class HeadPoints(nn.Module):
    """K points of a head as a linear function of its coefficients, on the training device.

    Args:
        mean: (K, 3) head units.
        bases: (I + E, K, 3), identity first.
    """

    mean: Tensor
    bases: Tensor

    def __init__(self, mean: Tensor, bases: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("bases", bases)

    def unposed(self, params: Tensor) -> Tensor:
        """Points (n, K, 3) in head space from de-whitened parameters (n, P)."""
        flat = params[:, POSE:] @ self.bases.flatten(1)
        return self.mean + flat.view(-1, *self.mean.shape)

    def forward(self, params: Tensor) -> Tensor:
        """Points (n, K, 3) in the crop frame from de-whitened parameters (n, P)."""
        pose = params[:, :POSE].view(-1, 3, 4)
        return self.unposed(params) @ pose[..., :3].transpose(1, 2) + pose[:, None, :, 3]

    def at(self, index: Tensor) -> "HeadPoints":
        """The subset `index` of the points."""
        return HeadPoints(self.mean[index], self.bases[:, index])


def pdc(predicted: Tensor, target: Tensor, shown: Tensor | None = None) -> Tensor:
    """Parameter distance cost (PDC): mean squared error of whitened parameters (n, P), with weights `shown` (n, P)."""
    error = (predicted - target).square()
    return (error if shown is None else shown * error).mean()


def vdc(predicted: Tensor, target: Tensor, points: HeadPoints) -> Tensor:
    """Vertex distance cost (VDC): mean squared coordinate error of the points, crop px², with t_z of the target.

    Args:
        predicted: (n, P) de-whitened.
        target: (n, P) de-whitened.
        points: of the head, to be compared.
    """
    # Without the target's t_z, the error of a depth that cannot be inferred would dominate the loss.
    error: Tensor = points(with_depth_of(predicted, target)) - points(target)
    return error.square().mean()


def landmark(predicted: Tensor, target: Tensor, points: HeadPoints) -> Tensor:
    """Mean distance of the points in x and y as a share of the face size: a differentiable NME.

    Args:
        predicted: (n, P) de-whitened.
        target: (n, P) de-whitened.
        points: the 68 landmarks.
    """
    truth: Tensor = points(target)[..., :2]
    return _relative(points(predicted)[..., :2] - truth, face_size(truth))


def aperture(predicted: Tensor, target: Tensor, points: HeadPoints) -> Tensor:
    """Error of the eye and mouth apertures in x and y as a share of the face size.

    An aperture is the vector from a landmark of the lower eyelid or lip to the opposite one.

    Args:
        predicted: (n, P) de-whitened.
        target: (n, P) de-whitened.
        points: the 68 landmarks.
    """
    found, truth = points(predicted)[..., :2], points(target)[..., :2]
    # Vectors in place of distances: the gradient of a distance is undefined where eyes or lips are closed.
    error = (found[:, _UPPER] - found[:, _LOWER]) - (truth[:, _UPPER] - truth[:, _LOWER])
    return _relative(error, face_size(truth))


def gaze(predicted: Tensor, target: Tensor, points: HeadPoints, shown: Tensor | None = None) -> Tensor:
    """Error in x and y of where the pupils are between the eyelids, as a share of the face size.

    Args:
        predicted: (n, P) de-whitened.
        target: (n, P) de-whitened.
        points: the 68 landmarks, then the centres of the right and the left pupil.
        shown: (n, 2) weights in [0, 1] of the pupils, 0 for one that an image does not show; ones by default.
    """
    found, truth = points(predicted)[..., :2], points(target)[..., :2]
    size = face_size(truth[:, :-2])
    # Relative to the eyelids, whose own errors are those of other terms.
    error = _in_eyes(found) - _in_eyes(truth)
    weights = torch.ones_like(error[..., 0]) if shown is None else shown
    return _relative(weights[..., None] * error, size)


def _in_eyes(points: Tensor) -> Tensor:
    """Pupils (n, 2, 2) relative to the mean of their eyelids' landmarks, from points (n, 70, 2)."""
    eyes = torch.stack([points[:, eye].mean(dim=1) for eye in _EYES], dim=1)
    return points[:, -2:] - eyes


def dense(predicted: Tensor, target: Tensor, points: HeadPoints) -> Tensor:
    """Mean distance of the points in x, y and z as a share of the face size, with t_z of the target.

    Args:
        predicted: (n, P) de-whitened.
        target: (n, P) de-whitened.
        points: of the head, to be compared; spread over the whole face, as its size is computed from them.
    """
    truth: Tensor = points(target)
    return _relative(points(with_depth_of(predicted, target)) - truth, face_size(truth))


def units(predicted: Tensor, target: Tensor, spread: Tensor, shown: Tensor | None = None) -> Tensor:
    """Mean squared error of expression coefficients, each relative to its own spread.

    WPDC and vertex distances nearly ignore coefficients that hardly move vertices, such as those of gaze. The error is
    squared because most coefficients are 0 on most faces: an absolute error is smallest at the median, where a network
    that is uncertain whether an eye winks predicts that it does not.

    Args:
        predicted: (n, E) coefficients.
        target: (n, E) coefficients.
        spread: (E,) standard deviation of each among the labels.
        shown: (n, E) weights in [0, 1], 0 for what an image does not show; ones by default.
    """
    error = ((predicted - target) / spread).square()
    return (error if shown is None else shown * error).mean()


def asymmetry(
    predicted: Tensor, target: Tensor, left: Tensor, right: Tensor, spread: Tensor, shown: Tensor | None = None
) -> Tensor:
    """Mean squared error of the differences left minus right of paired coefficients, each relative to its spread.

    Most faces are nearly symmetric, so that a term on single coefficients is small for a network that always predicts
    the mean of both sides.

    Args:
        predicted: (n, E) coefficients.
        target: (n, E) coefficients.
        left: (K,) int64, coefficients of the left side.
        right: (K,) int64, their counterparts.
        spread: (K,) standard deviation of each difference among the labels.
        shown: (n, E) weights in [0, 1] of the coefficients; a difference has the smaller one of its two sides.
    """
    error = predicted - target
    difference = ((error[:, left] - error[:, right]) / spread).square()
    return (difference if shown is None else torch.minimum(shown[:, left], shown[:, right]) * difference).mean()


def face_size(points: Tensor) -> Tensor:
    """Geometric mean (n,) of width and height of the box around points (n, K, >=2), at least 1 px.

    This is the normalisation of the AFLW2000-3D benchmark.
    """
    flat = points[..., :2]
    # The geometric mean hardly changes with yaw or pitch, unlike the distance between the eyes.
    width_height = flat.amax(dim=1) - flat.amin(dim=1)
    return width_height.prod(dim=1).sqrt().clamp_min(1.0)


def _relative(error: Tensor, size: Tensor) -> Tensor:
    """Mean length of errors (n, K, 2 or 3) as a share of sizes (n,)."""
    length = error.square().sum(-1).add(1e-6).sqrt()  # the gradient of the root is infinite at 0
    return (length.mean(dim=1) / size).mean()


def with_depth_of(predicted: Tensor, target: Tensor) -> Tensor:
    """The predicted parameters (n, P) with t_z of `target`."""
    return torch.cat([predicted[:, :_DEPTH], target[:, _DEPTH : _DEPTH + 1], predicted[:, _DEPTH + 1 :]], dim=1)


def wpdc(
    predicted: Tensor, target: Tensor, mean: Tensor, std: Tensor, points: HeadPoints, pixels_per_unit: Tensor,
    shown: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Weighted parameter distance cost (WPDC): squared whitened errors, weighted by the displacement they cause.

    Args:
        predicted: (n, P) whitened.
        target: (n, P) whitened.
        mean: (P,) whitening.
        std: (P,) whitening.
        points: points over which displacements are summed.
        pixels_per_unit: scalar, mean camera scale of the training set; `ORIGINAL_SCALE` in the original code.
        shown: (n, P) further weights in [0, 1], 0 for what an image does not show; ones by default.
    """
    # Detached: the weights depend on the prediction, but minimising them is not the goal.
    weights = wpdc_weights(predicted.detach() * std + mean, target * std + mean, points, pixels_per_unit)
    if shown is not None:
        weights = weights * shown
    return (weights * (predicted - target).square()).mean()


def wpdc_weights(predicted: Tensor, target: Tensor, points: HeadPoints, pixels_per_unit: Tensor) -> Tensor:
    """Weights (n, P) in 0..1 of `wpdc`, from de-whitened parameters (n, P).

    The error of an entry of P displaces the points by itself times the norm of their coordinates, that of a translation
    by itself for each point, that of a coefficient by itself times the norm of its mode times the camera scale. The
    largest weight of each face is 1, that of t_z is 0.
    """
    error = (predicted - target).abs()
    norms = points.unposed(target).norm(dim=1)  # (n, 3): x, y, z over the points
    count = torch.full_like(norms[:, :1], points.mean.shape[0] ** 0.5)
    row = torch.cat([norms, count], dim=1)  # factors of P_i1, P_i2, P_i3 and t_i, in each row i
    # The mean scale in place of that of each face: the norm of a mode then is computed once for the whole batch.
    modes = pixels_per_unit * points.bases.flatten(1).norm(dim=1)
    effect = torch.cat([row.repeat(1, 3), modes.expand(len(error), -1)], dim=1)
    weights = error * effect + 1e-6  # a perfect prediction must not divide by 0 below
    weights[:, _DEPTH] = 0.0  # t_z is undetermined
    return weights / weights.amax(dim=1, keepdim=True)
