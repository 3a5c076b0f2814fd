"""Frontalisation: the photo with the head turned straight ahead, or with a neutral expression.

The face is the textured mesh in its new pose. Hair, neck and background are the photo, warped along with the visible
surface of the head: next to the head they move as it does, farther away the warp becomes smoother.
"""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, UInt8
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.geometry.roi import crop_matrix, roi_from_landmarks
from ddfa.raster.blending import blend, push_pull, smoothstep
from ddfa.raster.rasterize import interpolate, rasterize, vertex_normals
from ddfa.raster.sampling import sample
from ddfa.raster.visibility import vertex_visibility
from ddfa.texture.atlas import atlas_of, atlas_pixels
from ddfa.texture.unwrap import Texture

_AROUND: Final = 1.5  # side of the output relative to the square around the landmarks
_SIDES: Final = (128, 1024)  # px
_FRONTAL: Final = (0.9, 0.99)  # cosine of the angle between face and viewer, 25 to 8 degrees
_WARP_SIDE: Final = 128  # px; the warp of the surroundings is smooth, so a coarse grid is enough


def frontal_photo(image: UInt8, face: Faces, shown: Faces, texture: Texture) -> UInt8:
    """Draw a face in another pose or expression, with its surroundings.

    Args:
        image: (H, W, 3) uint8 RGB, the photo.
        face: one face, as in the photo.
        shown: the same face in the new pose or expression, see `Faces.without`.
        texture: of the face.

    Returns:
        (S, S, 3) uint8 RGB, the square around the face, as large as in the photo but of at most 1024 px.

    Raises:
        ModelError: the head model has no texture atlas.
    """
    head = face.head
    uv_coordinates, uv_triangles = head.require_texture("a frontal view")
    square = _square(shown)
    size = int(np.clip(np.ceil(square[2] - square[0]), *_SIDES))
    surroundings = sample(image, _warp(face, shown, square, size, image.shape[:2]))
    raster = rasterize(_moved(shown.vertices[0], square, size), head.triangles, size, size)
    uv = interpolate(raster, uv_triangles, uv_coordinates)
    at = atlas_pixels(uv, texture.size)
    # What the photo shows comes from the photo itself: the texture lacks hats and the temples of glasses.
    fields = interpolate(raster, head.triangles, np.column_stack([face.vertices[0, :, :2], _confidence(face)]))
    colours = blend(sample(texture.image, at), sample(image, fields[..., :2]), smoothstep(fields[..., 2], 0, 1))
    inside = sample(np.ascontiguousarray(atlas_of(head, texture.size).face, np.float32), at)[..., 0] * raster.mask
    share = cv2.GaussianBlur(smoothstep(inside, 0.3, 0.9), (0, 0), size / 300)
    return np.asarray(np.rint(blend(surroundings, colours, np.asarray(share, np.float32)).clip(0, 255)), np.uint8)


def _square(shown: Faces) -> Float64:
    """The output's square: x0, y0, x1, y1 in image px."""
    x0, y0, x1, y1 = roi_from_landmarks(shown.landmarks68)[0].astype(np.float64)
    grown = (_AROUND - 1) / 2 * (x1 - x0)
    return np.array([x0 - grown, y0 - grown, x1 + grown, y1 + grown])


def _moved(vertices: Float32, square: Float64, size: int) -> Float32:
    """Transform vertices (V, 3) from the image to the output."""
    matrix = crop_matrix(square, size)[0]
    moved = vertices * np.float32(matrix[0, 0])
    moved[:, :2] += matrix[:, 2].astype(np.float32)
    return moved


def _confidence(face: Faces) -> Float32:
    """Confidence (V,) in [0, 1] that the photo shows a vertex: 0 if hidden or at a grazing angle."""
    normals = vertex_normals(face.vertices[0] * FLIP_Y, face.head.triangles)
    # A slightly wrong fit of a turned face shows the background; of a frontal face it hardly matters.
    low = 0.55 - 0.35 * float(smoothstep(face.rotation[0, 2, 2], *_FRONTAL))
    return smoothstep(normals[:, 2], low, low + 0.25) * vertex_visibility(face)


def _warp(face: Faces, shown: Faces, square: Float64, size: int, shape: tuple[int, ...]) -> Float32:
    """Position in the photo of each pixel (S, S, 2) of the surroundings."""
    raster = rasterize(_moved(shown.vertices[0], square, _WARP_SIDE), face.head.triangles, _WARP_SIDE, _WARP_SIDE)
    visible = vertex_visibility(face).astype(np.float32)
    fields = np.column_stack([face.vertices[0, :, :2] - shown.vertices[0, :, :2], visible])
    spread = interpolate(raster, face.head.triangles, fields.astype(np.float32))
    offsets = push_pull(spread[..., :2], (spread[..., 2] > 0.99) & raster.mask)
    smooth = cv2.GaussianBlur(offsets, (0, 0), _WARP_SIDE / 40)
    fine = cv2.resize(smooth, (size, size), interpolation=cv2.INTER_LINEAR)
    ticks = (np.arange(size) + 0.5) / size * (square[2] - square[0])
    grid = np.stack(np.meshgrid(square[0] + ticks, square[1] + ticks), axis=-1)
    return np.asarray(grid + fine, np.float32)
