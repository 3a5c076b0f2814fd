"""What decoded pixels still need: to be turned upright, and transparency composited on white."""

import numpy as np

from ddfa.arrays import UInt8


def turn_upright(image: UInt8, orientation: int) -> UInt8:
    """Undo an orientation: a flip (2, 4, 5, 7) and a rotation by multiples of 90 degrees.

    Args:
        image: (H, W, 3) uint8, as stored.
        orientation: 1 to 8; other numbers count as 1.

    Returns:
        (H, W, 3) or (W, H, 3) uint8, contiguous.
    """
    quarters = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    if orientation in (2, 4, 5, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, quarters))


def on_white(rgba: UInt8) -> UInt8:
    """Composite (H, W, 4) uint8 on white; returns (H, W, 3) uint8 RGB."""
    if rgba[..., 3].min() == 255:
        return np.ascontiguousarray(rgba[..., :3])
    opacity = rgba[..., 3:].astype(np.float32) / 255
    return np.asarray(np.rint((1 - opacity) * 255 + opacity * rgba[..., :3]), np.uint8)
