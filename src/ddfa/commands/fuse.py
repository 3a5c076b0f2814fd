"""`ddfa fuse`: one head from several photos or a video of a person."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.commands.counting import counted
from ddfa.commands.limits import ALL_FACES, LimitOptions, MaxPixels
from ddfa.commands.photos import list_photos
from ddfa.errors import DDFAError, ImageError, NoFaceError, OutputError
from ddfa.exit_codes import NOTHING_FOUND, OK
from ddfa.files import make_folder
from ddfa.images import IMAGE_SUFFIXES, MAX_PIXELS, read_image
from ddfa.one_person import Images, find_person, fused_record, texture_of, views_for_texture, write_fused


def fuse(
    files: tyro.conf.Positional[tuple[Path, ...]] = (),
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = Path("outputs"),
    name: Annotated[str, tyro.conf.arg(metavar="NAME")] = "fused",
    face: Annotated[int, tyro.conf.arg(metavar="ID")] = 0,
    every: Annotated[int, tyro.conf.arg(metavar="N")] = 10,
    texture_size: Annotated[int, tyro.conf.arg(metavar="N")] = 1024,
    delight: bool = False,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    limits: LimitOptions = ALL_FACES,
) -> int:
    """Build one head from several photos, or a video, of one person: ddfa fuse PHOTO... | VIDEO -o DIR.

    Writes NAME.glb, the textured head without expression, NAME.ply, its mesh in mm, and NAME.json, its identity and how
    much each photo counts (docs/fuse.md). Photos on which the person is not found are named and left out. Exit code 0:
    done; 1: no photo shows the person, nothing is written; 2: something failed.

    Args:
        files: image files, folders (with their subfolders) or glob patterns; or one video.
        output: output folder; created if it does not exist.
        name: first part of the files' names.
        face: who the person is: which face of the first photo that shows any, 0 is the largest; in photos with
            several faces and in videos the person is recognised by the colours of face and hair.
        every: use each so manyth frame of a video.
        texture_size: side of the texture in px, 64 to 4096.
        delight: remove shading from the texture.
        model: folder or name of a model bundle; the shipped one by default.
        threads: CPU threads of the network; all by default.
        max_pixels: maximum width times height of a photo or frame; larger ones are refused before they are decoded.
        limits: which of the detected faces are counted.

    Returns:
        The exit code.
    """
    if not files:
        raise ImageError("no photo given: ddfa fuse PHOTO... -o DIR")
    if face < 0:
        raise DDFAError(f"--face {face}: give a number from 0")
    if every < 1:
        raise DDFAError(f"--every {every}: give a number from 1")
    if not 64 <= texture_size <= 4096:
        raise OutputError(f"--texture-size {texture_size}: choose 64 to 4096 px")
    if not name or Path(name).name != name:
        raise OutputError(f"--name '{name}': give a name without a folder")
    from_video = _is_video(files)
    images = _frames(files[0], every, max_pixels) if from_video else _photos(files, output, max_pixels)
    aligner = FaceAligner(model, threads=threads, **asdict(limits))
    aligner.head.require_arkit("ddfa fuse")
    try:
        views = find_person(aligner, images, face, trusting=not from_video)
    except NoFaceError as error:
        print(f"ddfa fuse: {error}", file=sys.stderr)
        return NOTHING_FOUND
    for missing in views.missing:
        print(f"ddfa fuse: {missing}: the person is not found, left out", file=sys.stderr)
    fused = aligner.fuse(views.found)
    for other in views.names_of(~fused.used):
        print(f"ddfa fuse: {other}: its shape differs too much from the other photos', left out", file=sys.stderr)
    chosen = views_for_texture(fused)
    placed = {views.numbers[view]: fused.faces[view] for view in chosen}
    texture = texture_of(images, placed, texture_size, delight=delight)
    written = write_fused(make_folder(output) / name, fused, texture, fused_record(views, fused, aligner.bundle))
    used = f"{int(fused.used.sum())} of {counted(len(views.names), 'image')}"
    print(f"{used} -> {', '.join(map(str, written))}")
    return OK


def _is_video(files: Sequence[Path]) -> bool:
    return len(files) == 1 and files[0].is_file() and files[0].suffix.lower() not in IMAGE_SUFFIXES


def _photos(files: Sequence[Path], output: Path, max_pixels: int) -> Images:
    photos = list_photos(files, output)
    return lambda: ((str(photo), read_image(photo, max_pixels)) for photo in photos)


def _frames(video: Path, every: int, max_pixels: int) -> Images:
    from ddfa.video.io.frames import open_video

    def frames() -> Iterable[tuple[str, UInt8]]:
        for frame in islice(open_video(video, max_pixels=max_pixels), 0, None, every):
            yield f"{video}, frame {frame.index}", frame.image

    return frames
