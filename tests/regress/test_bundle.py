import json
import os
import shutil

import numpy as np
import pytest

from ddfa.errors import ModelError, OutputError
from ddfa.regress.bundle import Bundle, write_bundle


@pytest.fixture
def folder(toy_bundle, tmp_path):
    """A copy of the toy bundle to damage."""
    return shutil.copytree(toy_bundle.folder, tmp_path / "copy")


def edit(folder, **changes):
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_round_trip(toy_bundle):
    again = Bundle.load(toy_bundle.folder)
    assert again.layout == toy_bundle.layout and again.convention is toy_bundle.convention
    np.testing.assert_array_equal(again.whitening.mean, toy_bundle.whitening.mean)
    assert set(again.files) == {"model.onnx", "head/basis.pkl"}
    assert again.head_path == toy_bundle.folder / "head" / "basis.pkl"


@pytest.mark.parametrize("name", ["model.onnx", "head/basis.pkl"])
def test_tampered_file_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=r"SHA-256 differs"):
        Bundle.load(folder)


def test_missing_file(folder):
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"lacks its file model\.onnx"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2 is not known"),
        ({"pixel_convention": "v9"}, "v9"),
        ({"channel_order": "GRB"}, "channel_order"),
        ({"layout": {}}, "'identity' is missing"),
        ({"layout": {"identity": 3, "expression": 3}}, "whitening has 62 values"),
        ({"whitening": {"mean": [0.0] * 62, "std": [0.0] * 62}}, "positive"),
        ({"head": "../elsewhere.pkl"}, "outside the bundle"),
        ({"files": {"model.onnx": "", "/etc/passwd": ""}}, "outside the bundle"),
        ({"files": {}}, r"does not list model\.onnx"),
        ({"files": 3}, "not a bundle's card"),
        ({"head": "head/other.npz"}, "does not list the files of its head"),
        ({"input_size": 10**9}, "input_size"),
        ({"input_size": 1e400}, "not a bundle's card"),
        ({"whitening": {"mean": [float("nan")] * 62, "std": [1.0] * 62}}, "not finite"),
    ],
)
def test_inconsistent_cards(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(ModelError, match=message):
        Bundle.load(folder)


def test_not_a_bundle(tmp_path):
    with pytest.raises(ModelError, match="a bundle is a folder"):
        Bundle.load(tmp_path)
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        Bundle.load(tmp_path)
    (tmp_path / "bundle.json").write_text("[]")
    with pytest.raises(ModelError, match="not a bundle's card"):
        Bundle.load(tmp_path)


def test_rewriting_replaces_a_bundle_but_nothing_else(toy_bundle, folder, tmp_path):
    files = {name: toy_bundle.folder / name for name in toy_bundle.files}
    write_bundle(toy_bundle, folder, files)
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.txt").write_text("keep me")
    with pytest.raises(OutputError, match="not a model bundle"):
        write_bundle(toy_bundle, other, files)
    with pytest.raises(OutputError, match="cannot write the bundle"):
        write_bundle(toy_bundle, tmp_path / "new", files | {"missing.bin": tmp_path / "missing.bin"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "other"]


def test_a_file_that_the_card_does_not_list(folder):
    (folder / ".DS_Store").write_bytes(b"")
    Bundle.load(folder)
    (folder / "head" / "tri.pkl").write_bytes(b"")  # would be read beside the basis
    with pytest.raises(ModelError, match=r"contains head/tri\.pkl, which its bundle\.json does not list"):
        Bundle.load(folder)


def test_deeply_nested_or_huge_cards_are_one_clear_error(folder, tmp_path):
    path = folder / "bundle.json"
    path.write_text("[" * 200_000)
    with pytest.raises(ModelError, match=r"bundle\.json is not valid JSON"):
        Bundle.load(folder)
    path.write_bytes(b" " * (17 << 20))
    with pytest.raises(ModelError, match="larger than 16 MB"):
        Bundle.load(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ModelError, match="a pipe or a device"):
        Bundle.load(folder)
