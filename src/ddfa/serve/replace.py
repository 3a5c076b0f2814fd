"""`POST /v1/replace`: face replacement, available only if the operator enables it."""

from collections.abc import Sequence

from ddfa.arrays import UInt8
from ddfa.errors import DDFAError, NoFaceError
from ddfa.faces import Faces
from ddfa.provenance import encode_synthetic
from ddfa.replace.likeness import Likeness
from ddfa.replace.pairs import Pair, draw_pairs, expected_quality, select_pairs
from ddfa.replace.replacer import Replacer, share_of_shape
from ddfa.replace.source import source_from_photos
from ddfa.serve.engine import Engine
from ddfa.serve.errors import ServiceError
from ddfa.serve.image_limits import decode_checked

MOST_SOURCES = 8


def replace_faces(
    engine: Engine,
    sources: Sequence[bytes],
    whom: Sequence[str | bytes],
    target: bytes,
    shape: str,
    label: bool,
    min_quality: str = "0",
) -> tuple[bytes, float]:
    """Replace faces in the target, each by the largest face of its source.

    Args:
        engine: of the service.
        sources: bytes of one to eight photos of source persons.
        whom: for each of them whom it replaces, or one value for all: index of a face in the target, 0 is the largest;
            bytes of a photo of the person; or "all" for everybody whom no other source replaces. Photos with the same
            value show one person.
        target: bytes of the photo in which faces are replaced.
        shape: whose head shape the result has, one of `Shape`, or the share of the source's as a number.
        label: draw "SYNTHETIC FACE" into the image.
        min_quality: refuse if a worse result is expected, 0 to 1.

    Returns:
        Bytes of a JPEG whose metadata states that it is synthetic, and the quality that was expected, 0 to 1.

    Raises:
        ServiceError: a photo cannot be used or does not show the face, a field is not valid, or a worse result is
            expected.
    """
    try:
        share, least = share_of_shape(shape), float(min_quality)
    except (DDFAError, ValueError):
        text = "shape must be source, target, blend or a number from 0 to 1, and min_quality a number"
        raise ServiceError(422, "invalid", text) from None
    people = _people(sources, whom)
    image = decode_checked(target, engine.settings.max_pixels)
    faces = engine.aligner(image, refine=True)
    try:
        pairs = [_pair(engine, photos, who, share) for who, photos in people.items()]
        chosen = select_pairs(image, faces, pairs, "the target")
    except NoFaceError as error:
        raise ServiceError(422, "no_face", str(error)) from None
    worst = expected_quality(image, chosen)
    if worst.score < least:
        raise ServiceError(422, "unsuitable", f"{worst}; at least {least:g} is asked for: send other photos")
    return encode_synthetic(draw_pairs(image, chosen), ".jpg", label=label), worst.score


def _people(sources: Sequence[bytes], whom: Sequence[str | bytes]) -> dict[int | bytes | None, list[bytes]]:
    """Photos of each source person, by whom the person replaces."""
    if not 1 <= len(sources) <= MOST_SOURCES:
        raise ServiceError(422, "invalid", f"send 1 to {MOST_SOURCES} photos as `source`, not {len(sources)}")
    if len(whom) not in (1, len(sources)):
        text = f"send one `face` for each of the {len(sources)} sources, or one for all, not {len(whom)}"
        raise ServiceError(422, "invalid", text)
    people: dict[int | bytes | None, list[bytes]] = {}
    for photo, who in zip(sources, list(whom) * (len(sources) if len(whom) == 1 else 1), strict=True):
        people.setdefault(_face(who), []).append(photo)
    return people


def _face(who: str | bytes) -> int | bytes | None:
    if isinstance(who, bytes):
        return who
    if who == "all":
        return None
    if not (who.isascii() and who.isdecimal() and len(who) < 4):
        raise ServiceError(422, "invalid", "face must be a whole number from 0, all, or a photo")
    return int(who)


def _pair(engine: Engine, photos: Sequence[bytes], who: int | bytes | None, share: float) -> Pair:
    shown = [_shown(engine, photo, "a source") for photo in photos]
    source = source_from_photos([image for image, _ in shown], [face for _, face in shown])
    chosen = Likeness(*_shown(engine, who, "the reference")) if isinstance(who, bytes) else who
    return Pair(Replacer(source, share), chosen)


def _shown(engine: Engine, photo: bytes, name: str) -> tuple[UInt8, Faces]:
    """A photo and its largest face."""
    image = decode_checked(photo, engine.settings.max_pixels)
    faces = engine.aligner(image, refine=True)
    if not len(faces):
        raise ServiceError(422, "no_face", f"{name} shows no face: send another photo")
    return image, faces.single(0)
