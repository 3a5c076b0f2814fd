import json
from functools import partial

import numpy as np
import pytest

from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_FILE
from ddfa.data.sets.image_set import ImageSet, Sample, make_images
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.manifest import MANIFEST_FILE
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError


def draw(value, rng, count):
    """Images of one grey level with random poses."""
    for _ in range(count):
        pose = rng.normal(size=(3, 4))
        yield Sample(np.full((16, 16, 3), value, np.uint8), pose, np.zeros(2), np.ones(1), 0.0, "")


def open_draw(value):
    return partial(draw, value)


def made(output, seed=0):
    return ImageSet("ddfa data test", output, 5, seed, "toy", {"value": 80})


def test_images_labels_and_manifest_are_written(tmp_path):
    labels = make_images(made(tmp_path), partial(open_draw, 80), workers=1)
    assert len(labels) == 5 and labels.sources == labels.names
    assert Labels.load(tmp_path / LABEL_FILE).names == labels.names
    assert Photos(tmp_path / PHOTO_FILE).read(labels.names[4]).mean() == pytest.approx(80, abs=1)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    assert manifest["pictures"] == 5 and manifest["settings"] == {"value": "80"}
    assert manifest["made_by"] == "ddfa data test" and manifest["seed"] == 0


def test_a_run_goes_on_and_another_seed_needs_another_folder(tmp_path):
    first = make_images(made(tmp_path), partial(open_draw, 80), workers=1)
    again = make_images(made(tmp_path), partial(open_draw, 200), workers=1)
    np.testing.assert_array_equal(again.pose, first.pose)
    with pytest.raises(DataError, match="other settings"):
        make_images(made(tmp_path, seed=1), partial(open_draw, 80), workers=1)
