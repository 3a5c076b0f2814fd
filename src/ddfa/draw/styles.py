"""Styles of overlays: what is drawn, by name, and combinations."""

from dataclasses import dataclass, fields
from typing import Final

from ddfa.errors import OutputError

DEFAULT_MESH_OPACITY: Final = 0.6


@dataclass(frozen=True)
class OverlayStyle:
    """What an overlay shows; opacities are in [0, 1], 0 for none.

    Attributes:
        mesh: opacity of the shaded dense mesh.
        landmarks: whether the 68 landmarks are drawn.
        pose: whether the pose box, the axes and the angles are drawn.
        wireframe: opacity of the lines of the mesh.
        depth: opacity of the mesh coloured by depth, bright near, dark far, scaled to the range of each face.
        normals: opacity of the mesh coloured by its normals: red right, green up, blue towards the viewer.
        pncc: opacity of the mesh coloured by projected normalised coordinate code (PNCC).
        uv: opacity of a chequered texture; models without a texture map show nothing.
        regions: opacity of the named regions of the head; models without regions show nothing.
    """

    mesh: float = DEFAULT_MESH_OPACITY
    landmarks: bool = True
    pose: bool = True
    wireframe: float = 0.0
    depth: float = 0.0
    normals: float = 0.0
    pncc: float = 0.0
    uv: float = 0.0
    regions: float = 0.0

    def __or__(self, other: "OverlayStyle") -> "OverlayStyle":
        """Combine two styles; the larger opacity counts."""
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return OverlayStyle(**{name: max(pair) for name, pair in pairs.items()})


DEFAULT_STYLE: Final = OverlayStyle()
EMPTY_STYLE: Final = OverlayStyle(mesh=0.0, landmarks=False, pose=False)


def _only(**shown: float) -> OverlayStyle:
    return OverlayStyle(**{"mesh": 0.0, "landmarks": False, "pose": False, **shown})  # type: ignore[arg-type]


OVERLAY_STYLES: Final = {
    "landmarks": _only(landmarks=True),
    "mesh": _only(mesh=DEFAULT_MESH_OPACITY),
    "wireframe": _only(wireframe=0.9),
    "pose": _only(pose=True),
    "depth": _only(depth=1.0),
    "normals": _only(normals=1.0),
    "pncc": _only(pncc=1.0),
    "uv": _only(uv=0.85),
    "regions": _only(regions=0.8),
}


def parse_style(text: str) -> OverlayStyle:
    """Read a style such as "mesh+landmarks".

    Args:
        text: names of `OVERLAY_STYLES` joined by "+"; or "none".

    Returns:
        The style that shows all of them.

    Raises:
        OutputError: an unknown name, or no name.
    """
    names = [name.strip().lower() for name in text.split("+")]
    style = EMPTY_STYLE
    if names == ["none"]:
        return style
    for name in names:
        if name not in OVERLAY_STYLES:
            raise OutputError(f"unknown overlay style '{name}': join some of {', '.join(OVERLAY_STYLES)} with '+'")
        style |= OVERLAY_STYLES[name]
    return style
