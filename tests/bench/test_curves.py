import pytest

from ddfa.bench.curves import RunCurves, draw_curves
from ddfa.cli import main
from ddfa.commands.bench.curves import curves
from ddfa.errors import DataError
from ddfa.images import read_image

LOG = """step,rate,wpdc,points,samples_per_second,nme,aperture_error
100,0.001,9.0,0.4,300,,
200,0.001,0.5,0.3,300,4.5,1.5
300,0.001,0.4,0.2,300,4.5,1.5
400,0.0001,0.3,0.1,300,3.9,1.3
"""


@pytest.fixture
def run(tmp_path):
    pytest.importorskip("yaml", reason="needs the extra `train`")
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "log.csv").write_text(LOG)
    (folder / "config.yaml").write_text("batch: 50\n")
    return folder


def test_log_is_read_over_crops(run):
    log = RunCurves.load(run)
    assert log.name == "runs/a" and list(log.curves) == ["wpdc", "points", "nme", "aperture_error"]
    crops, nme = log.curves["nme"]
    assert crops.tolist() == [10, 20] and nme.tolist() == [4.5, 3.9]


def test_a_chart_per_quantity(run, tmp_path):
    other = RunCurves("runs/b", {"vdc": RunCurves.load(run).curves["wpdc"]})
    assert draw_curves([RunCurves.load(run)]).shape == (2 * 400, 2 * 620, 3)
    assert draw_curves([RunCurves.load(run), other]).shape == (3 * 400, 2 * 620, 3)
    assert main(["bench", "curves", str(run), "--output", str(tmp_path / "c.png")]) == 0
    assert read_image(tmp_path / "c.png").shape == (800, 1240, 3)


def test_folders_without_a_log(run, tmp_path):
    with pytest.raises(DataError, match="name run folders"):
        curves(())
    with pytest.raises(DataError, match="does not exist"):
        RunCurves.load(tmp_path)
    (run / "log.csv").write_text(LOG.splitlines()[0] + "\n")
    with pytest.raises(DataError, match="is empty"):
        RunCurves.load(run)
    (run / "log.csv").write_text(LOG.replace("4.5", "x"))
    with pytest.raises(DataError, match="not the folder of a training run"):
        RunCurves.load(run)
