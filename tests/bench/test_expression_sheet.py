import json

import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.bench.expression_sheet import TEACHER, PhotoUnits, comparison_report, draw_comparison
from ddfa.cli import main
from ddfa.head.open import load_open_head
from ddfa.images import read_image

NAMES = load_open_head().expression_names


@pytest.fixture(scope="module")
def astronaut(root):
    image = read_image(root / "samples/astronaut.jpg")
    teacher, model = np.zeros(52, np.float32), np.zeros(52, np.float32)
    teacher[[NAMES.index("mouthSmileLeft"), NAMES.index("jawLeft")]] = 0.8, 0.3
    model[NAMES.index("mouthSmileRight")] = 0.5
    return PhotoUnits("a.jpg", image, FaceAligner(threads=1)(image)[:1], {TEACHER: teacher, "default": model})


def test_the_clearest_units_are_listed_with_both_sides(astronaut):
    report = comparison_report([astronaut], NAMES, "title")
    assert list(report.sheet.rows) == [
        ("a.jpg", "mouthSmile", "0.80 / 0.00", "0.00 / 0.50"),
        ("", "jawLeft", "0.30", "0.00"),
    ]
    assert report.further[0].rows == [("default", f"{(0.8 + 0.5 + 0.3) / 52:.3f}")]
    assert [entry["model"] for entry in report.record] == [TEACHER, "default"]


def test_sheet_shows_photo_mesh_and_bars(astronaut):
    sheet = draw_comparison([astronaut, astronaut], NAMES)
    assert sheet.dtype == np.uint8 and sheet.shape[0] == 640
    photo, mesh, bars = sheet[:320, :320], sheet[:320, 320:640], sheet[:320, 640:]
    assert photo.std() > 20 and (photo != mesh).any()
    assert (bars != 255).any() and (bars[200:] == 255).all()  # two units: the lower lines are empty


def test_command(root, tmp_path, capsys):
    task = root / "reference/face_landmarker.task"
    if not task.is_file():
        pytest.skip("needs reference/face_landmarker.task (make reference)")
    pytest.importorskip("openvino", reason="needs the extra `train`")
    words = ["bench", "expressions", "--photos", str(root / "samples"), "--mesh-teacher", str(task)]
    words += ["--sheet", str(tmp_path / "sheet.png"), "--output", str(tmp_path), "--threads", "1"]
    assert main(words) == 0
    assert "mouthSmile" in capsys.readouterr().out
    assert read_image(tmp_path / "sheet.png").shape[0] == 3 * 320
    models = {row["model"] for row in json.loads((tmp_path / "results.json").read_text())["results"]}
    assert models == {TEACHER, "default"}
