"""The live page of a run."""

from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import cv2

from ddfa.errors import DataError
from ddfa.train.watch import watched


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "<a>"
    folder.mkdir(parents=True)
    return folder


def test_an_empty_run_waits(run):
    with watched([run], 0) as address:
        assert "Waiting for the first hundred steps" in urlopen(address).read().decode()
        for name in ("curves.png", "preview/0.jpg", "preview/7.jpg", "preview/../log.csv", "config.yaml"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(address + name)


def test_curves_figures_and_previews(run):
    (run / "config.yaml").write_text("batch_size: 64\n")
    (run / "log.csv").write_text("step,rate,wpdc,nme\n100,0.1,3.5,\n200,0.1,2.5,4.25\n")
    (run / "units.csv").write_text("unit,r\njawOpen,0.91\n<unit>,0.5\n")
    cv2.imwrite(str(run / "preview.jpg"), np.zeros((20, 30, 3), np.uint8))
    with watched([run, run], 0) as address:
        page = urlopen(address).read().decode()
        assert "<td>4.25</td>" in page and "<td>200</td>" in page and "&lt;a&gt;" in page and "<a>" not in page
        assert "<td>jawOpen</td><td>0.91</td>" in page and "&lt;unit&gt;" in page
        for name, height in (("curves.png", 400), ("preview/1.jpg", 20)):
            image = cv2.imdecode(np.frombuffer(urlopen(address + name).read(), np.uint8), cv2.IMREAD_COLOR)
            assert image is not None and image.shape[0] == height


def test_a_port_in_use_is_one_clear_error(run):
    with (
        watched([run], 0) as address,
        pytest.raises(DataError, match="choose another --watch"),
        watched([run], int(address.rsplit(":", 1)[1].strip("/"))),
    ):
        pass
