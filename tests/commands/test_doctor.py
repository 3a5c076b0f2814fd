from ddfa import exit_codes
from ddfa.cli import main


def test_an_installation_in_order(capsys) -> None:
    assert main(["doctor"]) == exit_codes.OK
    out = capsys.readouterr().out
    assert "default (verified)" in out or "default," in out
    assert "68 landmarks" in out and "FAILED" not in out and "extra train" in out


def test_missing_weights_are_essential(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr("ddfa.regress.registry.ASSETS", tmp_path)
    assert main(["doctor"]) == exit_codes.FAILED
    assert "FAILED  weights: the default weights are missing" in capsys.readouterr().out


def test_missing_extras_are_not(monkeypatch, capsys) -> None:
    monkeypatch.setattr("ddfa.commands.doctor._is_there", lambda module: module != "pxr")
    assert main(["doctor"]) == exit_codes.OK
    assert "extra usd: lacks pxr: pip install 'openddfa[usd]'" in capsys.readouterr().out
