"""`ddfa retarget`: animate a textured head by the face of a video."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tyro

from ddfa.align import FaceAligner
from ddfa.commands.limits import ALL_FACES, LimitOptions, MaxPixels
from ddfa.commands.replace import checked_output
from ddfa.errors import ImageError, NoFaceError
from ddfa.exit_codes import NOTHING_FOUND, OK
from ddfa.images import MAX_PIXELS, read_image
from ddfa.replace.retarget import TexturedHead, VideoRetargeter
from ddfa.replace.source import select_face


def retarget(
    files: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT")] = None,
    atlas: bool = False,
    over: bool = False,
    label: bool = False,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    limits: LimitOptions = ALL_FACES,
) -> int:
    """Animate a head by the pose and expression of a face in a video: ddfa retarget PHOTO VIDEO -o OUT.

    Only with the consent of both people: docs/replace.md. The metadata of the output mark it as synthetic. Exit code 0:
    done; 1: the photo or the video shows no face, nothing is written; 2: something failed.

    Args:
        files: a photo of the person the head should look like, then a video, a folder of images or the number of a
            camera.
        output: the video to write, for instance .mp4.
        atlas: the first file is a texture in the open head's UV layout, not a photo.
        over: draw the head over the video instead of on a plain background.
        label: write "SYNTHETIC FACE" into every frame.
        model: folder or name of a model bundle; the shipped one by default.
        threads: CPU threads of the network; all by default.
        max_pixels: maximum width times height of the photo or a frame; larger ones are refused before they are decoded.
        limits: which of the detected faces are counted.

    Returns:
        The exit code.
    """
    from ddfa.replace.video import write_edited
    from ddfa.video.io.frames import open_video
    from ddfa.video.tracking.tracker import FaceTracker

    if len(files) != 2:
        raise ImageError("name a photo and a video: ddfa retarget PHOTO VIDEO -o OUT")
    out = checked_output(output, files)
    image = read_image(files[0], max_pixels)
    aligner = FaceAligner(model, threads=threads, **asdict(limits))
    try:
        if atlas:
            head = TexturedHead(aligner.head, image)
        else:
            head = TexturedHead.from_photo(image, select_face(aligner(image, refine=True), 0, files[0]))
        work = VideoRetargeter(head, FaceTracker(aligner), over=over)
        written = write_edited(out, open_video(files[1], max_pixels=max_pixels), work, label=label)
    except NoFaceError as error:
        print(f"ddfa: {error}", file=sys.stderr)
        return NOTHING_FOUND
    print(f"{files[1]}: the head moves in {work.replaced} of {written} frames -> {out}")
    return OK
