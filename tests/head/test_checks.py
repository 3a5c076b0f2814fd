"""Heads from files: every array is checked before it is used."""

from dataclasses import replace

import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.head import open as open_head
from ddfa.head.model import HeadModel
from ddfa.head.open import OPEN_HEAD, load_npz, load_open_head


def changed(array, value, index=0):
    copy = np.array(array)
    copy.reshape(-1)[index] = value
    return copy


@pytest.mark.parametrize(
    ("field", "change", "message"),
    [
        ("uv_triangles", lambda a: changed(a, 10**8), "outside the"),
        ("uv_triangles", lambda a: changed(a, -1), "outside the"),
        ("uv_triangles", lambda a: a.astype(np.float32), "type"),
        ("uv", lambda a: a[:-1], "outside the"),
        ("uv", lambda a: changed(a, np.nan), "not finite"),
        ("uv", lambda a: changed(a, 7), r"outside \[0, 1\]"),
        ("uv", lambda _: None, "only one of"),
        ("triangles", lambda a: changed(a, 10**9), "outside the"),
        ("expression_mirror", lambda a: changed(a, 52), "52 expressions"),
        ("expression_mirror", lambda a: changed(a, 5), "twice"),
        ("identity_mirror", lambda a: changed(a, 0), "other than"),
        ("landmark_vertices", lambda a: changed(a, -2), "outside the"),
        ("landmark_weights", lambda a: changed(a, 3), "barycentric"),
        ("mean", lambda a: changed(a, np.inf), "not finite"),
        ("mean", lambda a: a.astype(np.int32), "type"),
        ("identity_std", lambda a: changed(a, -1), "negative"),
        ("identity_basis", lambda a: np.float32(1e10) * a, "more than a metre"),
        ("expression_basis", lambda a: changed(a, np.nan), "not finite"),
        ("mirror_vertices", lambda a: a[:, None], "expected"),
    ],
)
def test_arrays_that_would_crash_a_kernel(field, change, message):
    head = load_open_head()
    with pytest.raises(ModelError, match=message):
        replace(head, **{field: change(getattr(head, field))})


@pytest.fixture(scope="module")
def stored():
    with np.load(OPEN_HEAD) as archive:
        return dict(archive)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stencil_columns", lambda a: changed(a, 65_000)),
        ("stencil_starts", lambda a: changed(a, 10**6, 5)),
        ("stencil_starts", lambda a: changed(a, 10**6, -1)),
        ("stencil_starts", lambda a: a[:0]),
        ("stencil_weights", lambda a: changed(a, np.nan)),
        ("stencil_weights", lambda a: a[:-1]),
        ("identity_basis_scale", lambda a: a * 1e10),
        ("uv", lambda a: a[:10]),
        ("expression_names", lambda a: a[:3]),
        ("mean", lambda a: np.float32(3)),
    ],
)
def test_files_that_would_crash_a_kernel(stored, tmp_path, name, change):
    if name not in stored:
        pytest.skip(f"the open head has no {name}")
    path = tmp_path / "head.npz"
    np.savez(path, **(stored | {name: change(stored[name])}))
    with pytest.raises(ModelError, match=r"head\.npz"):
        load_npz(path)


def test_a_file_of_gigabytes_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, mean=np.zeros((100_000, 3), np.float32))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(open_head, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it is read"))
    with pytest.raises(ModelError, match="damaged or not a head model"):
        HeadModel.load(path)
