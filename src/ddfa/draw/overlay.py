"""Faces drawn over their photo, in any of the styles of `ddfa.draw.styles`."""

from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.draw.canvas import Window, resized
from ddfa.draw.landmarks import draw_landmarks, line_width
from ddfa.draw.pose_box import draw_angles, draw_axes, draw_pose_box, pose_box_corners
from ddfa.draw.styles import DEFAULT_STYLE, OverlayStyle
from ddfa.draw.surface import paint
from ddfa.draw.zbuffer import Figure, RasterizedFace, covered, figures_of, occlude, rasterize_figure
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.raster.visibility import hidden_in, hidden_landmarks

# Photos are resized until their longer side is within these bounds, px: lines on a 200 px photo would hide the face,
# and lines on a 20,000 px photo are invisible.
OVERLAY_SIDES: Final = (1200, 2400)
_LIKELY: Final = 0.6  # probability from which a landmark is drawn as hidden


def draw_overlay(
    image: UInt8,
    faces: Faces,
    style: OverlayStyle = DEFAULT_STYLE,
    sides: tuple[int, int] | None = OVERLAY_SIDES,
) -> UInt8:
    """Draw the faces over a copy of their photo.

    Args:
        image: (H, W, 3) uint8 RGB, the photo the faces were found in.
        faces: the faces; smaller ones are assumed to be behind larger ones.
        style: what to show.
        sides: the photo is resized until its longer side is between these lengths, px; None keeps its size, as for
            frames of a video.

    Returns:
        The image, uint8 RGB.
    """
    scale = 1.0 if sides is None else _overlay_scale(image.shape[0], image.shape[1], sides)
    canvas = resized(image, scale)
    draw_figures(canvas, figures_of(faces, scale), style)
    return canvas


def draw_figures(canvas: UInt8, figures: list[Figure], style: OverlayStyle) -> None:
    """Draw faces into an image, in place: for each, the rear of its box, surface, lines; then all angles.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        figures: the faces in pixels of the canvas, the farthest first.
        style: what to show.
    """
    surfaces = occlude(
        [rasterize_figure(figure, canvas.shape) if _needs_surface(style, figures) else None for figure in figures]
    )
    plates: list[Window] = []
    for index, (figure, surface) in enumerate(zip(figures, surfaces, strict=True)):
        width = line_width(figure.landmarks)
        corners = pose_box_corners(figure.landmarks, figure.rotation)
        if style.pose:
            draw_pose_box(canvas, corners, width, front=False)
        if surface is not None:
            paint(canvas, figure, surface, style)
        if style.landmarks:
            draw_landmarks(canvas, figure.landmarks, _hidden(figure, surface, surfaces[index + 1 :]))
        if style.pose:
            draw_axes(canvas, figure.landmarks, figure.rotation, width)
            draw_pose_box(canvas, corners, width, rear=False)
    for figure in figures[::-1] if style.pose else ():  # text last, so that no face covers it
        corners = pose_box_corners(figure.landmarks, figure.rotation)
        plates.append(draw_angles(canvas, corners, figure.turn_nod_tilt_deg, line_width(figure.landmarks), plates))


def draw_mesh(canvas: UInt8, vertices: Float32, head: HeadModel, opacity: float) -> None:
    """Blend a shaded mesh into an image, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        vertices: (V, 3) in pixels of the canvas, z towards the viewer.
        head: the model of the vertices; its hair and neck occlude what is behind them but are not drawn.
        opacity: of the mesh, in [0, 1].
    """
    figure = Figure(head, vertices, vertices[:68], np.eye(3, dtype=np.float32), np.zeros(3, np.float32), 1.0)
    surface = rasterize_figure(figure, canvas.shape)
    if surface is not None:
        paint(canvas, figure, surface, OverlayStyle(mesh=opacity))


def _needs_surface(style: OverlayStyle, figures: list[Figure]) -> bool:
    """Whether the z-buffer of the whole face is needed: for a surface, or for landmarks another face may occlude."""
    surfaces = (style.mesh, style.wireframe, style.depth, style.normals, style.pncc, style.uv, style.regions)
    return max(surfaces) > 0 or (style.landmarks and len(figures) > 1)


def _hidden(figure: Figure, surface: RasterizedFace | None, nearer: list[RasterizedFace | None]) -> Bools:
    """(68,) bool, landmarks occluded by their own head, by a nearer face or, as estimated, by anything else."""
    if surface is None:
        own = hidden_landmarks(figure.landmarks, figure.vertices, figure.head)
    else:
        extent = float(np.ptp(figure.landmarks[:, :2], axis=0).max())
        own = hidden_in(surface.raster.depth, surface.window.local(figure.landmarks), extent)
    if figure.occlusion is not None:
        own = own | (figure.occlusion > _LIKELY)
    return np.asarray(own | covered(figure.landmarks, nearer))


def _overlay_scale(height: int, width: int, sides: tuple[int, int]) -> float:
    longest = max(height, width)
    return min(max(longest, sides[0]), sides[1]) / longest
