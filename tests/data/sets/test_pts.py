"""The `.pts` files of human annotation."""

import numpy as np
import pytest

from ddfa.data.sets.pts import parse_pts, read_pts
from ddfa.errors import DataError

TEXT = "version: 1\nn_points: 2\n{\n1.5 2\n30 4.25\n}\n"


@pytest.mark.parametrize("text", [TEXT, "\ufeff" + TEXT, TEXT.replace("\n", "\r\n"), TEXT.replace(": ", ":")])
def test_pixels_are_counted_from_0(tmp_path, text):
    (tmp_path / "a.pts").write_bytes(text.encode())
    points = read_pts(tmp_path / "a.pts")
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, [[0.5, 1], [29, 3.25]])


@pytest.mark.parametrize("text", ["", "n_points: 3\n{1 2}", "n_points: 1\n{1 x}", "n_points: 1\n{1 nan}"])
def test_damaged_files_are_one_clear_error(text):
    with pytest.raises(DataError, match="face7"):
        parse_pts(text.encode(), "face7")


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.pts"):
        read_pts(tmp_path / "gone.pts")
