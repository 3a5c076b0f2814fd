"""Binary glTF 2.0 (GLB): arrays to one buffer with its accessors, and the file around them."""

import json
import struct
from typing import Any, Final

import numpy as np

_COMPONENTS: Final = {"<f4": 5126, "<u4": 5125, "<u2": 5123}
_KINDS: Final = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


class GltfBuffer:
    """Collects arrays.

    Attributes:
        accessors: glTF accessors, in the order in which they were added.
        views: glTF buffer views.
    """

    def __init__(self) -> None:
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self._data = bytearray()

    def view(self, content: bytes, target: int | None = None) -> int:
        """Add bytes; returns the number of their view."""
        self._data += bytes(-len(self._data) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(content)}
        self.views.append(view | ({} if target is None else {"target": target}))
        self._data += content
        return len(self.views) - 1

    def add(self, values: Any, dtype: str, target: int | None = None, *, bounds: bool = False) -> int:
        """Add an array (N,) or (N, C) as `dtype`; returns the number of its accessor.

        Args:
            values: the array.
            dtype: "<f4", "<u4" or "<u2".
            target: 34962 for vertices, 34963 for triangles, None for others.
            bounds: tell the least and largest value, as glTF asks for positions and times.
        """
        array = np.ascontiguousarray(values, dtype)
        described = _described(array, dtype, bounds) | {"bufferView": self.view(array.tobytes(), target)}
        self.accessors.append(described)
        return len(self.accessors) - 1

    def add_sparse(self, values: Any, least: float) -> int:
        """Add offsets (N, 3), most of them zero: only those longer than `least` are kept. Returns the accessor."""
        array = np.asarray(values, "<f4")
        kept = np.flatnonzero(np.abs(array).max(axis=1) > least)
        kept = kept if len(kept) else np.zeros(1, np.intp)  # glTF wants at least one
        shown = np.zeros_like(array)
        shown[kept] = array[kept]
        sparse = {
            "count": len(kept),
            "indices": {"bufferView": self.view(kept.astype("<u2").tobytes()), "componentType": _COMPONENTS["<u2"]},
            "values": {"bufferView": self.view(shown[kept].tobytes())},
        }
        self.accessors.append(_described(shown, "<f4", True) | {"sparse": sparse})
        return len(self.accessors) - 1

    def file(self, scene: dict[str, Any]) -> bytes:
        """The GLB file of a glTF document that refers to these arrays."""
        binary = bytes(self._data) + bytes(-len(self._data) % 4)
        document = scene | {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(binary)}],
        }
        text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _described(array: Any, dtype: str, bounds: bool) -> dict[str, Any]:
    columns = 1 if array.ndim == 1 else array.shape[1]
    result = {"componentType": _COMPONENTS[dtype], "count": len(array), "type": _KINDS[columns]}
    if bounds:
        low, high = (np.atleast_1d(function(array, axis=0)).tolist() for function in (np.min, np.max))
        result |= {"min": low, "max": high}
    return result
