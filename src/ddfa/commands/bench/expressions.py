"""`ddfa bench expressions`: the blendshapes of single photos beside the mesh teacher's."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.bench.expression_sheet import compare_units, comparison_report, draw_comparison
from ddfa.commands.bench.options import ModelOptions, progress
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.sets.photos import Photos
from ddfa.files import check_existing
from ddfa.head.open import load_open_head
from ddfa.images import write_image
from ddfa.options import MeshTeacherFile


def expressions(
    photos: Annotated[Path, arg(metavar="DIR|TAR")],
    mesh_teacher: MeshTeacherFile,
    run: ModelOptions,
    sheet: Annotated[Path | None, arg(metavar="FILE")] = None,
) -> int:
    """Compare the blendshapes of the largest face of each photo with the mesh teacher's.

    The table lists the clearest units of each photo, left / right.

    Args:
        photos: folder or .tar of photos.
        mesh_teacher: see `ddfa.options.MeshTeacherFile`.
        run: what is measured, and where the results go.
        sheet: also draw photos, meshes and bars of the units into this image.

    Returns:
        Exit code 0.
    """
    check_existing(run.overwrite, [sheet])
    head = load_open_head()
    assert head.expression_mirror is not None
    teacher = MeshTeacher(mesh_teacher, head.expression_mirror)
    for aligner in (aligners := {one.bundle.name: one for one in run.aligners()}).values():
        aligner.head.require_arkit("ddfa bench expressions")
    images = Photos(photos)
    faces = compare_units(aligners, images, teacher, progress("expressions"))
    if sheet is not None:
        write_image(sheet, draw_comparison(faces, head.expression_names))
    title = f"blendshapes on {photos.stem} ({len(faces)} of {len(images)} photos; detected, two steps)"
    return run.finish(comparison_report(faces, head.expression_names, title))
