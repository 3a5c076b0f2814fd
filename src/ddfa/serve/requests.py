"""Reads request bodies within limits of time and size, in memory only."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Final

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from ddfa.errors import OutputError
from ddfa.export.kinds import FACE_KINDS, parse_kinds
from ddfa.serve.errors import ServiceError, too_large
from ddfa.serve.schemas import AlignRequest
from ddfa.serve.settings import MAX_FACES, ServeSettings

_COPIES: Final = 2  # of a body: as received, and its files
_FIELDS: Final = 16  # maximum per form


class _InMemory(MultiPartParser):
    """Keeps uploaded files in memory: request data is never written to disk."""

    spool_max_size = 2**40


async def read_align(
    request: Request, settings: ServeSettings, count: Callable[[int], None]
) -> tuple[bytes, tuple[str, ...], int, bool]:
    """Read the body of `POST /v1/align`, JSON or a form.

    Returns:
        Bytes of the image file, kinds of files to add, maximum number of faces, whether to regress twice.

    Raises:
        ServiceError: the body is too large, too slow or malformed.
    """
    body = await read_body(request, settings, count)
    kind = _media_type(request)
    if kind == "application/json":
        parsed = _parsed(AlignRequest, body)
        try:
            content = base64.b64decode(parsed.image, validate=True)
        except (binascii.Error, ValueError):
            raise ServiceError(422, "invalid", "image is not valid base64: encode the bytes of the file") from None
        return content, _kinds(parsed.parts), _most(parsed.max_faces, settings), parsed.refine
    form = await read_form(request, body)
    most = form_number(form, "max_faces", MAX_FACES)
    parts = _kinds(form_text(form, "parts", "").split(","))
    return await form_file(form, "image"), parts, _most(most, settings), form_flag(form, "refine")


async def read_body(request: Request, settings: ServeSettings, count: Callable[[int], None]) -> bytes:
    """Read the whole body.

    Args:
        request: the request.
        settings: limits of size and time.
        count: called with the number of bytes of memory that each part of the body needs; may refuse them.

    Raises:
        ServiceError: it is too large or arrives too slowly.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > settings.max_bytes:
        raise too_large(settings.max_bytes)
    content = bytearray()
    try:
        async with asyncio.timeout(settings.receive_s):
            async for part in request.stream():
                count(_COPIES * len(part))
                content += part
                if len(content) > settings.max_bytes:
                    raise too_large(settings.max_bytes)
    except TimeoutError:
        raise ServiceError(
            408, "too_slow", f"a request must arrive within {settings.receive_s:g} s: try again"
        ) from None
    except ClientDisconnect:
        raise ServiceError(400, "gone", "the client disconnected") from None
    return bytes(content)


async def read_form(request: Request, body: bytes, files: int = 4) -> FormData:
    """Parse a multipart body.

    Args:
        request: the request.
        body: its body.
        files: maximum number of files.

    Raises:
        ServiceError: it is not a valid form.
    """
    if _media_type(request) != "multipart/form-data":
        raise ServiceError(415, "wrong_type", "send multipart/form-data with the file as `image`, or JSON with base64")

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    parser = _InMemory(request.headers, stream(), max_files=files, max_fields=_FIELDS, max_part_size=len(body) + 1)
    try:
        return await parser.parse()
    except (MultiPartException, ValueError, KeyError, AssertionError, UnicodeError) as error:
        raise ServiceError(400, "bad_form", f"the form cannot be read ({error}): send multipart/form-data") from None


async def form_file(form: FormData, name: str) -> bytes:
    """The bytes of an uploaded file.

    Raises:
        ServiceError: the file is missing.
    """
    return (await form_files(form, name))[-1]


async def form_files(form: FormData, name: str) -> list[bytes]:
    """The bytes of all uploaded files of a name.

    Raises:
        ServiceError: there is none, or one is a text field.
    """
    values = await form_values(form, name)
    files = [value for value in values if isinstance(value, bytes)]
    if not files or len(files) < len(values):
        raise ServiceError(422, "invalid", f"the form has no file `{name}`: send the image under that name")
    return files


async def form_values(form: FormData, name: str) -> list[str | bytes]:
    """The values of all fields of a name, text or the bytes of files."""
    return [value if isinstance(value, str) else await value.read() for value in form.getlist(name)]


def form_text(form: FormData, name: str, default: str) -> str:
    """The value of a text field.

    Raises:
        ServiceError: the field is a file.
    """
    value = form.get(name, default)
    if not isinstance(value, str):
        raise ServiceError(422, "invalid", f"`{name}` must be a text field, not a file")
    return value


def form_number(form: FormData, name: str, default: int) -> int:
    """The value of a numeric field, at least 1.

    Raises:
        ServiceError: the value is not such a number.
    """
    text = form_text(form, name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise ServiceError(422, "invalid", f"`{name}` must be a whole number of at least 1")
    return int(text)


def form_flag(form: FormData, name: str) -> bool:
    """The value of a boolean field; false if it is missing.

    Raises:
        ServiceError: the value is neither true nor false.
    """
    text = form_text(form, name, "false")
    if text not in ("true", "false"):
        raise ServiceError(422, "invalid", f"`{name}` must be true or false")
    return text == "true"


def _most(wanted: int, settings: ServeSettings) -> int:
    """Maximum number of faces in an answer."""
    return min(wanted, settings.limits.max_faces or wanted)


def _parsed(model: type[AlignRequest], body: bytes) -> AlignRequest:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        location = ".".join(str(part) for part in first["loc"]) or "the body"
        raise ServiceError(422, "invalid", f"{location}: {first['msg']}") from None


def _kinds(words: Iterable[str]) -> tuple[str, ...]:
    try:
        return parse_kinds(words, FACE_KINDS, option="parts", optional=True)
    except OutputError as error:
        raise ServiceError(422, "invalid", str(error)) from None


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def openapi_body(forms: Mapping[str, type[BaseModel]]) -> dict[str, object]:
    """OpenAPI description of a body that is parsed by hand, from media types and their models."""
    return {
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": model.model_json_schema()} for kind, model in forms.items()},
        }
    }
