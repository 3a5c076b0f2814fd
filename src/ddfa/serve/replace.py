"""`POST /v1/replace`: one person's face on another's photo; only where whoever runs the service allows it."""

from typing import get_args

from ddfa.faces import Faces
from ddfa.provenance import encode_synthetic
from ddfa.replace.replacer import Replacer, Shape
from ddfa.replace.source import source_from_photos
from ddfa.serve.engine import Engine
from ddfa.serve.errors import ServiceError
from ddfa.serve.image_limits import decode_checked


def replace_face(engine: Engine, source: bytes, target: bytes, shape: str, face: str, label: bool) -> bytes:
    """Put the largest face of one photo on another.

    Args:
        engine: of the service.
        source: bytes of the photo that lends a face.
        target: bytes of the photo that gets it.
        shape: whose head shape, of `Shape`.
        face: of the target, 0 is the largest; or "all".
        label: write "SYNTHETIC FACE" into the picture.

    Returns:
        Bytes of a JPEG that says in its metadata that it is synthetic.

    Raises:
        Problem: a photo cannot be used or shows no such face, or there is no such shape.
    """
    if shape not in get_args(Shape):
        raise ServiceError(422, "invalid", f"shape is one of {', '.join(get_args(Shape))}")
    if face != "all" and not (face.isascii() and face.isdecimal() and len(face) < 4):
        raise ServiceError(422, "invalid", "face is a number from 0 on, or all")
    lent, picture = (decode_checked(content, engine.settings.max_pixels) for content in (source, target))
    lender = _chosen(engine.aligner(lent, refine=True), "0", "source")
    faces = _chosen(engine.aligner(picture, refine=True), face, "target")
    result = Replacer(source_from_photos([lent], [lender]), shape)(picture, faces)  # type: ignore[arg-type]
    return encode_synthetic(result, ".jpg", label=label)


def _chosen(faces: Faces, face: str, name: str) -> Faces:
    if face == "all" and len(faces):
        return faces
    if face == "all" or int(face) >= len(faces):
        raise ServiceError(422, "no_face", f"the {name} shows {len(faces)} faces: send another photo")
    return faces[int(face)]
