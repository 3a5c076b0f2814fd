"""Mesh files: PLY, OBJ with its material, and MATLAB.

Convention:
    Meshes for viewers (PLY, OBJ) are right-handed with x to the right, y up and z towards the viewer, in pixels of
    the photo, the origin at the centre of its lower left pixel: (x, H - 1 - y, z) of image space. Viewers show them
    upright and not mirrored. MATLAB files are in image space, as in original 3DDFA.
"""

import io
from pathlib import Path
from typing import Any, Final

import numpy as np

from ddfa.arrays import Float32, Int32, UInt8
from ddfa.files import write_atomically

_AXES: Final = "x right, y up, z towards the viewer, pixels"
_MATERIAL: Final = "face"


def mesh_points(vertices: Float32, image_height: int) -> Float32:
    """Convert image space to the viewers' space described at the top of this module.

    Args:
        vertices: (V, 3), image space px.
        image_height: height H of the photo in px.

    Returns:
        (V, 3) float32, x right, y up, z towards the viewer.
    """
    x, y, z = np.asarray(vertices, np.float32).T
    return np.stack([x, image_height - 1 - y, z], axis=1)


def sample_colours(image: UInt8, vertices: Float32) -> Float32:
    """Sample the colour of the photo at every vertex, whether or not the vertex is visible.

    Args:
        image: (H, W, 3) uint8 RGB.
        vertices: (V, 3), image space px; vertices outside the photo get the colour of its border.

    Returns:
        (V, 3) float32 RGB in [0, 1], of the nearest pixel.
    """
    last = np.array(image.shape[1::-1]) - 1
    x, y = np.clip(np.rint(vertices[:, :2]), 0, last).astype(int).T
    return np.asarray(image[y, x] / np.float32(255), np.float32)


def write_ply(path: Path, points: Float32, triangles: Int32, *, text: bool = False) -> None:
    """Write a PLY mesh.

    Args:
        path: the file.
        points: (V, 3), see `mesh_points`.
        triangles: (T, 3), counter-clockwise seen from outside; with T = 0 the file is a point cloud.
        text: write the ASCII form with four decimals instead of the binary little-endian one.

    Raises:
        OutputError: if it cannot be written.
    """
    header = [
        "ply",
        f"format {'ascii' if text else 'binary_little_endian'} 1.0",
        f"comment {_AXES}",
        f"element vertex {len(points)}",
        *(f"property float {axis}" for axis in "xyz"),
        f"element face {len(triangles)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    if text:
        body = (_rows("%.4f %.4f %.4f\n", points) + _rows("3 %d %d %d\n", triangles)).encode("ascii")
    else:
        faces = np.zeros(len(triangles), dtype=[("corners", "u1"), ("indices", "<i4", 3)])
        faces["corners"], faces["indices"] = 3, triangles
        body = np.asarray(points, "<f4").tobytes() + faces.tobytes()
    write_atomically(path, "\n".join([*header, ""]).encode("ascii") + body)


def write_obj(
    path: Path,
    points: Float32,
    triangles: Int32,
    uv: Float32 | None = None,
    uv_triangles: Int32 | None = None,
    colours: Float32 | None = None,
    material: str | None = None,
) -> None:
    """Write a Wavefront OBJ mesh.

    Args:
        path: the file.
        points: (V, 3), see `mesh_points`.
        triangles: (T, 3), counter-clockwise seen from outside.
        uv: (U, 2) texture coordinates, u right, v up; optional.
        uv_triangles: (T, 3) indices into `uv`; required with it.
        colours: (V, 3) RGB in [0, 1], written after the coordinates, where MeshLab and Blender read them.
        material: name of the MTL file in the same folder, see `write_mtl`; needs `uv`.

    Raises:
        OutputError: if it cannot be written.
    """
    lines = [f"# {_AXES}\n"]
    if material is not None:
        lines.append(f"mtllib {material}\nusemtl {_MATERIAL}\n")
    if colours is None:
        lines.append(_rows("v %.4f %.4f %.4f\n", points))
    else:
        lines.append(_rows("v %.4f %.4f %.4f %.4f %.4f %.4f\n", np.hstack([points, colours])))
    if uv is None or uv_triangles is None:
        lines.append(_rows("f %d %d %d\n", triangles + 1))
    else:
        corners = np.stack([triangles, uv_triangles], axis=2) + 1  # OBJ counts from 1
        lines += [_rows("vt %.6f %.6f\n", uv), _rows("f %d/%d %d/%d %d/%d\n", corners)]
    write_atomically(path, "".join(lines).encode())


def write_mtl(path: Path, texture: str) -> None:
    """Write the material of a Wavefront OBJ mesh: a diffuse texture.

    Args:
        path: the file.
        texture: name of the image file in the same folder.

    Raises:
        OutputError: if it cannot be written.
    """
    lines = [f"newmtl {_MATERIAL}", "Ka 1 1 1", "Kd 1 1 1", "Ks 0 0 0", "illum 1", f"map_Kd {texture}", ""]
    write_atomically(path, "\n".join(lines).encode())


def write_mat(path: Path, vertices: Float32) -> None:
    """Write a MATLAB 5 file with one variable, `vertex` (3, V) float32.

    Args:
        path: the file.
        vertices: (V, 3), image space px: y down.

    Raises:
        OutputError: if it cannot be written.
    """
    from scipy.io import savemat

    file: Any = io.BytesIO()  # not covered by SciPy's type hints
    savemat(file, {"vertex": np.asarray(vertices, np.float32).T})
    write_atomically(path, file.getvalue())


def _rows(template: str, array: Float32 | Int32) -> str:
    """Format an array with one template per row: one % operation is ten times faster than a loop."""
    return (template * len(array)) % tuple(np.asarray(array).ravel().tolist())
