"""The open head's texture atlas: masks and distance fields per texel, interpolation from the mesh, mirroring."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32
from ddfa.errors import ModelError
from ddfa.head.model import HeadModel
from ddfa.raster.blending import smoothstep
from ddfa.raster.rasterize import interpolate, rasterize

_BROWS: Final = (range(17, 22), range(22, 27))
_LIDS: Final = ((*range(36, 42), 36), (*range(42, 48), 42))
_MOUTH_LINE: Final = ((*range(60, 68), 60),)
_HAIRLINE_ROUNDS: Final = 40  # of smoothing over the mesh: the edge of the hair is then about 25 mm wide


class Atlas:
    """The surface of a head in texture space; fields describe the mean head and are computed on first use.

    Attributes:
        head: the head model.
        size: side S of the atlas in px.
        inside: (S, S) bool, texels covered by some part of the head.
        uv: (U, 2) float32, position of each texture vertex, atlas px.

    Raises:
        ModelError: the head has no texture map, mirror map or regions.
    """

    def __init__(self, head: HeadModel, size: int = 320) -> None:
        uv, self.uv_triangles = head.require_texture("textures")
        if head.mirror_vertices is None or "hair" not in head.regions:
            raise ModelError(f"head '{head.name}' cannot be textured: textures need a bundle for the open head")
        self.head, self.size = head, size
        self.uv = atlas_pixels(uv, size)
        flat = np.column_stack([self.uv, np.zeros(len(self.uv), np.float32)]).astype(np.float32)
        self._raster = rasterize(flat, self.uv_triangles, size, size)
        self.inside: Bools = self._raster.mask
        self._nearest = _nearest(self.inside)
        self._corners = _corners(head)
        self._triangle_corners = np.ascontiguousarray(head.triangles.T)
        self._mirror = self._mirror_lookup(head.mirror_vertices)

    @cached_property
    def position(self) -> Float32:
        """(S, S, 3), head space mm; 0 outside."""
        return self.spread(self.head.mean)

    @cached_property
    def skin(self) -> Bools:
        """(S, S), skin, lips included."""
        return self.region("skin") > 0.5

    @cached_property
    def inner_vertices(self) -> Bools:
        """(V,), vertices behind the lids and lips."""
        return ~self.head.regions["skin"]

    @cached_property
    def inner(self) -> Bools:
        """(S, S), `inner_vertices` on the atlas."""
        return self.inside & ~self.skin

    @cached_property
    def lips(self) -> Float32:
        """(S, S) in [0, 1]."""
        return np.asarray(cv2.GaussianBlur(self.region("lips"), (0, 0), self.size / 300), np.float32)

    @cached_property
    def vertex_hair(self) -> Float32:
        """(V,), `hair` on the mesh."""
        return _smoothed(self.head, self.head.regions["hair"], _HAIRLINE_ROUNDS)

    @cached_property
    def face(self) -> Float32:
        """(S, S) in [0, 1], 1 on the face, falling to 0 at its edge."""
        soft = _smoothed(self.head, self.head.regions["face"], 12)
        return smoothstep(self.spread(soft[:, None])[..., 0], 0.45, 0.95)

    @cached_property
    def hair(self) -> Float32:
        """(S, S) in [0, 1], 1 where hair grows, 0 where it does not, 0.5 at the hairline."""
        return self.spread(self.vertex_hair[:, None])[..., 0]

    @cached_property
    def brow_top(self) -> float:
        """Height of the brows, mm."""
        return float(self.head.landmark_points.mean[17:27, 1].max())

    @cached_property
    def brow_mm(self) -> Float32:
        """(S, S), distance to the line of the brows, mm."""
        return self._distance(_BROWS)

    @cached_property
    def lid_mm(self) -> Float32:
        """(S, S), distance to the edges of the lids, mm."""
        return self._distance(_LIDS)

    @cached_property
    def mouth_mm(self) -> Float32:
        """(S, S), distance to the line between the lips, mm."""
        return self._distance(_MOUTH_LINE)

    def spread(self, values: Floats) -> Float32:
        """Interpolate values (V, C) at the vertices over the atlas: (S, S, C) float32, 0 outside."""
        return interpolate(self._raster, self.head.triangles, values)

    def normals(self, shape: Floats) -> Float32:
        """Compute `vertex_normals` of a shape (V, 3) of this head, several times faster."""
        axes = np.ascontiguousarray(np.asarray(shape, np.float32).T)
        a, b, c = (axes.take(corner, axis=1) for corner in self._triangle_corners)
        (ux, uy, uz), (vx, vy, vz) = b - a, c - a
        faces = np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], axis=1)
        summed = self._corners @ faces
        length = np.sqrt(np.einsum("vi,vi->v", summed, summed))
        return np.asarray(summed / np.maximum(length, 1e-12)[:, None], np.float32)

    def region(self, name: str) -> Float32:
        """Draw the mask of a region, (S, S) float32 in [0, 1]."""
        return self.spread(self.head.regions[name].astype(np.float32)[:, None])[..., 0]

    def closed(self, texture: Floats) -> Float32:
        """Fill the gaps between parts of a texture (S, S, C) from the nearest texel, so that sampling has no seams."""
        flat = np.asarray(texture, np.float32).reshape(self.size**2, -1)
        return flat[self._nearest].reshape(texture.shape)

    def mirrored(self, texture: Floats) -> Float32:
        """Mirror a texture (S, S, C) left to right, on the surface of the head."""
        x, y = self._mirror[..., 0], self._mirror[..., 1]
        result = cv2.remap(np.asarray(texture, np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(result, np.float32).reshape(texture.shape)

    @cached_property
    def beard(self) -> Float32:
        """(S, S) in [0, 1], where a beard grows."""
        x, y, z = np.moveaxis(self.position, -1, 0)
        lip_top = self.head.landmark_points.mean[33, 1]  # below the nose
        area = smoothstep(y, lip_top + 2, lip_top - 8) * smoothstep(z, 25, 45) * (1 - smoothstep(self.lips, 0.1, 0.5))
        sideburns = smoothstep(np.abs(x), 55, 64) * smoothstep(y, 15, 0)
        return np.asarray(np.maximum(area, 0.6 * sideburns) * self.skin * smoothstep(y, -100, -85), np.float32)

    @cached_property
    def plain(self) -> Float32:
        """(S, S) in [0, 1], skin of the face without brows, lids, nostrils, lips and mouth."""
        nostrils = self._distance((range(31, 36),))
        bare = smoothstep(self.brow_mm, 5, 8) * smoothstep(self.lid_mm, 5, 9) * smoothstep(nostrils, 4, 7)
        return np.asarray(self.face * bare * smoothstep(self.lips, 0.2, 0.0) * self.skin, np.float32)

    @cached_property
    def flush(self) -> Float32:
        """(S, S) in [0, 1], where skin is redder: cheeks, the tip of the nose, ears."""
        tip = self.head.landmark_points.mean[30]
        side = np.abs(self.position) * np.array([1, 0, 0]) + self.position * np.array([0, 1, 1])
        cheek = np.exp(-np.square(side - [38.0, tip[1], 82.0]).sum(axis=-1) / (2 * 17.0**2))
        nose = np.exp(-np.square(self.position - tip).sum(axis=-1) / (2 * 10.0**2))
        return np.asarray(np.clip(cheek + 0.7 * nose + 0.6 * self.region("ears"), 0, 1), np.float32)

    def _distance(self, lines: tuple[Sequence[int], ...]) -> Float32:
        """Distance (S, S) to the nearest of several polylines through landmarks, mm."""
        points = self.head.landmark_points.mean
        return np.asarray(np.min([_distance(self.position, points[list(line)]) for line in lines], axis=0), np.float32)

    def _mirror_lookup(self, mirror: Int32) -> Float32:
        """Position (S, S, 2) of the mirror image of each texel, atlas px."""
        corners, texture_corners = self.head.triangles.ravel(), self.uv_triangles.ravel()
        owner = np.zeros(len(self.uv), np.int32)
        owner[texture_corners] = corners
        order = np.argsort(owner, kind="stable")
        first, last = (np.searchsorted(owner[order], mirror[owner], side) for side in ("left", "right"))
        # A vertex on a seam has several positions: of those of its mirror image, take the one across the middle.
        across = self.uv * np.array([-1, 1], np.float32) + np.array([self.size - 1, 0], np.float32)
        mirrored, best = np.zeros_like(self.uv), np.full(len(self.uv), np.inf, np.float32)
        for step in range(int((last - first).max())):
            candidate = self.uv[order[np.minimum(first + step, last - 1)]]
            distance = np.linalg.norm(candidate - across, axis=1)
            mirrored = np.where((distance < best)[:, None], candidate, mirrored)
            best = np.minimum(distance, best)
        return interpolate(self._raster, self.uv_triangles, mirrored)


def atlas_pixels(uv: Float32, size: int) -> Float32:
    """Convert UV coordinates (U, 2), u right, v up, to pixels (U, 2) of an atlas of side `size`, row 0 at v = 1."""
    return np.asarray(uv * [size, -size] + [-0.5, size - 0.5], np.float32)


@lru_cache(maxsize=4)
def atlas_of(head: HeadModel, size: int) -> Atlas:
    """Return the atlas of a head at a size, cached.

    Raises:
        ModelError: see `Atlas`.
    """
    return Atlas(head, size)


def _nearest(inside: Bools) -> Int32:
    """Flat index (S * S,) of the nearest texel inside, for each texel."""
    _, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(labels.max() + 1, np.int32)
    texels = np.flatnonzero(inside)
    of_label[labels.ravel()[texels]] = texels
    return np.asarray(of_label[labels.ravel()], np.int32)


def _corners(head: HeadModel) -> Any:
    """Sparse (V, T), 1 where a vertex is a corner of a triangle: sums over adjacent triangles as a matrix product."""
    from scipy.sparse import csr_array

    rows, columns = head.triangles.ravel(), np.repeat(np.arange(len(head.triangles)), 3)
    return csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(head.vertices, len(head.triangles)))


def _smoothed(head: HeadModel, mask: Bools, rounds: int) -> Float32:
    """A region (V,) with soft edges, by repeated averaging over neighbours on the mesh."""
    from scipy.sparse import coo_array

    edges = head.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    ones = np.ones(len(edges), np.float32)
    neighbours = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(head.vertices, head.vertices)).tocsr()
    count = np.maximum(neighbours.sum(axis=1), 1)
    field = mask.astype(np.float32)
    for _ in range(rounds):
        field = np.asarray(0.5 * field + 0.5 * (neighbours @ field) / count, np.float32)
    return field


def _distance(positions: Float32, line: Floats) -> Float32:
    """Distance (S, S) of positions (S, S, 3) to a line through points (K, 3)."""
    best = np.full(positions.shape[:2], np.inf, np.float32)
    for start, end in pairwise(line):
        edge = end - start
        along = np.clip((positions - start) @ edge / max(float(edge @ edge), 1e-9), 0, 1)
        best = np.minimum(best, np.linalg.norm(positions - start - along[..., None] * edge, axis=-1))
    return np.asarray(best, np.float32)
