"""The person is found again; a single face is trusted only if that is asked for."""

import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.images import read_image
from ddfa.person.finding import PersonFinder


@pytest.mark.parametrize("trusting", [False, True])
def test_one_person_among_others(root, trusting: bool) -> None:
    aligner = FaceAligner(threads=1)
    own, other = (read_image(root / "samples" / f"{name}.jpg") for name in ("astronaut", "grace_hopper"))
    finder = PersonFinder(aligner.head, trusting=trusting)
    finder.begin(own, aligner(own).single(0))
    dark = np.asarray(own * 0.7, np.uint8)
    assert finder.find(dark, aligner(dark)) is not None
    assert (finder.find(other, aligner(other)) is not None) is trusting
    assert finder.find(own, aligner(own, boxes=np.zeros((0, 4)))) is None
