"""Skin of photographed people: the reflectance that a photo shows of a fitted head, on the atlas."""

from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Bools, Float32, Floats, UInt8
from ddfa.geometry.camera import FLIP_Y
from ddfa.raster.blending import fill_holes
from ddfa.raster.rasterize import rasterize
from ddfa.texture.atlas import Atlas
from ddfa.texture.colour_checks import hair_colour
from ddfa.texture.completion import mirror_complete
from ddfa.texture.unwrap import SYNTHETIC, HeadView, unwrap
from ddfa.texture.visibility import DepthBuffer

_KNOWN: Final = 0.25  # least weight of a texel whose colour is kept
_BORDER: Final = 12  # darker rows and columns at the edge are a black frame
_MARGIN: Final = 3  # px within the frame that compression has blurred


class PhotoSkin(NamedTuple):
    """What a photo shows of a head.

    Attributes:
        skin: (S, S, 3) float32 reflectance of the bare skin, RGB in [0, 1].
        hair: (3,) float32 colour of the hair; None if none is visible.
        share: of the face that the photo shows.
    """

    skin: Float32
    hair: Float32 | None
    share: float


def photo_skin(photo: UInt8, vertices: Floats, atlas: Atlas) -> PhotoSkin:
    """Unwrap the skin of a photo; hidden skin is taken from the other side of the face, and else its surroundings.

    Args:
        photo: (H, W, 3) uint8 RGB.
        vertices: (V, 3) the fitted head in image space.
        atlas: of the head.
    """
    triangles = atlas.head.triangles
    raster = rasterize(np.asarray(vertices, np.float32), triangles, *photo.shape[:2])
    buffer = DepthBuffer(raster, triangles, reach=0, slack=(0.8, 0.8), least_cosine=0.2)
    x0, y0, x1, y1 = content(photo)
    frame = (x0 + _MARGIN, y0 + _MARGIN, x1 - 1 - _MARGIN, y1 - 1 - _MARGIN)
    normals = atlas.normals(vertices * FLIP_Y)
    view = HeadView(np.asarray(photo, np.float32), vertices, normals, buffer, frame)
    colours, visible, occluded = unwrap(view, atlas, SYNTHETIC)
    completed = mirror_complete(colours, visible, atlas)
    rounded = np.clip(completed.colours, 0, 255).astype(np.uint8)
    filled = fill_holes(rounded, completed.weight > _KNOWN)
    return PhotoSkin(
        np.asarray(filled / np.float32(255), np.float32),
        hair_colour(colours / np.float32(255), occluded, atlas),
        float(visible[atlas.face > 0.5].mean()),
    )


def content(photo: UInt8) -> tuple[int, int, int, int]:
    """The part of the photo inside a black frame: x0, y0, x1, y1."""
    light: Bools = photo.max(axis=2) > _BORDER
    columns, rows = np.flatnonzero(light.mean(axis=0) > 0.05), np.flatnonzero(light.mean(axis=1) > 0.05)
    if not len(columns) or not len(rows):
        return 0, 0, photo.shape[1], photo.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
