"""The surface of a face over a photo: shaded, as a wireframe, or coloured by a map."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.draw.compositing import composite
from ddfa.draw.styles import OverlayStyle
from ddfa.draw.wireframe import wireframe
from ddfa.draw.zbuffer import Figure, RasterizedFace, shown_vertices
from ddfa.raster.maps import ncc_codes, region_colours
from ddfa.raster.rasterize import interpolate, shade

_CLAY: Final = np.array([158, 204, 244], np.float32)
_LIGHT: Final = np.array([-0.30, 0.45, 0.84], np.float32)  # unit, from above on the left, in the camera's axes
_HALFWAY: Final = np.array([-0.157, 0.235, 0.959], np.float32)  # unit, between the light and the viewer
_CHECKS: Final = 24  # squares of the texture map's side


def paint(canvas: UInt8, figure: Figure, surface: RasterizedFace, style: OverlayStyle) -> None:
    """Blend the surface of one figure into an image, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        figure: the face.
        surface: its visible surface.
        style: which surfaces, with their opacities.
    """
    painters: dict[str, Callable[[Figure, RasterizedFace], tuple[Float32, Float32] | None]] = {
        "regions": _regions, "uv": _uv, "pncc": _pncc, "normals": _normals, "depth": _depth,
        "mesh": _clay, "wireframe": wireframe,
    }  # fmt: skip
    for name, painter in painters.items():
        opacity = getattr(style, name)
        painted = painter(figure, surface) if opacity > 0 else None
        if painted is not None:
            colour, cover = painted
            opaque = np.minimum(cover * np.float32(opacity), 1) * surface.shown
            composite(surface.window.of(canvas), colour, opaque, surface.raster.depth)


def _spread(figure: Figure, surface: RasterizedFace, values: Float32) -> Float32:
    return interpolate(surface.raster, figure.head.triangles, values)


def _clay(figure: Figure, surface: RasterizedFace) -> tuple[Float32, Float32]:
    """Translucent shading, denser where the surface turns away from the viewer, which brings out its shape."""
    normals = figure.normals
    facing = np.clip(normals[:, 2], 0, 1)
    gloss = np.clip(normals @ _HALFWAY, 0, 1) ** 2
    gloss = 60 * ((gloss**2) ** 2) ** 4  # the 32nd power by squaring, much faster than `** 32`
    light = 0.16 + 0.94 * np.clip(normals @ _LIGHT, 0, 1)
    cover = 0.85 + 0.6 * (1 - facing) ** 2
    spread = _spread(figure, surface, np.column_stack([light[:, None] * _CLAY + gloss[:, None], cover]))
    return np.clip(spread[..., :3], 0, 255), np.asarray(spread[..., 3])


def _shaded(figure: Figure, colours: Float32, ambient: float) -> Float32:
    """Colours (V, 3) in [0, 255] with weak shading, so that maps still show the shape of the face."""
    return np.asarray(colours * shade(figure.normals, ambient=ambient)[:, None], np.float32)


def _full(surface: RasterizedFace) -> Float32:
    return np.ones(surface.shown.shape, np.float32)


def _depth(figure: Figure, surface: RasterizedFace) -> tuple[Float32, Float32]:
    z = figure.vertices[:, 2]
    shown = z[shown_vertices(figure.head) > 0]
    near = np.clip((z - shown.min()) / max(float(np.ptp(shown)), 1e-6), 0, 1)
    codes = np.rint(255 * near).astype(np.uint8)
    colours = cv2.applyColorMap(codes[:, None], cv2.COLORMAP_INFERNO)[:, 0, ::-1].astype(np.float32)
    return _spread(figure, surface, _shaded(figure, colours, 0.8)), _full(surface)


def _normals(figure: Figure, surface: RasterizedFace) -> tuple[Float32, Float32]:
    return _spread(figure, surface, 127.5 * (figure.normals + 1)), _full(surface)


def _pncc(figure: Figure, surface: RasterizedFace) -> tuple[Float32, Float32]:
    return _spread(figure, surface, 255 * ncc_codes(figure.head)), _full(surface)


def _regions(figure: Figure, surface: RasterizedFace) -> tuple[Float32, Float32] | None:
    if not figure.head.regions:
        return None
    colours = region_colours(figure.head, ground=128).astype(np.float32)
    return _spread(figure, surface, _shaded(figure, colours, 0.6)), _full(surface)


def _uv(figure: Figure, surface: RasterizedFace) -> tuple[Float32, Float32] | None:
    """A chequered texture whose hue encodes the UV coordinates."""
    uv, triangles = figure.head.uv, figure.head.uv_triangles
    if uv is None or triangles is None:
        return None
    place = interpolate(surface.raster, triangles, uv)
    checks = np.floor(place * _CHECKS).astype(int).sum(axis=-1) % 2
    light = _spread(figure, surface, shade(figure.normals, ambient=0.6)[:, None])
    colour = np.stack([255 * place[..., 0], 255 * place[..., 1], 190 - 90 * place[..., 0]], axis=-1)
    mixed = np.where(checks[..., None] == 1, 0.35 * colour + 165, 0.9 * colour)
    return np.asarray(mixed * light, np.float32), _full(surface)
