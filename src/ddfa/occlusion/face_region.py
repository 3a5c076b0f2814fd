"""The part of the head that is replaced: the skin of the face as a mesh with opacity and surface codes."""

from functools import lru_cache
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32
from ddfa.errors import ModelError
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.head.model import HeadModel
from ddfa.raster.blending import smoothstep
from ddfa.raster.rasterize import vertex_normals

_CODE_MM: Final = 100.0  # distance that is 1 in the surface codes
_EDGE_MM: Final = (1.0, 12.0)  # distance from the border of the face over which the new face fades in
_LID_MM: Final = (0.3, 2.6)
_MOUTH_MM: Final = (0.0, 1.8)  # the source may show teeth at the edge of its lips
_FEATURE_MM: Final = {"lid": 9.0, "brow": 6.0, "mouth": 9.0}  # radius around features that is not plain skin
_BROWS: Final = (range(17, 22), range(22, 27))


class FaceSurface:
    """The face of a head model as a mesh of its own.

    Args:
        head: a head with a texture map and regions.

    Attributes:
        head: the head model.
        vertices: (K,) int32, indices of the head's vertices on the face.
        triangles: (T, 3) int32, indices into these K vertices.
        uv: (U, 2) float32, UV coordinates of the head in [0, 1], v up.
        uv_triangles: (T, 3) int32, indices into `uv`.
        vertex_uv: (K, 2) float32, UV coordinates of each vertex; no seam crosses the face.
        opacity: (K,) float32 in [0, 1]: 0 at the edges of the face and the mouth.
        beyond_edge: (K,) float32 in [0, 1]: 0 at the edges of the face.
        beyond_lids: (K,) float32 in [0, 1]: 0 at the edges of the lids.
        lid_mm: (K,) float32, distance to the edges of the lids on the mean head, mm.
        plain: (K,) bool, skin without brows, lids, lips and nostrils.
        mm: (K, 3) float32, positions on the mean head, mm.
        codes: (K, 4) float32, input of the occlusion network: position on the mean head, roughly in [-1, 1], and a
            constant 1 that marks the face once the codes are rasterised.
        core: (K,) float32, weight of the centre of the face, by which a new shape is aligned.
        feature_weight: (K,) float32 in [0, 1], 1 on features whose colour differs from skin.

    Raises:
        ModelError: the head has neither texture map nor regions, as Basel models.
    """

    def __init__(self, head: HeadModel) -> None:
        uv, uv_triangles = head.require_texture("face replacement")
        if "face" not in head.regions:
            raise ModelError(
                f"face replacement: head model '{head.name}' has no region 'face': use a bundle for the open head"
            )
        face = head.regions["face"]
        inside = face[head.triangles].all(axis=1)
        self.head = head
        self.vertices = np.unique(head.triangles[inside]).astype(np.int32)
        self.triangles = np.searchsorted(self.vertices, head.triangles[inside]).astype(np.int32)
        self.uv, self.uv_triangles = uv, np.ascontiguousarray(uv_triangles[inside])
        self.vertex_uv = np.zeros((len(self.vertices), 2), np.float32)
        self.vertex_uv[self.triangles.ravel()] = self.uv[self.uv_triangles.ravel()]
        self.points = head.subset(self.vertices)
        self.mm = head.mean[self.vertices]
        centred = (self.mm - (self.mm.min(axis=0) + self.mm.max(axis=0)) / 2) / _CODE_MM
        self.codes = np.column_stack([centred, np.ones(len(self.mm))]).astype(np.float32)
        self._set_fields(face)

    def project(self, faces: Faces, identity: Floats | None = None) -> Float32:
        """Project the surface into the image.

        Args:
            faces: n faces of the same head model.
            identity: (n, I) coefficients that replace the faces' own; None keeps those.

        Returns:
            (n, K, 3) float32, image px.
        """
        parts = faces.layout.split(faces.params)
        decoded = self.points.decode(parts.identity if identity is None else identity, parts.expression)
        return faces.convention.place(decoded, parts.pose, faces.roi, faces.crop_size)

    def normals(self, shape: Float32) -> Float32:
        """Unit normals (K, 3) in camera axes (y up) of a shape (K, 3) in image axes (y down)."""
        return vertex_normals(shape * FLIP_Y, self.triangles)

    def _set_fields(self, face: Bools) -> None:
        head, own = self.head, self.mm
        rims = {
            "edge": _rim(head, face, head.regions["skin"] & ~face),
            "lid": _rim(head, face, head.regions["eye_socket"]),
            "mouth": _rim(head, face, head.regions["mouth_inner"]),
        }
        mm = {name: _distance(own, head.mean[rim]) for name, rim in rims.items()}
        points = head.landmark_points.mean
        brows = np.concatenate([_line(points[list(brow)]) for brow in _BROWS])
        mm["brow"] = _distance(own, brows)
        nostrils = _distance(own, points[31:36])
        self.lid_mm = mm["lid"]
        self.beyond_lids = smoothstep(mm["lid"], *_LID_MM)
        self.beyond_edge = smoothstep(mm["edge"], *_EDGE_MM)
        self.opacity = self.beyond_edge * smoothstep(mm["mouth"], *_MOUTH_MM)
        near = np.max([smoothstep(mm[name], 1.6 * far, far) for name, far in _FEATURE_MM.items()], axis=0)
        self.feature_weight = np.maximum(near, smoothstep(nostrils, 10, 6)).astype(np.float32)
        self.feature_weight[head.regions["lips"][self.vertices]] = 1
        self.plain = (self.feature_weight < 0.5) & (mm["edge"] > 4)
        self.core = (np.exp(-np.square(own - points[30]).sum(axis=1) / (2 * 45.0**2)) * (mm["edge"] > 4)).astype(
            np.float32
        )


@lru_cache(maxsize=2)
def surface_of(head: HeadModel) -> FaceSurface:
    """The face of a head model, created once: several sources share it."""
    return FaceSurface(head)


def _rim(head: HeadModel, inside: Bools, outside: Bools) -> Int32:
    """Indices of vertices in `inside` that share an edge with a vertex in `outside`."""
    edges = head.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    both = np.concatenate([edges, edges[:, ::-1]])
    return np.unique(both[inside[both[:, 0]] & outside[both[:, 1]], 0]).astype(np.int32)


def _distance(points: Floats, targets: Floats) -> Float32:
    """Distance from each point to the nearest target: (K,) float32."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(targets).query(points)[0], np.float32)


def _line(points: Floats, steps: int = 8) -> Floats:
    """Points (N, 3) sampled along a polyline."""
    at = np.linspace(0, len(points) - 1, steps * (len(points) - 1) + 1)
    return np.column_stack([np.interp(at, np.arange(len(points)), axis) for axis in points.T])
