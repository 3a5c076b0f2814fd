"""Every reader on malformed files: a result, or one line that names the file, in little time."""

import io
import json
import os
import pickle
import signal
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddfa.bench.curves import RunCurves
from ddfa.bench.expression import ReferenceScores
from ddfa.bench.sets import AnnotatedSet
from ddfa.commands.config_file import expand_config
from ddfa.data.pseudo_labels.human_landmarks import read_landmarks
from ddfa.data.regions.labels import RegionLabels
from ddfa.data.sets.face_mat import read_face_mat
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.photos import Photos
from ddfa.data.sets.pts import read_pts
from ddfa.detect.boxes import read_boxes
from ddfa.errors import DDFAError, ImageError
from ddfa.files import read_file
from ddfa.head.model import HeadModel
from ddfa.head.readers import read_triangles
from ddfa.images import decode_reduced, read_image
from ddfa.intrinsics import camera_from
from ddfa.regress.bundle import Bundle

Reader = Callable[[Path], object]


def images() -> dict[str, bytes]:
    """Whole images of every format."""
    pixels = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
    kinds = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF"}
    found = {}
    for suffix, kind in kinds.items():
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        found[f"photo.{suffix}"] = buffer.getvalue()
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0].astype(np.float32)).save(buffer, "TIFF")
    return found | {"float.tif": buffer.getvalue()}


def tables() -> dict[str, bytes]:
    """Files of arrays, whole and with contents that fit no reader."""
    npz, wrong, mat, tar, table = (io.BytesIO() for _ in range(5))
    np.savez(npz, format=2, names=np.array(["a.jpg"]), landmarks68=np.zeros((1, 68, 2), np.float32))
    np.savez(wrong, format="x", names=np.zeros((2, 2)), landmarks68=np.zeros(3), pose=np.array("text"))
    with zipfile.ZipFile(objects := io.BytesIO(), "w") as archive:
        np.save(member := io.BytesIO(), np.array([{}], object), allow_pickle=True)
        archive.writestr("names.npy", member.getvalue())
        archive.writestr("landmarks68.npy", b"\x93NUMPY\x01\0" + struct.pack("<H", 9) + b"{'descr':")
    from scipy.io import savemat

    savemat(mat, {"Pose_Para": np.zeros((3, 3)), "Shape_Para": np.array("x"), "Exp_Para": np.zeros(0)})
    with tarfile.open(fileobj=tar, mode="w") as archive_of_photos:
        entry = tarfile.TarInfo("a.pts")
        entry.size = 4
        archive_of_photos.addfile(entry, io.BytesIO(b"none"))
    pa = pytest.importorskip("pyarrow", reason="needs the extra `batch`")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"face": [0, None], "box": ["x", "y"]}), table)
    return {
        "whole.npz": npz.getvalue(),
        "wrong.npz": wrong.getvalue(),
        "objects.npz": objects.getvalue(),
        "label.mat": mat.getvalue(),
        "points.tar": tar.getvalue(),
        "table.parquet": table.getvalue(),
        "object.pkl": pickle.dumps({"state_dict": [1]}, protocol=2),
        "array.pkl": pickle.dumps([1, 2, 3], protocol=4),
    }


def texts() -> dict[str, bytes]:
    """Boxes, settings and cards that parsers choke on."""
    levels = "abcdefghi"
    bomb = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    bomb += [f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]" for a, b in pairwise(levels)]
    return {
        "bomb": "\n".join(bomb).encode(),
        "merge": b"a: &a\n  <<: *a\n",
        "deep": b"[" * 3000,
        "deep mapping": b"".join(b" " * i + b"a:\n" for i in range(400)),
        "deep json": b'{"a":' * 50_000,
        "date": b"rate: 2020-13-45\n",
        "float": b'rate: !!float "abc"\n',
        "integer": b'rate: !!int "abc"\n',
        "key": b"? [1,2]\n: 3\n",
        "zero byte": b'a: "\\0"\n',
        "object": b"!!python/object/apply:os.system [true]\n",
        "big integer": b"[[1,2,3," + b"9" * 400 + b"]]",
        "bigger integer": b"[[1,2,3," + b"9" * 9000 + b"]]",
        "infinite": b"[[1,2,3,1e999]]",
        "beyond float32": b"[[1,2,3,1e300]]",
        "nan": b"[[NaN,2,3,4]]",
        "nested": b"[[[1],2,3,4]]",
        "words": b'[[200,100,300,200,"x"]]',
        "many": json.dumps([[1, 2, 3, 4]] * 1001).encode(),
        "null": b"null",
        "number": b"7",
        "short bbox": b"2\n1 2 3",
        "points": b"version: 1\nn_points: 99999999999\n{\n1 2\n}\n",
        "negative points": b"n_points: -1\n{\n}\n",
        "escape sequence": b"\x1b[2J\x1b[1;1H 1 2 3",
        "utf-16": "1 2 3 4".encode("utf-16"),
        "xml": b"<?xml version='1.0'?><opencv_storage><camera_matrix type_id='opencv-matrix'><rows>-1</rows>",
        "yaml matrix": b"%YAML:1.0\nK: !!opencv-matrix\n  rows: 99999\n  cols: 99999\n  dt: d\n  data: [1]\n",
    }


@cache
def corpus() -> dict[str, bytes]:
    """Malformed files: each whole one also cut off, with flipped bits, and of noise."""
    rng = np.random.default_rng(0)
    files = {"empty": b"", "noise": rng.bytes(3000), "zeros": bytes(3000), **texts()}
    for name, content in (images() | tables()).items():
        files[name] = content
        for part in (0.1, 0.5, 0.9):
            files[f"{part:g} of {name}"] = content[: int(len(content) * part)]
        for number in range(6):
            damaged = bytearray(content)
            for position in rng.integers(0, len(damaged), 1 + len(damaged) // 500):
                damaged[position] ^= 1 << int(rng.integers(8))
            files[f"{name} damaged {number}"] = bytes(damaged)
    return files


def in_folder(reader: Reader, file: str) -> Reader:
    """A reader of a folder, as one of the file in it that has a fixed name."""

    def read(path: Path) -> object:
        path.rename(path.parent / file)
        return reader(path.parent)

    return read


def video(path: Path) -> object:
    pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.video.io.frames import open_video

    return list(open_video(path))


def batch_table(path: Path) -> object:
    pytest.importorskip("pyarrow", reason="needs the extra `batch`")
    from ddfa.batch.decode import photos_with_faces

    return list(photos_with_faces(path))


def corpus_input(path: Path) -> object:
    pytest.importorskip("fsspec", reason="needs the extra `batch`")
    from ddfa.batch.sources import list_photos, read_photo

    return [read_photo(photo) for photo in list_photos([str(path)])]


def checkpoint(path: Path) -> object:
    pytest.importorskip("torch", reason="needs the extra `train`")
    from ddfa.train.state import load_checkpoint

    return load_checkpoint(path)


READERS: dict[str, tuple[str, Reader]] = {
    "image": (".jpg", read_image),
    "reduced image": (".jpg", lambda path: decode_reduced(read_file(path, ImageError), path, 4)),
    "boxes as text": (".txt", read_boxes),
    "boxes as JSON": (".json", read_boxes),
    "settings": (".yaml", lambda path: expand_config(["--config", str(path)])),
    "intrinsics": (".yaml", lambda path: camera_from(intrinsics=path)),
    "points": (".pts", read_pts),
    "label of a face": (".mat", read_face_mat),
    "labels": (".npz", Labels.load),
    "labels of regions": (".npz", RegionLabels.load),
    "annotated set": (".npz", AnnotatedSet.load),
    "human landmarks": (".npz", lambda path: read_landmarks(path, ("a.jpg",))),
    "human landmarks in a tar": (".tar", lambda path: read_landmarks(path, ("a.jpg",))),
    "reference scores": (".npz", lambda path: ReferenceScores.load(path, "jawOpen")),
    "reference scores as CSV": (".csv", lambda path: ReferenceScores.load(path, "jawOpen")),
    "training photos": (".tar", Photos),
    "training curves": (".yaml", in_folder(RunCurves.load, "config.yaml")),
    "video": (".mp4", video),
    "table of faces": (".parquet", batch_table),
    "table of photos": (".parquet", corpus_input),
    "tar of photos": (".tar", corpus_input),
    "checkpoint": (".pt", checkpoint),
    "head": (".npz", HeadModel.load),
    "V2 head": (".pkl", HeadModel.load),
    "V1 head": (".npy", in_folder(HeadModel.load, "u_shp.npy")),
    "triangles": (".pkl", read_triangles),
    "triangles of MATLAB": (".mat", read_triangles),
    "card of a bundle": (".json", in_folder(Bundle.load, "bundle.json")),
}


@pytest.mark.parametrize("name", READERS)
def test_a_result_or_one_line(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    suffix, reader = READERS[name]
    for number, (kind, content) in enumerate(corpus().items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / f"file{suffix}"
        path.write_bytes(content)
        try:
            reader(path)
        except DDFAError as error:
            message = str(error)
            assert str(folder) in message or name == "human landmarks in a tar", f"{kind}: {message}"
            assert message.isprintable() and len(message) < 700, f"{kind}: {message!r}"
        except Exception as error:
            pytest.fail(f"{kind}: {type(error).__name__}: {error!r}")
    assert capfd.readouterr().err == ""


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise TimeoutError after some seconds, also in a system call."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", READERS)
def test_pipes_are_refused(name: str, tmp_path: Path) -> None:
    suffix, reader = READERS[name]
    path = tmp_path / f"pipe{suffix}"
    os.mkfifo(path)
    with time_limit(60), pytest.raises(DDFAError, match=r"pipe or a device|not a regular file"):
        reader(path)
