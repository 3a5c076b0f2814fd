"""`ddfa replace`: replace a face in a photo, a video or the frames of a camera."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from ddfa import __version__
from ddfa.align import FaceAligner
from ddfa.commands.counting import counted
from ddfa.commands.limits import ALL_FACES, LimitOptions
from ddfa.commands.messages import MESSAGES, MessageOptions, complain
from ddfa.commands.part import WHOLE, PartOptions
from ddfa.commands.source_words import SourceWords, names_pair, parse_sources
from ddfa.errors import ImageError, NoFaceError, OutputError
from ddfa.exit_codes import NOTHING_FOUND, OK
from ddfa.files import check_existing, parts_folder, read_file
from ddfa.images import IMAGE_SUFFIXES, MAX_PIXELS, read_image
from ddfa.options import Label, MaxPixels, MaybeFile, ModelName, Overwrite, Threads
from ddfa.provenance import check_image_path, write_synthetic
from ddfa.provenance.c2pa import C2paSigner
from ddfa.regress.bundle import MODEL_FILE
from ddfa.replace.likeness import Likeness
from ddfa.replace.pairs import Pair, draw_pairs, expected_quality, select_pairs
from ddfa.replace.replacer import Replacer, share_of_shape
from ddfa.replace.source import load_source


def replace(
    files: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="SOURCE ... TARGET")]] = (),
    /,
    output: MaybeFile = None,
    shape: Annotated[str, tyro.conf.arg(metavar="source|target|blend|0..1")] = "blend",
    face: Annotated[str | None, tyro.conf.arg(metavar="ID|all|PHOTO")] = None,
    source_face: Annotated[int, tyro.conf.arg(metavar="ID")] = 0,
    part: PartOptions = WHOLE,
    label: Label = False,
    c2pa: Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="CERT KEY")] = None,
    model: ModelName = None,
    threads: Threads = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    overwrite: Overwrite = True,
    messages: MessageOptions = MESSAGES,
    limits: LimitOptions = ALL_FACES,
) -> int:
    """Replace the face of TARGET by that of SOURCE: ddfa replace SOURCE[:WHO]... TARGET -o OUT.

    Only with the consent of all people concerned: docs/replace.md. The metadata of every output mark it as synthetic.
    Exit code 0: done; 1: a photo or the video shows no such face, or a result below --min-quality is expected, nothing
    is written; 2: something failed. An interrupted run on a video file continues if the same command is given again.

    Args:
        files: one or more photos of the source person, then the target: a photo, a video or the number of a camera.
            For several people, each source photo names whom it replaces: anna.jpg:0 bob.jpg:carl.jpg dora.jpg:all;
            photos with the same WHO show one person, and group.jpg#1 is the second largest face of a source photo.
        output: the file to write: .jpg or .png for a photo, .mp4 for a video.
        shape: whose head shape the new face has: source, target, blend, or the share of the source's from 0 to 1.
        face: WHO if the sources do not name it: a face of the target, 0 is the largest (default); or all, that is
            everybody whom no other source replaces; or a photo of the person to replace, who is recognised by the
            colours of face and hair.
        source_face: which face of the source photos to use, 0 is the largest.
        part: of the target, a video; see `ddfa.options`, as for the other options without a description here.
        label: whether "SYNTHETIC FACE" is written.
        c2pa: sign the output with a certificate and its key, PEM files (extra c2pa).
        model: of the network.
        threads: of the network.
        max_pixels: of a photo or frame.
        overwrite: whether a file is replaced.
        messages: what is printed.
        limits: which of the detected faces are counted, in sources and target; --min-quality also refuses pairs of
            which a worse result is expected (docs/replace.md).

    Returns:
        The exit code.
    """
    if len(files) < 2:
        raise ImageError("name the source and the target: ddfa replace SOURCE... TARGET -o OUT")
    *words, target = files
    people, share = parse_sources(words, face, source_face), share_of_shape(shape)
    if names_pair(target):
        raise ImageError(f"{target}: the target comes last and is only a file: write SOURCE:WHO before it")
    out = checked_output(output, [*files, *(str(photo) for person in people for photo in person.photos)])
    signer = None if c2pa is None else C2paSigner(*c2pa)
    check_existing(overwrite or parts_folder(out).is_dir(), [out])  # an interrupted run has written it
    target_is_image = Path(target).suffix.lower() in IMAGE_SUFFIXES
    if target_is_image:
        part.for_photos()
        check_image_path(out)
        image = read_image(target, max_pixels)
    else:
        frames = part.open(target, max_pixels=max_pixels)
    aligner = FaceAligner(model, threads=threads, **asdict(limits))
    try:
        if target_is_image:
            pairs = [_pair(aligner, person, share, max_pixels) for person in people]
            chosen = select_pairs(image, aligner(image, refine=True), pairs, target)
            worst = expected_quality(image, chosen)
            worst.require(limits.min_quality)
            write_synthetic(out, draw_pairs(image, chosen), label=label, signer=signer)
            done = f"{counted(len(chosen), 'face')} replaced, {worst}"
        else:
            from ddfa.commands.frame_progress import with_progress
            from ddfa.replace.resume import Marks, write_resumable
            from ddfa.replace.video import LIMIT, VideoReplacer, write_edited
            from ddfa.video.tracking.tracker import FaceTracker

            pairs = [_pair(aligner, person, share, max_pixels, LIMIT) for person in people]
            work = VideoReplacer(pairs, FaceTracker(aligner), limits.min_quality)
            shown = partial(with_progress, source=frames, description="replacing")
            if Path(target).is_file():
                settings = _settings(Path(target), people, aligner, (share, label, asdict(part), asdict(limits)))
                continues = partial(_continues, out)
                written = write_resumable(out, frames, work, settings, Marks(label, signer), shown, continues)
            else:
                written = write_edited(out, frames, work, label=label, signer=signer, progress=shown)
            for name in work.unused:
                complain("replace", f"{name} replaces nobody in {target}")
            done = f"faces replaced in {work.replaced} of {written} frames"
    except NoFaceError as error:
        complain("replace", str(error))
        return NOTHING_FOUND
    messages.result(f"{target}: {done} -> {out}", target=target, result=done, output=str(out))
    return OK


def _pair(aligner: FaceAligner, person: SourceWords, share: float, max_pixels: int, limit: int | None = None) -> Pair:
    """Read the photos of one source, and whom it replaces."""
    source = load_source(aligner, person.photos, person.faces, max_pixels)
    who = Likeness.of(aligner, person.who, max_pixels) if isinstance(person.who, Path) else person.who
    return Pair(Replacer(source, share) if limit is None else Replacer(source, share, limit), who, person.name)


def _continues(out: Path, done: int) -> None:
    if done:
        complain("replace", f"{counted(done, 'frame')} of an earlier run are kept: {parts_folder(out)}")


def _settings(target: Path, people: list[SourceWords], aligner: FaceAligner, options: Any) -> dict[str, Any]:
    """What the frames of a video depend on: an interrupted run is continued only if they are the same."""
    import av

    from ddfa.replace.resume import video_id

    def digest(photo: Path) -> str:
        return hashlib.sha256(read_file(photo, ImageError)).hexdigest()

    sources = [
        {
            "photos": [[digest(photo), face] for photo, face in zip(person.photos, person.faces, strict=True)],
            "replaces": digest(person.who) if isinstance(person.who, Path) else person.who,
        }
        for person in people
    ]
    versions = {"ddfa": __version__, "av": av.__version__, "model": aligner.bundle.files[MODEL_FILE]}
    return {"video": video_id(target), "sources": sources, "options": options, "versions": versions}


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
