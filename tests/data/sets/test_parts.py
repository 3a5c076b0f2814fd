from pathlib import Path

import pytest

from ddfa.data.sets.parts import begin_parts
from ddfa.errors import DataError


def test_the_same_settings_go_on_and_others_do_not(tmp_path):
    settings = {"photos": Path("a"), "vertices": 1200}
    folder = begin_parts(tmp_path, settings)
    assert folder == begin_parts(tmp_path, settings)
    with pytest.raises(DataError, match="other settings"):
        begin_parts(tmp_path, settings | {"vertices": 1000})
