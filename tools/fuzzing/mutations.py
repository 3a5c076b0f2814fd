"""Valid files of every format, and random mutations of them."""

import io
import json
import pickle
import random
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import cv2
import numpy as np

INTERESTING: Final = (
    0, 1, 2, 3, 8, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, -1, -2, -(2**31),
)  # fmt: skip
_NUMBERS: Final = (*INTERESTING, 0.5, 1e10, -1e308, float("nan"), float("inf"))


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Overwrite, insert, delete, repeat or cut off bytes."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1) if data else 0
        match rng.randrange(7):
            case 0 if data:
                data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[min(at, len(data) - 1)] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            case 2:
                size = rng.choice((2, 4, 8))
                value = rng.choice(INTERESTING) % (1 << (8 * size))
                data[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
            case 3:
                data[at:at] = rng.randbytes(rng.choice((1, 4, 32)))
            case 4:
                del data[at : at + rng.choice((1, 4, 64))]
            case 5:
                piece = data[at : at + rng.choice((4, 32, 256))]
                data[at:at] = piece * rng.choice((1, 2, 8))
            case _:
                del data[at:]
    return bytes(data)


def pickle_case(rng: random.Random) -> bytes:
    """A pickle of an array whose state may lie, or a mutation of an honest one."""
    if rng.random() < 0.5:
        return mutated_bytes(_honest_pickle(rng.randrange(pickle.HIGHEST_PROTOCOL + 1)), rng)
    spec = rng.choice(
        ("f8", "<f4", "i4", "u1", "b1", "O", "O8", "V16", "S8", "U4", "M8[s]", "f8,f8", "c16", "", "f" * 50)
    )
    field = {"a": (np.dtype("O"), rng.choice(INTERESTING))}
    state: list[Any] = [3, "<", None, None, None, -1, -1, 0]
    for _ in range(rng.choice((0, 1, 1, 2))):
        place = rng.randrange(8)
        state[place] = rng.choice((*INTERESTING, None, "<", ">", "|", "", ("a",), field, (np.dtype("O"), (2,)), b"<"))
    shape: Any = rng.choice(
        ((2,), (0,), (), (1, 2), (2**62,), (2**31, 2**31), (-1,), [2], None, (rng.choice(INTERESTING),))
    )
    data: Any = rng.choice(
        (bytes(16), b"", bytes(rng.randrange(64)), "x" * 16, [None, None], None, rng.choice(INTERESTING))
    )

    class Dtype:
        def __reduce__(self) -> Any:
            return np.dtype, (spec, False, True), tuple(state[: rng.choice((8, 8, 8, 3, 0))])

    class Array:
        def __reduce__(self) -> Any:
            multiarray = np._core.multiarray  # type: ignore[attr-defined]
            if rng.random() < 0.2:
                return multiarray.scalar, (Dtype(), data)
            start = rng.choice(((0,), (2**31,), (5, 5), -1))
            return multiarray._reconstruct, (np.ndarray, start, b"b"), (1, shape, Dtype(), rng.choice((0, 1, 2)), data)

    try:
        content = pickle.dumps({"u": Array()}, rng.choice((0, 2, 4, 5)))
    except Exception:  # NumPy itself refuses the state while it is being written
        return _honest_pickle(2)
    return content if rng.random() < 0.7 else mutated_bytes(content, rng)


@cache
def _honest_pickle(protocol: int) -> bytes:
    return pickle.dumps(
        {"u": np.arange(9, dtype=np.float32), "tri": np.arange(12, dtype=np.int64).reshape(3, 4)}, protocol
    )


@cache
def _small_head() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    vertices, triangles = 80, np.arange(78, dtype=np.int32).reshape(-1, 3)
    return {
        "name": "toy", "licence": "none", "expression_names": np.array(["a", "b"]), "triangles": triangles,
        "mean": rng.normal(0, 60, (vertices, 3)).astype(np.float32),
        "identity_basis": rng.integers(-100, 100, (4, vertices, 3)).astype(np.int8),
        "identity_basis_scale": np.full(4, 0.02, np.float32), "identity_std": np.ones(4, np.float32),
        "expression_basis": rng.normal(0, 2, (2, vertices, 3)).astype(np.float32),
        "landmark_vertices": rng.integers(0, vertices, (68, 3)).astype(np.int32),
        "landmark_weights": rng.dirichlet(np.ones(3), 68).astype(np.float32),
        "uv": rng.random((vertices, 2)).astype(np.float32), "uv_triangles": triangles,
        "mirror_vertices": np.arange(vertices, dtype=np.int32), "identity_mirror": np.ones(4, np.float32),
        "expression_mirror": np.array([1, 0], np.int32), "region_skin": np.ones(vertices, bool),
        "stencil_weights": np.ones(vertices, np.float32), "stencil_columns": np.arange(vertices, dtype=np.uint16),
        "stencil_starts": np.arange(vertices + 1, dtype=np.int32),
    }  # fmt: skip


def head_case(rng: random.Random) -> bytes:
    """A head model with a few arrays changed: numbers, shapes, types, or missing; sometimes damaged bytes as well."""
    arrays = {name: np.array(value) for name, value in _small_head().items()}
    if rng.random() < 0.5:
        for name in ("stencil_weights", "stencil_columns", "stencil_starts"):
            del arrays[name]
    for _ in range(rng.choice((0, 1, 1, 2))):
        name = rng.choice(list(arrays))
        array = arrays[name]
        with np.errstate(all="ignore"):
            match rng.randrange(6):
                case 0:
                    del arrays[name]
                case 1 if array.dtype.kind in "fiu" and array.size:
                    changed = array.copy().reshape(-1)
                    value = rng.choice(_NUMBERS)
                    if array.dtype.kind == "f" or np.isfinite(value):
                        number = np.float64(value) if array.dtype.kind == "f" else np.int64(int(value) % 2**63)
                        changed[rng.randrange(array.size)] = number.astype(array.dtype)
                    arrays[name] = changed.reshape(array.shape)
                case 2:
                    arrays[name] = array.reshape(-1)[: rng.randrange(array.size + 1)]
                case 3 if array.dtype.kind in "fiub":
                    arrays[name] = array.astype(rng.choice(("f8", "f2", "i8", "u1", "b1", "c8", "S3", "f4")))
                case 4:
                    arrays[name] = array[None] if rng.random() < 0.5 else array.T
                case _ if array.dtype.kind == "f":
                    arrays[name] = array * np.float32(rng.choice((1e10, -1, 0, 1e38)))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    content = buffer.getvalue()
    return mutated_bytes(content, rng) if rng.random() < 0.3 else content


@cache
def _images() -> tuple[tuple[bytes, str], ...]:
    from PIL import Image

    ramp = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    colours = np.dstack([ramp, 255 - ramp, ramp // 2])
    files = [
        (cv2.imencode(suffix, picture)[1].tobytes(), suffix)
        for suffix in (".jpg", ".png", ".webp", ".bmp", ".tif")
        for picture in (colours, ramp)
    ]
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        buffer = io.BytesIO()
        Image.fromarray(colours).convert("P" if kind == "GIF" else "RGBA").save(buffer, kind)
        files.append((buffer.getvalue(), f".{kind.lower()}"))
    return tuple(files)


def image_case(rng: random.Random) -> bytes:
    """A mutation of a small image of a random format."""
    content, _ = rng.choice(_images())
    return mutated_bytes(content, rng)


def json_value(rng: random.Random, depth: int = 0) -> Any:
    """A random JSON value."""
    match rng.randrange(6 if depth < 4 else 4):
        case 0 | 1:
            return rng.choice(_NUMBERS)
        case 2:
            return rng.choice(("", "a", "open", "../x", "\x00", "é" * 20, "model.onnx", "NaN", "\ud800"))
        case 3:
            return rng.choice((None, True, False, [], {}))
        case 4:
            return [json_value(rng, depth + 1) for _ in range(rng.randrange(6))]
    return {rng.choice(("box", "boxes", "score", "faces", "x", "format")): json_value(rng, depth + 1) for _ in range(3)}


def boxes_case(rng: random.Random) -> bytes:
    """Face boxes as JSON or text, honest or not."""
    rows = [
        [rng.choice((10, 20.5, 100, *_NUMBERS)) for _ in range(rng.choice((4, 4, 5, 3)))]
        for _ in range(rng.randrange(4))
    ]
    match rng.randrange(4):
        case 0:
            content = json.dumps(rows)
        case 1:
            content = json.dumps(json_value(rng))
        case 2:
            content = "[" * rng.choice((5, 3000, 200_000))
        case _:
            content = "\n".join(" ".join(map(str, row)) for row in rows)
    data = content.encode("utf-8", "surrogatepass")
    return mutated_bytes(data, rng) if rng.random() < 0.5 else data


def card_case(card: dict[str, Any]) -> Callable[[random.Random], bytes]:
    """Mutations of the card of a bundle."""
    text = json.dumps(card).encode()

    def case(rng: random.Random) -> bytes:
        if rng.random() < 0.3:
            return mutated_bytes(text, rng)
        changed = dict(card)
        for _ in range(rng.choice((1, 1, 2))):
            changed[rng.choice(list(card))] = json_value(rng)
        return json.dumps(changed).encode("utf-8", "surrogatepass")

    return case
