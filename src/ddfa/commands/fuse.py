"""`ddfa fuse`: one head from several photos or a video of a person."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.commands.counting import counted
from ddfa.commands.limits import ALL_FACES, LimitOptions
from ddfa.commands.messages import MESSAGES, MessageOptions, complain
from ddfa.commands.part import WHOLE, Part, PartOptions
from ddfa.commands.photos import first, list_photos
from ddfa.errors import DDFAError, ImageError, NoFaceError, OutputError
from ddfa.exit_codes import NOTHING_FOUND, OK
from ddfa.files import check_existing, make_folder
from ddfa.images import IMAGE_SUFFIXES, MAX_PIXELS, read_image
from ddfa.one_person import Images, find_person, fused_files, fused_record, texture_of, views_for_texture, write_fused
from ddfa.options import Delight, Every, Folder, KeepOccluders, MaxPixels, ModelName, Overwrite, TextureSize, Threads
from ddfa.progress import Bar, track


def fuse(
    files: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTO ... | VIDEO")]] = (),
    /,
    output: Folder = Path("outputs"),
    name: Annotated[str, tyro.conf.arg(metavar="NAME")] = "fused",
    face: Annotated[int, tyro.conf.arg(metavar="ID")] = 0,
    every: Every = 10,
    part: PartOptions = WHOLE,
    texture_size: TextureSize = 1024,
    delight: Delight = False,
    keep_occluders: KeepOccluders = False,
    model: ModelName = None,
    threads: Threads = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    overwrite: Overwrite = True,
    messages: MessageOptions = MESSAGES,
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
        every: of the frames of a video; see `ddfa.options`, as for the other options without a description here.
        part: of the video; its limit also counts photos.
        texture_size: of the texture.
        delight: of the texture.
        keep_occluders: of the texture.
        model: of the network.
        threads: of the network.
        max_pixels: of a photo or frame.
        overwrite: whether files are replaced.
        messages: what is printed.
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
    stem = output / name
    check_existing(overwrite, fused_files(stem))
    from_video = _is_video(files)
    if not from_video:
        part.for_photos()
    images = _frames(files[0], every, part, max_pixels) if from_video else _photos(files, output, part, max_pixels)
    aligner = FaceAligner(model, threads=threads, **asdict(limits))
    aligner.head.require_arkit("ddfa fuse")
    try:
        views = find_person(aligner, images, face, trusting=not from_video)
    except NoFaceError as error:
        complain("fuse", str(error))
        return NOTHING_FOUND
    for missing in views.missing:
        complain("fuse", f"{missing}: the person is not found, left out")
    fused = aligner.fuse(views.found)
    for other in views.names_of(~fused.used):
        complain("fuse", f"{other}: its shape differs too much from the other photos', left out")
    chosen = views_for_texture(fused)
    placed = {views.numbers[view]: fused.faces[view] for view in chosen}
    with Bar("texture and files"):
        texture = texture_of(images, placed, texture_size, delight=delight, keep_occluders=keep_occluders)
        make_folder(output)
        written = write_fused(stem, fused, texture, fused_record(views, fused, aligner.bundle))
    used, seen = int(fused.used.sum()), len(views.names)
    text = f"{used} of {counted(seen, 'image')} -> {', '.join(map(str, written))}"
    messages.result(text, images=seen, used=used, files=list(map(str, written)))
    return OK


def _is_video(files: Sequence[Path]) -> bool:
    return len(files) == 1 and files[0].is_file() and files[0].suffix.lower() not in IMAGE_SUFFIXES


def _photos(files: Sequence[Path], output: Path, part: Part, max_pixels: int) -> Images:
    photos = first(list_photos(files, output), part.limit)
    return lambda: ((str(photo), read_image(photo, max_pixels)) for photo in track(photos, "aligning"))


def _frames(video: Path, every: int, part: Part, max_pixels: int) -> Images:
    def frames() -> Iterable[tuple[str, UInt8]]:
        source = part.open(video, max_pixels=max_pixels)
        for frame in islice(track(source, "aligning", source.count), 0, None, every):
            yield f"{video}, frame {frame.index}", frame.image

    return frames
