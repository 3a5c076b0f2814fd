"""`ddfa retarget`: animate a textured head by the face of a video."""

from dataclasses import asdict
from typing import Annotated

import tyro

from ddfa.align import FaceAligner
from ddfa.commands.limits import ALL_FACES, LimitOptions
from ddfa.commands.messages import MESSAGES, MessageOptions, complain
from ddfa.commands.part import WHOLE, PartOptions
from ddfa.commands.replace import checked_output
from ddfa.errors import ImageError, NoFaceError
from ddfa.exit_codes import NOTHING_FOUND, OK
from ddfa.files import check_existing
from ddfa.images import MAX_PIXELS, read_image
from ddfa.options import Label, MaxPixels, MaybeFile, ModelName, Overwrite, Threads
from ddfa.replace.retarget import TexturedHead, VideoRetargeter
from ddfa.replace.source import select_face


def retarget(
    files: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="PHOTO VIDEO")]] = (),
    /,
    output: MaybeFile = None,
    atlas: bool = False,
    over: bool = False,
    part: PartOptions = WHOLE,
    label: Label = False,
    model: ModelName = None,
    threads: Threads = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    overwrite: Overwrite = True,
    messages: MessageOptions = MESSAGES,
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
        part: of the video; see `ddfa.options`, as for the other options without a description here.
        label: whether "SYNTHETIC FACE" is written.
        model: of the network.
        threads: of the network.
        max_pixels: of the photo or a frame.
        overwrite: whether a file is replaced.
        messages: what is printed.
        limits: which of the detected faces are counted.

    Returns:
        The exit code.
    """
    from ddfa.commands.frame_progress import with_progress
    from ddfa.replace.video import write_edited
    from ddfa.video.tracking.tracker import FaceTracker

    if len(files) != 2:
        raise ImageError("name a photo and a video: ddfa retarget PHOTO VIDEO -o OUT")
    out = checked_output(output, files)
    check_existing(overwrite, [out])
    image = read_image(files[0], max_pixels)
    aligner = FaceAligner(model, threads=threads, **asdict(limits))
    try:
        if atlas:
            head = TexturedHead(aligner.head, image)
        else:
            head = TexturedHead.from_photo(image, select_face(aligner(image, refine=True), 0, files[0]))
        work = VideoRetargeter(head, FaceTracker(aligner), over=over)
        frames = part.open(files[1], max_pixels=max_pixels)
        written = write_edited(
            out, frames, work, label=label, progress=lambda shown: with_progress(shown, frames, "animating")
        )
    except NoFaceError as error:
        complain("retarget", str(error))
        return NOTHING_FOUND
    text = f"{files[1]}: the head moves in {work.replaced} of {written} frames -> {out}"
    messages.result(text, source=files[1], frames=written, moving=work.replaced, output=str(out))
    return OK
