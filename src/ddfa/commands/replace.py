"""`ddfa replace`: one person's face on another's photo, video or camera picture."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from ddfa.align import FaceAligner
from ddfa.commands.counting import counted
from ddfa.errors import DDFAError, ImageError, OutputError
from ddfa.exit_codes import NOTHING_FOUND, OK
from ddfa.faces import Faces
from ddfa.images import IMAGE_SUFFIXES, read_image
from ddfa.provenance import check_image_path, write_synthetic
from ddfa.provenance.c2pa import C2paSigner
from ddfa.replace.replacer import Replacer, Shape
from ddfa.replace.source import Source, source_from_photos


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
) -> int:
    """Put the face of SOURCE on TARGET: ddfa replace SOURCE... TARGET -o OUT.

    Only with the consent of both people: docs/replace.md. Every output says in its metadata that it is synthetic. Exit
    code 0: done; 1: no face where one is needed, nothing is written; 2: something failed.

    Args:
        files: one or several photos of the source person, then the target: a photo, a video or the number of a camera.
        output: the file to write, .jpg or .png for a photo, .mp4 for a video.
        shape: whose head shape the new face has.
        face: which face of the target, the largest is 0; or all.
        source_face: which face of the source photos, the largest is 0.
        label: write "SYNTHETIC FACE" into the picture.
        c2pa: sign the output with a certificate and its key, PEM files (extra c2pa).
        model: folder or name of a model bundle; the shipped one by default.
        threads: CPU threads of the network; all by default.

    Returns:
        The exit code.
    """
    *sources, target = _checked(files)
    out = checked_output(output, [*sources, target])
    signer = None if c2pa is None else C2paSigner(*c2pa)
    chosen = parse_face(face)
    picture = Path(target).suffix.lower() in IMAGE_SUFFIXES
    if not picture:
        return _replace_video(sources, target, out, shape, chosen, source_face, label, signer, model, threads)
    check_image_path(out)
    image = read_image(target)
    aligner = FaceAligner(model, threads=threads)
    source = load_source(aligner, [Path(name) for name in sources], source_face)
    if source is None:
        return NOTHING_FOUND
    faces = choose(aligner(image, refine=True), chosen, target)
    if faces is None:
        return NOTHING_FOUND
    write_synthetic(out, Replacer(source, shape)(image, faces), label=label, signer=signer)
    print(f"{target}: {counted(len(faces), 'face')} replaced -> {out}")
    return OK


def _replace_video(
    sources: Sequence[str],
    target: str,
    out: Path,
    shape: Shape,
    chosen: int | None,
    source_face: int,
    label: bool,
    signer: C2paSigner | None,
    model: str | None,
    threads: int | None,
) -> int:
    from ddfa.provenance.video import SyntheticVideoWriter
    from ddfa.replace.video import LIMIT, VideoReplacer
    from ddfa.video.io.frames import open_video
    from ddfa.video.tracking.tracker import FaceTracker

    frames = open_video(target)
    aligner = FaceAligner(model, threads=threads)
    source = load_source(aligner, [Path(name) for name in sources], source_face)
    if source is None:
        return NOTHING_FOUND
    work = VideoReplacer(Replacer(source, shape, LIMIT), FaceTracker(aligner), chosen)
    with SyntheticVideoWriter(out, frames.size, frames.rate, sound=frames.sound, label=label, signer=signer) as writer:
        writer.keep = False  # until a face is replaced
        for image, moment in work.frames(frames):
            writer.keep = work.replaced > 0
            writer.write(image, moment)
    if not work.replaced:
        print(f"ddfa: {target} shows no face: choose another file", file=sys.stderr)
        return NOTHING_FOUND
    print(f"{target}: faces replaced in {work.replaced} of {writer.written} frames -> {out}")
    return OK


def load_source(aligner: FaceAligner, photos: Sequence[Path], index: int) -> Source | None:
    """The person in photos; None, and a line to stderr, if one of them shows no such face."""
    images = [read_image(photo) for photo in photos]
    faces = []
    for photo, image in zip(photos, images, strict=True):
        found = choose(aligner(image, refine=True), index, str(photo))
        if found is None:
            return None
        faces.append(found)
    return source_from_photos(images, faces)


def choose(faces: Faces, index: int | None, name: str) -> Faces | None:
    """One face, or all for None; None, and a line to stderr, if there is no such face."""
    if index is None and len(faces):
        return faces
    if index is not None and index < len(faces):
        return faces[index]
    seen = f"only {len(faces)} (0 is the largest)" if len(faces) else "no face"
    print(f"ddfa: {name} shows {seen}: choose another {'face or ' * bool(len(faces))}file", file=sys.stderr)
    return None


def parse_face(word: str) -> int | None:
    """The number of a face; None for all.

    Raises:
        DDFAError: neither.
    """
    if word == "all":
        return None
    if not word.isdecimal():
        raise DDFAError(f"--face takes a number from 0 on, or all, not '{word}'")
    return int(word)


def checked_output(output: Path | None, inputs: Sequence[str]) -> Path:
    """The output's path.

    Raises:
        OutputError: it is missing, is a folder or is one of the inputs.
    """
    if output is None:
        raise OutputError("name the file to write: -o OUT")
    if output.is_dir():
        raise OutputError(f"{output} is a folder: name the file to write, for instance {output / 'out.jpg'}")
    if any(Path(name).exists() and output.exists() and output.samefile(name) for name in inputs):
        raise OutputError(f"{output} is an input too: choose another output")
    if not output.absolute().parent.is_dir():
        raise OutputError(f"the folder {output.parent} does not exist: create it, or choose another")
    return output


def _checked(files: Sequence[str]) -> Sequence[str]:
    if len(files) < 2:
        raise ImageError("name the source and the target: ddfa replace SOURCE... TARGET -o OUT")
    return files
