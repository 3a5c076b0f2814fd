"""Pose in front of a perspective camera, on rendered heads with known cameras; docs/conventions.md has the table.

    python benchmarks/camera.py [--heads N] [--show FILE]

Two sample photos give two textured heads. They are rendered in random poses, anywhere in the image, by cameras from
0.25 to 3 m away, whose focal length keeps the size of the face. Errors are those of the rotation and of the distance
of the point between the pupils, given the true distance of the pupils. "mesh": from the true positions of the dense
mesh in the image; "network": from what the default network sees in the rendering.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tyro

from ddfa.align import FaceAligner
from ddfa.arrays import Float64, UInt8
from ddfa.faces import Faces
from ddfa.geometry.perspective import Camera, Intrinsics, project_perspective
from ddfa.geometry.pose import matrix_from_euler, nearest_rotation
from ddfa.geometry.rotation import vector_from_matrix
from ddfa.head.measure import head_poses, pupils
from ddfa.images import read_image, write_image
from ddfa.raster.rasterize import interpolate, rasterize
from ddfa.raster.sampling import sample
from ddfa.texture.atlas import atlas_pixels
from ddfa.texture.unwrap import unwrap_texture

SIZE = (960, 720)  # px
FACE = 1.3  # px per mm of a head at its distance
DISTANCES = (0.25, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)  # m
SAMPLES = Path(__file__).resolve().parents[1] / "samples"


class Errors(NamedTuple):
    """Errors of one rendering: rotations in degrees, distances in %."""

    mesh_weak: float
    mesh_perspective: float
    mesh_distance: float
    network_weak: float
    network_perspective: float
    network_distance: float


def main(heads: int = 12, show: Path | None = None) -> None:
    """Print the table.

    Args:
        heads: renderings per distance.
        show: write an image with one rendering per distance.
    """
    aligner = FaceAligner(threads=1, regions=False)
    people = [_textured(aligner, name) for name in ("astronaut", "grace_hopper")]
    images = []
    print("median (largest)  | rotation, mesh: weak, perspective | distance | rotation, network: ... | distance")
    for metres in DISTANCES:
        rng, rows = np.random.default_rng(0), []
        for number in range(heads):
            image, errors = _measure(aligner, *people[number % 2], 1000 * metres, rng)
            rows.append(errors)
        images.append(cv2.resize(image, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA))
        fov = np.rad2deg(2 * np.arctan(SIZE[0] / 2 / (FACE * 1000 * metres)))
        cells = [f"{np.median(column):5.2f} ({column.max():5.2f})" for column in np.array(rows).T]
        print(f"{metres:4.2f} m, {fov:3.0f}° | " + " | ".join(cells))
    if show is not None:
        write_image(show, np.hstack(images))


def _textured(aligner: FaceAligner, name: str) -> tuple[Faces, UInt8]:
    photo = read_image(SAMPLES / f"{name}.jpg")
    face = aligner(photo, refine=True).single(0)
    return face, unwrap_texture(photo, face, keep_occluders=True).image


def _measure(
    aligner: FaceAligner, face: Faces, texture: UInt8, distance: float, rng: np.random.Generator
) -> tuple[UInt8, Errors]:
    """Render a head at a distance (mm) and measure both poses."""
    eyes = pupils(face.head, face.identity)
    focal = FACE * distance
    intrinsics = Intrinsics(focal, focal, (SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)
    camera = Camera(intrinsics=intrinsics, ipd_mm=float(np.linalg.norm(eyes[0, 0] - eyes[0, 1])))
    rotation = matrix_from_euler(rng.uniform([-35, -15, -15], [35, 15, 15]))
    across = rng.uniform(-0.45, 0.45, 2) * (np.array(SIZE) / FACE - 300)
    between = np.array([*across, -distance])
    translation = between - rotation @ eyes[0].mean(axis=0)

    vertices = face.head.decode(face.identity, face.expression)[0].astype(np.float64)
    depth = (vertices @ rotation.T + translation)[:, 2]
    image = _rendered(face, project_perspective(vertices, rotation, translation, intrinsics), depth, texture)
    points = face.model.pose_points.decode(face.identity, face.expression)
    seen = project_perspective(points[0], rotation, translation, intrinsics)
    mesh = head_poses(points, seen[None], eyes, camera, SIZE)
    box = np.concatenate([seen.min(axis=0), seen.max(axis=0)])[None].astype(np.float32)
    found = replace(aligner(image, boxes=box, refine=True), camera=camera)

    true_distance = float(np.linalg.norm(between))
    return image, Errors(
        _angle(_weak_rotation(points[0], seen), rotation),
        _angle(mesh.rotation[0], rotation),
        100 * abs(float(mesh.distance_mm[0]) / true_distance - 1),
        _angle(found.rotation[0], rotation),
        _angle(found.perspective.rotation[0], rotation),
        100 * abs(float(found.perspective.distance_mm[0]) / true_distance - 1),
    )


def _rendered(face: Faces, placed: Float64, depth: Float64, texture: UInt8) -> UInt8:
    """The head over a grey ground."""
    uv, uv_triangles = face.head.require_texture("rendering")
    points = np.column_stack([placed, depth]).astype(np.float32)
    raster = rasterize(points, face.head.triangles, SIZE[1], SIZE[0], cull=True)
    at = interpolate(raster, uv_triangles, atlas_pixels(uv, texture.shape[0]))
    image = np.where(raster.triangle[..., None] >= 0, sample(texture, at), 110)
    return np.asarray(cv2.GaussianBlur(image.astype(np.uint8), (0, 0), 0.6), np.uint8)


def _weak_rotation(points: Float64, seen: Float64) -> Float64:
    """The rotation of the weak-perspective camera that fits best."""
    centred, image = points - points.mean(axis=0), (seen - seen.mean(axis=0)) * [1, -1]
    linear = np.linalg.lstsq(centred, image, rcond=None)[0].T
    return nearest_rotation(np.vstack([linear, np.cross(*linear) / np.linalg.norm(linear, axis=1).mean()]))


def _angle(first: Float64, second: Float64) -> float:
    return float(np.rad2deg(np.linalg.norm(vector_from_matrix(first @ second.T))))


if __name__ == "__main__":
    tyro.cli(main)
