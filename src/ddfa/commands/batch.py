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
from ddfa.commands.limits import ALL_FACES, LimitOptions, MaxPixels
from ddfa.errors import OutputError
from ddfa.exit_codes import FAILED, NOTHING_FOUND, OK
from ddfa.files import make_folder, printable
from ddfa.images import MAX_PIXELS
from ddfa.sessions import Device


def batch(
    inputs: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")] = None,
    engine: Literal["local", "ray"] = "local",
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 0,
    shard: Annotated[int, tyro.conf.arg(metavar="N")] = 1000,
    refine: bool = False,
    full: bool = False,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    detector: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    device: Device = "cpu",
    regions: bool = True,
    max_pixels: MaxPixels = MAX_PIXELS,
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
        workers: processes or actors; 0 means one per core of this machine.
        shard: photos per file.
        refine: regress twice, the second time on a crop around the first landmarks.
        full: decode large JPEGs at full size; by default at 1/2, 1/4 or 1/8 where the networks need no more pixels.
        model: folder or name of a model bundle; the shipped one by default.
        detector: yunet; yunet:exact, which searches every part of the photo and is slower; or dlib.
        device: cpu, or cuda, which needs onnxruntime-gpu instead of onnxruntime. On a cluster four actors share a GPU.
        regions: refine the blendshapes with region networks, which read eyes and mouth at the resolution of the photo.
        max_pixels: maximum width times height of a photo; larger ones are refused before they are decoded.
        limits: which of the detected faces are wanted.
        camera: of the photos.

    Returns:
        The exit code.
    """
    from ddfa.batch.local_engine import run_local
    from ddfa.batch.shards import open_job
    from ddfa.batch.stage import StageSettings
    from ddfa.jobs import sole_writer, with_progress

    if not inputs or output is None:
        raise OutputError("name photos and a folder for the table: ddfa batch INPUT... -o FOLDER")
    run = run_local
    if engine == "ray":
        from ddfa.batch.ray_engine import run_ray

        import_module("ray")  # a missing library is reported before any work
        run = run_ray
    settings = StageSettings(
        model,
        detector,
        refine,
        full=full,
        device=device,
        regions=regions,
        max_pixels=max_pixels,
        limits=limits,
        camera=camera.camera(),
    )
    job = open_job(inputs, output, settings, shard)
    faces = failed = photos = 0
    with sole_writer(output):
        missing = job.missing()
        todo = sum(len(job.photos_of(number)) for number in missing)
        if missing:
            with closing(run(job, missing, workers or os.cpu_count() or 1)) as counts:
                for done in with_progress(counts, "aligning", todo, itemgetter(0)):
                    photos, faces, failed = photos + done[0], faces + done[1], failed + done[2]
    before = job.shards - len(missing)
    kept = f" ({counted(before, 'shard')} already done)" if before else ""
    print(f"{counted(photos, 'photo')}, {counted(faces, 'face')}, {failed} failed{kept} -> {printable(str(output))}")
    if faces or before:
        return OK
    return FAILED if failed else NOTHING_FOUND


def decode(
    table: tyro.conf.Positional[Path],
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")] = Path("outputs"),
    save: str = "ply,json",
    source: Annotated[str, tyro.conf.arg(metavar="TEXT")] = "",
    limit: Annotated[int, tyro.conf.arg(metavar="N")] = 0,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> int:
    """Write meshes, landmarks, records and images for rows of a table of `ddfa batch`.

    Args:
        table: the folder, or a file in it.
        output: output folder; files are named NUMBER_FACE.ply and so on, where NUMBER counts the photos.
        save: kinds of files, separated by commas, see `ddfa align --help`; kinds that show the photo read it again.
        source: only photos whose name contains this.
        limit: only the first N photos; 0 for all.
        model: folder or name of the bundle that made the table, if it cannot be found by the name in the table.
        max_pixels: maximum width times height of a photo; larger ones are refused before they are decoded.

    Returns:
        Exit code 0; 1 if no row was found.
    """
    from ddfa.batch.decode import photos_with_faces, write_photo
    from ddfa.export.kinds import parse_kinds, require_modules

    kinds = parse_kinds(save)
    require_modules(kinds)
    chosen = (photo for photo in photos_with_faces(table, model) if source in photo[0])
    written = 0
    for number, (name, faces, bundle) in enumerate(islice(chosen, limit) if limit else chosen):
        write_photo(make_folder(output) / f"{number:06d}", name, faces, bundle, kinds, max_pixels)
        written += 1
    print(f"{counted(written, 'photo')} -> {printable(str(output))}")
    return OK if written else NOTHING_FOUND
