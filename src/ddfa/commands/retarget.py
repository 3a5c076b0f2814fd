"""`ddfa retarget`: the open head with any texture, moved by the face of a video."""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from ddfa.align import FaceAligner
from ddfa.commands.replace import checked_output, choose
from ddfa.errors import ImageError
from ddfa.exit_codes import NOTHING_FOUND, OK
from ddfa.images import SyntheticImage, read_image
from ddfa.replace.retarget import PLAIN, TexturedHead
from ddfa.texture.unwrap import unwrap_texture


def retarget(
    files: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT")] = None,
    atlas: bool = False,
    over: bool = False,
    label: bool = False,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
) -> int:
    """Move a head by somebody's pose and expression: ddfa retarget PHOTO VIDEO -o OUT.

    Only with the consent of both people: docs/replace.md. The output says in its metadata that it is synthetic. Exit
    code 0: done; 1: no face in the photo or the video, nothing is written; 2: something failed.

    Args:
        files: a photo of the person the head shall look like, then the video, folder of pictures or number of a camera.
        output: the video to write, for instance .mp4.
        atlas: the first file is a texture on the open head's atlas, not a photo.
        over: draw the head over the video instead of before a plain ground.
        label: write "SYNTHETIC FACE" into the picture.
        model: folder or name of a model bundle; the shipped one by default.
        threads: CPU threads of the network; all by default.

    Returns:
        The exit code.
    """
    from ddfa.provenance.video import SyntheticVideoWriter
    from ddfa.video.io.frames import open_video
    from ddfa.video.tracking.tracker import FaceTracker

    if len(files) != 2:
        raise ImageError("name a photo and a video: ddfa retarget PHOTO VIDEO -o OUT")
    out = checked_output(output, files)
    image = read_image(files[0])
    aligner = FaceAligner(model, threads=threads)
    avatar = TexturedHead(aligner.head, image) if atlas else None
    if avatar is None:
        face = choose(aligner(image, refine=True), 0, files[0])
        if face is None:
            return NOTHING_FOUND
        avatar = TexturedHead(aligner.head, unwrap_texture(image, face).image, face.identity[0])
    frames, tracker, moved = open_video(files[1]), FaceTracker(aligner), 0
    with SyntheticVideoWriter(out, frames.size, frames.rate, sound=frames.sound, label=label) as writer:
        writer.keep = False  # until the head moves
        for frame in frames:
            synthetic = SyntheticImage(frame.image if over else np.full_like(frame.image, PLAIN))
            faces = [seen.faces for seen in tracker(frame) if seen.id == 0]
            for driver in faces:
                avatar.draw(synthetic, driver)
            moved += bool(faces)
            writer.keep = moved > 0
            writer.write(synthetic, frame.time)
    if not moved:
        print(f"ddfa: {files[1]} shows no face: choose another video", file=sys.stderr)
        return NOTHING_FOUND
    print(f"{files[1]}: the head moves in {moved} of {writer.written} frames -> {out}")
    return OK
