"""Reading what callers send: in time, no more than is allowed, in memory only."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Final

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from ddfa.errors import OutputError
from ddfa.export.kinds import FACE_KINDS, parse_kinds
from ddfa.serve.errors import ServiceError, too_large
from ddfa.serve.schemas import AlignRequest
from ddfa.serve.settings import ServeSettings

_FIELDS: Final = 16  # of a form


class _InMemory(MultiPartParser):
    """Keeps files of a form in memory: nothing that callers send touches a disk."""

    spool_max_size = 2**40


async def read_align(request: Request, settings: ServeSettings) -> tuple[bytes, tuple[str, ...], int, bool]:
    """Read the body of `POST /v1/align`, JSON or a form.

    Returns:
        Bytes of the picture's file, kinds of files to add, how many faces, whether to regress twice.

    Raises:
        Problem: it is too large, too slow or not understood.
    """
    body = await read_body(request, settings)
    kind = _media_type(request)
    if kind == "application/json":
        asked = _parsed(AlignRequest, body)
        try:
            content = base64.b64decode(asked.image, validate=True)
        except (binascii.Error, ValueError):
            raise ServiceError(422, "invalid", "image is not base64: send the file's bytes in base64") from None
        return content, _kinds(asked.parts), min(asked.max_faces, settings.max_faces), asked.refine
    form = await read_form(request, body)
    most = form_number(form, "max_faces", settings.max_faces)
    parts = _kinds(form_text(form, "parts", "").split(","))
    return await form_file(form, "image"), parts, min(most, settings.max_faces), form_flag(form, "refine")


async def read_body(request: Request, settings: ServeSettings) -> bytes:
    """All bytes of a body.

    Raises:
        Problem: there are too many, or they come too slowly.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > settings.max_bytes:
        raise too_large(settings.max_bytes)
    content = bytearray()
    try:
        async with asyncio.timeout(settings.receive_s):
            async for part in request.stream():
                content += part
                if len(content) > settings.max_bytes:
                    raise too_large(settings.max_bytes)
    except TimeoutError:
        raise ServiceError(
            408, "too_slow", f"a request must arrive within {settings.receive_s:g} s: try again"
        ) from None
    except ClientDisconnect:
        raise ServiceError(400, "gone", "the caller went away") from None
    return bytes(content)


async def read_form(request: Request, body: bytes) -> FormData:
    """The fields and files of a multipart body.

    Raises:
        Problem: it is not one.
    """
    if _media_type(request) != "multipart/form-data":
        raise ServiceError(415, "wrong_type", "send multipart/form-data with the file as `image`, or JSON with base64")

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    parser = _InMemory(request.headers, stream(), max_files=4, max_fields=_FIELDS, max_part_size=len(body) + 1)
    try:
        return await parser.parse()
    except (MultiPartException, ValueError, KeyError, AssertionError, UnicodeError) as error:
        raise ServiceError(400, "bad_form", f"the form cannot be read ({error}): send multipart/form-data") from None


async def form_file(form: FormData, name: str) -> bytes:
    """A file of a form.

    Raises:
        Problem: it is missing.
    """
    value = form.get(name)
    if not isinstance(value, UploadFile):
        raise ServiceError(422, "invalid", f"the form has no file `{name}`: send the picture under that name")
    return await value.read()


def form_text(form: FormData, name: str, default: str) -> str:
    """A text field of a form.

    Raises:
        Problem: it is a file.
    """
    value = form.get(name, default)
    if not isinstance(value, str):
        raise ServiceError(422, "invalid", f"`{name}` is a text field, not a file")
    return value


def form_number(form: FormData, name: str, default: int) -> int:
    """A number from 1 on.

    Raises:
        Problem: it is none.
    """
    text = form_text(form, name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise ServiceError(422, "invalid", f"`{name}` is a whole number from 1 on")
    return int(text)


def form_flag(form: FormData, name: str) -> bool:
    """True or false; false where it is not given.

    Raises:
        Problem: it is neither.
    """
    text = form_text(form, name, "false")
    if text not in ("true", "false"):
        raise ServiceError(422, "invalid", f"`{name}` is true or false")
    return text == "true"


def _parsed(model: type[AlignRequest], body: bytes) -> AlignRequest:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise ServiceError(422, "invalid", f"{place}: {first['msg']}") from None


def _kinds(words: Iterable[str]) -> tuple[str, ...]:
    try:
        return parse_kinds(words, FACE_KINDS, option="parts", optional=True)
    except OutputError as error:
        raise ServiceError(422, "invalid", str(error)) from None


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def openapi_body(forms: Mapping[str, type[BaseModel]]) -> dict[str, object]:
    """What OpenAPI says about a body that is read by hand: media type to model."""
    return {
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": model.model_json_schema()} for kind, model in forms.items()},
        }
    }
