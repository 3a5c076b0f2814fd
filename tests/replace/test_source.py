"""Which face of a photo is the source or the target."""

from pathlib import Path

import numpy as np
import pytest

from ddfa import FaceAligner
from ddfa.errors import NoFaceError
from ddfa.images import write_image
from ddfa.replace.source import load_source, select_face

from ..face_factory import place_faces


def test_faces_are_selected_by_number(toy_head) -> None:
    faces = place_faces(toy_head, [(0, 0, 0), (10, 0, 0)])
    assert select_face(faces, 1, "x.jpg") is faces.single(1)
    assert select_face(faces, None, "x.jpg") is faces
    with pytest.raises(NoFaceError, match=r"x\.jpg shows only 2 \(0 is the largest\)"):
        select_face(faces, 2, "x.jpg")
    for index in (0, None):
        with pytest.raises(NoFaceError, match=r"x\.jpg shows no face: choose another file"):
            select_face(faces[:0], index, "x.jpg")


def test_every_photo_needs_the_face(root: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "grey.png", np.full((60, 60, 3), 90, np.uint8))
    aligner = FaceAligner(threads=1)
    with pytest.raises(NoFaceError, match="grey"):
        load_source(aligner, [root / "samples" / "astronaut.jpg", tmp_path / "grey.png"])
    source = load_source(aligner, [root / "samples" / "astronaut.jpg"])
    assert source.identity.shape == (80,) and 0.3 < source.known.mean() <= 1
