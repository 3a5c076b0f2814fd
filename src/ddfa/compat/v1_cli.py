"""The command line of original 3DDFA V1: `python3 main.py -f photo.jpg`.

Options, file names and console lines are those of the original; docs/outputs.md lists the files whose content differs.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.compat.v1_figures import draw_landmark_figure, draw_pose_boxes
from ddfa.detect import Detections, Detector, default_detector
from ddfa.detect.boxes import original_bbox_path, read_boxes
from ddfa.errors import DDFAError, DetectorError, one_line
from ddfa.exit_codes import FAILED, NOTHING_FOUND, OK
from ddfa.export import FaceFiles, sample_colours, write_obj, write_ply, write_roi
from ddfa.faces import Faces
from ddfa.images import read_image, write_image
from ddfa.raster.maps import FaceMaps, original_depth

_DLIB_LANDMARKS: Final = Path("models/shape_predictor_68_face_landmarks.dat")
_TRUE: Final = ("yes", "true", "t", "y", "1")
_FALSE: Final = ("no", "false", "f", "n", "0")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line of original 3DDFA V1.

    Args:
        arguments: the words after `main.py`; those of the process by default.

    Returns:
        0 if faces were found, 1 if there is no face in any photo, 2 if a photo failed.
    """
    options = _parser().parse_args(arguments)
    _note_ignored(options)
    try:
        aligner = FaceAligner(options.model)
        find = _finder(options)
    except DDFAError as error:
        return _fail(error)
    found, failed = 0, False
    for path in map(Path, options.files):
        try:
            found += _Photo(path, options, aligner, find).run()
        except DDFAError as error:
            failed = bool(_fail(error))
    if failed:
        return FAILED
    return OK if found else NOTHING_FOUND


class _Photo:
    """Aligns the faces of one photo and writes their files."""

    def __init__(
        self, path: Path, options: argparse.Namespace, aligner: FaceAligner, find: "Callable[[Path, UInt8], Detections]"
    ) -> None:
        self._options, self._aligner, self._find = options, aligner, find
        self._path, self._stem = path, path.with_suffix("")

    def run(self) -> int:
        """Align the faces, write their files and print their lines; return the number of faces."""
        image = read_image(self._path)
        found = self._find(self._path, image)
        by_landmarks = found.landmarks is not None
        faces = self._aligner(
            image,
            boxes=None if by_landmarks else found.boxes,
            landmarks=found.landmarks,
            refine=self._options.bbox_init == "two",
        )
        if not len(faces):
            print(f"No face found in {self._path}")
            return 0
        files = FaceFiles(faces, image, self._path)
        for index in range(len(faces)):
            self._write_face(files, index)
        self._write_images(image, faces)
        return len(faces)

    def _write_face(self, files: FaceFiles, index: int) -> None:
        options, faces, stem = self._options, files.faces, self._beside(f"_{index}")
        triangles = faces.head.triangles
        if options.dump_ply:
            write_ply(self._beside(f"_{index}.ply"), files.points(index), triangles, text=True)
            print(f"Dump tp {stem}.ply")  # sic: the original spelling, which scripts parse
        if options.dump_vertex:
            print(f"Dump tp {files.write('mat', index, stem)}")
        if options.dump_pts:
            print(f"Save 68 3d landmarks to {files.write('txt', index, stem)}")
        if options.dump_roi_box:
            write_roi(self._beside(f"_{index}.roibox"), faces.roi[index])
            print(f"Save roi box to {stem}.roibox")
        if options.dump_paf:
            write_image(self._beside(f"_{index}_crop.jpg"), files.crop(index))
            write_image(self._beside(f"_{index}_paf.jpg"), files.paf(index, options.paf_size))
            print(f"Dump to {stem}_crop.jpg and {stem}_paf.jpg")
        if options.dump_obj:
            colours = sample_colours(files.image, faces.vertices[index])
            write_obj(self._beside(f"_{index}.obj"), files.points(index), triangles, colours=colours)
            print(f"Dump obj with sampled texture to {stem}.obj")

    def _write_images(self, image: UInt8, faces: Faces) -> None:
        if self._options.dump_pose:
            write_image(self._beside("_pose.jpg"), draw_pose_boxes(image, faces))
            print(f"Dump to {self._beside('_pose.jpg')}")
        if self._options.dump_depth:
            write_image(self._beside("_depth.png"), original_depth(faces))
            print(f"Dump to {self._beside('_depth.png')}")
        if self._options.dump_pncc:
            write_image(self._beside("_pncc.png"), FaceMaps(faces).pncc())
            print(f"Dump to {self._beside('_pncc.png')}")
        if self._options.dump_res:
            write_image(self._beside("_3DDFA.jpg"), draw_landmark_figure(image, faces))
            print(f"Save visualization result to {self._beside('_3DDFA.jpg')}")

    def _beside(self, ending: str) -> Path:
        """Return the path of a file next to the photo."""
        return self._stem.with_name(self._stem.name + ending)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="main.py", description="The command line of original 3DDFA V1. The project's own command is `ddfa align`."
    )
    parser.add_argument("-f", "--files", nargs="+", required=True, metavar="PHOTO", help="the photos")
    parser.add_argument("-m", "--mode", default="cpu", choices=["cpu", "gpu"], help="accepted; the CPU is used")
    parser.add_argument(
        "--bbox_init", "--box_init", default="one", choices=["one", "two"], help="two: crop again from 68 points"
    )
    parser.add_argument("--paf_size", default=3, type=int, help="side of the PAF patches in px, odd")
    parser.add_argument("--model", default=None, metavar="BUNDLE", help="model bundle; the shipped one by default")
    flags = {
        "show_flg": (None, "accepted; no window is opened"),
        "dump_res": (True, "landmarks on the photo, _3DDFA.jpg"),
        "dump_vertex": (True, "dense vertices, .mat"),
        "dump_ply": (True, "mesh, .ply"),
        "dump_pts": (True, "68 landmarks, .txt"),
        "dump_roi_box": (False, "crop square, .roibox"),
        "dump_pose": (True, "pose boxes on the photo, _pose.jpg"),
        "dump_depth": (True, "depth of all faces, _depth.png"),
        "dump_pncc": (True, "normalised coordinate code of all faces, _pncc.png"),
        "dump_paf": (False, "crop and pose adaptive feature, _crop.jpg, _paf.jpg"),
        "dump_obj": (True, "mesh with sampled colours, .obj"),
        "dlib_bbox": (True, "detect faces with dlib; false: read PHOTO.bbox, or use YuNet if there is none"),
        "dlib_landmark": (True, f"crop by dlib's 68 landmarks if {_DLIB_LANDMARKS} exists"),
    }
    for name, (default, text) in flags.items():
        parser.add_argument(f"--{name}", default=default, type=_boolean, metavar="BOOL", help=text)
    return parser


def _boolean(word: str) -> bool:
    if word.lower() in _TRUE:
        return True
    if word.lower() in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"'{word}' is not a boolean: use true or false")


def _finder(options: argparse.Namespace) -> Callable[[Path, UInt8], Detections]:
    """Return the detector: dlib, then the photo's .bbox file; or the .bbox file, then YuNet."""
    dlib = _dlib(options.dlib_landmark) if options.dlib_bbox else None
    detector = dlib or default_detector()

    def find(path: Path, image: UInt8) -> Detections:
        bbox = original_bbox_path(path)
        if not options.dlib_bbox and bbox.is_file():
            return read_boxes(bbox)
        found = detector(image)
        return read_boxes(bbox) if not len(found) and bbox.is_file() else found

    return find


def _dlib(with_landmarks: bool) -> Detector | None:
    """Load dlib as the original does; None, with a note, if it is not installed."""
    from ddfa.detect.dlib import DlibDetector

    try:
        return DlibDetector(_DLIB_LANDMARKS if with_landmarks and _DLIB_LANDMARKS.is_file() else None)
    except DetectorError as error:
        _note(f"{error}; YuNet is used instead")
        return None


def _note_ignored(options: argparse.Namespace) -> None:
    if options.mode == "gpu":
        _note("--mode gpu: ignored, the network runs on the CPU")
    if options.show_flg:
        _note("--show_flg: ignored, no window is opened; see the _3DDFA.jpg file")


def _note(message: str) -> None:
    print(f"main.py: {message}", file=sys.stderr)


def _fail(error: DDFAError) -> int:
    _note(one_line(str(error)))
    return FAILED
