"""`POST /v1/replace`: face replacement, available only if the operator enables it."""

from typing import get_args

from ddfa.faces import Faces
from ddfa.provenance import encode_synthetic
from ddfa.replace.replacer import Replacer, Shape
from ddfa.replace.source import source_from_photos
from ddfa.serve.engine import Engine
from ddfa.serve.errors import ServiceError
from ddfa.serve.image_limits import decode_checked


def replace_face(engine: Engine, source: bytes, target: bytes, shape: str, face: str, label: bool) -> bytes:
    """Replace faces in the target by the largest face of the source.

    Args:
        engine: of the service.
        source: bytes of the photo of the source person.
        target: bytes of the photo in which faces are replaced.
        shape: whose head shape the result has, one of `Shape`.
        face: index of the face in the target, 0 is the largest; or "all".
        label: draw "SYNTHETIC FACE" into the image.

    Returns:
        Bytes of a JPEG whose metadata states that it is synthetic.

    Raises:
        ServiceError: a photo cannot be used or does not show the face, or `shape` is unknown.
    """
    if shape not in get_args(Shape):
        raise ServiceError(422, "invalid", f"shape must be one of {', '.join(get_args(Shape))}")
    if face != "all" and not (face.isascii() and face.isdecimal() and len(face) < 4):
        raise ServiceError(422, "invalid", "face must be a whole number from 0, or all")
    source_image, target_image = (decode_checked(content, engine.settings.max_pixels) for content in (source, target))
    source_face = _chosen(engine.aligner(source_image, refine=True), "0", "source")
    faces = _chosen(engine.aligner(target_image, refine=True), face, "target")
    result = Replacer(source_from_photos([source_image], [source_face]), shape)(target_image, faces)  # type: ignore[arg-type]
    return encode_synthetic(result, ".jpg", label=label)


def _chosen(faces: Faces, face: str, name: str) -> Faces:
    if face == "all" and len(faces):
        return faces
    if face == "all" or int(face) >= len(faces):
        raise ServiceError(422, "no_face", f"the {name} shows {len(faces)} faces: send another photo")
    return faces.single(int(face))
