"""Binary glTF 2.0 (GLB): packs arrays into one buffer with accessors, and writes the container."""

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
        """Add bytes; returns the index of their buffer view."""
        self._data += bytes(-len(self._data) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(content)}
        self.views.append(view | ({} if target is None else {"target": target}))
        self._data += content
        return len(self.views) - 1

    def add(self, values: Any, dtype: str, target: int | None = None, *, bounds: bool = False) -> int:
        """Add an array (N,) or (N, C) as `dtype`; returns the index of its accessor.

        Args:
            values: the array.
            dtype: "<f4", "<u4" or "<u2".
            target: 34962 for vertices, 34963 for triangles, None for others.
            bounds: store the minimum and maximum, which glTF requires for positions and times.
        """
        array = np.ascontiguousarray(values, dtype)
        described = _described(array, dtype, bounds) | {"bufferView": self.view(array.tobytes(), target)}
        self.accessors.append(described)
        return len(self.accessors) - 1

    def add_sparse(self, values: Any, places: Any, count: int) -> int:
        """Add `count` offsets of which most are zero, as a sparse accessor; returns its index.

        Args:
            values: (K, 3) the non-zero offsets.
            places: (K,) their indices, increasing.
            count: number of all offsets, at most 65536.
        """
        if not len(places):  # glTF requires at least one
            values, places = np.zeros((1, 3)), np.zeros(1)
        array = np.ascontiguousarray(values, "<f4")
        sparse = {
            "count": len(array),
            "indices": {
                "bufferView": self.view(np.asarray(places, "<u2").tobytes()),
                "componentType": _COMPONENTS["<u2"],
            },
            "values": {"bufferView": self.view(array.tobytes())},
        }
        described = _described(array, "<f4", True) | {"count": count, "sparse": sparse}
        if len(array) < count:
            described |= {"min": np.minimum(array.min(axis=0), 0).tolist()}
            described |= {"max": np.maximum(array.max(axis=0), 0).tolist()}
        self.accessors.append(described)
        return len(self.accessors) - 1

    def file(self, scene: dict[str, Any]) -> bytes:
        """The GLB file of a glTF document that uses these arrays."""
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
