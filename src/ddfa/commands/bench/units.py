"""`ddfa bench units`: the 52 blendshapes against the mesh teacher, or the truth of rendered faces."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from tyro.conf import arg

from ddfa.arrays import Bools, Float32
from ddfa.bench.report import Report
from ddfa.bench.unit_photos import UnitPhotos, render_units
from ddfa.bench.units import predict_units, score_units, summary_sheet, teacher_units, units_report
from ddfa.commands.bench.options import ModelOptions, progress
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.regions.labels import Corpus
from ddfa.errors import DataError
from ddfa.head.open import load_open_head
from ddfa.options import Limit, MaybeMeshTeacher, Seed

_NEAR_FRONTAL_DEG = 40.0  # yaw up to which region networks are trained and the mesh teacher is trusted


def units(
    run: ModelOptions,
    data: Annotated[Path | None, arg(metavar="DIR")] = None,
    corpora: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = (),
    limit: Limit = 0,
    rendered: Annotated[int, arg(metavar="N")] = 0,
    skins: Annotated[Path | None, arg(metavar="DIR")] = None,
    seed: Seed = 0,
    mesh_teacher: MaybeMeshTeacher = None,
) -> int:
    """Measure the blendshapes unit by unit, against the mesh teacher's scores or the truth of rendered faces.

    Bundles with region networks are measured with and without them.

    Args:
        run: what is measured, and where the results go.
        data: folder of the corpora made by `ddfa data regions`, whose held-out photos are used.
        corpora: names of the corpora in `data`; all of them by default.
        limit: of the held-out photos of each corpus.
        rendered: render so many faces instead of reading `data`.
        skins: a labelled data set that provides skins, shapes and backgrounds of rendered faces; by default they are
            painted.
        seed: of the rendered faces.
        mesh_teacher: measured on rendered faces as well.

    Returns:
        Exit code 0.
    """
    if (data is None) == (not rendered):
        raise DataError("name photos with --data FOLDER, or render faces with --rendered COUNT")
    head = load_open_head()
    if data is None:
        photos = render_units(head, rendered, skins, seed, progress("rendering"))
        predictions = _predictions(run, photos)
        if mesh_teacher is not None:
            assert head.expression_mirror is not None
            teacher = MeshTeacher(mesh_teacher, head.expression_mirror)
            predictions["mesh teacher"] = teacher_units(teacher, photos, progress("mesh teacher"))
        frontal = np.abs(photos.yaw_deg) < _NEAR_FRONTAL_DEG
        title = "blendshapes in view against the truth, rendered faces"
        groups = {
            f"{title} up to {_NEAR_FRONTAL_DEG:.0f}° of yaw ({frontal.sum()} images)": frontal,
            f"{title} beyond ({(~frontal).sum()} images)": ~frontal,
        }
        return run.finish(_report(photos, predictions, groups, {"faces": rendered, "seed": seed}))
    held_out = [
        replace(corpus, chosen=corpus.chosen[: limit or None])
        for corpus in Corpus.load_all(data, corpora, held_out=True)
    ]
    if not any(len(corpus.chosen) for corpus in held_out):
        raise DataError(f"no held-out photo in {data} that the mesh teacher is trusted on: label more photos")
    photos = UnitPhotos.of_corpora(held_out)
    predictions = _predictions(run, photos) | {"mesh teacher": photos.units}
    title = f"blendshapes against the mesh teacher on {data.name} ({len(photos)} held-out photos)"
    everything = {title: np.ones(len(photos), bool)}
    return run.finish(_report(photos, predictions, everything, {"data": data.name, "faces": len(photos)}))


def _predictions(run: ModelOptions, photos: UnitPhotos) -> dict[str, Float32]:
    """Blendshapes (n, 52) by model, with and without its region networks."""
    aligners = [(aligner.bundle.name, aligner) for aligner in replace(run, regions=False).aligners()]
    if run.regions:
        aligners += [(f"{one.bundle.name} with regions", one) for one in run.aligners() if one.regions is not None]
    return {
        name: predict_units(aligner, photos, progress(name))
        for name, aligner in sorted(aligners, key=lambda pair: pair[0])
    }


def _report(
    photos: UnitPhotos, predictions: dict[str, Float32], groups: dict[str, Bools], settings: dict[str, Any]
) -> Report:
    """A summary of each group of photos (n,) by title; the units one by one for the first group that has photos."""
    names = load_open_head().expression_names
    scores = {
        title: [
            score_units(name, names, predicted[rows], photos.units[rows], photos.seen[rows])
            for name, predicted in predictions.items()
        ]
        for title, rows in groups.items()
        if rows.any()
    }
    first, *others = scores
    return units_report(scores[first], first, settings, *(summary_sheet(title, scores[title]) for title in others))
