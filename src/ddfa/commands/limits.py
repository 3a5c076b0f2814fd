"""Options of every command that detects faces: which of them are wanted, and how large an image may be."""

from typing import Annotated, TypeAlias

import tyro

from ddfa.detect.limits import FaceLimits

LimitOptions: TypeAlias = Annotated[FaceLimits, tyro.conf.arg(name="")]
"""The fields of `FaceLimits` as options of the command itself, without a prefix."""
MaxPixels: TypeAlias = Annotated[int, tyro.conf.arg(metavar="N")]
"""--max-pixels: maximum width times height of a photo or frame, by default `ddfa.images.MAX_PIXELS`."""
ALL_FACES = FaceLimits()
