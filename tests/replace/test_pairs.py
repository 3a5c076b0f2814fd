"""Several sources in one image: who replaces whom."""

from pathlib import Path

import numpy as np
import pytest

from ddfa import FaceAligner, Faces, read_image
from ddfa.errors import DDFAError, NoFaceError
from ddfa.replace.likeness import Likeness
from ddfa.replace.pairs import Pair, assign, expected_quality, replace_pairs, select_pairs
from ddfa.replace.replacer import Replacer
from ddfa.replace.source import source_from_photos


class Case:
    """A photo of two people, a likeness of each, and what draws two sources."""

    def __init__(self, folder: Path) -> None:
        aligner = FaceAligner(threads=1)
        self.photo = read_image(folder / "test1.jpg")
        self.faces: Faces = aligner(self.photo, refine=True)
        self.looks = [Likeness(self.photo, self.faces.single(k), f"look {k}") for k in range(2)]
        names = ("astronaut", "grace_hopper")
        photos = [read_image(folder / f"{name}.jpg") for name in names]
        shown = [aligner(photo, refine=True).single(0) for photo in photos]
        self.replacers = [Replacer(source_from_photos([p], [f], 256)) for p, f in zip(photos, shown, strict=True)]
        self.stranger = Likeness(255 - photos[0], shown[0], "somebody.jpg")


@pytest.fixture(scope="module")
def case(root: Path) -> Case:
    return Case(root / "samples")


def test_faces_are_assigned_by_number_by_likeness_and_the_rest(case: Case) -> None:
    a, b = case.looks
    apart = {(a, 0): 0.2, (a, 1): 0.3, (a, 2): 0.5, (b, 0): 0.1, (b, 1): 0.15, (b, 2): np.inf}

    def given(*whom) -> list[list[int]]:
        pairs = [Pair(case.replacers[0], who) for who in whom]
        return assign(pairs, [7, 8, 9], lambda likeness, at: apart[likeness, at])

    assert given(8) == [[1]] and given(3) == [[]] and given(None) == [[0, 1, 2]]
    assert given(a, b) == [[1], [0]]  # b is more like 0 than a is
    assert given(7, b, a) == [[0], [1], [2]]
    assert given(None, 9) == [[0, 1], [2]]
    with pytest.raises(DDFAError, match="both replace face 7"):
        given(7, 7)


def test_two_people_get_their_own_sources(case: Case) -> None:
    photo, faces, (first, second) = case.photo, case.faces, case.replacers
    by_number = replace_pairs(photo, faces, [Pair(first, 0), Pair(second, 1)]).unmarked_pixels
    by_look = replace_pairs(photo, faces, [Pair(second, case.looks[1]), Pair(first, case.looks[0])]).unmarked_pixels
    assert np.array_equal(by_number, by_look)
    for replacer, who in ((first, 0), (second, 1)):
        alone = replacer(photo, faces.single(who)).unmarked_pixels
        changed = (alone != photo).any(axis=2)
        assert changed.any() and np.array_equal(by_number[changed], alone[changed])
    rest = replace_pairs(photo, faces, [Pair(first, 0), Pair(second, None)]).unmarked_pixels
    assert np.array_equal(rest, by_number)


def test_who_is_missing_is_named(case: Case) -> None:
    photo, faces, replacer = case.photo, case.faces, case.replacers[0]
    for who, named in (
        (2, r"x\.jpg shows only 2"),
        (case.stranger, r"x\.jpg shows nobody who looks like somebody\.jpg"),
    ):
        with pytest.raises(NoFaceError, match=named):
            select_pairs(photo, faces, [Pair(replacer, who)], "x.jpg")
    with pytest.raises(NoFaceError, match=r"nobody else whom anna\.jpg could replace"):
        select_pairs(photo, faces.single(0), [Pair(replacer, 0), Pair(replacer, None, "anna.jpg")], "x.jpg")
    with pytest.raises(NoFaceError, match=r"x\.jpg shows no face"):
        select_pairs(photo, faces[:0], [Pair(replacer, 0)], "x.jpg")


def test_the_worst_pair_is_expected(case: Case) -> None:
    chosen = select_pairs(case.photo, case.faces, [Pair(case.replacers[0], 0), Pair(case.replacers[1], 1)])
    scores = [replacer.suitability(case.photo, face).score for replacer, face in chosen]
    assert expected_quality(case.photo, chosen).score == min(scores)
