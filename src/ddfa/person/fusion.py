"""One identity from several photos or frames of a person: a robust mean, weighted by what each view shows.

Photos are compared in the metric of vertices: the distance of two identities is the root mean square distance of the
vertices of the face. Outliers lose their weight by iteratively reweighted least squares with the function of Geman and
McClure ("Statistical methods for tomographic image reconstruction", 1987). A photo determines the shape across the line
of sight better than along it, so that a frontal view counts more for the width and a profile more for the depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64
from ddfa.errors import ModelError, NoFaceError
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.person.compensation import IdentityCompensation
from ddfa.person.motion import motion_of, moved

_ALONG: Final = 0.3  # weight of a shape error along the line of sight, relative to one across it
_LEAST_QUALITY: Final = 0.05  # weight of a face whose estimated quality is 0
_SCALE: Final = 2.0  # times the median distance, at which a photo has a quarter of its weight
_SMALLEST: Final = 0.25  # lower limit of that scale, relative to the spread of people: small distances are no outliers
_EXCLUDED: Final = 0.1  # share of its weight below which a photo is left out
_ROUNDS: Final = 20
_EVEN: Final = 1e-3  # weight of coefficients that do not move the face, relative to the mean one


@dataclass(frozen=True, eq=False)
class FusedFaces:
    """Several photos of one person with one identity.

    Attributes:
        faces: the n photos' faces with the fused identity, each with a pose and an expression that leave it in place.
        identity: (I,) float32 coefficients of the head model.
        weights: (n,) float32, sum 1: how much each photo counts; 0 if it is left out.
        distances: (n,) float32 root mean square distance of the photo's own neutral shape from the fused one, head
            units, over the vertices of the face.
    """

    faces: tuple[Faces, ...]
    identity: Float32
    weights: Float32
    distances: Float32

    @property
    def used(self) -> Bools:
        """(n,) which photos count."""
        return self.weights > 0


def fuse(faces: Sequence[Faces]) -> FusedFaces:
    """Estimate the identity of a person from several photos.

    Photos whose shape is far from the others', for instance of somebody else, are left out; that needs at least three.

    Args:
        faces: results with one face each, of one person and one model; their images may differ in size.

    Returns:
        The fused identity, and the faces with it.

    Raises:
        NoFaceError: no faces.
        ModelError: results of different models.
        ValueError: a result is not one face.
    """
    if not faces:
        raise NoFaceError("no faces to fuse: pass at least one")
    if any(len(face) != 1 for face in faces):
        raise ValueError("a person has one face per photo: pass results with one face each, see `Faces.single`")
    first = faces[0].model
    if any(face.model != first for face in faces):
        raise ModelError("only faces of one model can be fused")
    own = np.array([face.identity[0] for face in faces], np.float64)
    gram = _gram(first.head, own.shape[1])
    metric: Float64 = np.einsum("aaij->ij", gram)
    seen = np.stack([_shown(gram, face) for face in faces])
    weights, identity = _robust_mean(own, seen, metric, first.head.identity_std[: own.shape[1]])
    compensate = IdentityCompensation(first.head, first.layout)
    placed = tuple(
        moved(face, compensate(motion_of(face), face.identity[0] - identity), identity.astype(np.float32))
        for face in faces
    )
    distances = _distances(own - identity, metric)
    return FusedFaces(placed, identity.astype(np.float32), weights.astype(np.float32), distances.astype(np.float32))


def _gram(head: HeadModel, modes: int) -> Float64:
    """Products (3, 3, I, I) of the motions of the face's vertices along the axes, mean over the vertices."""
    region = head.regions.get("face", np.ones(head.vertices, bool))
    basis = head.identity_basis[:modes, region].astype(np.float64)
    return np.asarray(np.einsum("iva,jvb->abij", basis, basis, optimize=True) / basis.shape[1])


def _shown(gram: Float64, face: Faces) -> Float64:
    """How well a photo determines the identity, (I, I): squared motion in the image, and a share of it along z."""
    rotation = face.rotation[0].astype(np.float64)
    quality = 1.0 if face.quality is None else max(float(face.quality[0]), _LEAST_QUALITY)
    axes: Float64 = rotation.T @ np.diag([1, 1, _ALONG]) @ rotation
    seen = np.einsum("ab,abij->ij", axes, gram)
    return np.asarray(quality * (seen + _EVEN * np.trace(seen) / len(seen) * np.eye(len(seen))))


def _robust_mean(own: Float64, seen: Float64, metric: Float64, std: Float32) -> tuple[Float64, Float64]:
    """Weights (n,) with sum 1, and the identity (I,).

    Args:
        own: (n, I) identities of the photos.
        seen: (n, I, I) how well each determines the identity.
        metric: (I, I) of the squared distance of two identities.
        std: (I,) spread of people.
    """
    spread = float(np.sqrt(np.diag(metric) @ np.square(std)))
    confidence = np.trace(seen, axis1=1, axis2=2)

    def mean(robust: Float64) -> Float64:
        system = np.einsum("n,nij->ij", robust, seen)
        return np.asarray(np.linalg.solve(system, np.einsum("n,nij,nj->i", robust, seen, own)))

    identity, robust = np.median(own, axis=0), np.ones(len(own))
    for _ in range(_ROUNDS):
        distance = _distances(own - identity, metric)
        scale = max(_SCALE * float(np.median(distance)), _SMALLEST * spread, 1e-12)
        robust = 1 / np.square(1 + np.square(distance / scale))
        identity = mean(robust)
    robust[robust < _EXCLUDED] = 0
    weights = robust * confidence
    return weights / weights.sum(), mean(robust)


def _distances(difference: Float64, metric: Float64) -> Float64:
    """Root mean square distances (n,) of the vertices for differences (n, I) of identities."""
    squared: Float64 = np.einsum("ni,ij,nj->n", difference, metric, difference)
    return np.asarray(np.sqrt(np.maximum(squared, 0)))
