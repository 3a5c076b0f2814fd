"""`ddfa replace`: replace a face in a photo, a video or the frames of a camera."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tyro

from ddfa.align import FaceAligner
from ddfa.commands.counting import counted
from ddfa.commands.limits import ALL_FACES, LimitOptions, MaxPixels
from ddfa.errors import DDFAError, ImageError, NoFaceError, OutputError
from ddfa.exit_codes import NOTHING_FOUND, OK
from ddfa.images import IMAGE_SUFFIXES, MAX_PIXELS, read_image
from ddfa.provenance import check_image_path, write_synthetic
from ddfa.provenance.c2pa import C2paSigner
from ddfa.replace.replacer import Replacer, Shape
from ddfa.replace.source import load_source, select_face


def replace(
    files: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT")] = None,
    shape: Shape = "blend",
    face: Annotated[str, tyro.conf.arg(metavar="ID|all")] = "0",
    source_face: Annotated[int, tyro.conf.arg(metavar="ID")] = 0,
    label: bool = False,
    c2pa: Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="CERT KEY")] = None,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    limits: LimitOptions = ALL_FACES,
) -> int:
    """Replace the face of TARGET by that of SOURCE: ddfa replace SOURCE... TARGET -o OUT.

    Only with the consent of both people: docs/replace.md. The metadata of every output mark it as synthetic. Exit code
    0: done; 1: a photo or the video shows no such face, nothing is written; 2: something failed.

    Args:
        files: one or more photos of the source person, then the target: a photo, a video or the number of a camera.
        output: the file to write: .jpg or .png for a photo, .mp4 for a video.
        shape: whose head shape the new face has.
        face: which face of the target to replace, 0 is the largest; or all.
        source_face: which face of the source photos to use, 0 is the largest.
        label: write "SYNTHETIC FACE" into the image.
        c2pa: sign the output with a certificate and its key, PEM files (extra c2pa).
        model: folder or name of a model bundle; the shipped one by default.
        threads: CPU threads of the network; all by default.
        max_pixels: maximum width times height of a photo or frame; larger ones are refused before they are decoded.
        limits: which of the detected faces are counted, in sources and target.

    Returns:
        The exit code.
    """
    if len(files) < 2:
        raise ImageError("name the source and the target: ddfa replace SOURCE... TARGET -o OUT")
    *photos, target = files
    out = checked_output(output, files)
    signer = None if c2pa is None else C2paSigner(*c2pa)
    chosen = parse_face(face)
    target_is_image = Path(target).suffix.lower() in IMAGE_SUFFIXES
    if target_is_image:
        check_image_path(out)
        image = read_image(target, max_pixels)
    else:
        from ddfa.video.io.frames import open_video

        frames = open_video(target, max_pixels=max_pixels)
    aligner = FaceAligner(model, threads=threads, **asdict(limits))
    try:
        source = load_source(aligner, [Path(name) for name in photos], source_face, max_pixels)
        if target_is_image:
            faces = select_face(aligner(image, refine=True), chosen, target)
            write_synthetic(out, Replacer(source, shape)(image, faces), label=label, signer=signer)
            done = f"{counted(len(faces), 'face')} replaced"
        else:
            from ddfa.replace.video import LIMIT, VideoReplacer, write_edited
            from ddfa.video.tracking.tracker import FaceTracker

            work = VideoReplacer(Replacer(source, shape, LIMIT), FaceTracker(aligner), chosen)
            written = write_edited(out, frames, work, label=label, signer=signer)
            done = f"faces replaced in {work.replaced} of {written} frames"
    except NoFaceError as error:
        print(f"ddfa: {error}", file=sys.stderr)
        return NOTHING_FOUND
    print(f"{target}: {done} -> {out}")
    return OK


def parse_face(word: str) -> int | None:
    """Parse the number of a face, or "all", which is returned as None.

    Raises:
        DDFAError: it is neither.
    """
    if word == "all":
        return None
    if not word.isdecimal():
        raise DDFAError(f"--face is a number from 0, or all, not '{word}'")
    return int(word)


def checked_output(output: Path | None, inputs: Sequence[str]) -> Path:
    """Check the path of the output.

    Raises:
        OutputError: it is missing, a folder, in a folder that does not exist, or one of the inputs.
    """
    if output is None:
        raise OutputError("name the file to write: -o OUT")
    if output.is_dir():
        raise OutputError(f"{output} is a folder: name the file to write, for instance {output / 'out.jpg'}")
    if any(Path(name).exists() and output.exists() and output.samefile(name) for name in inputs):
        raise OutputError(f"{output} is also an input: choose another output")
    if not output.absolute().parent.is_dir():
        raise OutputError(f"the folder {output.parent} does not exist: create it, or choose another")
    return output
