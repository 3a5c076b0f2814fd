"""Hands as occluders: an articulated hand in random poses, rendered under random light.

Convention: axes of the left hand, mm: x across the palm towards the thumb, y from the wrist to the fingers, z out of
the back of the hand.
"""

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from ddfa.arrays import Float32, Float64, Floats, Int32
from ddfa.data.synthetic.backdrops import random_colour
from ddfa.data.synthetic.lighting import random_light
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.data.synthetic.objects.occluders import Occluder
from ddfa.geometry.camera import FLIP_Y
from ddfa.raster.lighting import shading
from ddfa.raster.rasterize import interpolate, rasterize, vertex_normals

_FILE: Final = Path(__file__).parent / "assets" / "hand.npz"
_FINE: Final = 2  # supersampling
# Flexion of the three joints of a closed finger, and of the thumb, in degrees.
_CLOSED, _THUMB = np.array([75.0, 100.0, 65.0]), np.array([25.0, 35.0, 55.0])
_HELD: Final = np.array(
    [[0.0, 150.0, 0.0], [0.0, 120.0, 0.0], [0.0, 80.0, 0.0], [0.0, 40.0, 0.0]]
)  # mm, the point of the hand that is placed on the face
_FACE: Final = 190.0  # mm, height of a face


class Hand(NamedTuple):
    """A hand at rest.

    Attributes:
        vertices: (V, 3) float32, the skin of the hand and half of the forearm.
        triangles: (T, 3) int32, counter-clockwise seen from outside.
        joints: (16, 3) float32: the wrist, then three of each finger, the thumb first.
        weights: (V, 17) float32, skinning weights: the forearm, the palm, and the 15 bones of the fingers.
    """

    vertices: Float32
    triangles: Int32
    joints: Float32
    weights: Float32

    @staticmethod
    @cache
    def load() -> "Hand":
        """Load the hand, which `tools/build_hand.py` makes from CC0 assets."""
        with np.load(_FILE) as file:
            return Hand(file["vertices"], file["triangles"], file["joints"], file["weights"].astype(np.float32))

    def bent(self, rng: np.random.Generator) -> Float32:
        """Pose the hand with random flexion of fingers and wrist, by linear blend skinning: (V, 3) float32."""
        wrist = Rotation.from_euler("xyz", rng.normal(0, [25, 10, 14]), degrees=True)
        transforms = [_about(self.joints[0], wrist), (np.eye(3), np.zeros(3))]
        closed = np.clip(rng.uniform(-0.1, 1.1) + rng.normal(0, 0.12, 5), -0.08, 1.0)
        if rng.random() < 0.5:  # nearly straight
            closed = rng.uniform(-0.08, 0.3) + rng.normal(0, 0.05, 5)
        if rng.random() < 0.25:  # some are extended
            closed[rng.random(5) < 0.5] = rng.uniform(-0.05, 0.2)
        spread = rng.uniform(-3, 12)
        for finger, joints in enumerate(self.joints[1:].reshape(5, 3, 3)):
            along = (joints[2] - joints[0]) / np.linalg.norm(joints[2] - joints[0])
            axis = np.cross(along, [0.0, 0.0, 1.0] if finger else [0.6, 0.0, 0.8])
            bends = closed[finger] * (_CLOSED if finger else _THUMB) + rng.normal(0, 5, 3)
            side = spread * (2.5 - finger) + rng.normal(0, 2) if finger else rng.normal(0, 12)
            matrix, shift = np.eye(3), np.zeros(3)
            for number, (joint, bend) in enumerate(zip(joints, bends, strict=True)):
                turn = Rotation.from_rotvec(-np.deg2rad(bend) * axis / np.linalg.norm(axis))
                if number == 0:
                    turn = Rotation.from_rotvec([0, 0, -np.deg2rad(side)]) * turn
                own, moved = _about(joint, turn)
                matrix, shift = matrix @ own, matrix @ moved + shift
                transforms.append((matrix, shift))
        bones = np.stack([np.column_stack(transform) for transform in transforms]).astype(np.float32)
        blended = np.einsum("vb,bij->vij", self.weights, bones)
        return np.asarray(np.einsum("vij,vj->vi", blended[..., :3], self.vertices) + blended[..., 3], np.float32)


def hand_occluder(size: int, face: tuple[float, float, float], skin: Floats, rng: np.random.Generator) -> Occluder:
    """Draw a hand in front of a face.

    Args:
        size: of the image in px.
        face: centre x and y of the face, and its height, px.
        skin: (3,) colour of the skin in full light, RGB in [0, 1].
        rng: source of randomness.
    """
    hand = Hand.load()
    points = hand.bent(rng)
    if rng.random() < 0.5:  # the right one
        points = points * np.array([-1, 1, 1], np.float32)
        triangles = np.ascontiguousarray(hand.triangles[:, ::-1])
    else:
        triangles = hand.triangles
    # From any side; fingers mostly point upwards or across, since arms come from below and from the sides.
    turn = Rotation.from_euler("ZXY", [rng.normal(0, 65), rng.normal(0, 30), rng.uniform(-180, 180)], degrees=True)
    scale = face[2] / _FACE * rng.uniform(0.9, 1.45)  # hands in front of a face are nearer
    seen = turn.apply(points) * scale
    held = turn.apply(_HELD[rng.integers(len(_HELD))]) * scale
    target = np.array(face[:2]) + face[2] * rng.normal(0, [0.2, 0.24])
    seen[:, :2] += target * [1, -1] - held[:2]
    normals = vertex_normals(seen.astype(np.float32), triangles)
    light, _ = random_light(rng)
    lit = shading(normals, light) * _skin(points, np.asarray(skin), rng)
    if rng.random() < 0.5:
        sleeve = points[:, 1] < rng.uniform(-120, 0)
        lit[sleeve] = shading(normals, light)[sleeve] * random_colour(rng)
    image = ((seen * FLIP_Y + [0.5, 0.5, 0]) * _FINE - [0.5, 0.5, 0]).astype(np.float32)
    raster = rasterize(image, triangles, _FINE * size, _FINE * size)
    colours = interpolate(raster, triangles, lit)
    colours *= 1 + rng.uniform(0, 0.03) * smooth_noise(rng, _FINE * size, (50.0, 50.0))
    fine = np.dstack([colours, raster.mask.astype(np.float32)])
    small = cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
    return Occluder(
        np.asarray(small[..., :3] / np.maximum(small[..., 3:], 1e-3), np.float32), np.asarray(small[..., 3], np.float32)
    )


def _about(point: Floats, turn: Rotation) -> tuple[Float64, Float64]:
    """Rotation matrix and translation (3,) of a rotation about a point."""
    matrix = turn.as_matrix()
    return matrix, point - matrix @ point


def _skin(points: Float32, skin: Floats, rng: np.random.Generator) -> Float32:
    """Reflectance (V, 3): redder at the fingertips, with lighter and darker patches of a few centimetres."""
    phase = points @ rng.normal(0, 0.05, (3, 6)).astype(np.float32) + rng.uniform(0, 6.3, 6)
    spots = np.sin(phase) @ rng.normal(0, 0.012, (6, 3))
    red = np.clip((points[:, 1] - 60) / 100, 0, 1)[:, None] * rng.uniform(0, 0.12) * np.array([0.3, -1, -0.8])
    return np.asarray(np.maximum(skin * (1 + spots + red), 0), np.float32)
