"""`ddfa bench aflw2000` and `ddfa bench aflw`: the test sets of the original 3DDFA."""

from pathlib import Path
from typing import Annotated, TypeAlias

from tyro.conf import arg

from ddfa.bench.landmarks import LandmarkOptions, score
from ddfa.bench.original_sets import OriginalSet, load_points21, score21
from ddfa.bench.predict import Predictions
from ddfa.commands.bench.options import Protocol, ProtocolOptions, progress
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError

_Folder: TypeAlias = Annotated[Path, arg(metavar="DIR")]
_MaybeFolder: TypeAlias = Annotated[Path | None, arg(metavar="DIR|TAR")]


def aflw2000(data: _Folder, run: ProtocolOptions, photos: _MaybeFolder = None) -> int:
    """Measure landmark accuracy (NME, %) on AFLW2000-3D as released with 3DDFA, against every label set found.

    Args:
        data: folder with AFLW2000-3D_crop, its list and arrays; or the folder that holds test.data and test.configs.
        run: what is measured, and how.
        photos: folder of the uncropped AFLW2000-3D; crop from these instead of using the ready crops. Required with
            --detected.

    Returns:
        Exit code 0.
    """
    known = OriginalSet.load(data, "aflw2000")
    options = LandmarkOptions(run.aligned)
    scores = [
        score(found, truth, known.yaw_deg, options, kind if len(known.labels) > 1 else "")
        for found in _predict(run, known, photos)
        for kind, truth in known.labels.items()
    ]
    return run.finish(run.report("NME %", known.name, len(known), scores))


def aflw(data: _Folder, run: ProtocolOptions, photos: _MaybeFolder = None) -> int:
    """Measure the accuracy (NME, %) of the visible ones of AFLW's 21 points, on AFLW as released with 3DDFA.

    Args:
        data: folder with AFLW_GT_crop, its list and arrays; or the folder that holds test.data and test.configs.
        run: what is measured, and how.
        photos: folder of the uncropped photos; crop from these instead of using the ready crops. Required with
            --detected.

    Returns:
        Exit code 0.
    """
    known = OriginalSet.load(data, "aflw")
    points, visible = load_points21(data, len(known))
    scores = [score21(found, known, points, visible, align=run.aligned) for found in _predict(run, known, photos)]
    return run.finish(run.report("NME %, 21 points", known.name, len(known), scores))


def _predict(run: Protocol, data: OriginalSet, photos: Path | None) -> list[Predictions]:
    if photos is not None:
        return run.predict(data.uncropped(Photos(photos)))
    if run.detected:
        raise DataError("faces cannot be detected in the ready crops: name the uncropped photos with --photos")
    return [data.predict(aligner, progress(aligner.bundle.name)) for aligner in run.aligners()]
