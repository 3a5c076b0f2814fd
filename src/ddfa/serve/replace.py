"""`POST /v1/replace`: face replacement, available only if the operator enables it."""

from ddfa.errors import DDFAError
from ddfa.faces import Faces
from ddfa.provenance import encode_synthetic
from ddfa.replace.replacer import Replacer, share_of_shape
from ddfa.replace.source import source_from_photos
from ddfa.serve.engine import Engine
from ddfa.serve.errors import ServiceError
from ddfa.serve.image_limits import decode_checked


def replace_face(
    engine: Engine, source: bytes, target: bytes, shape: str, face: str, label: bool, min_quality: str = "0"
) -> tuple[bytes, float]:
    """Replace faces in the target by the largest face of the source.

    Args:
        engine: of the service.
        source: bytes of the photo of the source person.
        target: bytes of the photo in which faces are replaced.
        shape: whose head shape the result has, one of `Shape`, or the share of the source's as a number.
        face: index of the face in the target, 0 is the largest; or "all".
        label: draw "SYNTHETIC FACE" into the image.
        min_quality: refuse if a worse result is expected, 0 to 1.

    Returns:
        Bytes of a JPEG whose metadata states that it is synthetic, and the quality that was expected, 0 to 1.

    Raises:
        ServiceError: a photo cannot be used or does not show the face, `shape` or `min_quality` is not valid, or a
            worse result is expected.
    """
    try:
        share, least = share_of_shape(shape), float(min_quality)
    except (DDFAError, ValueError):
        text = "shape must be source, target, blend or a number from 0 to 1, and min_quality a number"
        raise ServiceError(422, "invalid", text) from None
    if face != "all" and not (face.isascii() and face.isdecimal() and len(face) < 4):
        raise ServiceError(422, "invalid", "face must be a whole number from 0, or all")
    source_image, target_image = (decode_checked(content, engine.settings.max_pixels) for content in (source, target))
    source_face = _chosen(engine.aligner(source_image, refine=True), "0", "source")
    faces = _chosen(engine.aligner(target_image, refine=True), face, "target")
    replacer = Replacer(source_from_photos([source_image], [source_face]), share)
    expected = [replacer.suitability(target_image, faces.single(k)) for k in range(len(faces))]
    worst = min(expected, key=lambda each: each.score)
    if worst.score < least:
        raise ServiceError(422, "unsuitable", f"{worst}; at least {least:g} is asked for: send other photos")
    return encode_synthetic(replacer(target_image, faces), ".jpg", label=label), worst.score


def _chosen(faces: Faces, face: str, name: str) -> Faces:
    if face == "all" and len(faces):
        return faces
    if face == "all" or int(face) >= len(faces):
        raise ServiceError(422, "no_face", f"the {name} shows {len(faces)} faces: send another photo")
    return faces.single(int(face))
