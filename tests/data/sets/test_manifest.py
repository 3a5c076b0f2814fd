"""Settings and manifest of a data set."""

import json
from pathlib import Path

import pytest

from ddfa.data.sets.manifest import begin_parts, write_manifest
from ddfa.errors import DataError


def test_the_same_settings_resume_and_others_are_refused(tmp_path):
    settings = {"photos": Path("a"), "vertices": 1200}
    folder = begin_parts(tmp_path, settings)
    assert folder == begin_parts(tmp_path, settings)
    with pytest.raises(DataError, match=r"other settings \(vertices\)"):
        begin_parts(tmp_path, settings | {"vertices": 1000})


def test_a_run_begun_by_an_earlier_version_is_resumed(tmp_path):
    (tmp_path / "parts").mkdir()
    before = json.dumps({"photos": "a", "vertices": "1200"}, indent=2, sort_keys=True)  # without a final line feed
    (tmp_path / "parts" / "settings.json").write_text(before)
    begin_parts(tmp_path, {"vertices": 1200, "photos": Path("a")})
    assert (tmp_path / "parts" / "settings.json").read_text() == before


def test_a_manifest_needs_its_labels(tmp_path):
    with pytest.raises(DataError, match="ddfa data label"):
        write_manifest(tmp_path, "ddfa data test", None, {})
