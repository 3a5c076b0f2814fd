"""`ddfa bench apertures`: eye and mouth aperture on held-out photos."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.align import FaceAligner
from ddfa.bench.apertures import (
    Apertures,
    annotated,
    apertures_from_labels,
    apertures_from_mesh,
    apertures_from_model,
    apertures_report,
    held_out_photos,
    joined,
)
from ddfa.bench.predict import predict
from ddfa.commands.bench.options import Detected, ModelOptions, progress
from ddfa.errors import DataError
from ddfa.options import MaybeMeshTeacher


def apertures(
    data: Annotated[tuple[Path, ...], arg(metavar="DIR ...")],
    run: ModelOptions,
    mesh_teacher: MaybeMeshTeacher = None,
    held_out: Annotated[float, arg(metavar="SHARE")] = 0.02,
    detected: Detected = False,
) -> int:
    """Measure how well eye and mouth aperture follow the photo, on photos held out from training.

    Args:
        data: data sets made by `ddfa data label`.
        run: what is measured, and where the results go.
        mesh_teacher: the reference; the labels by default.
        held_out: the share held out in training; 1 to measure on all photos of sets that were not trained on.
        detected: instead of cropping around the labels' landmarks.

    Returns:
        Exit code 0.
    """
    if not data:
        raise DataError("name the data sets, as made by `ddfa data label`, with --data")
    sets = [held_out_photos(folder, held_out) for folder in data]
    reference = joined(
        apertures_from_labels(photos)
        if mesh_teacher is None
        else apertures_from_mesh(mesh_teacher, photos, progress("face mesh"))
        for photos in sets
    )

    def apertures_of(aligner: FaceAligner) -> Apertures:
        watch = progress(aligner.bundle.name)
        found = [predict(aligner, annotated(photos), detected=detected, watch=watch) for photos in sets]
        return joined(apertures_from_model(*pair) for pair in zip(found, sets, strict=True))

    compared = [(aligner.bundle.name, apertures_of(aligner)) for aligner in run.aligners()]
    if mesh_teacher is not None:  # an upper bound for networks that are trained on these labels
        compared.append(("the labels", joined(map(apertures_from_labels, sets))))
    count = sum(len(photos.labels) for photos in sets)
    against = "labels" if mesh_teacher is None else "face mesh"
    how = "detected, two steps" if detected else "RoI from labels"
    settings = {"data": [folder.name for folder in data], "faces": count, "reference": against, "detected": detected}
    title = f"eye and mouth aperture against the {against} on {count} held-out photos ({how})"
    return run.finish(apertures_report(title, compared, reference, settings | {"held_out": held_out}))
