"""The options by which every command chooses among the detected faces: --min-score, --min-size, --max-faces."""

from typing import Annotated, TypeAlias

import tyro

from ddfa.detect.limits import FaceLimits

LimitOptions: TypeAlias = Annotated[FaceLimits, tyro.conf.arg(name="")]
"""The fields of `FaceLimits` as options of the command itself, without a prefix."""
ALL_FACES = FaceLimits()
