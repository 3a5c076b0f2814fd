"""`ddfa align`: 3D faces from photos, written to files."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.commands.camera import NO_CAMERA, CameraOptions
from ddfa.commands.counting import counted
from ddfa.commands.limits import ALL_FACES, LimitOptions, MaxPixels
from ddfa.commands.photos import list_photos
from ddfa.detect.boxes import BoxFile
from ddfa.draw.styles import OverlayStyle, parse_style
from ddfa.errors import DDFAError, DetectorError, DiskFullError, ImageError, OutputError, one_line
from ddfa.exit_codes import FAILED, NOTHING_FOUND, OK
from ddfa.export.face_files import FaceFiles, output_names
from ddfa.export.kinds import kinds_help, parse_kinds, require_modules
from ddfa.export.record import face_record
from ddfa.faces import Faces
from ddfa.files import make_folder
from ddfa.head.landmark_sets import LANDMARK_SETS
from ddfa.images import MAX_PIXELS, read_image
from ddfa.sessions import Device

_DEFAULT_KINDS = "ply,obj,mat,txt,json,overlay"
_PROGRESS_FROM = 2  # photos


def align(
    photos: tyro.conf.Positional[tuple[Path, ...]] = (),
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = Path("outputs"),
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    detector: Annotated[str, tyro.conf.arg(metavar="NAME")] = "yunet",
    refine: bool = False,
    boxes: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    save: Annotated[
        str | None, tyro.conf.arg(metavar="KINDS", help=f"{kinds_help()} By default {_DEFAULT_KINDS}.")
    ] = None,
    style: Annotated[str, tyro.conf.arg(metavar="STYLES")] = "mesh+landmarks+pose",
    pose: Literal["photo", "neutral"] = "photo",
    expression: Literal["photo", "neutral"] = "photo",
    texture_size: Annotated[int, tyro.conf.arg(metavar="N")] = 1024,
    delight: bool = False,
    landmarks: Annotated[str, tyro.conf.arg(metavar="SET")] = "ibug68",
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    device: Device = "cpu",
    regions: bool = True,
    json_lines: Annotated[bool, tyro.conf.arg(name="json")] = False,
    quiet: bool = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    limits: LimitOptions = ALL_FACES,
    camera: CameraOptions = NO_CAMERA,
) -> int:
    """Find the faces of photos and write their 3D shape.

    By default every face gets NAME_0.ply, .obj, .mat, .txt and .json (docs/outputs.md), every photo NAME_overlay.jpg.
    Exit code 0: faces were found; 1: no photo shows a face; 2: a photo failed. The other photos are still processed.

    Args:
        photos: image files, folders (with their subfolders) or glob patterns.
        output: output folder; created if it does not exist.
        model: folder or name of a model bundle; the shipped one by default.
        detector: yunet; yunet:exact, which searches every part of the photo and is slower; dlib; or dlib:FILE.dat for
            boxes with 68 landmarks.
        refine: regress twice, the second time on a crop around the first landmarks: slower, more accurate.
        boxes: .bbox, .txt or .json file with face boxes, used instead of the detector.
        save: kinds of files, separated by commas; `kinds_help` lists them. None: `_DEFAULT_KINDS`.
        style: what the overlay shows, joined by "+": landmarks, mesh, wireframe, pose, depth, normals, pncc, uv,
            regions.
        pose: neutral: meshes face the camera.
        expression: neutral: meshes have no expression.
        texture_size: side of the texture in px, 64 to 4096.
        delight: remove shading from the texture.
        landmarks: set of landmarks in .pts and COCO files: ibug68, ibug51, five, wflw98 or mesh478.
        threads: CPU threads of the network; all by default.
        device: cpu, or cuda, which needs onnxruntime-gpu instead of onnxruntime.
        regions: refine the blendshapes with region networks, which read eyes and mouth at the resolution of the photo.
        json_lines: print one JSON record per face to stdout (docs/outputs.md) instead of one line per photo; files are
            then written only with --save.
        quiet: print errors only.
        max_pixels: maximum width times height of a photo; larger ones are refused before they are decoded.
        limits: which of the detected faces are wanted.
        camera: of the photos.

    Returns:
        The exit code.
    """
    if not photos:
        raise ImageError("no photo given: ddfa align PHOTO...")
    photos = tuple(list_photos(photos, output))
    chosen = save if save is not None else "" if json_lines else _DEFAULT_KINDS
    kinds, overlay_style = parse_kinds(chosen, optional=save is None), parse_style(style)
    if not 64 <= texture_size <= 4096:
        raise OutputError(f"--texture-size {texture_size}: choose 64 to 4096 px")
    if landmarks not in LANDMARK_SETS:
        raise OutputError(f"--landmarks {landmarks}: choose one of {', '.join(LANDMARK_SETS)}")
    require_modules(kinds)
    box_file = _read_box_file(boxes, photos)
    aligner = FaceAligner(
        model, None if box_file else detector, threads, device, regions, **asdict(limits), camera=camera.camera()
    )
    job = _Job(
        aligner=aligner,
        refine=refine,
        boxes=box_file,
        kinds=kinds,
        folder=make_folder(output) if kinds else output,
        style=overlay_style,
        without_pose=pose == "neutral",
        without_expression=expression == "neutral",
        texture_size=texture_size,
        delight=delight,
        landmarks=landmarks,
        json_lines=json_lines,
        quiet=quiet,
        max_pixels=max_pixels,
    )
    faces, failures = 0, 0
    named = list(zip(photos, output_names(photos), strict=True))
    for photo, name in named if quiet else _with_progress(named):
        try:
            faces += job.run(photo, name)
        except DiskFullError:
            raise
        except DDFAError as error:
            failures += 1
            _complain(photo, str(error))
        except BrokenPipeError:  # the reader of stdout has closed it
            raise
        except Exception as error:  # no error of one photo may stop the others
            failures += 1
            _complain(photo, f"unexpected {type(error).__name__}: {error}; please report it with this photo")
    if len(photos) > 1 and not (quiet or json_lines):
        written = f" -> {output}" if kinds else ""
        print(f"{len(photos)} photos, {counted(faces, 'face')}, {failures} failed{written}")
    if failures:
        return FAILED
    return OK if faces else NOTHING_FOUND


@dataclass(frozen=True)
class _Job:
    """The settings applied to every photo."""

    aligner: FaceAligner
    refine: bool
    boxes: BoxFile | None
    kinds: tuple[str, ...]
    folder: Path
    style: OverlayStyle
    without_pose: bool
    without_expression: bool
    texture_size: int
    delight: bool
    landmarks: str
    json_lines: bool
    quiet: bool
    max_pixels: int

    def run(self, photo: Path, name: str) -> int:
        """Align one photo, write its files, print its line or records; returns the number of faces."""
        image = read_image(photo, self.max_pixels)
        given = None if self.boxes is None else self.boxes.boxes_of(photo)
        start = time.perf_counter()
        faces = self.aligner(image, boxes=None if given is None else given.boxes, refine=self.refine)
        if given is not None:
            faces = replace(faces, scores=given.scores)
        written = self._write(photo, name, image, faces)
        milliseconds = 1000 * (time.perf_counter() - start)
        if self.json_lines:
            for index in range(len(faces)):
                record = face_record(faces, index, photo)
                print(json.dumps(record, ensure_ascii=False, separators=(",", ":")), flush=True)
        elif not self.quiet:
            files = f", {counted(len(written), 'file')}: {self.folder / name}_*" if written else ""
            print(f"{photo}: {counted(len(faces), 'face')}, {milliseconds:.0f} ms{files}", flush=True)
        return len(faces)

    def _write(self, photo: Path, name: str, image: UInt8, faces: Faces) -> list[Path]:
        """Write the files of a photo; a photo without a face gets none."""
        if not len(faces) or not self.kinds:
            return []
        changed = self.without_pose or self.without_expression
        files = FaceFiles(
            faces,
            image,
            photo,
            shown=faces.without(pose=self.without_pose, expression=self.without_expression) if changed else None,
            texture_size=self.texture_size,
            delight=self.delight,
            with_material="texture" in self.kinds,
            style=self.style,
            landmarks=self.landmarks,
        )
        return files.write_all(self.kinds, self.folder / name)


def _read_box_file(path: Path | None, photos: Sequence[Path]) -> BoxFile | None:
    if path is None:
        return None
    file = BoxFile(path)
    if file.is_for_one_photo and len(photos) > 1:
        raise DetectorError(
            f"{path} holds boxes for one photo, not {len(photos)}: use a JSON file with a list per photo"
        )
    return file


def _with_progress(items: Sequence[tuple[Path, str]]) -> Iterable[tuple[Path, str]]:
    """Show a progress bar on a terminal if there are many photos."""
    if len(items) < _PROGRESS_FROM or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description="aligning", console=Console(stderr=True), transient=True)


def _complain(photo: Path, message: str) -> None:
    """Print one line to stderr that names the photo."""
    named = message if str(photo) in message else f"{photo}: {message}"
    print(f"ddfa align: {one_line(named)}", file=sys.stderr, flush=True)
