"""Decoders of OSC, Live Link Face and BVH, written from their public descriptions, not from our encoders."""

import struct

import numpy as np


def osc_text(data: bytes, at: int) -> tuple[str, int]:
    """OSC 1.0: characters, a zero byte, then zeros up to a multiple of 4 bytes."""
    end = data.index(b"\0", at)
    following = (end // 4 + 1) * 4
    assert not any(data[end:following])
    return data[at:end].decode(), following


def osc_messages(data: bytes) -> list[tuple]:
    """The messages of an OSC packet as (address, *arguments), with those of nested bundles."""
    assert len(data) % 4 == 0
    if data.startswith(b"#bundle\0"):
        assert struct.unpack_from(">II", data, 8) == (0, 1)  # immediately
        found, at = [], 16
        while at < len(data):
            (size,) = struct.unpack_from(">i", data, at)
            found += osc_messages(data[at + 4 : at + 4 + size])
            at += 4 + size
        return found
    address, at = osc_text(data, 0)
    tags, at = osc_text(data, at)
    assert address[0] == "/" and tags[0] == ","
    arguments = []
    for tag in tags[1:]:
        if tag == "s":
            value, at = osc_text(data, at)
        else:
            (value,) = struct.unpack_from({"i": ">i", "f": ">f"}[tag], data, at)
            at += 4
        arguments.append(value)
    assert at == len(data)
    return [(address, *arguments)]


def live_link_packet(data: bytes) -> dict:
    """Version 6, field by field; `values` is missing if the packet has no face."""
    assert data[0] == 6
    at, texts = 1, []
    for _ in range(2):
        size = int.from_bytes(data[at : at + 4], "big")
        texts.append(data[at + 4 : at + 4 + size].decode())
        at += 4 + size
    frame, sub_frame, numerator, denominator = struct.unpack_from(">ifii", data, at)
    found = {"device": texts[0], "subject": texts[1], "frame": frame, "sub": sub_frame, "fps": (numerator, denominator)}
    rest = data[at + 16 :]
    if rest:
        assert rest[0] == 61 and len(rest) == 1 + 61 * 4
        found["values"] = np.frombuffer(rest[1:], ">f4").astype(float)
    return found


def bvh(text: str) -> tuple[dict[str, np.ndarray], dict[str, list[str]], float, list[dict[str, np.ndarray]]]:
    """Offsets and channels of each joint, the frame time, and each frame's channels per joint."""
    hierarchy, motion = text.split("MOTION\n")
    offsets, channels, joint = {}, {}, ""
    for line in map(str.split, hierarchy.splitlines()):
        match line:
            case ["ROOT" | "JOINT", name]:
                joint = name
            case ["End", "Site"]:
                joint = "end"
            case ["OFFSET", *numbers]:
                offsets.setdefault(joint, np.array(numbers, float))
            case ["CHANNELS", count, *names]:
                assert int(count) == len(names)
                channels[joint] = names
    count, frame_time, *rows = motion.splitlines()
    assert count == f"Frames: {len(rows)}"
    frames = []
    for row in rows:
        numbers = iter(map(float, row.split()))
        frames.append({name: np.array([next(numbers) for _ in known]) for name, known in channels.items()})
        assert next(numbers, None) is None
    return offsets, channels, float(frame_time.removeprefix("Frame Time: ")), frames


def rotation_about(axis: str, degrees: float) -> np.ndarray:
    """A right-handed rotation about x, y or z."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return {
        "X": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "Y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "Z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def matrix_of_quaternion(x: float, y: float, z: float, w: float) -> np.ndarray:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
