"""Writes results to files: meshes, landmarks, parameters, images. Files are written atomically."""

from ddfa.export.face_files import FaceFiles
from ddfa.export.kinds import FACE_KINDS, IMAGE_KINDS, KINDS, FileKind, parse_kinds
from ddfa.export.mesh import mesh_points, sample_colours, write_mat, write_mtl, write_obj, write_ply
from ddfa.export.record import RECORD_FORMAT, RECORD_VERSION, face_record, write_record
from ddfa.export.text import write_landmarks, write_roi

__all__ = [
    "FACE_KINDS",
    "IMAGE_KINDS",
    "KINDS",
    "RECORD_FORMAT",
    "RECORD_VERSION",
    "FaceFiles",
    "FileKind",
    "face_record",
    "mesh_points",
    "parse_kinds",
    "sample_colours",
    "write_landmarks",
    "write_mat",
    "write_mtl",
    "write_obj",
    "write_ply",
    "write_record",
    "write_roi",
]
