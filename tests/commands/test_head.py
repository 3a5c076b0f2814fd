"""`ddfa head show`: an image, or one clear error."""

from pathlib import Path

import numpy as np

from ddfa.cli import main
from ddfa.commands import head
from ddfa.images import read_image


def test_a_contact_sheet(tmp_path: Path, capsys, monkeypatch) -> None:
    """What the sheet shows is tested where it is drawn."""
    names = []

    def sheet(model):
        names.append(model.name)
        return np.full((40, 60, 3), 90, np.uint8)

    monkeypatch.setattr(head, "head_contact_sheet", sheet)
    path = tmp_path / "head.png"
    assert main(["head", "show", "-o", str(path)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(f"-> {path}")
    assert names == ["open"] and read_image(path).shape == (40, 60, 3)


def test_a_missing_model(tmp_path: Path, capsys) -> None:
    assert main(["head", "show", "--head", str(tmp_path / "none.npz"), "-o", str(tmp_path / "head.png")]) == 2
    error = capsys.readouterr().err
    assert "none.npz" in error and error.count("\n") == 1 and not (tmp_path / "head.png").exists()
