"""Faces as GLB: an animated, textured head with the 52 ARKit blendshapes.

Convention:
    Metres, x right, y up, z out of the face, as in the open head: the subject's left is at +x. The identity is in the
    mesh, the expression in the weights of the morph targets, the pose in the node.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Bools, Float32, Floats
from ddfa.export.gltf import GltfBuffer
from ddfa.faces import Faces
from ddfa.files import write_atomically
from ddfa.head.model import ARKIT_UNITS, HeadModel
from ddfa.raster.rasterize import vertex_normals
from ddfa.texture.unwrap import Texture

METRES: Final = 1e-3
STILL: Final = 1e-5  # metres; vertices that move less are left out of a morph target
_VERTICES, _TRIANGLES = 34962, 34963
# Part -> its regions of the head (none: all remaining triangles), roughness, colour without a texture.
_PARTS: Final[dict[str, tuple[tuple[str, ...], float, tuple[float, float, float]]]] = {
    "eyes": (("eye_left", "eye_right"), 0.15, (0.8, 0.8, 0.78)),
    "teeth": (("teeth",), 0.35, (0.75, 0.7, 0.6)),
    "mouth": (("mouth_inner", "tongue"), 0.5, (0.25, 0.06, 0.06)),
    "skin": ((), 0.65, (0.6, 0.4, 0.32)),
}


@dataclass(frozen=True, eq=False)
class GlbAnimation:
    """The motion of a head.

    Attributes:
        times: (T,) seconds, increasing.
        weights: (T, 52) of the ARKit blendshapes, in [0, 1].
        rotations: (T, 3, 3), head to camera (y up), as `Faces.rotation`.
        translations: (T, 3) metres.
    """

    times: Floats
    weights: Floats
    rotations: Floats
    translations: Floats


def write_glb(
    path: Path,
    faces: Faces,
    texture: Texture | None = None,
    animation: GlbAnimation | None = None,
    *,
    neutral_pose: bool = False,
    blendshapes: bool = True,
) -> None:
    """Write a face as GLB.

    Args:
        path: the file.
        faces: one face of the open head.
        texture: of the face; without it the parts have uniform colours.
        animation: motion of the head; without it the head has the fitted pose and expression.
        neutral_pose: face the camera instead of the pose in the photo.
        blendshapes: with the 52 blendshapes, which are most of the file and the same for every face; otherwise only the
            shape without expression.

    Raises:
        ModelError: the head model has no blendshapes or no texture map.
        OutputError: the file cannot be written.
        ValueError: `faces` is not one face, or the animation's arrays do not fit together.
    """
    if len(faces) != 1:
        raise ValueError(f"a GLB has one face, not {len(faces)}: write one file per face")
    faces.head.require_arkit("GLB")
    faces.head.require_texture("GLB")
    buffer = GltfBuffer()
    node: dict[str, Any] = {"mesh": 0, "name": "head"}
    if not neutral_pose:
        node["rotation"] = _quaternions(faces.rotation)[0].tolist()
    scene: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "OpenDDFA"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "materials": [_material(name, texture is not None) for name in _PARTS],
        "meshes": [{"name": "head", "primitives": _primitives(faces, buffer, blendshapes)}],
    }
    if blendshapes:
        names = list(faces.head.expression_names)
        scene["meshes"][0] |= {"weights": faces.blendshapes[0].astype(float).tolist(), "extras": {"targetNames": names}}
    if texture is not None:
        encoded = cv2.imencode(".png", texture.image[..., ::-1])[1].tobytes()
        scene["images"] = [{"bufferView": buffer.view(encoded), "mimeType": "image/png"}]
        scene["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
        scene["textures"] = [{"source": 0, "sampler": 0}]
    if animation is not None:
        scene["animations"] = [_animation(animation, buffer)]
    write_atomically(path, buffer.file(scene))


def _primitives(faces: Faces, buffer: GltfBuffer, blendshapes: bool) -> list[dict[str, Any]]:
    head = faces.head
    shape = faces.neutral_vertices[0] * np.float32(METRES)
    normals = vertex_normals(shape, head.triangles)
    normals[np.linalg.norm(normals, axis=1) < 0.5] = [0, 0, 1]
    result = []
    for material, part in enumerate(_surfaces(head)):
        attributes = {
            "POSITION": buffer.add(shape[part.vertices], "<f4", _VERTICES, bounds=True),
            "NORMAL": buffer.add(_normals(shape, normals, part), "<f4", _VERTICES),
            "TEXCOORD_0": buffer.add(part.uv, "<f4", _VERTICES),
        }
        indices = buffer.add(part.corners, "<u4", _TRIANGLES)
        primitive: dict[str, Any] = {"attributes": attributes, "indices": indices, "material": material}
        if blendshapes:
            count = len(part.vertices)
            primitive["targets"] = [{"POSITION": buffer.add_sparse(*offsets, count)} for offsets in part.offsets]
        result.append(primitive)
    return result


def _normals(shape: Float32, normals: Float32, part: "_Surface") -> Float32:
    """Normals (K, 3) of a part: those of the head, but its own for the cap of the neck."""
    result = normals[part.vertices]
    if len(part.cap):
        own = np.unique(part.cap)
        result[own] = vertex_normals(shape[part.vertices], part.cap.astype(np.int32))[own].mean(axis=0)
        result[own] /= np.linalg.norm(result[own], axis=1, keepdims=True)
    return result


class _Surface(NamedTuple):
    """A part of a head; it does not depend on the face.

    Attributes:
        vertices: (K,) of the head; one for every pair of head vertex and UV vertex.
        uv: (K, 2) float32, v from the top, as in glTF.
        corners: (3 T,) of the triangles, indices into `vertices`.
        cap: (M, 3) those triangles that close the neck, with vertices of their own.
        offsets: for every blendshape the non-zero offsets (m, 3) in metres, and their indices (m,) into `vertices`.
    """

    vertices: NDArray[np.int64]
    uv: Float32
    corners: NDArray[np.uint32]
    cap: NDArray[np.int64]
    offsets: list[tuple[Float32, NDArray[np.uint16]]]


@lru_cache(maxsize=1)
def _surfaces(head: HeadModel) -> list[_Surface]:
    """The parts of a head, in the order of their materials."""
    assert head.uv is not None and head.uv_triangles is not None
    moved = head.expression_basis * np.float32(METRES)
    moves = (np.abs(moved) > np.float32(STILL)).any(axis=2)
    result = []
    for name, chosen in zip(_PARTS, _parts(head), strict=True):
        pairs, corners = np.unique(
            head.triangles[chosen].astype(np.int64) * len(head.uv) + head.uv_triangles[chosen], return_inverse=True
        )
        vertices, texture, cap = pairs // len(head.uv), pairs % len(head.uv), np.zeros((0, 3), np.int64)
        if name == "skin":  # with vertices of its own, for the normals
            neck = neck_cap(head)
            cap = neck.triangles + len(vertices)
            vertices, texture = np.concatenate([vertices, neck.vertices]), np.concatenate([texture, neck.texture])
        corners = np.concatenate([corners.ravel(), cap.ravel()])
        uv = head.uv[texture] * [1, -1] + [0, 1]
        places = [np.flatnonzero(one[vertices]) for one in moves]
        offsets = [(offset[vertices[at]], at.astype(np.uint16)) for offset, at in zip(moved, places, strict=True)]
        result.append(_Surface(vertices, uv.astype(np.float32), corners.astype(np.uint32), cap, offsets))
    return result


class NeckCap(NamedTuple):
    """A surface that closes the cut through the neck.

    Attributes:
        vertices: (R,) of the head, around the cut.
        texture: (R,) their texture vertices: all that of the nape, so that the cap has the colour of its skin.
        triangles: (R - 2, 3) indices into `vertices`, counter-clockwise seen from below.
    """

    vertices: NDArray[np.int64]
    texture: NDArray[np.int64]
    triangles: NDArray[np.int64]


def neck_cap(head: HeadModel) -> NeckCap:
    """Close the cut through the neck, the only boundary of the skin, so that nobody looks into the head from below."""
    assert head.uv_triangles is not None
    edges = np.stack([head.triangles, np.roll(head.triangles, -1, axis=1)], axis=-1).reshape(-1, 2)
    _, pair, counts = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True, return_counts=True)
    free = (counts[pair.ravel()] == 1) & head.regions["skin"][edges].all(axis=1)
    follows = dict(edges[free].tolist())
    texture = dict(zip(edges[free, 0].tolist(), head.uv_triangles.reshape(-1)[free].tolist(), strict=True))
    rim = [min(follows)] if follows else []
    while rim and (after := follows[rim[-1]]) != rim[0]:
        rim.append(after)
    rim.reverse()
    fan = np.array([[0, k, k + 1] for k in range(1, len(rim) - 1)], np.int64).reshape(-1, 3)
    nape = [texture[min(rim, key=lambda vertex: head.mean[vertex, 2])]] if rim else []
    return NeckCap(np.array(rim, np.int64), np.array(nape * len(rim), np.int64), fan)


def _parts(head: HeadModel) -> list[Bools]:
    """The triangles (T,) of each part."""
    left = np.ones(len(head.triangles), bool)
    result = []
    for regions, _, _ in _PARTS.values():
        chosen = left.copy()
        if regions:
            chosen &= np.any([head.regions[name] for name in regions], axis=0)[head.triangles].all(axis=1)
        left &= ~chosen
        result.append(chosen)
    return result


def _material(name: str, textured: bool) -> dict[str, Any]:
    _, roughness, colour = _PARTS[name]
    look: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": roughness}
    look |= {"baseColorTexture": {"index": 0}} if textured else {"baseColorFactor": [*colour, 1.0]}
    return {"name": name, "pbrMetallicRoughness": look}


def _animation(animation: GlbAnimation, buffer: GltfBuffer) -> dict[str, Any]:
    count = len(animation.times)
    shapes = ((ARKIT_UNITS,), (3, 3), (3,))
    arrays = (animation.weights, animation.rotations, animation.translations)
    if not count or any(a.shape != (count, *s) for a, s in zip(arrays, shapes, strict=True)):
        raise ValueError("an animation needs as many weights, rotations and translations as times, and at least one")
    if (np.diff(np.asarray(animation.times, np.float32)) <= 0).any():
        raise ValueError("the times of an animation must increase")
    time = buffer.add(animation.times, "<f4", bounds=True)
    outputs = {
        "weights": np.ravel(animation.weights),
        "rotation": _quaternions(animation.rotations),
        "translation": animation.translations,
    }
    samplers = [{"input": time, "output": buffer.add(values, "<f4")} for values in outputs.values()]
    channels = [{"sampler": k, "target": {"node": 0, "path": path}} for k, path in enumerate(outputs)]
    return {"name": "face", "samplers": samplers, "channels": channels}


def _quaternions(rotations: Floats) -> Any:
    """Unit quaternions (T, 4) x, y, z, w, with signs that make players interpolate along the shorter arc."""
    from scipy.spatial.transform import Rotation

    quaternions = Rotation.from_matrix(rotations).as_quat()
    flips = np.cumprod(np.where((quaternions[1:] * quaternions[:-1]).sum(axis=1) < 0, -1, 1))
    quaternions[1:] *= flips[:, None]
    return quaternions
