"""OpenDDFA: from a photo to a 3D face.

Public names are imported on first use, so that `import ddfa` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from ddfa.align import FaceAligner
    from ddfa.detect import Detections
    from ddfa.draw.contact_sheet import draw_sheet
    from ddfa.draw.overlay import draw_overlay
    from ddfa.draw.styles import OverlayStyle, parse_style
    from ddfa.errors import DDFAError, DetectorError, ImageError, ModelError, NoFaceError, OutputError, VideoError
    from ddfa.export.notebook import faces_html, faces_png
    from ddfa.export.record import face_record, faces_record
    from ddfa.export.save import save_faces
    from ddfa.export.table import arrow_table, data_frame, face_columns
    from ddfa.face import Face
    from ddfa.face_model import FaceModel
    from ddfa.faces import Faces
    from ddfa.geometry.perspective import Camera, Intrinsics
    from ddfa.head.landmark_sets import LANDMARK_SETS
    from ddfa.head.model import HeadModel
    from ddfa.image_input import as_image
    from ddfa.images import read_image, write_image
    from ddfa.provenance import write_synthetic
    from ddfa.raster.maps import FaceMaps
    from ddfa.regress.bundle import Bundle
    from ddfa.replace.replacer import Replacer
    from ddfa.replace.source import source_from_photos
    from ddfa.texture.frontal import frontal_photo
    from ddfa.texture.unwrap import Texture, unwrap_texture
    from ddfa.video.io.frames import open_video
    from ddfa.video.tracking.tracker import FaceTracker

_HOME = {
    "Bundle": "ddfa.regress.bundle",
    "DDFAError": "ddfa.errors",
    "ImageError": "ddfa.errors",
    "ModelError": "ddfa.errors",
    "DetectorError": "ddfa.errors",
    "OutputError": "ddfa.errors",
    "NoFaceError": "ddfa.errors",
    "VideoError": "ddfa.errors",
    "Camera": "ddfa.geometry.perspective",
    "Intrinsics": "ddfa.geometry.perspective",
    "Detections": "ddfa.detect",
    "Face": "ddfa.face",
    "FaceAligner": "ddfa.align",
    "FaceModel": "ddfa.face_model",
    "FaceMaps": "ddfa.raster.maps",
    "FaceTracker": "ddfa.video.tracking.tracker",
    "Faces": "ddfa.faces",
    "HeadModel": "ddfa.head.model",
    "LANDMARK_SETS": "ddfa.head.landmark_sets",
    "OverlayStyle": "ddfa.draw.styles",
    "Replacer": "ddfa.replace.replacer",
    "Texture": "ddfa.texture.unwrap",
    "arrow_table": "ddfa.export.table",
    "as_image": "ddfa.image_input",
    "data_frame": "ddfa.export.table",
    "draw_overlay": "ddfa.draw.overlay",
    "draw_sheet": "ddfa.draw.contact_sheet",
    "face_columns": "ddfa.export.table",
    "face_record": "ddfa.export.record",
    "faces_html": "ddfa.export.notebook",
    "faces_png": "ddfa.export.notebook",
    "faces_record": "ddfa.export.record",
    "frontal_photo": "ddfa.texture.frontal",
    "open_video": "ddfa.video.io.frames",
    "parse_style": "ddfa.draw.styles",
    "read_image": "ddfa.images",
    "save_faces": "ddfa.export.save",
    "source_from_photos": "ddfa.replace.source",
    "unwrap_texture": "ddfa.texture.unwrap",
    "write_image": "ddfa.images",
    "write_synthetic": "ddfa.provenance",
}

__all__ = [
    "LANDMARK_SETS",
    "Bundle",
    "Camera",
    "DDFAError",
    "Detections",
    "DetectorError",
    "Face",
    "FaceAligner",
    "FaceMaps",
    "FaceModel",
    "FaceTracker",
    "Faces",
    "HeadModel",
    "ImageError",
    "Intrinsics",
    "ModelError",
    "NoFaceError",
    "OutputError",
    "OverlayStyle",
    "Replacer",
    "Texture",
    "VideoError",
    "__version__",
    "arrow_table",
    "as_image",
    "data_frame",
    "draw_overlay",
    "draw_sheet",
    "face_columns",
    "face_record",
    "faces_html",
    "faces_png",
    "faces_record",
    "frontal_photo",
    "open_video",
    "parse_style",
    "read_image",
    "save_faces",
    "source_from_photos",
    "unwrap_texture",
    "write_image",
    "write_synthetic",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ddfa' has no attribute '{name}'")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return __all__
