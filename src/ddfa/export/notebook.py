"""How results show themselves in notebooks: a small overlay and a table."""

import base64
import html
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import UInt8
from ddfa.draw.overlay import draw_overlay
from ddfa.errors import ImageError
from ddfa.faces import Faces
from ddfa.images import encode_image

_SIDE: Final = 640  # px, of the overlay
_ROWS: Final = 20
_UNITS: Final = 3  # strongest blendshapes shown


def faces_image(faces: Faces) -> UInt8 | None:
    """A small overlay, (H, W, 3) uint8 RGB; None if the pixels of the photo are not at hand."""
    try:
        drawn = draw_overlay(faces.image, faces)
    except ImageError:
        return None
    scale = min(1.0, _SIDE / max(drawn.shape[:2]))
    size = (round(drawn.shape[1] * scale), round(drawn.shape[0] * scale))
    return np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), np.uint8)


def faces_png(faces: Faces) -> bytes | None:
    """The small overlay as PNG; None if the pixels of the photo are not at hand."""
    image = faces_image(faces)
    return None if image is None else encode_image(Path("x.png"), image)


def faces_html(faces: Faces) -> str:
    """The small overlay, if the photo is at hand, and a table of the faces."""
    image = faces_image(faces)
    picture = ""
    if image is not None:
        encoded = base64.b64encode(encode_image(Path("x.jpg"), image)).decode("ascii")
        picture = f'<img alt="faces" src="data:image/jpeg;base64,{encoded}"><br>'
    head = "".join(f"<th>{name}</th>" for name in ("face", "size", "turn", "nod", "tilt", "quality", "strongest units"))
    rows = "".join(_row(faces, index) for index in range(min(len(faces), _ROWS)))
    more = f"<p>and {len(faces) - _ROWS} more</p>" if len(faces) > _ROWS else ""
    return f"<div>{picture}{html.escape(repr(faces))}<table><tr>{head}</tr>{rows}</table>{more}</div>"


def _row(faces: Faces, index: int) -> str:
    x0, y0, x1, y1 = faces.boxes[index].tolist()
    angles = [f"{angle:.0f}°" for angle in faces.turn_nod_tilt_deg[index].tolist()]
    quality = "" if faces.quality is None else f"{faces.quality[index]:.2f}"
    units = ""
    if faces.head.has_arkit:
        weights = faces.blendshapes[index]
        strongest = np.argsort(-weights)[:_UNITS].tolist()
        units = ", ".join(f"{faces.head.expression_names[k]} {weights[k]:.2f}" for k in strongest)
    cells = [str(index), f"{x1 - x0:.0f} x {y1 - y0:.0f} px", *angles, quality, units]
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
