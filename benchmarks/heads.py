"""Sheet of textured heads: each photo beside its GLB, from five angles, from behind and below, and with the jaw open.

Usage: python benchmarks/heads.py PHOTO... -o heads.png [--delight]

The pictures are drawn from the GLB as it was written, so they show what a viewer of the file shows. The table has the
difference between each photo and its texture drawn over it, on the visible skin of the face, without what is in front
of it: mean absolute difference in grey levels, and structural similarity (SSIM).
"""

import argparse
import json
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from ddfa import FaceAligner, read_image
from ddfa.arrays import Float32, Int32, UInt8
from ddfa.export.glb import write_glb
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.model import HeadModel
from ddfa.images import write_image
from ddfa.raster.rasterize import interpolate, rasterize, vertex_normals
from ddfa.raster.sampling import sample
from ddfa.raster.visibility import vertex_visibility
from ddfa.texture.atlas import atlas_of, atlas_pixels
from ddfa.texture.occluders import unoccluded_skin
from ddfa.texture.unwrap import unwrap_texture

TILE: Final = 260
SPAN_M: Final = 0.285  # height of a tile
CLOSE_M: Final = 0.15  # of the close-up of the open mouth
VIEWS: Final = ((-80, 0), (-40, 0), (0, 0), (40, 0), (80, 0), (180, 0), (150, 40))  # yaw and pitch, degrees
GROUND: Final = np.array([226, 228, 232], np.float32)
COMPONENTS: Final = {5126: "<f4", 5125: "<u4", 5123: "<u2"}
WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
SSIM_SIGMA: Final = 1.5
SSIM_CONSTANTS: Final = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)


class Part(NamedTuple):
    """One primitive of a GLB.

    Attributes:
        points: (N, 3) metres.
        uv: (N, 2), v from the top.
        triangles: (T, 3).
        targets: offsets (N, 3) by name of the morph target.
        colour: (3,) factor of the texture, or the colour without one, linear.
        textured: whether it has a texture.
    """

    points: Float32
    uv: Float32
    triangles: Int32
    targets: dict[str, Float32]
    colour: Float32
    textured: bool


def main() -> None:
    """Write the sheet and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("heads.png"))
    parser.add_argument("--size", type=int, default=1024, help="side of the texture, px")
    parser.add_argument("--delight", action="store_true", help="take the light off, as `ddfa align --delight` does")
    arguments = parser.parse_args()
    aligner, rows = FaceAligner(), []
    table = Table("photo", "difference", "SSIM", title="texture drawn over its photo")
    for photo in arguments.photos:
        image = read_image(photo)
        faces = aligner(image, refine=True)
        if not len(faces):
            print(f"{photo}: no face")
            continue
        rows.append(head_row(image, faces.single(0), arguments.size, arguments.delight))
        table.add_row(photo.name, *(f"{value:.3g}" for value in rerendered(image, faces.single(0), arguments.size)))
    write_image(arguments.output, np.vstack(rows))
    Console().print(table)
    print(arguments.output)


def head_row(image: UInt8, face: Faces, size: int = 1024, delight: bool = False) -> UInt8:
    """The photo around the face, then its head from all sides."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head.glb"
        write_glb(path, face, unwrap_texture(image, face, size, delight=delight), neutral_pose=True)
        parts, texture = read_glb(path)
    x0, y0, x1, y1 = face.roi[0]
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, TILE), np.linspace(y0 - 0.1 * (y1 - y0), y1, TILE)), axis=-1)
    shown = np.asarray(sample(image, grid.astype(np.float32)).round(), np.uint8)
    tiles = [shown, *(draw(parts, texture, yaw, pitch) for yaw, pitch in VIEWS)]
    return np.hstack([*tiles, draw(parts, texture, 15, 0, {"jawOpen": 1.0}, CLOSE_M)])


def draw(
    parts: Sequence[Part],
    texture: UInt8,
    yaw: float,
    pitch: float,
    weights: dict[str, float] | None = None,
    span: float = SPAN_M,
) -> UInt8:
    """Draw a head, as read from a GLB, under soft light from the front: (TILE, TILE, 3) uint8."""
    side, colours = 2 * TILE, np.tile(GROUND, (2 * TILE, 2 * TILE, 1))
    turn = matrix_from_euler(np.array([yaw, pitch, 0.0])).astype(np.float32)
    meshes, shift = [], 0
    for part in parts:
        points = part.points + sum((w * part.targets[name] for name, w in (weights or {}).items()), np.float32(0))
        meshes.append((points - [0, -0.02 if span == CLOSE_M else 0.0, 0.0]) @ turn.T)
    points = np.concatenate(meshes)
    centre = np.array([0, 0.005, 0]) if span == SPAN_M else np.array([0, -0.035, 0])
    seen = np.asarray((points - centre) * FLIP_Y * (side / span) + [side / 2, side / 2, 0], np.float32)
    triangles = []
    for part in parts:
        triangles.append(part.triangles + shift)
        shift += len(part.points)
    joined = np.concatenate(triangles).astype(np.int32)
    raster = rasterize(seen, joined, side, side, cull=False)
    normals = np.concatenate(
        [vertex_normals(mesh.astype(np.float32), part.triangles) for mesh, part in zip(meshes, parts, strict=True)]
    )
    factors = np.concatenate([np.tile([*part.colour, float(part.textured)], (len(part.points), 1)) for part in parts])
    uv = np.concatenate([part.uv for part in parts])
    fields = interpolate(raster, joined, np.column_stack([normals, factors, uv]).astype(np.float32))
    facing = fields[..., :3] @ np.array([0.2, 0.3, 0.93], np.float32)
    light = 0.45 + 0.6 * np.clip(np.abs(facing), 0, 1)  # two-sided: holes show what is behind them
    base = 255 * fields[..., 3:6] ** (1 / 2.2)
    painted = sample(texture, fields[..., 7:9] * texture.shape[0] - 0.5)
    base = np.where(fields[..., 6:7] > 0.5, painted * fields[..., 3:6] ** (1 / 2.2), base)
    # Surfaces seen from behind, as through a hole, are tinted.
    holes = (fields[..., 2] < -0.05) & raster.mask
    lit = np.where(raster.mask[..., None], base * light[..., None], colours)
    lit = np.where(holes[..., None], 0.5 * lit + [0, 80, 60], lit)
    small = cv2.resize(np.asarray(lit, np.float32), (TILE, TILE), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small, 0, 255).round(), np.uint8)


def read_glb(path: Path) -> tuple[list[Part], UInt8]:
    """Read the primitives of a GLB that `ddfa` wrote, and its texture (S, S, 3)."""
    content = path.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    document = json.loads(content[20 : 20 + length])
    binary = content[28 + length :]
    parts = []
    for mesh in document["meshes"]:
        names = mesh.get("extras", {}).get("targetNames", [])
        for primitive in mesh["primitives"]:
            attributes = primitive["attributes"]
            targets = [accessor(document, binary, target["POSITION"]) for target in primitive.get("targets", [])]
            look = document["materials"][primitive["material"]]["pbrMetallicRoughness"]
            parts.append(
                Part(
                    accessor(document, binary, attributes["POSITION"]),
                    accessor(document, binary, attributes["TEXCOORD_0"]),
                    accessor(document, binary, primitive["indices"]).reshape(-1, 3).astype(np.int32),
                    dict(zip(names, targets, strict=True)) if targets else {},
                    np.asarray(look.get("baseColorFactor", [1, 1, 1, 1])[:3], np.float32),
                    "baseColorTexture" in look,
                )
            )
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    encoded = np.frombuffer(binary, np.uint8, view["byteLength"], view["byteOffset"])
    return parts, np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


def accessor(document: dict[str, Any], binary: bytes, index: int) -> Any:
    """Read an accessor (N, C), or (N,) for scalars; sparse ones are filled."""
    described = document["accessors"][index]
    width = WIDTHS[described["type"]]

    def stored(view: int, component: int, count: int) -> Any:
        offset = document["bufferViews"][view].get("byteOffset", 0)
        return np.frombuffer(binary, COMPONENTS[component], count, offset)

    if "bufferView" in described:
        values = stored(described["bufferView"], described["componentType"], described["count"] * width).copy()
    else:
        values = np.zeros(described["count"] * width, np.float32)
    values = values.reshape(-1, width) if width > 1 else values
    if "sparse" in described:
        sparse = described["sparse"]
        where = stored(sparse["indices"]["bufferView"], sparse["indices"]["componentType"], sparse["count"])
        moved = stored(sparse["values"]["bufferView"], described["componentType"], sparse["count"] * width)
        values[where] = moved.reshape(-1, width)
    return values


def rerendered(image: UInt8, face: Faces, size: int = 1024) -> tuple[float, float]:
    """Mean absolute difference in grey levels and SSIM between the photo and its lit texture, in the visible skin."""
    drawn, shown = drawn_over(image, face, unwrap_texture(image, face, size, delight=False).image)
    free, _ = unoccluded_skin(image, face, atlas_of(face.head, size))
    shown &= drawn_over(image, face, free)[0][..., 0] > 0.99
    photo = image.astype(np.float32)
    return float(np.abs(drawn - photo)[shown].mean()), float(ssim(drawn.mean(axis=2), photo.mean(axis=2))[shown].mean())


def drawn_over(image: UInt8, face: Faces, texels: Any) -> tuple[Float32, Any]:
    """The photo (H, W, 3) with texels (S, S) or (S, S, 3) drawn over it, and the pixels (H, W) of the visible face."""
    head: HeadModel = face.head
    uv, uv_triangles = head.require_texture("heads")
    raster = rasterize(face.vertices[0], head.triangles, *image.shape[:2])
    places = atlas_pixels(interpolate(raster, uv_triangles, uv), len(texels))
    seen = (vertex_visibility(face) & head.regions["face"]).astype(np.float32)
    shown = (interpolate(raster, head.triangles, seen[:, None])[..., 0] > 0.99) & raster.mask
    drawn = np.where(raster.mask[..., None], sample(texels, places), image)
    return np.asarray(drawn, np.float32), shown


def ssim(one: Float32, other: Float32) -> Float32:
    """Structural similarity (H, W) of two grey images in [0, 255] (Wang et al., 2004), Gaussian windows."""

    def mean(values: Any) -> Any:
        return cv2.GaussianBlur(np.asarray(values, np.float32), (0, 0), SSIM_SIGMA)

    a, b = mean(one), mean(other)
    variance_a, variance_b, covariance = mean(one * one) - a * a, mean(other * other) - b * b, mean(one * other) - a * b
    c1, c2 = SSIM_CONSTANTS
    upper, lower = (2 * a * b + c1) * (2 * covariance + c2), (a * a + b * b + c1) * (variance_a + variance_b + c2)
    return np.asarray(upper / lower, np.float32)


if __name__ == "__main__":
    main()
