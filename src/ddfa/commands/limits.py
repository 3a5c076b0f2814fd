"""Options of every command that detects faces: which of them are wanted."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from tyro.conf import arg

from ddfa.detect.limits import MIN_QUALITY, FaceLimits


@dataclass(frozen=True)
class LimitFlags(FaceLimits):
    """`FaceLimits` as options; only their metavars are defined here."""

    min_score: Annotated[float | None, arg(metavar="SCORE")] = None
    min_size: Annotated[float, arg(metavar="PX")] = 0.0
    max_faces: Annotated[int, arg(metavar="N")] = 0
    min_quality: Annotated[float, arg(metavar="QUALITY")] = MIN_QUALITY


LimitOptions: TypeAlias = Annotated[LimitFlags, arg(name="")]
"""The fields of `FaceLimits` as options of the command itself, without a prefix."""
ALL_FACES = LimitFlags()
