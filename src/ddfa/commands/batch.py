"""`ddfa batch` and `ddfa decode`: a table of the faces in a photo corpus, and files made from its rows."""

import os
from contextlib import closing
from importlib import import_module
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ddfa.commands.camera import NO_CAMERA, CameraOptions
from ddfa.commands.counting import counted
from ddfa.commands.limits import ALL_FACES, LimitOptions
from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.commands.photos import KINDS_OPTION
from ddfa.errors import OutputError
from ddfa.exit_codes import FAILED, NOTHING_FOUND, OK
from ddfa.files import make_folder, printable
from ddfa.images import MAX_PIXELS
from ddfa.options import (
    DetectorName,
    Folder,
    Limit,
    MaxPixels,
    MaybeFolder,
    ModelName,
    OnnxDevice,
    Overwrite,
    Refine,
    Regions,
    Workers,
)


def batch(
    inputs: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="INPUT ...")]] = (),
    /,
    output: MaybeFolder = None,
    engine: Literal["local", "ray"] = "local",
    workers: Workers = 0,
    shard: Annotated[int, tyro.conf.arg(metavar="N")] = 1000,
    refine: Refine = False,
    full: bool = False,
    model: ModelName = None,
    detector: DetectorName = "yunet",
    device: OnnxDevice = "cpu",
    regions: Regions = True,
    max_pixels: MaxPixels = MAX_PIXELS,
    limit: Limit = 0,
    messages: MessageOptions = MESSAGES,
    limits: LimitOptions = ALL_FACES,
    camera: CameraOptions = NO_CAMERA,
) -> int:
    """Align many photos; every face becomes a row of a Parquet table.

    Photos are processed in shards, one file each. Run again, the command resumes where it was stopped or killed; a
    photo that cannot be read becomes a row with its error. Exit code 0: done; 1: no photo shows a face; 2: the
    command failed, or photos failed and no other shows a face. See docs/batch.md.

    Args:
        inputs: photos, folders, glob patterns, .tar files or Parquet tables, as paths or URLs (s3://..., see fsspec).
        output: folder of the table.
        engine: local: processes on this machine; ray: an actor pool of Ray Data on the cluster at RAY_ADDRESS (extra
            ray).
        workers: processes or actors; see `ddfa.options`, as for the other options without a description here.
        shard: photos per file.
        refine: whether to regress twice.
        full: decode large JPEGs at full size; by default at 1/2, 1/4 or 1/8 where the networks need no more pixels.
        model: of the network.
        detector: finds the faces.
        device: of the networks; on a cluster four actors share a GPU.
        regions: whether blendshapes are refined.
        max_pixels: of a photo.
        limit: of the photos.
        messages: what is printed.
        limits: which of the detected faces are wanted.
        camera: of the photos.

    Returns:
        The exit code.
    """
    from ddfa.batch.local_engine import run_local
    from ddfa.batch.shards import open_job
    from ddfa.batch.stage import StageSettings
    from ddfa.jobs import sole_writer
    from ddfa.progress import track

    if not inputs or output is None:
        raise OutputError("name photos and a folder for the table: ddfa batch INPUT... -o FOLDER")
    run = run_local
    if engine == "ray":
        from ddfa.batch.ray_engine import run_ray

        import_module("ray")  # a missing library is reported before any work
        run = run_ray
    settings = StageSettings(
        model,
        None if detector == "yunet" else detector,  # tables begun by earlier versions say so
        refine,
        full=full,
        device=device,
        regions=regions,
        max_pixels=max_pixels,
        limits=limits,
        camera=camera.camera(),
    )
    job = open_job(inputs, output, settings, shard, limit)
    faces = failed = photos = 0
    with sole_writer(output):
        missing = job.missing()
        todo = sum(len(job.photos_of(number)) for number in missing)
        if missing:
            with closing(run(job, missing, workers or os.cpu_count() or 1)) as counts:
                for done in track(counts, "aligning", todo, itemgetter(0)):
                    photos, faces, failed = photos + done[0], faces + done[1], failed + done[2]
    before = job.shards - len(missing)
    kept = f" ({counted(before, 'shard')} already done)" if before else ""
    text = f"{counted(photos, 'photo')}, {counted(faces, 'face')}, {failed} failed{kept} -> {printable(str(output))}"
    messages.result(text, photos=photos, faces=faces, failed=failed, shards_before=before, output=str(output))
    if faces or before:
        return OK
    return FAILED if failed else NOTHING_FOUND


def decode(
    table: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="TABLE")]],
    /,
    output: Folder = Path("outputs"),
    save: Annotated[str, KINDS_OPTION] = "ply,json",
    source: Annotated[str, tyro.conf.arg(metavar="TEXT")] = "",
    limit: Limit = 0,
    model: ModelName = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    overwrite: Overwrite = True,
    messages: MessageOptions = MESSAGES,
) -> int:
    """Write meshes, landmarks, records and images for rows of a table of `ddfa batch`.

    Kinds of files that show the photo read it again. Name the bundle that made the table with --model if it cannot be
    found by its name.

    Args:
        table: the folder, or a file in it.
        output: output folder; files are named NUMBER_FACE.ply and so on, where NUMBER counts the photos.
        save: kinds of files; see `ddfa.options`, as for the other options without a description here.
        source: only photos whose name contains this.
        limit: of the photos.
        model: the bundle that made the table, if it cannot be found by the name in the table.
        max_pixels: of a photo.
        overwrite: whether files are replaced.
        messages: what is printed.

    Returns:
        Exit code 0; 1 if no row was found.
    """
    from ddfa.batch.decode import photos_with_faces, write_photo
    from ddfa.export.kinds import parse_kinds, require_modules
    from ddfa.progress import track

    kinds = parse_kinds(save)
    require_modules(kinds)
    if limit < 0:
        raise OutputError(f"--limit {limit}: give 0 for all photos, or a positive number")
    chosen = (photo for photo in photos_with_faces(table, model) if source in photo[0])
    written = 0
    for number, (name, faces, bundle) in enumerate(track(islice(chosen, limit or None), "writing", limit or None)):
        write_photo(make_folder(output) / f"{number:06d}", name, faces, bundle, kinds, max_pixels, overwrite=overwrite)
        written += 1
    messages.result(f"{counted(written, 'photo')} -> {printable(str(output))}", photos=written, output=str(output))
    return OK if written else NOTHING_FOUND
