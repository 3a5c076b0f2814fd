"""`ddfa bench pose`: head pose against labelled angles."""

from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import arg

from ddfa.bench.pose import score_pose, within
from ddfa.bench.sets import AnnotatedSet
from ddfa.commands.bench.options import ProtocolOptions
from ddfa.errors import DataError


def pose(
    data: Annotated[Path, arg(metavar="DIR|FILE")],
    run: ProtocolOptions,
    max_angle: Annotated[float, arg(metavar="DEG")] = 99.0,
) -> int:
    """Measure head pose: mean absolute error per angle, degrees, 300W-LP convention.

    Args:
        data: an .npz with names and euler_deg (yaw, pitch, roll) or yaw_deg, its photos in a .tar or folder of the
            same name; or a folder of AFLW2000-3D photos with their .mat files.
        run: what is measured, and how.
        max_angle: leave out faces with an angle beyond ±this, as is usual in the literature.

    Returns:
        Exit code 0.
    """
    whole = AnnotatedSet.load(data)
    annotated = whole.subset(np.flatnonzero(within(whole.euler_deg, max_angle)))
    if not len(annotated):
        raise DataError(f"{data} has no pose: it needs euler_deg or yaw_deg, or .mat files with Pose_Para")
    scores = [one for found in run.predict(annotated) for one in score_pose(found, annotated, align=run.aligned)]
    left_out = len(whole) - len(annotated)
    return run.finish(run.report("pose error, degrees", annotated.name, len(annotated), scores, left_out=left_out))
