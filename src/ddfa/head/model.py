"""The parametric head model: one class for the open head and for the models of the original 3DDFA (V1/V2)."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32
from ddfa.errors import ModelError
from ddfa.head.checks import check_head
from ddfa.head.linear import LinearPoints

ARKIT_UNITS: Final = 52


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A head as mean + identity modes + expression modes on one fixed mesh.

    Convention:
        Right-handed head space: x to the image right of a frontal face, y up, z out of the face. The open head
        is in millimetres, Basel models in their own units. "Left" and "right" are the subject's: the left
        eye is at +x.

    Attributes:
        name: "open", "bfm-v1" or "bfm-v2".
        mean: (V, 3) float32.
        identity_basis: (I, V, 3) float32.
        expression_basis: (E, V, 3) float32.
        identity_std: (I,) float32, standard deviation of the identity coefficients over people.
        expression_names: E names; for the open head the 52 ARKit blendshapes in Apple's order.
        triangles: (T, 3) int32, counter-clockwise seen from outside; empty if an original basis comes without
            its topology.
        landmark_vertices: (68, 3) int32 corners of the triangles on which the iBUG-68 landmarks lie.
        landmark_weights: (68, 3) float32 barycentric weights.
        licence: terms of use, one line.
        uv: (U, 2) float32, u right, v up, in [0, 1]; None for Basel models.
        uv_triangles: (T, 3) int32 into uv.
        regions: name -> (V,) bool.
        mirror_vertices: (V,) int32, index of the vertex at the position mirrored in x.
        identity_mirror: (I,) float32 of ±1: identity of the mirrored head = identity * identity_mirror.
        expression_mirror: (E,) int32: expression of the mirrored head = expression[:, expression_mirror].
        landmark_axes: (68, 3) int32, the vertices from which each landmark's x, y and z are read, instead of the
            barycentric points. Only the original V2 basis needs it: the z of its landmark 44 is that of another vertex.

    Raises:
        ModelError: arrays of the wrong shape or type, with indices out of range or absurd numbers.
    """

    name: str
    mean: Float32
    identity_basis: Float32
    expression_basis: Float32
    identity_std: Float32
    expression_names: tuple[str, ...]
    triangles: Int32
    landmark_vertices: Int32
    landmark_weights: Float32
    licence: str
    uv: Float32 | None = None
    uv_triangles: Int32 | None = None
    regions: dict[str, Bools] = field(default_factory=dict)
    mirror_vertices: Int32 | None = None
    identity_mirror: Float32 | None = None
    expression_mirror: Int32 | None = None
    landmark_axes: Int32 | None = None

    def __post_init__(self) -> None:
        check_head(self)
        # One buffer for both bases lets decode be a single matrix product; the public arrays are views of it.
        bases = np.concatenate([self.identity_basis, self.expression_basis]).astype(np.float32, copy=False)
        points = LinearPoints(np.asarray(self.mean, np.float32), bases, len(self.identity_basis))
        object.__setattr__(self, "identity_basis", bases[: points.identities])
        object.__setattr__(self, "expression_basis", bases[points.identities :])
        self.__dict__["points"] = points

    def __reduce__(self) -> Any:
        """A head from a file is pickled by reference, see `ddfa.head.references`; any other with its arrays."""
        if "origin" not in self.__dict__:
            return HeadModel, tuple(getattr(self, name) for name in self.__dataclass_fields__)
        from ddfa.head.references import digest, reopen

        if "origin_sha256" not in self.__dict__:
            self.__dict__["origin_sha256"] = digest(self.__dict__["origin"])
        return reopen, (self.__dict__["origin"], self.__dict__["origin_sha256"])

    def __repr__(self) -> str:
        modes = f"{len(self.identity_std)} identity modes, {len(self.expression_names)} expressions"
        return f"HeadModel('{self.name}': {self.vertices} vertices, {len(self.triangles)} triangles, {modes})"

    @property
    def vertices(self) -> int:
        """The number of vertices V."""
        return len(self.mean)

    @cached_property
    def points(self) -> LinearPoints:
        """All vertices as one linear function of the coefficients."""
        raise AssertionError("set by __post_init__")

    @cached_property
    def landmark_points(self) -> LinearPoints:
        """The 68 landmarks as a linear function of the coefficients."""
        if self.landmark_axes is not None:
            rows = self.landmark_axes, np.arange(3)
            return LinearPoints(self.mean[rows], self.points.bases[:, *rows], self.points.identities)
        corners, weights = self.landmark_vertices, self.landmark_weights
        mean = np.einsum("kcd,kc->kd", self.mean[corners], weights)
        bases = np.einsum("mkcd,kc->mkd", self.points.bases[:, corners], weights)
        return LinearPoints(mean, np.ascontiguousarray(bases), self.points.identities)

    @property
    def has_arkit(self) -> bool:
        """Whether the expression modes are the 52 ARKit blendshapes, in Apple's order."""
        return len(self.expression_names) == ARKIT_UNITS

    def require_arkit(self, purpose: str) -> None:
        """Raise an error unless the head has ARKit blendshapes.

        Args:
            purpose: what needs them; the start of the message.

        Raises:
            ModelError: the head has none; no Basel head has.
        """
        if not self.has_arkit:
            raise ModelError(
                f"{purpose}: head model '{self.name}' has no ARKit blendshapes: use a bundle for the open head"
            )

    def require_texture(self, purpose: str) -> tuple[Float32, Int32]:
        """Return the texture coordinates, or raise an error if the head has none.

        Args:
            purpose: what needs them; the start of the message.

        Returns:
            `uv` and `uv_triangles`.

        Raises:
            ModelError: the head has none; no Basel head has.
        """
        if self.uv is None or self.uv_triangles is None:
            raise ModelError(
                f"{purpose}: head model '{self.name}' has no texture coordinates: use a bundle for the open head"
            )
        return self.uv, self.uv_triangles

    def subset(self, vertex_indices: Int32) -> LinearPoints:
        """Select vertices, so that only those are decoded.

        Args:
            vertex_indices: (K,) vertex indices.

        Returns:
            The K vertices as a linear function of the coefficients.
        """
        bases = np.ascontiguousarray(self.points.bases[:, vertex_indices])
        return LinearPoints(self.mean[vertex_indices], bases, self.points.identities)

    def decode(self, identity: Floats, expression: Floats) -> Float32:
        """Evaluate all vertices.

        Args:
            identity: (n, i <= I) coefficients; missing ones count as zero.
            expression: (n, e <= E) coefficients; missing ones count as zero.

        Returns:
            (n, V, 3) float32 in head space.

        Raises:
            ModelError: more coefficients than modes.
        """
        return self.points.decode(identity, expression)

    def decode_landmarks(self, identity: Floats, expression: Floats) -> Float32:
        """Evaluate only the 68 landmarks.

        Args:
            identity: (n, i <= I) coefficients; missing ones count as zero.
            expression: (n, e <= E) coefficients; missing ones count as zero.

        Returns:
            (n, 68, 3) float32 in head space.

        Raises:
            ModelError: more coefficients than modes.
        """
        return self.landmark_points.decode(identity, expression)

    @staticmethod
    def load(path: str | Path | None = None) -> "HeadModel":
        """Load a head model.

        Args:
            path: None for the shipped open head, a 3DDFA V1 `train.configs` folder, a 3DDFA_V2
                `bfm_noneck_v3.pkl`, or an `.npz` written by `tools/build_head.py`.

        Returns:
            The model.

        Raises:
            ModelError: the file is missing, damaged or not a head model.
        """
        from ddfa.head.readers import load_head

        return load_head(path)
