"""The eyes of a replacement: eyeballs behind the lids, in the colours of the source and the gaze of the target."""

from functools import lru_cache
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32, UInt8
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.occlusion.face_region import FaceSurface
from ddfa.raster.blending import smoothstep
from ddfa.texture.atlas import Atlas
from ddfa.texture.interior import inner_of
from ddfa.texture.unwrap import EXPORT, HeadView, unwrap
from ddfa.texture.visibility import DepthBuffer

SIDES: Final = ("left", "right")
_CLOSED: Final = (0.55, 0.3)  # blink: an eye is closed, and open
_AWAY: Final = (0.15, 0.35)  # cosine between the direction of an eye and the viewer: it is hidden, and seen well
_NEAR_LID_MM: Final = 4.0  # from the edge of the lids: skin whose light the eyes share
_DEPTH_SIDE: Final = 480  # px, of the depth buffer of the head
_LINING: Final = np.array([0.82, 0.62, 0.60], np.float32)  # of the lids, relative to skin


class EyeSurface:
    """A face with its eyeballs and the lining of its lids, as one mesh.

    Args:
        surface: the face, whose vertices and triangles come first.

    Attributes:
        triangles: (T, 3) int32, indices of the face's vertices and, from K on, of those added.
        uv_triangles: (T, 3) int32, indices into the head's UV coordinates.
        ball_of_triangle: (T,) int32, 0 for the left eyeball, 1 for the right, -1 for lids and skin.
        of_added: (E,) int32, 0 for those of the left eye, 1 for the right.
        lids: for each side, the indices of the face's vertices at the edges of the lids.
    """

    def __init__(self, surface: FaceSurface) -> None:
        head = surface.head
        eyes = head.regions["eye_left"] | head.regions["eye_right"] | head.regions["eye_socket"]
        face = head.regions["face"]
        used = (eyes | face)[head.triangles].all(axis=1) & ~face[head.triangles].all(axis=1)
        added = np.setdiff1d(np.unique(head.triangles[used]), surface.vertices).astype(np.int32)
        index = np.full(head.vertices, -1, np.int32)
        index[surface.vertices] = np.arange(len(surface.vertices))
        index[added] = len(surface.vertices) + np.arange(len(added))
        self.triangles: Int32 = np.concatenate([surface.triangles, index[head.triangles[used]]])
        assert head.uv_triangles is not None
        self.uv_triangles: Int32 = np.concatenate([surface.uv_triangles, head.uv_triangles[used]])
        balls = np.select([head.regions["eye_left"], head.regions["eye_right"]], [0, 1], -1)
        own = balls[head.triangles[used]].min(axis=1)
        self.ball_of_triangle: Int32 = np.concatenate([np.full(len(surface.triangles), -1), own]).astype(np.int32)
        self._points = head.subset(added)
        right = head.mean[:, 0] < 0
        self.of_added: Int32 = right[added].astype(np.int32)
        self.lids: list[Int32] = [
            np.flatnonzero((surface.lid_mm < _NEAR_LID_MM) & (right[surface.vertices] == bool(side))).astype(np.int32)
            for side in range(2)
        ]

    def project(self, faces: Faces, identity: Floats | None = None) -> Float32:
        """Project the added vertices: (n, E, 3) float32, image px; see `FaceSurface.project`."""
        parts = faces.layout.split(faces.params)
        decoded = self._points.decode(parts.identity if identity is None else identity, parts.expression)
        return faces.convention.place(decoded, parts.pose, faces.roi, faces.crop_size)


@lru_cache(maxsize=2)
def eyes_of(surface: FaceSurface) -> EyeSurface:
    """The eyes of a surface, created once."""
    return EyeSurface(surface)


def openness(face: Faces) -> Float32:
    """How well the left and right eye of one face show their eyeballs: (2,) float32 in [0, 1]."""
    names = list(face.head.expression_names)
    if "eyeBlinkLeft" not in names:
        return np.zeros(2, np.float32)
    blink = np.array([face.expression[0, names.index(f"eyeBlink{side.title()}")] for side in SIDES])
    # Each eye looks about 20 degrees outwards, as far as the surface around it is concerned.
    outwards = np.array([[0.35, 0, 0.94], [-0.35, 0, 0.94]])
    facing = outwards @ face.rotation[0, 2]
    return np.asarray(smoothstep(blink, *_CLOSED) * smoothstep(facing, *_AWAY), np.float32)


def paint_eyes(photo: UInt8, face: Faces, atlas: Atlas, skin: Floats, texture: Float32, middle: float) -> Bools:
    """Paint both eyes on a texture, in place: as the photo shows them, completed where the lids hide them.

    Args:
        photo: (H, W, 3) uint8 RGB.
        face: the face in it.
        atlas: of its head.
        skin: (2, 3) colour of the skin around the left and right eye in the photo, [0, 255].
        texture: (S, S, 3) float32 RGB without light, whose skin has the grey level `middle`.
        middle: see `texture`.

    Returns:
        (S, S) bool, what has been painted.
    """
    vertices = face.vertices[0]
    buffer = DepthBuffer.fitted(vertices, face.head.triangles, _DEPTH_SIDE, reach=1, slack=(1, 3))
    view = HeadView(photo, vertices, atlas.normals(vertices * FLIP_Y), buffer)
    colours, visible, _ = unwrap(view, atlas, EXPORT)
    inner = inner_of(atlas)
    painted = inner.paint(np.zeros_like(texture), colours, visible)
    texture[inner.socket] = middle * _LINING
    for side, eye in enumerate(inner.eyes):
        texture[eye.mask] = np.clip(middle * painted[eye.mask] / np.maximum(skin[side], 8), 4, 255)
    done: Bools = inner.socket | inner.eyes[0].mask | inner.eyes[1].mask
    return done
