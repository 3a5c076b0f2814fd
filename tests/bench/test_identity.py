import json

import numpy as np
import pytest

from ddfa.bench.identity import identity_report, people_in, score_identity
from ddfa.cli import main
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.images import read_image, write_image


def _people(noise: float) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {name: random.normal(0, 1, (1, 50, 3)) for name in ("one", "two", "three")}
    return {name: shape + random.normal(0, noise, (4, 50, 3)) for name, shape in shapes.items()}


def test_distances_within_and_between_people():
    close, far = (score_identity("model", _people(noise)) for noise in (0.01, 100.0))
    assert len(close.within) == 3 * 6 and len(close.between) == 3 * 16 and close.faces == 12
    assert close.within.max() < close.between.min() and close.auc == 1
    assert close.within.mean() < far.within.mean() and 0.3 < far.auc < 0.7
    assert close.people["one"] < 0.05


def test_the_distance_is_the_mean_over_vertices():
    still, moved = np.zeros((1, 4, 3)), np.zeros((1, 4, 3))
    moved[0, 0] = [0, 3, 4]
    score = score_identity("model", {"one": np.concatenate([still, moved])})
    np.testing.assert_allclose(score.within, [5 / 4])
    assert np.isnan(score.auc) and not len(score.between)


def test_report_lists_people_with_several_faces():
    people = _people(0.1)
    people["three"] = people["three"][:1]
    report = identity_report([score_identity("model", people)], "title")
    assert [row[0] for row in report.further[0].rows] == ["one", "two"]
    assert report.record[0]["people"]["three"] is None
    json.dumps(report.record, allow_nan=False)


def test_people_are_the_folders_of_the_photos(tmp_path):
    for name in ("ann/1.png", "ann/2.png", "bob/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_image(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    assert people_in(Photos(tmp_path)) == {"ann": ["ann/1.png", "ann/2.png"], "bob": ["bob/1.png"]}
    write_image(tmp_path / "stray.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"stray\.png outside a folder"):
        people_in(Photos(tmp_path))


def test_command_measures_people(root, tmp_path, capsys):
    for person, photo in (("ann", "astronaut"), ("bob", "grace_hopper")):
        image = read_image(root / f"samples/{photo}.jpg")
        (tmp_path / "people" / person).mkdir(parents=True)
        write_image(tmp_path / "people" / person / "plain.png", image)
        write_image(tmp_path / "people" / person / "dark.png", (image * 0.8).astype(np.uint8))
    words = ["bench", "identity", "--photos", str(tmp_path / "people"), "--output", str(tmp_path / "out")]
    assert main([*words, "--threads", "1"]) == 0
    found, halves = json.loads((tmp_path / "out/results.json").read_text())["results"]
    assert halves["model"].endswith("fused halves") and halves["within_mm"] == pytest.approx(
        found["within_mm"], rel=0.01
    )
    assert halves["between_by_within"] > 1
    assert found["faces"] == 4 and found["within_mm"] < found["between_mm"]
    assert main(["bench", "identity"]) == 2
    assert "one folder per person" in capsys.readouterr().err
