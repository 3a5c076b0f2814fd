"""Rendering of a textured head with accessories, under a light and in front of a background."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, Int32
from ddfa.data.synthetic.interior import InnerLook, InnerPixels
from ddfa.data.synthetic.strips import Part
from ddfa.geometry.camera import FLIP_Y, project
from ddfa.raster.lighting import shading
from ddfa.raster.rasterize import BACKGROUND, Raster, interpolate, rasterize, vertex_normals
from ddfa.texture.atlas import Atlas

_FINE = 2  # supersampling
# Least share of the light that reaches a part. Occlusion is that of the resting head: eyes turn and lids move, so that
# of the eyes is constant, and the shadow of the upper lid is drawn for the actual shape.
_LEAST_LIGHT: Final = {
    "teeth": 0.55, "tongue": 0.6, "mouth_inner": 0.22, "eye_left": 0.85, "eye_right": 0.85, "eye_socket": 0.45,
    "eyelid_left": 0.5, "eyelid_right": 0.5,
}  # fmt: skip
_SKIN_GLOSS: Final = 0.16


@dataclass(frozen=True, eq=False)
class Scene:
    """The input of a rendering.

    Attributes:
        shape: (V, 3) float32, the head with the thickness of its hair, in head space.
        texture: (S, S, 3) float32 reflectance on the atlas, RGB in [0, 1].
        extras: accessories, in head space.
        pose: (3, 4), head space to image space.
        light: (9, 3) coefficients.
        main: (3,) direction of the main light.
        gloss: specular strength of the skin, 0 to 1.
        ground: background, (size, size, 3) float32 RGB in [0, 1].
        inner: appearance of eyes and teeth.
    """

    shape: Float32
    texture: Float32
    extras: list[Part]
    pose: Float64
    light: Float64
    main: Float64
    gloss: float
    ground: Float32
    inner: InnerLook


class Rendering(NamedTuple):
    """A rendered scene.

    Attributes:
        image: (size, size, 3) float32 RGB, 1 is white.
        points: (V, 3) float32, vertices of the head, px of `depth`.
        depth: (2 size, 2 size) float32 of the visible surface, in its own px.
    """

    image: Float32
    points: Float32
    depth: Float32


class Painter:
    """Renders scenes of one head model.

    Args:
        atlas: of the head.
        occlusion: (V,) share of the light that reaches each vertex.
    """

    def __init__(self, atlas: Atlas, occlusion: Float32) -> None:
        head = atlas.head
        self._atlas = atlas
        floor = np.select([head.regions[name] for name in _LEAST_LIGHT], list(_LEAST_LIGHT.values()), 0.1)
        self._occlusion = np.maximum(occlusion, floor).astype(np.float32)
        eyes = head.regions["eye_left"] | head.regions["eye_right"]
        self._occlusion[eyes] = _LEAST_LIGHT["eye_left"]
        self._inner = InnerPixels(head)
        self._gloss = np.where(head.regions["teeth"] | head.regions["tongue"], 0.35, 0.0).astype(np.float32)
        self._skin = head.regions["face"].astype(np.float32)

    def draw(self, scene: Scene) -> Rendering:
        """Render a scene."""
        size = scene.ground.shape[0]
        vertices, triangles = self._mesh(scene)
        seen = _FINE * project(vertices, scene.pose).astype(np.float32)
        seen[:, :2] += (_FINE - 1) / 2  # pixel centres are integers at both sizes
        raster = rasterize(seen, triangles, _FINE * size, _FINE * size)
        light, gloss, normals = self._lit(scene, seen, triangles)
        image = self._colours(scene, raster, triangles)
        shine = interpolate(raster, triangles, gloss[:, None])
        self._inner.draw(image, shine, raster, scene.shape, normals, scene.main, scene.inner)
        image *= interpolate(raster, triangles, light)
        image += shine
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        cover = cv2.resize(raster.mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
        image = np.asarray(small + scene.ground * (1 - cover[..., None]), np.float32)
        return Rendering(image, seen[: len(scene.shape)], raster.depth)

    def _mesh(self, scene: Scene) -> tuple[Float32, Int32]:
        vertices, triangles = [scene.shape], [self._atlas.head.triangles]
        start = len(scene.shape)
        for part in scene.extras:
            vertices.append(part.vertices)
            triangles.append(part.triangles + np.int32(start))
            start += len(part.vertices)
        return np.concatenate(vertices), np.concatenate(triangles)

    def _colours(self, scene: Scene, raster: Raster, triangles: Int32) -> Float32:
        """Reflectance (H, W, 3) at each pixel."""
        count = len(self._atlas.head.triangles)
        heads = raster._replace(triangle=np.where(raster.triangle < count, raster.triangle, np.int32(BACKGROUND)))
        places = interpolate(heads, self._atlas.uv_triangles, self._atlas.uv)
        colours = cv2.remap(scene.texture, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
        if scene.extras:
            worn = raster._replace(triangle=np.where(raster.triangle < count, np.int32(BACKGROUND), raster.triangle))
            own = np.concatenate([np.zeros_like(scene.shape), *(part.colours for part in scene.extras)])
            np.copyto(colours, interpolate(worn, triangles, own), where=worn.mask[..., None])
        return np.asarray(colours, np.float32)

    def _lit(self, scene: Scene, seen: Float32, triangles: Int32) -> tuple[Float32, Float32, Float32]:
        """Per vertex: diffuse radiance (V, 3) of a white surface, specular radiance (V,), and normals (V, 3)."""
        count = len(scene.shape)
        camera = seen * FLIP_Y
        normals = self._atlas.normals(camera[:count])
        if scene.extras:
            worn = vertex_normals(camera, triangles[len(self._atlas.head.triangles) :])[count:]
            # Sheets are visible from both sides.
            normals = np.concatenate([normals, np.where(worn[:, 2:] < -0.1, -worn, worn)])
        light = shading(normals, scene.light)
        light[:count] *= self._occlusion[:, None]
        half = scene.main + np.array([0, 0, 1])
        mirror = np.maximum(normals[:count] @ (half / np.linalg.norm(half)).astype(np.float32), 0)
        gloss = np.zeros(len(seen), np.float32)
        gloss[:count] = self._gloss * mirror**90 + scene.gloss * _SKIN_GLOSS * self._skin * mirror**12
        gloss[:count] *= self._occlusion
        return light, gloss, normals
