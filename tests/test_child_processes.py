"""Modules of the package run as processes of their own, wherever the package is."""

import subprocess

from ddfa.child_processes import module_command


def test_a_module_runs_with_its_arguments_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    command = module_command("ddfa.cli", "--version")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("ddfa ")
