"""What hides the skin of a head in a photo, on the atlas: occluders of the face, frames of glasses, other colours."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.face_view import FaceView
from ddfa.occlusion.glasses import glasses_of
from ddfa.occlusion.skin_colour import ColourBasis
from ddfa.raster.blending import smoothstep
from ddfa.raster.sampling import sample
from ddfa.texture.atlas import Atlas, atlas_of

_LIMIT: Final = 512  # px; longest side at which occluders are found
_MOST: Final = 0.9  # share of the face; if more is occluded, nothing is
_BESIDE: Final = 0.03  # of the face's height: beside an occluder the skin is in shadow or shows strands
_EYE: Final = 0.07  # of the face's height: holes of the face that lie in an occluder, as eyes behind sunglasses
_COARSE: Final = 512  # px; side of the atlas on which frames are found
_FRAME_MM: Final = 12.0  # window of the median that shows the skin without a frame
_FRAME: Final = (0.10, 0.2)  # log contrast of a frame against that skin
_FEW: Final = 60  # fewer texels of visible skin tell nothing about its colour
_SUSPECT_MM: Final = 10.0  # distance from an occluder within which colours must be those of skin
_CHIN_MM: Final = 18.0  # half the width of the middle of the chin
_SHIFT, _HUE = 0.5, 0.16  # log units of brightness and of hue by which skin outside of the face may differ


def unoccluded_skin(image: UInt8, face: Faces, atlas: Atlas) -> tuple[Float32, bool]:
    """Find what is in front of a face: hands, hair, hats and other objects, but not glasses.

    Args:
        image: (H, W, 3) uint8 RGB.
        face: one face of it.
        atlas: of its head.

    Returns:
        (S, S) float32, 0 where something hides the face, 1 elsewhere; and whether the person wears glasses. 1 and
        False if no skin would be left, as of drawn faces, which the network does not know.
    """
    surface, colour_basis = _surface(face.head)
    view = FaceView.of(surface, colour_basis, image, face, _LIMIT)
    matte = view.matte(confirmed=True)
    if matte[view.raster.mask].mean() > _MOST:
        return np.ones(atlas.inside.shape, np.float32), False
    closed = cv2.morphologyEx(matte, cv2.MORPH_CLOSE, _disc(_EYE * view.size))
    matte = np.where(view.raster.mask, matte, closed)
    wide = cv2.dilate(matte, _disc(_BESIDE * view.size))
    soft = np.asarray(cv2.GaussianBlur(wide, (0, 0), 0.4 * _BESIDE * view.size), np.float32)
    places = view.canvas.points(atlas.spread(face.vertices[0]))
    return np.asarray(1 - sample(soft, places)[..., 0], np.float32), view.with_glasses


def frames_of_glasses(colours: Float32, atlas: Atlas) -> Float32:
    """Find the frames of glasses: thin lines around the eyes and across the nose that differ from the skin beside them.

    Brows, lids and eyes are left alone; the skin within the frames counts as visible, although lenses shift it.

    Args:
        colours: (S, S, 3) float32 in [0, 255], of a face with glasses.
        atlas: of the head.

    Returns:
        (S, S) float32 in [0, 1], 1 on frames.
    """
    coarse = atlas_of(atlas.head, min(_COARSE, atlas.size))
    small = cv2.resize(colours, (coarse.size,) * 2, interpolation=cv2.INTER_AREA)
    window = 2 * round(_FRAME_MM / 2 * px_per_mm(coarse)) + 1
    around = cv2.medianBlur(np.clip(small, 0, 255).astype(np.uint8), window).astype(np.float32)
    contrast = np.abs(np.log((small + 8) / (around + 8))).max(axis=2)
    near = _covered(coarse) * smoothstep(coarse.lid_mm, 4.5, 6.5) * smoothstep(coarse.brow_mm, 3.5, 5.0)
    found = smoothstep(contrast, *_FRAME) * near
    wide = cv2.dilate(np.asarray(found, np.float32), _disc(0.9 * px_per_mm(coarse)))
    soft = np.clip(1.4 * cv2.GaussianBlur(wide, (0, 0), 0.8), 0, 1) * smoothstep(coarse.lid_mm, 4.0, 6.0)
    return np.asarray(cv2.resize(soft, colours.shape[:2], interpolation=cv2.INTER_LINEAR), np.float32)


def skin_likeness(albedo: Float32, visible: Float32, atlas: Atlas) -> Float32:
    """Compare colours with the skin of the face, to find hair, collars and background outside of it.

    Args:
        albedo: (S, S, 3) float32 in [0, 255], without light.
        visible: (S, S) float32 in [0, 1], visible skin.
        atlas: of the head.

    Returns:
        (S, S) float32 in [0, 1], 1 where the colour is that of skin; 1 everywhere if too little skin is visible.
    """
    step = max(atlas.size // 256, 1)
    sure = ((visible > 0.6) & (atlas.plain > 0.6) & (atlas.beard < 0.3))[::step, ::step]
    if sure.sum() < _FEW:
        return np.ones_like(visible)
    logs = np.log(albedo + 8)
    away = logs - np.median(logs[::step, ::step][sure], axis=0)
    shift = away.mean(axis=2)
    hue = np.abs(away - shift[..., None]).max(axis=2)
    other = smoothstep(np.hypot(shift / _SHIFT, hue / _HUE), 0.7, 1.1)
    reach = 1.5 * px_per_mm(atlas)
    spread = cv2.GaussianBlur(cv2.dilate(other, _disc(reach)), (0, 0), reach)
    return np.asarray(1 - spread, np.float32)


def beside_occluders(free: Float32, atlas: Atlas) -> Float32:
    """Find the plain skin near occluders, where what was not found of them may remain.

    Brows, lids and lips are left alone: their colour is not that of skin anyway.

    Args:
        free: (S, S) float32, 0 where something hides the face.
        atlas: of the head.

    Returns:
        (S, S) float32 in [0, 1].
    """
    coarse = (min(_COARSE, atlas.size),) * 2
    hidden = np.asarray(cv2.resize(1 - free, coarse, interpolation=cv2.INTER_AREA), np.float32)
    reach = _SUSPECT_MM * px_per_mm(atlas) * coarse[0] / atlas.size
    wide = cv2.GaussianBlur(cv2.dilate(hidden, _disc(reach)), (0, 0), 0.4 * reach)
    return np.asarray(atlas.plain * cv2.resize(wide, (atlas.size,) * 2, interpolation=cv2.INTER_LINEAR), np.float32)


def beard(like: Float32, skin: Float32, atlas: Atlas) -> Float32:
    """Find out whether there is a beard, whose colour is not that of skin: (S, S) float32 in [0, 1], 1 on the beard.

    Args:
        like: (S, S) see `skin_likeness`.
        skin: (S, S) float32 in [0, 1], visible skin.
        atlas: of the head.
    """
    middle = atlas.beard * skin * (np.abs(atlas.position[..., 0]) < _CHIN_MM)
    share = float((middle * (1 - like)).sum()) / max(float(middle.sum()), 1.0)
    return np.asarray(smoothstep(np.array([share]), 0.1, 0.35) * atlas.beard * (atlas.face > 0.3), np.float32)


def px_per_mm(atlas: Atlas) -> float:
    """Resolution of an atlas in the middle of the face."""
    across = np.gradient(atlas.position, axis=1)[atlas.face > 0.9]
    return float(1 / max(np.median(np.linalg.norm(across, axis=1)), 1e-6))


@lru_cache(maxsize=2)
def _surface(head: HeadModel) -> tuple[FaceSurface, ColourBasis]:
    surface = FaceSurface(head)
    return surface, ColourBasis(surface)


@lru_cache(maxsize=2)
def _covered(atlas: Atlas) -> Float32:
    """(S, S) float32 in [0, 1], what glasses cover."""
    surface, _ = _surface(atlas.head)
    cover = np.zeros((atlas.head.vertices, 1), np.float32)
    cover[surface.vertices, 0] = glasses_of(surface).cover
    return atlas.spread(cover)[..., 0]


def _disc(radius: float) -> UInt8:
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
