"""Looks of faces: near for one person in any pose and light, far for two."""

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.images import read_image
from ddfa.person.appearance import OTHER, SAME, Appearance, mixed


@pytest.fixture(scope="module")
def aligner() -> FaceAligner:
    return FaceAligner(threads=1)


@pytest.fixture(scope="module")
def looks(root, aligner):
    """Look of the largest face of an image."""
    appearance = Appearance(aligner.head)
    photos = {name: read_image(root / "samples" / f"{name}.jpg") for name in ("astronaut", "grace_hopper")}

    def look(image):
        image = photos.get(image, image) if isinstance(image, str) else image
        return appearance(image, aligner(image).single(0))

    return appearance, photos, look


def test_two_people_differ_and_a_look_is_itself(looks) -> None:
    appearance, _, look = looks
    first, second = look("astronaut"), look("grace_hopper")
    assert appearance.distance(first, second) > OTHER
    assert appearance.distance(first, second) == pytest.approx(appearance.distance(second, first), abs=1e-5)
    assert appearance.distance(first, first) < 1e-3


@pytest.mark.parametrize("change", ["dark", "small", "turned", "large", "half_covered"])
def test_one_person_stays_the_same(looks, change: str) -> None:
    appearance, photos, look = looks
    photo = photos["astronaut"]
    height, width = photo.shape[:2]
    roll = cv2.getRotationMatrix2D((width / 2, height / 2), 20, 1)
    covered = photo.copy()
    covered[120:170] = (150, 110, 90)  # mouth and chin behind a hand
    changed = {
        "dark": (photo * 0.5).astype(np.uint8),
        "small": cv2.resize(photo, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA),
        "turned": cv2.warpAffine(photo, roll, (width, height)),
        "large": cv2.resize(photo, None, fx=1.5, fy=1.5),
        "half_covered": covered,
    }[change]
    assert appearance.distance(look("astronaut"), look(np.asarray(changed, np.uint8))) < SAME


def test_the_mean_forgets_slowly(looks) -> None:
    appearance, _, look = looks
    first, second = look("astronaut"), look("grace_hopper")
    blend = mixed(first, second)
    assert appearance.distance(first, blend) < SAME < appearance.distance(second, blend)
    for _ in range(40):
        blend = mixed(blend, second)
    assert appearance.distance(second, blend) < SAME


def test_a_face_out_of_view_is_not_compared(looks, aligner) -> None:
    appearance, photos, look = looks
    face = aligner(photos["astronaut"]).single(0)
    outside = appearance(photos["astronaut"][-60:, -60:], face)
    assert np.isnan(appearance.distance(outside, look("astronaut")))
