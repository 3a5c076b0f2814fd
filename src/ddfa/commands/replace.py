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
from ddfa.replace.likeness import Likeness
from ddfa.replace.replacer import Replacer, share_of_shape
from ddfa.replace.source import load_source, select_face


def replace(
    files: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT")] = None,
    shape: Annotated[str, tyro.conf.arg(metavar="source|target|blend|0..1")] = "blend",
    face: Annotated[str, tyro.conf.arg(metavar="ID|all|PHOTO")] = "0",
    source_face: Annotated[int, tyro.conf.arg(metavar="ID")] = 0,
    limit: Annotated[int, tyro.conf.arg(metavar="N")] = 0,
    label: bool = False,
    c2pa: Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="CERT KEY")] = None,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    limits: LimitOptions = ALL_FACES,
) -> int:
    """Replace the face of TARGET by that of SOURCE: ddfa replace SOURCE... TARGET -o OUT.

    Only with the consent of both people: docs/replace.md. The metadata of every output mark it as synthetic. Exit code
    0: done; 1: a photo or the video shows no such face, or a result below --min-quality is expected, nothing is
    written; 2: something failed.

    Args:
        files: one or more photos of the source person, then the target: a photo, a video or the number of a camera.
        output: the file to write: .jpg or .png for a photo, .mp4 for a video.
        shape: whose head shape the new face has: source, target, blend, or the share of the source's from 0 to 1.
        face: which face of the target to replace, 0 is the largest; or all; or a photo of the person to replace, who is
            recognised by the colours of face and hair.
        source_face: which face of the source photos to use, 0 is the largest.
        limit: replace only in the first N frames of a video; 0 for all.
        label: write "SYNTHETIC FACE" into the image.
        c2pa: sign the output with a certificate and its key, PEM files (extra c2pa).
        model: folder or name of a model bundle; the shipped one by default.
        threads: CPU threads of the network; all by default.
        max_pixels: maximum width times height of a photo or frame; larger ones are refused before they are decoded.
        limits: which of the detected faces are counted, in sources and target; --min-quality also refuses pairs of
            which a worse result is expected (docs/replace.md).

    Returns:
        The exit code.
    """
    if len(files) < 2:
        raise ImageError("name the source and the target: ddfa replace SOURCE... TARGET -o OUT")
    *photos, target = files
    out = checked_output(output, files)
    signer = None if c2pa is None else C2paSigner(*c2pa)
    chosen, share = parse_face(face), share_of_shape(shape)
    if limit < 0:
        raise DDFAError(f"--limit {limit}: give 0 for all frames, or a positive number")
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
        who = Likeness.of(aligner, chosen, max_pixels) if isinstance(chosen, Path) else chosen
        if target_is_image:
            found = aligner(image, refine=True)
            faces = who.select(image, found, target) if isinstance(who, Likeness) else select_face(found, who, target)
            replacer = Replacer(source, share)
            expected = [replacer.suitability(image, faces.single(k)) for k in range(len(faces))]
            worst = min(expected, key=lambda each: each.score)
            worst.require(limits.min_quality)
            write_synthetic(out, replacer(image, faces), label=label, signer=signer)
            done = f"{counted(len(faces), 'face')} replaced, {worst}"
        else:
            from ddfa.commands.frame_progress import with_progress
            from ddfa.replace.video import LIMIT, VideoReplacer, write_edited
            from ddfa.video.tracking.tracker import FaceTracker

            work = VideoReplacer(Replacer(source, share, LIMIT), FaceTracker(aligner), who, limits.min_quality)
            written = write_edited(
                out,
                frames,
                work,
                label=label,
                signer=signer,
                limit=limit,
                progress=lambda shown: with_progress(shown, frames, limit, "replacing"),
            )
            done = f"faces replaced in {work.replaced} of {written} frames"
    except NoFaceError as error:
        print(f"ddfa: {error}", file=sys.stderr)
        return NOTHING_FOUND
    print(f"{target}: {done} -> {out}")
    return OK


def parse_face(word: str) -> int | Path | None:
    """Parse the number of a face, the path of a photo, or "all", which is returned as None.

    Raises:
        DDFAError: it is neither.
    """
    if word == "all":
        return None
    if Path(word).suffix.lower() in IMAGE_SUFFIXES:
        return Path(word)
    if not word.isdecimal():
        raise DDFAError(f"--face is a number from 0, all, or a photo of the person, not '{word}'")
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
