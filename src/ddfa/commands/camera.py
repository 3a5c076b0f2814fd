"""The options that describe the camera: --fov, --intrinsics and --ipd-mm."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import tyro

from ddfa.geometry.perspective import MEAN_IPD_MM, Camera
from ddfa.intrinsics import camera_from


@dataclass(frozen=True)
class CameraFlags:
    """What is known about the camera; with it, records contain distance and 6-DoF pose in mm.

    Attributes:
        fov: horizontal field of view of the camera, degrees.
        intrinsics: "fx,fy,cx,cy" in px, or a calibration file with a 3 x 3 camera_matrix (JSON, YAML or XML).
        ipd_mm: distance of the pupils in mm, which defines the scale; the mean of adults by default.
    """

    fov: Annotated[float | None, tyro.conf.arg(metavar="DEG")] = None
    intrinsics: Annotated[str | None, tyro.conf.arg(metavar="FILE|FX,FY,CX,CY")] = None
    ipd_mm: Annotated[float, tyro.conf.arg(metavar="MM")] = MEAN_IPD_MM

    def camera(self) -> Camera | None:
        """The camera; None if neither option is given.

        Raises:
            ImageError: see `camera_from`.
        """
        return camera_from(self.fov, self.intrinsics, self.ipd_mm)


CameraOptions: TypeAlias = Annotated[CameraFlags, tyro.conf.arg(name="")]
"""The fields of `CameraFlags` as options of the command itself, without a prefix."""
NO_CAMERA = CameraFlags()
