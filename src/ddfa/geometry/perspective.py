"""Perspective cameras: projection, and the pose of known points from where an image shows them.

Convention:
    Camera axes are those of rotations throughout the package, and of OpenGL and glTF: x to the image right, y up,
    z towards the viewer, the origin in the centre of projection. Points in front of the camera have z < 0. OpenCV's
    axes (y down, z away from the viewer) are ``diag(1, -1, -1)`` times these. Pixel centres are at integers.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float64, Floats
from ddfa.geometry.pose import nearest_rotation
from ddfa.geometry.rotation import matrix_from_vector

MEAN_IPD_MM: Final = 63.4  # adults; N. A. Dodgson, "Variation and extrema of human interpupillary distance", 2004
_STEPS: Final = 30  # of Gauss-Newton at most; 4 to 8 are usual
_CONVERGED: Final = 1e-10  # squared length of a step, radians and shares of the distance


class Intrinsics(NamedTuple):
    """A pinhole camera for one image size.

    Attributes:
        fx: focal length in px of the image's width.
        fy: focal length in px of its height.
        cx: principal point, px from the centre of the left-most pixel.
        cy: principal point, px from the centre of the top pixel.
    """

    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True)
class Camera:
    """What is known about the camera of a photo or video, and about the size of heads.

    Attributes:
        fov_deg: horizontal field of view, across the width of the (upright) image, degrees; the principal point is then
            the centre of the image. None if `intrinsics` are given.
        intrinsics: focal lengths and principal point, px; None if `fov_deg` is given.
        size: width and height of the images that `intrinsics` are for, px: other sizes of the same aspect ratio are
            scaled. None: they are for any image.
        ipd_mm: distance of the pupils, mm, which defines the scale of the head; the mean of adults by default.

    Raises:
        ValueError: not exactly one of `fov_deg` and `intrinsics`, or a value out of range; the message names the fix.
    """

    fov_deg: float | None = None
    intrinsics: Intrinsics | None = None
    size: tuple[int, int] | None = None
    ipd_mm: float = MEAN_IPD_MM

    def __post_init__(self) -> None:
        if (self.fov_deg is None) == (self.intrinsics is None):
            raise ValueError("give the field of view or the intrinsics of the camera, one of the two")
        if self.fov_deg is not None and not 1 <= self.fov_deg <= 170:
            raise ValueError(f"a field of view of {self.fov_deg} degrees: give 1 to 170")
        if self.intrinsics is not None:
            values = np.array(self.intrinsics, np.float64)
            if not (np.isfinite(values).all() and (values[:2] > 0).all()):
                raise ValueError(f"intrinsics {tuple(self.intrinsics)}: fx and fy are positive, all four are numbers")
        if not 20 <= self.ipd_mm <= 120:
            raise ValueError(f"a pupil distance of {self.ipd_mm} mm: give 20 to 120; adults have 54 to 74")

    def at(self, image_size: tuple[int, int]) -> Intrinsics:
        """The intrinsics for an image.

        Args:
            image_size: width and height, px.

        Raises:
            ValueError: the image has another aspect ratio than `size`.
        """
        width, height = image_size
        if self.intrinsics is None:
            focal = width / 2 / np.tan(np.deg2rad(self.fov_deg or 0.0) / 2)
            return Intrinsics(float(focal), float(focal), (width - 1) / 2, (height - 1) / 2)
        if self.size is None or self.size == image_size:
            return self.intrinsics
        x, y = width / self.size[0], height / self.size[1]
        if abs(x / y - 1) > 0.02:
            raise ValueError(
                f"the intrinsics are for images of {self.size[0]} x {self.size[1]} px, "
                f"this one has {width} x {height}: it is cropped or rotated, give intrinsics for it"
            )
        fx, fy, cx, cy = self.intrinsics
        return Intrinsics(x * fx, y * fy, x * (cx + 0.5) - 0.5, y * (cy + 0.5) - 0.5)


class PerspectivePose(NamedTuple):
    """Where points are relative to a camera.

    Attributes:
        rotation: (3, 3) float64, from the axes of the points to those of the camera.
        translation: (3,) float64, of the origin of the points, in their unit.
        error: root mean square distance of the projected points from the observed ones, px.
    """

    rotation: Float64
    translation: Float64
    error: float


def project_perspective(points: Floats, rotation: Floats, translation: Floats, camera: Intrinsics) -> Float64:
    """Project points into an image.

    Args:
        points: (K, 3).
        rotation: (3, 3) to camera axes.
        translation: (3,) in the unit of the points.
        camera: the camera.

    Returns:
        (K, 2) float64 image px; meaningless for points behind the camera.
    """
    seen = np.asarray(points, np.float64) @ np.asarray(rotation, np.float64).T + translation
    depth = -seen[:, 2]
    return np.stack([camera.cx + camera.fx * seen[:, 0] / depth, camera.cy - camera.fy * seen[:, 1] / depth], axis=1)


def fit_perspective(points: Floats, image: Floats, camera: Intrinsics) -> PerspectivePose:
    """Find the pose in which points project to given positions: least squares in px by Gauss-Newton.

    It starts from the weak-perspective pose, turned from the viewing ray to the optical axis, which for heads is close
    enough at any distance; steps that do not reduce the error are damped (Levenberg-Marquardt).

    Args:
        points: (K, 3), at least 4 that are not in one plane.
        image: (K, 2) image px.
        camera: the camera.

    Returns:
        The pose; not finite if the points or positions are not.
    """
    known, seen = np.asarray(points, np.float64), np.asarray(image, np.float64)
    if not (np.isfinite(known).all() and np.isfinite(seen).all()):
        return PerspectivePose(np.full((3, 3), np.nan), np.full(3, np.nan), float("nan"))
    # About their centre, so that rotation and translation are nearly independent.
    centre = known.mean(axis=0)
    centred = known - centre
    rotation, position = _start(centred, seen, camera)
    cost, damping = _cost(centred, seen, rotation, position, camera), 1e-6
    for _ in range(_STEPS):
        normal, gradient = _linearised(centred, seen, rotation, position, camera)
        step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
        sideways = np.array([step[3], step[4], 0.0]) * -position[2]
        tried = matrix_from_vector(step[:3]) @ rotation, position * np.exp(np.clip(step[5], -1, 1)) + sideways
        new = _cost(centred, seen, *tried, camera)
        if new <= cost:
            (rotation, position), cost, damping = tried, new, damping / 10
            if step @ step < _CONVERGED:
                break
        else:
            damping = max(damping, 1e-6) * 100
            if damping > 1e6:  # the error cannot be reduced any more
                break
    # Products of many small rotations drift from orthogonality.
    rotation = nearest_rotation(rotation)
    return PerspectivePose(rotation, position - rotation @ centre, float(np.sqrt(cost / len(known))))


def _start(points: Float64, image: Float64, camera: Intrinsics) -> tuple[Float64, Float64]:
    """The weak-perspective pose of centred points, as rotation and position of the centre."""
    rays = np.stack([(image[:, 0] - camera.cx) / camera.fx, (camera.cy - image[:, 1]) / camera.fy], axis=1)
    linear = np.linalg.lstsq(points, rays - rays.mean(axis=0), rcond=None)[0].T  # (2, 3) rows: image x and y
    scale = max(float(np.linalg.norm(linear, axis=1).mean()), 1e-12)
    seen_along_ray = nearest_rotation(np.vstack([linear, np.cross(linear[0], linear[1]) / scale]))
    x, y = rays.mean(axis=0)
    axis = np.cross([0.0, 0.0, -1.0], [x, y, -1.0])  # turns the optical axis to the viewing ray
    angle = np.arctan(np.hypot(x, y))
    length = float(np.linalg.norm(axis))
    turn = matrix_from_vector(axis / length * angle) if length > 1e-12 else np.eye(3)
    return turn @ seen_along_ray, np.array([x, y, -1.0]) / scale


def _cost(points: Float64, image: Float64, rotation: Float64, position: Float64, camera: Intrinsics) -> float:
    """Sum of squared distances, px^2; infinite if a point is behind the camera."""
    if not np.isfinite(position).all() or (points @ rotation[2] + position[2]).max() >= 0:
        return float("inf")
    return float(np.square(project_perspective(points, rotation, position, camera) - image).sum())


def _linearised(
    points: Float64, image: Float64, rotation: Float64, position: Float64, camera: Intrinsics
) -> tuple[Float64, Float64]:
    """Normal matrix (6, 6) and gradient (6,) for a rotation vector, shares of the distance in x and y, and its log."""
    a, b, c = rotation @ points.T
    x, y, depth = a + position[0], b + position[1], -(c + position[2])
    # Derivatives of u by (x, 0, z) and of v by (0, y, z) of the point in camera axes.
    ux, uz = camera.fx / depth, camera.fx * x / depth**2
    vy, vz = -camera.fy / depth, -camera.fy * y / depth**2
    residual = np.concatenate([camera.cx + ux * x - image[:, 0], camera.cy + vy * y - image[:, 1]])
    distance, zero = -position[2], np.zeros(len(points))
    # A small rotation w moves a point p by w x p: its derivative is p x (derivative by the point).
    u = [b * uz, c * ux - a * uz, -b * ux, distance * ux, zero, ux * position[0] + uz * position[2]]
    v = [b * vz - c * vy, -a * vz, a * vy, zero, distance * vy, vy * position[1] + vz * position[2]]
    jacobian = np.concatenate([np.stack(u), np.stack(v)], axis=1)
    return jacobian @ jacobian.T, jacobian @ residual
