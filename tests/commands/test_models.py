import json
import shutil

import numpy as np
import pytest

from ddfa.commands.models import import_original, list_models, show_model, verify_models
from ddfa.errors import ModelError


@pytest.fixture
def installed(toy_bundle, tmp_path, monkeypatch):
    """The user's models folder with one bundle, "mine"."""
    monkeypatch.setenv("DDFA_MODELS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return shutil.copytree(toy_bundle.folder, tmp_path / "mine")


def test_list_names_every_bundle_damaged_ones_too(installed, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")  # a narrow table would break the message
    assert list_models() == 0
    assert "mine" in capsys.readouterr().out
    (installed / "model.onnx").write_bytes(b"")
    assert list_models() == 0
    assert "SHA-256 differs" in capsys.readouterr().out


def test_show_prints_json(installed, capsys):
    assert show_model("mine") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["layout"] == {"pose": 12, "identity": 40, "expression": 10} and card["licence"] == "test"
    with pytest.raises(ModelError, match="no model bundle"):
        show_model("other")


def test_verify_tells_damage_by_its_exit_code(installed, capsys):
    assert verify_models(("mine",)) == 0
    (installed / "head" / "basis.pkl").write_bytes(b"")
    assert verify_models(("mine", "none")) == 2
    printed = capsys.readouterr()
    assert printed.out == "mine: intact\n"
    complaints = printed.err.splitlines()  # one line each, however long
    assert len(complaints) == 2 and complaints[0].endswith("(SHA-256 differs): import or download the bundle again")
    assert complaints[1].startswith("ddfa models verify: none: no model bundle 'none'")


def test_names_with_markup_are_shown_as_they_are(installed, capsys):
    installed.rename(installed.with_name("my [red] net"))
    assert list_models() == 0
    assert "my [red] net" in capsys.readouterr().out


def test_import_makes_an_installed_bundle(reference, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="needs the extra `train`")
    monkeypatch.setenv("DDFA_MODELS", str(tmp_path))
    whitening = reference / "param_mean_std_62d_120x120.pkl"
    checkpoint, basis = reference / "mb1_120x120.onnx", reference / "train.configs"
    assert import_original(checkpoint, basis, whitening, tmp_path / "mb1") == 0
    assert "mobilenet_v1_100.bfm-v1, 62 parameters" in capsys.readouterr().out
    assert verify_models(("mb1",)) == 0
    from ddfa.align import FaceAligner

    faces = FaceAligner("mb1")(np.zeros((200, 200, 3), np.uint8), boxes=[[50, 50, 150, 150]])
    assert faces.vertices.shape == (1, 53215, 3)
