"""The stage: what it makes of a batch is what it makes of each photo alone."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="needs the extra `batch`")

from ddfa import FaceAligner  # noqa: E402
from ddfa.batch import stage as stages  # noqa: E402
from ddfa.batch.stage import INPUT_SCHEMA, AlignStage, StageSettings  # noqa: E402
from ddfa.errors import DetectorError  # noqa: E402
from ddfa.faces import Faces  # noqa: E402
from ddfa.images import read_image  # noqa: E402
from ddfa.located import Located  # noqa: E402

NUMBERS = ("box", "score", "roi", "agreement", "params", "euler_deg", "landmarks68")


@pytest.fixture(scope="module")
def batch(root: Path) -> pa.RecordBatch:
    """Four faces in three photos, between them two that are none."""
    samples = [(root / "samples" / f"{name}.jpg").read_bytes() for name in ("test1", "astronaut", "grace_hopper")]
    content = [samples[0], b"words", samples[1], None, samples[2]]
    errors = [None, None, None, "cannot be reached", None]
    return pa.RecordBatch.from_arrays([list("abcde"), content, errors], schema=INPUT_SCHEMA)


@pytest.fixture(scope="module")
def one_by_one(batch: pa.RecordBatch) -> list[dict]:
    stage = AlignStage(StageSettings())
    return [row for k in range(len(batch)) for row in stage(batch.slice(k, 1)).to_pylist()]


def assert_same(rows: list[dict], wanted: list[dict]) -> None:
    assert len(rows) == len(wanted)
    for row, other in zip(rows, wanted, strict=True):
        for name, value in row.items():
            if name in NUMBERS and value is not None:
                np.testing.assert_allclose(value, other[name], rtol=1e-4, atol=1e-3)
            else:
                assert value == other[name], name


@pytest.mark.parametrize(("photos", "pixels"), [(64, 10**9), (2, 10**9), (64, 1)])
def test_photos_are_regressed_together(batch, one_by_one, monkeypatch, photos: int, pixels: int) -> None:
    sizes: list[int] = []
    together = FaceAligner.align_located

    def counted(self: FaceAligner, images: Sequence[Located], refine: bool = False) -> list[Faces]:
        sizes.append(len(images))
        return together(self, images, refine)

    monkeypatch.setattr(FaceAligner, "align_located", counted)
    monkeypatch.setattr(stages, "PHOTOS_TOGETHER", photos)
    monkeypatch.setattr(stages, "PIXELS_TOGETHER", pixels)
    assert_same(AlignStage(StageSettings())(batch).to_pylist(), one_by_one)
    assert sum(sizes) == 3 and max(sizes) <= photos and (pixels > 1 or max(sizes) == 1)
    assert photos < 5 or pixels == 1 or sizes == [3]


def test_a_photo_that_fails_costs_only_itself(batch, one_by_one, monkeypatch) -> None:
    together = FaceAligner.align_located

    def picky(self: FaceAligner, images: Sequence[Located], refine: bool = False) -> list[Faces]:
        if any(image.size == (512, 512) for image in images):
            raise DetectorError("not this one")
        return together(self, images, refine)

    monkeypatch.setattr(FaceAligner, "align_located", picky)
    rows = AlignStage(StageSettings())(batch).to_pylist()
    wanted = [row for row in one_by_one if row["source"] != "c"]
    assert_same([row for row in rows if row["source"] != "c"], wanted)
    assert [row["error"] for row in rows if row["source"] == "c"] == ["not this one"]
    assert [row["source"] for row in rows] == list("aabcde")


def enlarged(root: Path, name: str, side: int) -> np.ndarray:
    image = read_image(root / "samples" / f"{name}.jpg")
    scale = side / max(image.shape[:2])
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)


def rows_of(image: np.ndarray, full: bool = False) -> list[dict]:
    content = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
    batch = pa.RecordBatch.from_arrays([["photo"], [content], [None]], schema=INPUT_SCHEMA)
    return AlignStage(StageSettings(full=full))(batch).to_pylist()


@pytest.mark.parametrize("side", [4000, 2903])
@pytest.mark.parametrize("name", ["astronaut", "test1"])
def test_large_photos_are_decoded_smaller(root: Path, monkeypatch, name: str, side: int) -> None:
    image = enlarged(root, name, side)
    wanted = rows_of(image, full=True)
    monkeypatch.setattr(stages, "decode_image", None)  # is not needed
    rows = rows_of(image)
    assert len(rows) == len(wanted) > 0
    for row, other in zip(rows, wanted, strict=True):
        assert (row["width"], row["height"], row["faces"]) == (image.shape[1], image.shape[0], other["faces"])
        face = other["roi"][2] - other["roi"][0]
        points, others = (np.reshape(each["landmarks68"], (68, 3)) for each in (row, other))
        assert np.linalg.norm((points - others)[:, :2], axis=1).mean() < 0.01 * face
        np.testing.assert_allclose(row["box"], other["box"], atol=0.03 * face)
        np.testing.assert_allclose(row["euler_deg"], other["euler_deg"], atol=2)
        assert row["agreement"] == pytest.approx(other["agreement"], abs=0.08)


def test_small_faces_of_large_photos_are_seen_in_full(root: Path) -> None:
    image = np.full((2400, 3600, 3), 90, np.uint8)
    image[1000:1256, 2000:2256] = enlarged(root, "astronaut", 256)
    (row,), (wanted,) = rows_of(image), rows_of(image, full=True)
    assert row["roi"][2] - row["roi"][0] < 240 and (row["width"], row["height"]) == (3600, 2400)
    face = wanted["roi"][2] - wanted["roi"][0]
    assert np.abs(np.subtract(row["landmarks68"], wanted["landmarks68"])).mean() < 0.02 * face
