import json
import shutil

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.bench.original_sets import OriginalSet, load_points21, points21, score21
from ddfa.bench.predict import predict
from ddfa.bench.report import JSON_FILE
from ddfa.cli import main
from ddfa.commands.bench.aflw import aflw, aflw2000
from ddfa.commands.bench.options import Protocol
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.images import write_image
from ddfa.regress.convention import PixelConvention
from ddfa.regress.session import Regressor

from ..conftest import make_bundle


def test_both_label_sets_are_scored(published, toy_bundle, tmp_path, capsys):
    folder = str(toy_bundle.folder)
    assert main(["bench", "aflw2000", folder, "--data", str(published), "--output", str(tmp_path / "out")]) == 0
    assert "re-annotated" in capsys.readouterr().out
    results = json.loads((tmp_path / "out" / JSON_FILE).read_text())["results"]
    assert [r["of"] for r in results] == ["original", "re-annotated"] and results[0]["counts"] == [1, 2, 1]
    (published / "test.configs" / "AFLW2000-3D-Reannotated.pts68.npy").unlink()
    assert aflw2000(published, Protocol((folder,))) == 0
    assert "original" not in capsys.readouterr().out


def test_flat_folders_are_found(published, tmp_path):
    flat = tmp_path / "flat"
    shutil.copytree(published / "test.data", flat)
    shutil.copytree(published / "test.configs", flat, dirs_exist_ok=True)
    assert len(OriginalSet.load(flat, "aflw2000")) == len(OriginalSet.load(published, "aflw")) == 4


def test_v1_models_are_scored_by_the_published_formula(published, tmp_path):
    data = OriginalSet.load(published, "aflw2000")
    aligner = FaceAligner(make_bundle(tmp_path / "v1", PixelConvention.V1))
    found = data.predict(aligner)
    crop = np.array([[0, 0, 120, 120]], np.float32)
    params = Regressor(aligner.bundle)(data.crops.read(data.names[1]), crop)
    pose, identity, expression = aligner.bundle.layout.split(params)
    x, y, _ = pose[0, :, :3] @ aligner.head.decode_landmarks(identity, expression)[0].T + pose[0, :, 3:]
    sx, sy, ex, ey = data.roi[1]
    expected = np.stack([x * (ex - sx) / 120 + sx, (121 - y) * (ey - sy) / 120 + sy], axis=1)
    stored = np.load(published / "test.configs" / "AFLW2000-3D.pts68.npy")[1, :2].T
    difference = found.landmarks68[1, :, :2] - data.labels["original"][1, :, :2]
    np.testing.assert_allclose(difference, expected - stored, atol=1e-3)


@pytest.mark.parametrize("convention", [PixelConvention.OPEN, PixelConvention.V2])
def test_ready_crops_and_uncropped_photos_agree(published, tmp_path, convention):
    """Crops of 120 px side need no resizing, so both ways see the same pixels in the same place."""
    rng = np.random.default_rng(3)
    photo = rng.integers(0, 256, (300, 300, 3), np.uint8)
    points = np.zeros((1, 3, 68), np.float32)
    half = 60 / np.sqrt(2)  # landmarks around the crop's middle, whose RoI is then the crop
    points[0, :2] = 130.5 + rng.uniform(-half, half, (2, 68))
    points[0, :2, :2] = 130.5 + np.array([[-half, half], [-half, half]])
    crops = published / "test.data" / "AFLW2000-3D_crop"
    write_image(crops / "a.png", photo[70:190, 70:190])
    (tmp_path / "photos").mkdir()
    write_image(tmp_path / "photos" / "a.png", photo)
    crops.with_suffix(".list").write_text("a.png\n")
    configs = published / "test.configs"
    np.save(configs / "AFLW2000-3D_crop.roi_box.npy", np.float32([[71, 71, 190, 190]]))
    np.save(configs / "AFLW2000-3D.pts68.npy", points)
    np.save(configs / "AFLW2000-3D-Reannotated.pts68.npy", points[:, :2])
    np.save(configs / "AFLW2000-3D.pose.npy", np.float32([0]))
    data = OriginalSet.load(published, "aflw2000")
    aligner = FaceAligner(make_bundle(tmp_path / convention.value, convention))
    ready, cut = data.predict(aligner), predict(aligner, data.uncropped(Photos(tmp_path / "photos")))
    shift = 0.5 if convention is PixelConvention.V2 else 0.0  # the published crop rounds its corner to whole pixels
    np.testing.assert_allclose(ready.landmarks68[..., :2] - cut.landmarks68[..., :2], shift, atol=2e-2)


def test_aflw(published, toy_bundle, tmp_path):
    assert aflw(published, Protocol((str(toy_bundle.folder),), tmp_path / "out")) == 0
    record = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert record["data"] == "AFLW" and record["results"][0]["counts"] == [1, 2, 1]


def test_21_points_from_68():
    numbered = np.repeat(np.arange(1.0, 69.0)[None, :, None], 2, axis=2)
    eye, mouth = 39.5, 64.5
    rule = [18, 20, 22, 23, 25, 27, 37, eye, 40, 43, 45.5, 46, 3, 32, 31, 36, 15, 49, mouth, 55, 9]
    np.testing.assert_allclose(points21(numbered)[0, :, 0], rule)


def test_only_visible_points_count(published, toy_bundle):
    data = OriginalSet.load(published, "aflw")
    _, visible = load_points21(published, len(data))
    assert visible.sum(axis=1).tolist() == [20] * 4 and not visible[:, 3].any()
    found = data.predict(FaceAligner(toy_bundle))
    truth = points21(found.landmarks68)[..., :2].astype(np.float32)
    truth[~visible] = -1e6
    for align in (False, True):
        np.testing.assert_allclose(score21(found, data, truth, visible, align=align).errors, 0, atol=1e-4)
    size = np.sqrt(np.prod(np.ptp(data.labels["original"][..., :2], axis=1), axis=1))
    shifted = score21(found, data, truth + np.float32([0, 2]), visible).errors
    np.testing.assert_allclose(shifted, 200 / size, rtol=1e-4)


def test_detection_needs_the_uncropped_photos(published, toy_bundle, tmp_path):
    run = Protocol((str(toy_bundle.folder),), detected=True)
    with pytest.raises(DataError, match="--photos"):
        aflw2000(published, run)
    for k in range(4):
        cv2.imwrite(str(tmp_path / f"image{k:05d}.jpg"), np.zeros((450, 450, 3), np.uint8))
    assert aflw2000(published, run, photos=tmp_path) == 0


def test_missing_and_foreign_files(published):
    configs = published / "test.configs"
    np.save(configs / "AFLW_GT_crop_yaws.npy", np.zeros(5, np.float32))
    with pytest.raises(DataError, match=r"is \(5,\), not \(4,\)"):
        OriginalSet.load(published, "aflw")
    (configs / "AFLW_GT_pts68.npy").unlink()
    with pytest.raises(DataError, match=r"AFLW_GT_pts68\.npy is neither in"):
        OriginalSet.load(published, "aflw")
    (configs / "AFLW2000-3D.pose.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match="not a readable array"):
        OriginalSet.load(published, "aflw2000")
    np.save(configs / "AFLW_GT_pts21.npy", np.full((4, 2, 21), -1, np.float32))
    with pytest.raises(DataError, match="fewer than 2 visible"):
        load_points21(published, 4)
