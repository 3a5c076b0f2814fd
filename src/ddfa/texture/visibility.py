"""Which texels of the atlas an image shows: z-test in a depth buffer, angle to the viewer, image border, soft seams."""

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32
from ddfa.raster.blending import smoothstep
from ddfa.raster.rasterize import Raster, interpolate, rasterize
from ddfa.texture.atlas import Atlas

_LEAST_COSINE: Final = 0.1  # the z tolerance grows with 1 / cosine, but not without bound


class DepthBuffer(NamedTuple):
    """A rasterised head, against which texels are z-tested.

    Attributes:
        raster: of the mesh, in buffer px.
        triangles: (T, 3) int, those that were rasterised.
        reach: px around an occluding edge that count as hidden. A fit is never exact: beside the edge of the nose, the
            image may show the cheek where the model expects the nose.
        slack: px by which a surface may lie in front of a texel that still counts as visible: a constant, and a part
            that is divided by the cosine to the viewer, since a slanted surface spans some depth within a pixel.
        least_cosine: smallest cosine by which the second part is divided.
        origin: (3,) float32 image position of the buffer's (0, 0, 0), px.
        scale: buffer px per image px.
    """

    raster: Raster
    triangles: Int32
    reach: int
    slack: tuple[float, float]
    least_cosine: float = _LEAST_COSINE
    origin: Any = np.zeros(3, np.float32)
    scale: Any = np.float32(1)

    @classmethod
    def fitted(
        cls, vertices: Floats, triangles: Int32, side: int, reach: int, slack: tuple[float, float]
    ) -> "DepthBuffer":
        """Rasterise a mesh into a buffer that is just large enough for it, whatever lies outside of the image.

        Args:
            vertices: (V, 3) image px.
            triangles: (T, 3) int.
            side: longer side of the mesh in the buffer, px.
            reach: see the class.
            slack: see the class.
        """
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        scale = np.float32(side / max(float((high - low)[:2].max()), 1e-6))
        width, height = np.ceil((high - low)[:2] * scale).astype(int) + 1
        raster = rasterize(np.asarray((vertices - low) * scale, np.float32), triangles, int(height), int(width))
        return cls(raster, triangles, reach, slack, origin=low, scale=scale)

    def points(self, fields: Float32) -> tuple[Float32, Float32, Float32]:
        """Buffer x, y and z, (S, S) each, of image positions (S, S, 3 or more)."""
        x, y, z = (np.ascontiguousarray((fields[..., k] - self.origin[k]) * self.scale) for k in range(3))
        return x, y, z

    def front(self, x: Float32, y: Float32) -> Float32:
        """Depth of the nearest surface within `reach` of buffer positions (S, S); infinite beyond the border."""
        near = cv2.dilate(self.raster.depth, np.ones((2 * self.reach + 1,) * 2, np.uint8))
        return _nearest(near, x, y, np.inf)

    def shows(self, vertex_mask: Bools, x: Float32, y: Float32) -> Float32:
        """1 where the buffer shows the masked vertices (V,), a pixel inside their border, else 0: (S, S) float32."""
        inner = interpolate(self.raster, self.triangles, vertex_mask.astype(np.float32)[:, None])[..., 0]
        return _nearest(cv2.erode((inner > 0.5).astype(np.float32), np.ones((3, 3), np.uint8)), x, y, 0.0)


@dataclass(frozen=True)
class VisibilityPolicy:
    """What counts as visible, apart from the z-test.

    Attributes:
        facing: cosine between normal and viewing direction at which the weight starts to rise from 0, and reaches 1.
        parts: which texels may be visible: "all" of the rasterised mesh; "skin" only; "openings": eyes and mouth only
            where the buffer shows them between the lids or lips, and all skin.
        lids_mm: distance from the edges of the lids over which the weight rises from 0 to 1; equal numbers are a hard
            threshold. There a fit that is slightly off shows the eye.
        lips_mm: the same from the line between the lips, where it shows teeth.
        seam: standard deviation of the Gaussian that softens the border, relative to the side of the atlas.
        erode: shrink the visible area by a texel before it is softened.
    """

    facing: tuple[float, float]
    parts: Literal["all", "skin", "openings"] = "all"
    lids_mm: tuple[float, float] | None = None
    lips_mm: tuple[float, float] | None = None
    seam: float = 0.004
    erode: bool = False


def texel_visibility(
    fields: Float32,
    buffer: DepthBuffer,
    frame: tuple[float, float, float, float],
    atlas: Atlas,
    policy: VisibilityPolicy,
) -> Float32:
    """Compute how well an image shows each texel.

    Args:
        fields: (S, S, 4) float32, image x, y, z and cosine to the viewer at each texel; 0 outside the surface.
        buffer: of the same mesh.
        frame: x0, y0, x1, y1, image px: what lies outside is not visible.
        atlas: of the head.
        policy: what counts as visible.

    Returns:
        (S, S) float32 in [0, 1].
    """
    facing = fields[..., 3]
    x, y, z = buffer.points(fields)
    constant, slanted = buffer.slack
    in_front = buffer.front(x, y) - z < constant + slanted / np.maximum(facing, buffer.least_cosine)
    weight: Float32 = smoothstep(facing, *policy.facing) * in_front
    x0, y0, x1, y1 = frame
    px, py = fields[..., 0], fields[..., 1]
    weight = weight * ((px >= x0) & (px <= x1) & (py >= y0) & (py <= y1))
    if policy.parts == "skin":
        weight = weight * atlas.skin
    elif policy.parts == "openings":
        shown = buffer.shows(atlas.inner_vertices, x, y)
        weight = np.where(atlas.inner, weight * shown, weight)
    if policy.lids_mm is not None:
        weight = weight * _beyond(atlas.lid_mm, policy.lids_mm)
    if policy.lips_mm is not None:
        weight = weight * _beyond(atlas.mouth_mm, policy.lips_mm)
    hard = cv2.erode(weight, np.ones((3, 3), np.uint8)) if policy.erode else weight
    soft = cv2.GaussianBlur(hard, (0, 0), policy.seam * atlas.size)
    # The blur must not spread colours of occluders onto texels that are hidden.
    return np.asarray(np.minimum(soft, 1) * (weight > 0), np.float32)


def _beyond(mm: Float32, bounds: tuple[float, float]) -> Float32:
    low, high = bounds
    return np.asarray(mm > low, np.float32) if low == high else smoothstep(mm, low, high)


def _nearest(values: Any, x: Float32, y: Float32, outside: float) -> Float32:
    """The pixels (S, S) nearest to positions x, y in an image (H, W)."""
    return np.asarray(
        cv2.remap(values, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=outside), np.float32
    )
