"""Model bundles by name."""

import shutil
from pathlib import Path

import pytest

from ddfa.errors import ModelError
from ddfa.regress import registry
from ddfa.regress.registry import find_bundle, installed, models_folder


def test_found_by_folder_and_by_name(toy_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("DDFA_MODELS", str(tmp_path))
    shutil.copytree(toy_bundle.folder, tmp_path / "mine")
    assert installed()["mine"] == tmp_path / "mine"
    assert find_bundle("mine").name == "toy"
    assert find_bundle(tmp_path / "mine").name == "toy"
    with pytest.raises(ModelError, match=r"no model bundle 'other': .*mine"):
        find_bundle("other")


def test_models_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DDFA_MODELS", str(tmp_path / "mine"))
    assert models_folder() == tmp_path / "mine"
    monkeypatch.delenv("DDFA_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "ddfa" / "models"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert models_folder() == Path.home() / ".local" / "share" / "ddfa" / "models"


def test_folders_without_a_card_are_not_bundles(monkeypatch, tmp_path):
    monkeypatch.setenv("DDFA_MODELS", str(tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / "file").touch()
    assert not {"other", "file"} & set(installed())


def test_missing_default_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("DDFA_MODELS", str(tmp_path / "none"))
    monkeypatch.setattr(registry, "ASSETS", tmp_path)
    with pytest.raises(ModelError, match="no default weights: pass the folder"):
        find_bundle()
