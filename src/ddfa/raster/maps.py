"""Maps of faces: depth, normals, PNCC, UV coordinates and regions per pixel of the photo.

`FaceMaps` draws all of its faces into one depth buffer; pass `faces.single(i)` for one face. The background is 0. How
to read each file back is described in docs/render.md.
"""

from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.errors import ModelError
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import BACKGROUND, Raster, interpolate, rasterize, scene_mesh, vertex_normals

# RGB of each region; where regions overlap the later one wins.
REGION_COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "skin": (150, 150, 160), "neck": (110, 110, 125), "hair": (95, 70, 50), "face": (235, 190, 160),
    "ears": (190, 130, 210), "nose": (250, 150, 60), "eye_socket": (140, 60, 60),
    "eyelid_left": (60, 190, 120), "eyelid_right": (40, 130, 200), "lips": (220, 50, 90),
    "mouth_inner": (100, 10, 30), "teeth": (255, 255, 210), "tongue": (255, 120, 150),
    "eye_left": (150, 250, 190), "eye_right": (150, 220, 255), "iris_left": (0, 90, 40), "iris_right": (0, 50, 110),
}  # fmt: skip


class FaceMaps:
    """Maps of the faces of one photo, in one depth buffer; each is computed on first use.

    Attributes:
        faces: the faces; of several, a smaller face counts as farther away.
    """

    def __init__(self, faces: Faces) -> None:
        if not len(faces.head.triangles):
            raise ModelError(f"head model '{faces.head.name}' has no triangles to draw: put its tri.mat beside it")
        self.faces = faces
        self._vertices, self._triangles = scene_mesh(scene_vertices(faces), faces.head.triangles)

    @cached_property
    def raster(self) -> Raster:
        """The visible triangle of each pixel; triangle t of face k has the index k T + t."""
        width, height = self.faces.image_size
        return rasterize(self._vertices, self._triangles, height, width)

    @cached_property
    def mask(self) -> Bools:
        """(H, W) bool, where a face is."""
        return self.raster.mask

    @cached_property
    def depth_range(self) -> tuple[float, float]:
        """Minimum and maximum z of the vertices, px."""
        z = self._vertices[:, 2]
        return float(z.min(initial=np.inf)), float(z.max(initial=-np.inf))

    @cached_property
    def depth(self) -> Float32:
        """(H, W) float32 z in px, larger is nearer; NaN where there is no face."""
        return np.where(self.mask, self.raster.depth, np.float32(np.nan))

    def depth8(self) -> UInt8:
        """(H, W) uint8 as in original 3DDFA: 255 (z - min) / (max - min), truncated; 0 where there is no face."""
        image = np.zeros(self.mask.shape, np.uint8)
        image[self.mask] = 255 * self._relative_depth()
        return image

    def depth16(self) -> NDArray[np.uint16]:
        """(H, W) uint16: 1 + 65534 (z - min) / (max - min), rounded; 0 where there is no face."""
        image = np.zeros(self.mask.shape, np.uint16)
        image[self.mask] = 1 + np.rint(65534 * self._relative_depth())
        return image

    def normals(self) -> Float32:
        """(H, W, 3) float32 unit normals: x right, y up, z towards the viewer."""
        camera = (self.faces.vertices * FLIP_Y).astype(np.float32)
        flat = [vertex_normals(points, self.faces.head.triangles) for points in camera]
        spread = self.spread(np.concatenate([np.zeros((0, 3), np.float32), *flat]))
        seen = spread[self.mask]
        spread[self.mask] = seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-6)
        return spread

    def normals8(self) -> UInt8:
        """(H, W, 3) uint8 RGB: 255 (normal + 1) / 2, rounded; black where there is no face."""
        return self._painted(np.rint(127.5 * (self.normals()[self.mask] + 1)))

    def pncc(self) -> UInt8:
        """(H, W, 3) uint8 RGB: 255 times the normalised coordinates of `ncc_codes`, truncated."""
        return self._painted(255 * np.clip(self._repeat(ncc_codes(self.faces.head))[self.mask], 0, 1))

    def uv(self) -> Float32:
        """(H, W, 2) float32 texture coordinates, u right, v up, in [0, 1].

        Raises:
            ModelError: the head model has none.
        """
        uv, uv_triangles = self.faces.head.require_texture("map of texture coordinates")
        return interpolate(self._one_face, uv_triangles, uv)

    def uv16(self) -> NDArray[np.uint16]:
        """(H, W, 3) uint16 RGB: 65535 u, 65535 v, and 65535 where there is a face."""
        image = np.zeros((*self.mask.shape, 3), np.uint16)
        image[self.mask, :2] = np.rint(65535 * np.clip(self.uv()[self.mask], 0, 1))
        image[self.mask, 2] = 65535
        return image

    def regions(self) -> UInt8:
        """(H, W, 3) uint8 RGB of `REGION_COLOURS`; each pixel has the region of the nearest corner of its triangle."""
        head = self.faces.head
        corner = self.raster.barycentric[self.mask].argmax(axis=1)
        nearest = head.triangles[self._one_face.triangle[self.mask], corner]
        return self._painted(region_colours(head)[nearest])

    def _painted(self, colours: NDArray[Any]) -> UInt8:
        """A black image, (H, W, 3) uint8, with colours (K, 3) in the pixels of the mask."""
        image = np.zeros((*self.mask.shape, 3), np.uint8)
        image[self.mask] = colours
        return image

    def _relative_depth(self) -> Float32:
        """Depth from 0 at the farthest to 1 at the nearest vertex, (K,) float32 for the pixels of the mask."""
        low, high = self.depth_range
        return np.asarray(np.clip((self.raster.depth[self.mask] - low) / max(high - low, 1e-6), 0, 1), np.float32)

    @cached_property
    def _one_face(self) -> Raster:
        """The raster with triangles numbered within their face."""
        if len(self.faces) == 1:
            return self.raster
        seen, count = self.raster.triangle, np.int32(len(self.faces.head.triangles))
        return self.raster._replace(triangle=np.where(seen >= 0, seen % count, np.int32(BACKGROUND)))

    def _repeat(self, values: Float32) -> Float32:
        return interpolate(self._one_face, self.faces.head.triangles, values)

    def spread(self, values: Float32) -> Float32:
        """Interpolate values (n V, C) of all vertices of all faces over the image: (H, W, C) float32; 0 elsewhere."""
        return interpolate(self.raster, self._triangles, values)


def original_depth(faces: Faces) -> UInt8:
    """Draw the depth of all faces as original 3DDFA V1 does: each scaled from 0 to 255 on its own, nearest white.

    Where faces overlap, the nearer one of `scene_vertices` is visible; in the original, the later one.

    Returns:
        (H, W) uint8, 0 where there is no face.
    """
    maps = FaceMaps(faces)
    z = faces.vertices[..., 2]
    low, high = z.min(axis=1, keepdims=True), z.max(axis=1, keepdims=True)
    return (255 * np.clip(maps.spread(((z - low) / np.maximum(high - low, 1e-6)).reshape(-1, 1)), 0, 1)[..., 0]).astype(
        np.uint8
    )


def scene_vertices(faces: Faces) -> Float32:
    """Place the faces of a photo at different depths, though weak perspective contains no distance.

    All heads are assumed to be of equal size, and the focal length to be the longer side of the image (a field of view
    of 53 degrees): a face of half the size is then twice as far away. A single face is left unchanged.

    Returns:
        (n, V, 3) float32, image px; z in pixels of the largest face.
    """
    if len(faces) < 2:
        return np.asarray(faces.vertices, np.float32)
    vertices, scale = faces.vertices.astype(np.float64), faces.scale.astype(np.float64)
    nearer = scale.max() / scale
    vertices[..., 2] -= vertices[..., 2].mean(axis=1, keepdims=True)
    vertices[..., 2] *= nearer[:, None]
    vertices[..., 2] -= max(faces.image_size) * (nearer - 1)[:, None]
    return vertices.astype(np.float32)


def ncc_codes(head: HeadModel) -> Float32:
    """Compute normalised coordinate codes, (V, 3) float32 in [0, 1]: the mean head, each axis scaled to its range."""
    low, high = head.mean.min(axis=0), head.mean.max(axis=0)
    return np.asarray((head.mean - low) / np.maximum(high - low, 1e-12), np.float32)


def region_colours(head: HeadModel, ground: int = 0) -> UInt8:
    """Look up the colour of each vertex's region, (V, 3) uint8 RGB, see `REGION_COLOURS`.

    Args:
        head: the model.
        ground: grey value of vertices in none of them.
    """
    colours = np.full((head.vertices, 3), ground, np.uint8)
    for name, colour in REGION_COLOURS.items():
        if name in head.regions:
            colours[head.regions[name]] = colour
    return colours
