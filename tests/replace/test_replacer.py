"""Face replacement: what changes, and what must not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa import FaceAligner, Faces, read_image
from ddfa.errors import ModelError
from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.skin_colour import ColourBasis
from ddfa.replace.appearance.skin_texture import faded
from ddfa.replace.replacer import Replacer
from ddfa.replace.source import Source, source_from_photos
from ddfa.replace.target import TargetFace
from ddfa.texture.atlas import atlas_of


class Case:
    """The two people of the samples, and the source faces taken from them."""

    def __init__(self, folder: Path) -> None:
        aligner = FaceAligner(threads=1)
        self.photos: dict[str, np.ndarray] = {}
        self.faces: dict[str, Faces] = {}
        self.sources: dict[str, Source] = {}
        for name in ("astronaut", "grace_hopper"):
            self.photos[name] = read_image(folder / f"{name}.jpg")
            self.faces[name] = aligner(self.photos[name], refine=True)
            self.sources[name] = source_from_photos([self.photos[name]], [self.faces[name].single(0)], 512)


@pytest.fixture(scope="module")
def case(root: Path) -> Case:
    try:
        return Case(root / "samples")
    except ModelError as error:
        pytest.skip(f"needs the shipped weights ({error})")


def _mouth(faces: Faces) -> np.ndarray:
    """Columns and rows around the mouth and up to the tip of the nose."""
    points = faces.landmarks68[0, [*range(30, 36), *range(48, 68)], :2]
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([low, high]).astype(int)


@pytest.mark.parametrize("shape", ["source", "target", "blend"])
def test_the_face_changes_and_nothing_else(case: Case, shape) -> None:
    photo, faces = case.photos["grace_hopper"], case.faces["grace_hopper"]
    kept = photo.copy()
    result = Replacer(case.sources["astronaut"], shape)(photo, faces).unmarked_pixels
    assert np.array_equal(photo, kept)
    changed = (result != photo).any(axis=2)
    x0, y0, x1, y1 = _mouth(faces)
    assert changed[y0:y1, x0:x1].mean() > 0.9
    face = FaceSurface(faces.head).project(faces)[0, :, :2]
    low, high = face.min(axis=0) - 40, face.max(axis=0) + 40
    outside = np.ones(changed.shape, bool)
    outside[int(max(low[1], 0)) : int(high[1]), int(max(low[0], 0)) : int(high[0])] = False
    assert outside.any() and not changed[outside].any()


def test_a_face_replaced_by_itself_changes_little(case: Case) -> None:
    photo, faces = case.photos["astronaut"], case.faces["astronaut"]
    result = Replacer(case.sources["astronaut"], "target")(photo, faces).unmarked_pixels
    changed = (result != photo).any(axis=2)
    error = np.square(result[changed].astype(float) - photo[changed]).mean()
    other = Replacer(case.sources["grace_hopper"], "target")(photo, faces).unmarked_pixels
    foreign = np.square(other[changed].astype(float) - photo[changed]).mean()
    assert 10 * np.log10(255**2 / error) > 26
    assert error < foreign / 2


def test_colours_become_those_of_the_target(case: Case) -> None:
    photo, faces = case.photos["grace_hopper"], case.faces["grace_hopper"]
    result = Replacer(case.sources["astronaut"], "target")(photo, faces).unmarked_pixels
    x0, y0, x1, y1 = _mouth(faces)
    chin = (slice(y1, y1 + (y1 - y0) // 2), slice(x0, x1))
    was, now = (np.median(image[chin].reshape(-1, 3), axis=0) for image in (photo, result))
    own = case.photos["astronaut"]
    ax0, _, ax1, ay1 = _mouth(case.faces["astronaut"])
    source = np.median(own[ay1 : ay1 + 12, ax0:ax1].reshape(-1, 3), axis=0)
    assert np.abs(was - now).max() < 25 < np.abs(was - source).max()


def test_an_occluder_stays_in_front(case: Case) -> None:
    photo, faces = case.photos["astronaut"].copy(), case.faces["astronaut"]
    x0, y0, x1, y1 = _mouth(faces)
    cv2.rectangle(photo, (x0, (y0 + y1) // 2), (x0 + (x1 - x0) // 2, y1 + 60), (20, 30, 200), -1)  # a microphone
    inside = (slice((y0 + y1) // 2 + 5, y1 + 10), slice(x0 + 4, x0 + (x1 - x0) // 2 - 4))
    result = Replacer(case.sources["grace_hopper"], "target")(photo, faces).unmarked_pixels
    away = np.abs(result[inside].astype(int) - photo[inside]).max(axis=2)
    assert np.median(away) <= 2 and (away > 30).mean() < 0.05


def test_glasses_are_detected(case: Case) -> None:
    surface = case.sources["astronaut"].surface
    colour_basis = ColourBasis(surface)
    worn = {
        n: TargetFace.of(surface, colour_basis, case.photos[n], case.faces[n].single(0), 512).with_glasses
        for n in case.photos
    }
    assert worn == {"astronaut": False, "grace_hopper": True}


def test_several_photos_of_one_person_make_one_source(case: Case) -> None:
    photo, face = case.photos["astronaut"], case.faces["astronaut"].single(0)
    source = source_from_photos([photo, photo], [face, face], 512)
    single = case.sources["astronaut"]
    assert np.abs(source.texture.astype(int) - single.texture).mean() < 1
    assert np.allclose(source.identity, single.identity, atol=1e-6)


def test_a_head_without_texture_map_is_refused(toy_head) -> None:
    from dataclasses import replace

    with pytest.raises(ModelError, match="use a bundle for the open head"):
        FaceSurface(replace(toy_head, uv=None, uv_triangles=None))


def test_hidden_areas_fade_out_and_eyes_do_not_count_as_hidden(case: Case) -> None:
    atlas = atlas_of(case.faces["astronaut"].head, 512)
    known = np.ones((512, 512), np.float32)
    known[atlas.lid_mm < 4] = 0  # as closed eyes would leave it
    assert np.allclose(faded(known, atlas), known, atol=1e-3)
    height = atlas.position[..., 1]
    brow = atlas.brow_top
    known[height > brow + 10] = 0  # a hat
    result = faded(known, atlas)
    assert (result <= known + 1e-6).all()
    face = (atlas.face > 0.9) & atlas.skin & (known > 0)
    near, far = face & (height > brow + 7), face & (height < brow - 12) & (atlas.lid_mm > 6)
    assert near.any() and result[near].mean() < 0.5 and result[far].min() > 0.95
