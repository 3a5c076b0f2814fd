"""Random parameters of a batch of crops, drawn on the host.

On the host, because it needs to know which crops each operation applies to, and reading that back would wait for the
device. They are a few dozen numbers per crop; only the noise of single pixels is drawn on the device.
"""

from dataclasses import dataclass, fields

import numpy as np

from ddfa.arrays import Bools, Float64, Int64, UInt8
from ddfa.data import augmentation as aug
from ddfa.data.augmentation import Augmentation


@dataclass(frozen=True, eq=False)
class CropParameters:
    """All random parameters of n crops of side R px; first axis n. What does not apply to a crop is drawn all the same.

    Attributes:
        roll: (n,) radians.
        mirrored: (n,) whether the crop reflects x.
        shift: (n, 2) of the RoI centre, as a share of its side.
        log_scale: (n,) logarithm of the factor of the RoI side.
        reflected: (n,) whether the photo is continued by its reflection.
        border: (n, 3) colour outside the photo where it is not.
        occlude: (n,) whether there is an occluder.
        centre: (n, 2) of the occluder, px.
        axes: (n, 2) half its width and height, px.
        angle: (n,) its rotation, degrees.
        ellipse: (n,) ellipse or rectangle.
        cover: (n,) 0 for one colour, 1 for a coarse texture, 2 for another part of the crop.
        colour: (n, 3) uint8 of the first kind.
        coarse: (n, 8, 8, 3) uint8 of the second.
        offset: (n, 2) y and x of the third, px.
        recolour: (n,) whether colours change.
        gain: (n, 3) factor of each channel.
        gamma: (n,) exponent.
        brightness: (n,) offset, values in 0..1.
        grey: (n,) whether the crop becomes grey.
        shade: (n,) whether one side is darker.
        shade_angle: (n,) radians.
        shade_reach: (n,) px.
        shade_origin: (n,) px.
        shade_depth: (n,) share of the light lost.
        gaussian: (n,) whether the crop is blurred or sharpened by a Gaussian.
        sigma: (n,) its standard deviation, px.
        amount: (n,) of unsharp masking; -1 results in the blurred crop itself.
        motion: (n,) whether it is blurred by motion.
        motion_length: (n,) px.
        motion_angle: (n,) radians.
        shrink: (n,) whether it is downsampled and upsampled.
        side: (n,) px, side of the downsampled crop.
        noise: (n,) whether there is noise.
        noise_sigma: (n,) grey levels.
        jpeg: (n,) whether there are JPEG artefacts.
        quality: (n,) of the JPEG.
    """

    roll: Float64
    mirrored: Bools
    shift: Float64
    log_scale: Float64
    reflected: Bools
    border: Int64
    occlude: Bools
    centre: Float64
    axes: Float64
    angle: Float64
    ellipse: Bools
    cover: Int64
    colour: UInt8
    coarse: UInt8
    offset: Int64
    recolour: Bools
    gain: Float64
    gamma: Float64
    brightness: Float64
    grey: Bools
    shade: Bools
    shade_angle: Float64
    shade_reach: Float64
    shade_origin: Float64
    shade_depth: Float64
    gaussian: Bools
    sigma: Float64
    amount: Float64
    motion: Bools
    motion_length: Int64
    motion_angle: Float64
    shrink: Bools
    side: Int64
    noise: Bools
    noise_sigma: Float64
    jpeg: Bools
    quality: Int64

    def __len__(self) -> int:
        return len(self.roll)

    def part(self, start: int, stop: int) -> "CropParameters":
        """The parameters of crops `start` to `stop` - 1."""
        return CropParameters(**{field.name: getattr(self, field.name)[start:stop] for field in fields(self)})


def draw_parameters(count: int, size: int, options: Augmentation, rng: np.random.Generator) -> CropParameters:
    """Draw the parameters of `count` crops of side `size` px."""

    def happens(share: float) -> Bools:
        return np.asarray(rng.random(count) < share, np.bool_)

    def uniform(limits: tuple[float, float], *shape: int) -> Float64:
        return rng.uniform(*limits, (count, *shape))

    spread = options.roll_deg * np.where(happens(options.wide_roll), aug.WIDE_ROLL, 1.0)
    loose = np.where(happens(options.wide_box), aug.WIDE_BOX, 1.0)
    border_kind = rng.random(count)
    coloured = (border_kind >= aug.REFLECTED) & (border_kind < aug.REFLECTED + aug.COLOURED)
    cover = np.digitize(rng.random(count), (aug.ONE_COLOUR, aug.ONE_COLOUR + aug.COARSE_TEXTURE))
    blur, defocus = happens(options.blur), happens(aug.DEFOCUS)
    sharpen = happens(options.sharpen) & ~blur
    sigma = np.where(blur, uniform(aug.BLUR_SIGMA), uniform(aug.SHARPEN_SIGMA)) * size / 120
    return CropParameters(
        roll=np.deg2rad(rng.normal(size=count) * spread),
        mirrored=happens(options.mirror),
        shift=rng.normal(size=(count, 2)) * (loose * options.shift)[:, None],
        log_scale=np.clip(rng.normal(size=count) * loose * options.scale, *aug.LOG_SCALE),
        reflected=border_kind < aug.REFLECTED,
        border=rng.integers(0, 256, (count, 3)) * coloured[:, None],
        occlude=happens(options.occlude),
        centre=uniform((0, size), 2),
        axes=uniform(aug.OCCLUDER_AXES, 2) * size,
        angle=uniform((0, 180)),
        ellipse=happens(aug.ELLIPSE),
        cover=np.asarray(cover, np.int64),
        colour=rng.integers(0, 256, (count, 3), np.uint8),
        coarse=rng.integers(0, 256, (count, aug.COARSE, aug.COARSE, 3), np.uint8),
        offset=rng.integers(size // 4, size // 2, (count, 2)),
        recolour=happens(options.colour),
        gain=uniform(aug.GAIN, 1) * uniform(aug.WHITE_BALANCE, 3),
        gamma=uniform(aug.GAMMA),
        brightness=uniform(aug.OFFSET),
        grey=happens(options.grey),
        shade=happens(options.shade),
        shade_angle=uniform((0, 2 * np.pi)),
        shade_reach=uniform(aug.SHADE_REACH) * size,
        shade_origin=uniform(aug.SHADE_ORIGIN) * size,
        shade_depth=uniform(aug.SHADE_DEPTH),
        gaussian=(blur & defocus) | sharpen,
        sigma=sigma,
        amount=np.where(blur, -1.0, uniform(aug.SHARPEN_AMOUNT)),
        motion=blur & ~defocus,
        motion_length=rng.integers(*aug.motion_lengths(size), count),
        motion_angle=uniform((0, np.pi)),
        shrink=happens(options.shrink),
        side=(size * uniform(aug.SHRINK_SIDE)).astype(np.int64),
        noise=happens(options.noise),
        noise_sigma=uniform(aug.NOISE_SIGMA),
        jpeg=happens(options.jpeg),
        quality=rng.integers(*aug.JPEG_QUALITY, count),
    )
