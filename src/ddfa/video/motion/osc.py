"""Open Sound Control 1.0: messages and bundles with the types that VMC needs (opensoundcontrol.org, specification)."""

import struct
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

Argument: TypeAlias = int | float | str
_HEADER: Final = b"#bundle\0" + struct.pack(">Q", 1)  # the time tag 1 means "immediately"


def message(address: str, *arguments: Argument) -> bytes:
    """Encode a message.

    Args:
        address: for instance `/VMC/Ext/OK`.
        arguments: integers become int32, floats float32, texts OSC strings.

    Returns:
        The address, the type tags and the arguments, each a multiple of 4 bytes long, numbers big-endian.
    """
    tags = "," + "".join(_tag(argument) for argument in arguments)
    return b"".join([_text(address), _text(tags), *map(_encoded, arguments)])


def bundles(messages: Iterable[bytes], largest: int) -> Iterator[bytes]:
    """Pack messages into as few bundles as possible, in order.

    Args:
        messages: as `message` encodes them.
        largest: bytes per bundle; a message that is larger is alone in its bundle.

    Yields:
        The bundles, each for one datagram.
    """
    packed = _HEADER
    for content in messages:
        element = struct.pack(">i", len(content)) + content
        if len(packed) > len(_HEADER) and len(packed) + len(element) > largest:
            yield packed
            packed = _HEADER
        packed += element
    if len(packed) > len(_HEADER):
        yield packed


def _tag(argument: Argument) -> str:
    return "s" if isinstance(argument, str) else "f" if isinstance(argument, float) else "i"


def _encoded(argument: Argument) -> bytes:
    return _text(argument) if isinstance(argument, str) else struct.pack(f">{_tag(argument)}", argument)


def _text(text: str) -> bytes:
    """UTF-8 with 1 to 4 zero bytes at the end."""
    content = text.encode()
    return content + bytes(4 - len(content) % 4)
