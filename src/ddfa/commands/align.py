"""`ddfa align`: 3D faces from photos, written to files."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.commands.camera import NO_CAMERA, CameraOptions
from ddfa.commands.counting import counted
from ddfa.commands.limits import ALL_FACES, LimitOptions
from ddfa.commands.messages import MESSAGES, MessageOptions, Messages, complain
from ddfa.commands.photos import KINDS_OPTION, first, list_photos
from ddfa.detect.boxes import BoxFile
from ddfa.draw.styles import OverlayStyle, parse_style
from ddfa.errors import DDFAError, DetectorError, DiskFullError, ImageError, OutputError
from ddfa.exit_codes import FAILED, NOTHING_FOUND, OK
from ddfa.export.face_files import FaceFiles, output_names
from ddfa.export.kinds import parse_kinds, require_modules
from ddfa.export.record import face_record
from ddfa.faces import Faces
from ddfa.files import make_folder
from ddfa.head.landmark_sets import LANDMARK_SETS
from ddfa.images import MAX_PIXELS, read_image
from ddfa.options import (
    Delight,
    DetectorName,
    Folder,
    KeepOccluders,
    Limit,
    MaxPixels,
    ModelName,
    OnnxDevice,
    Overwrite,
    Refine,
    Regions,
    Style,
    TextureSize,
    Threads,
)
from ddfa.progress import track

_DEFAULT_KINDS = "ply,obj,mat,txt,json,overlay"


def align(
    photos: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTO ...")]] = (),
    /,
    output: Folder = Path("outputs"),
    model: ModelName = None,
    detector: DetectorName = "yunet",
    refine: Refine = False,
    boxes: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    save: Annotated[str | None, KINDS_OPTION] = None,
    style: Style = "mesh+landmarks+pose",
    pose: Literal["photo", "neutral"] = "photo",
    expression: Literal["photo", "neutral"] = "photo",
    texture_size: TextureSize = 1024,
    delight: Delight = False,
    keep_occluders: KeepOccluders = False,
    landmarks: Annotated[str, tyro.conf.arg(metavar="SET")] = "ibug68",
    threads: Threads = None,
    device: OnnxDevice = "cpu",
    regions: Regions = True,
    max_pixels: MaxPixels = MAX_PIXELS,
    limit: Limit = 0,
    overwrite: Overwrite = True,
    messages: MessageOptions = MESSAGES,
    limits: LimitOptions = ALL_FACES,
    camera: CameraOptions = NO_CAMERA,
) -> int:
    """Find the faces of photos and write their 3D shape.

    By default every face gets NAME_0.ply, .obj, .mat, .txt and .json, every photo NAME_overlay.jpg; with --json, which
    prints one record per face (docs/outputs.md), no file is written without --save.
    Exit code 0: faces were found; 1: no photo shows a face; 2: a photo failed. The other photos are still processed.

    Args:
        photos: image files, folders (with their subfolders) or glob patterns.
        output: output folder; created if it does not exist.
        model: see `ddfa.options`, as for the other options without a description here.
        detector: finds the faces.
        refine: whether to regress twice.
        boxes: .bbox, .txt or .json file with face boxes, used instead of the detector.
        save: kinds of files, separated by commas; `kinds_help` lists them. None: `_DEFAULT_KINDS`.
        style: what the overlay shows.
        pose: neutral: meshes face the camera.
        expression: neutral: meshes have no expression.
        texture_size: of the texture.
        delight: of the texture.
        keep_occluders: of the texture.
        landmarks: set of landmarks in .pts and COCO files: ibug68, ibug51, five, wflw98 or mesh478.
        threads: of the networks.
        device: of the networks.
        regions: whether blendshapes are refined.
        max_pixels: of a photo.
        limit: of the photos.
        overwrite: whether files are replaced.
        messages: what is printed.
        limits: which of the detected faces are wanted.
        camera: of the photos.

    Returns:
        The exit code.
    """
    if not photos:
        raise ImageError("no photo given: ddfa align PHOTO...")
    photos = first(list_photos(photos, output), limit)
    chosen = save if save is not None else "" if messages.json else _DEFAULT_KINDS
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
        keep_occluders=keep_occluders,
        landmarks=landmarks,
        overwrite=overwrite,
        messages=messages,
        max_pixels=max_pixels,
    )
    faces, failures = 0, 0
    for photo, name in track(list(zip(photos, output_names(photos), strict=True)), "aligning"):
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
    if len(photos) > 1 and messages.prints_text:
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
    keep_occluders: bool
    landmarks: str
    overwrite: bool
    messages: Messages
    max_pixels: int

    def run(self, photo: Path, name: str) -> int:
        """Align one photo, write its files, print its line or records; returns the number of faces."""
        start = time.perf_counter()
        image = read_image(photo, self.max_pixels)
        given = None if self.boxes is None else self.boxes.boxes_of(photo)
        faces = self.aligner(image, boxes=None if given is None else given.boxes, refine=self.refine)
        if given is not None:
            faces = replace(faces, scores=given.scores)
        written = self._write(photo, name, image, faces)
        milliseconds = 1000 * (time.perf_counter() - start)
        if self.messages.json:
            for index in range(len(faces)):
                self.messages.result("", **face_record(faces, index, photo))
        else:
            files = f", {counted(len(written), 'file')}: {self.folder / name}_*" if written else ""
            self.messages.result(f"{photo}: {counted(len(faces), 'face')}, {milliseconds:.0f} ms{files}")
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
            keep_occluders=self.keep_occluders,
            with_material="texture" in self.kinds,
            style=self.style,
            landmarks=self.landmarks,
        )
        return files.write_all(self.kinds, self.folder / name, overwrite=self.overwrite)


def _read_box_file(path: Path | None, photos: Sequence[Path]) -> BoxFile | None:
    if path is None:
        return None
    file = BoxFile(path)
    if file.is_for_one_photo and len(photos) > 1:
        raise DetectorError(
            f"{path} holds boxes for one photo, not {len(photos)}: use a JSON file with a list per photo"
        )
    return file


def _complain(photo: Path, message: str) -> None:
    """Print one line to stderr that names the photo."""
    complain("align", message if str(photo) in message else f"{photo}: {message}")
