"""Rendering of a textured head with accessories, under a light and in front of a background."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float32, Float64, Int32
from ddfa.data.synthetic.interior import InnerLook, InnerPixels
from ddfa.data.synthetic.objects.strips import Part
from ddfa.data.synthetic.shading_kernels import colour_pixels, light_vertices
from ddfa.geometry.camera import FLIP_Y, project
from ddfa.raster.rasterize import rasterize, vertex_normals
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
        self._corners = np.ascontiguousarray(atlas.uv[atlas.uv_triangles].reshape(-1, 6), np.float32)
        self._gloss = np.where(head.regions["teeth"] | head.regions["tongue"], 0.35, 0.0).astype(np.float32)
        self._skin = head.regions["face"].astype(np.float32)

    def draw(self, scene: Scene) -> Rendering:
        """Render a scene."""
        size, count = scene.ground.shape[0], len(scene.shape)
        vertices, triangles, colours = self._mesh(scene)
        seen = _FINE * project(vertices, scene.pose).astype(np.float32)
        seen[:, :2] += (_FINE - 1) / 2  # pixel centres are integers at both sizes
        raster = rasterize(seen, triangles, _FINE * size, _FINE * size, cull=True)
        normals = vertex_normals(seen * FLIP_Y, triangles[: len(triangles) - self._doubled(scene)])
        half = scene.main + np.array([0, 0, 1])
        half = (half / np.linalg.norm(half)).astype(np.float32)
        radiance = np.empty((len(seen), 4), np.float32)
        oily = np.float32(scene.gloss * _SKIN_GLOSS) * self._skin
        light = np.asarray(scene.light, np.float32)
        light_vertices(normals, light, self._occlusion, half, self._gloss, oily, radiance)
        at, detail = self._inner.draw(raster, scene.shape, normals, scene.main, scene.inner)
        image = np.zeros((size, size, 4), np.float32)
        colour_pixels(
            raster.triangle, raster.barycentric, triangles, self._corners, scene.texture, colours, radiance, at, detail,
            _FINE, image,
        )  # fmt: skip
        image = image[..., :3] + scene.ground * (1 - image[..., 3:])
        return Rendering(np.asarray(image, np.float32), seen[:count], raster.depth)

    def _mesh(self, scene: Scene) -> tuple[Float32, Int32, Float32]:
        """Vertices and triangles of head and accessories, and the colours of the vertices of the latter.

        Back faces are culled, which halves the time of drawing a head. Accessories are sheets that are visible from
        both sides: their triangles come once more at the end, with the other winding.
        """
        vertices, triangles = [scene.shape], [self._atlas.head.triangles]
        colours = [np.zeros((0, 3), np.float32)]
        start = len(scene.shape)
        for part in scene.extras:
            vertices.append(part.vertices)
            colours.append(part.colours)
            triangles.append(part.triangles + np.int32(start))
            start += len(part.vertices)
        backs = [np.ascontiguousarray(part[:, ::-1]) for part in triangles[1:]]
        return np.concatenate(vertices), np.concatenate(triangles + backs), np.concatenate(colours)

    def _doubled(self, scene: Scene) -> int:
        """Number of triangles that `_mesh` repeats with the other winding."""
        return sum(len(part.triangles) for part in scene.extras)
