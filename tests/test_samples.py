"""The shipped weights on the sample photos."""

from pathlib import Path

import numpy as np
import pytest

from ddfa import FaceAligner, Faces, read_image
from ddfa.errors import ModelError

# Measured by hand, px: centres of the image-left and of the image-right eye, tip of the nose, centre of the mouth.
FEATURES = {
    "grace_hopper.jpg": [(221, 191), (305, 186), (268, 236), (269, 277)],
    "astronaut.jpg": [(204, 100), (246, 103), (222, 125), (222, 145)],
}
LANDMARKS = [slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 68)]


@pytest.fixture(scope="module")
def aligner() -> FaceAligner:
    try:
        return FaceAligner(threads=1)
    except ModelError as error:
        pytest.skip(f"needs the shipped weights ({error})")


@pytest.fixture(scope="module", params=FEATURES)
def sample(request, aligner: FaceAligner, root: Path) -> tuple[str, Faces]:
    return request.param, aligner(read_image(root / "samples" / request.param), refine=True)


def test_features_are_found(sample: tuple[str, Faces]) -> None:
    name, faces = sample
    assert len(faces) == 1
    found = np.array([faces.landmarks68[0, part, :2].mean(axis=0) for part in LANDMARKS])
    size = float((faces.boxes[0, 2:] - faces.boxes[0, :2]).mean())
    assert np.linalg.norm(found - FEATURES[name], axis=1).max() < 0.06 * size


def test_both_look_at_the_camera(sample: tuple[str, Faces]) -> None:
    yaw, pitch, roll = sample[1].euler_deg[0]
    assert abs(yaw) < 10 and abs(pitch) < 20 and abs(roll) < 10


def test_mesh_surrounds_the_landmarks(sample: tuple[str, Faces]) -> None:
    faces = sample[1]
    vertices, landmarks = faces.vertices[0], faces.landmarks68[0]
    assert (vertices.min(axis=0) <= landmarks.min(axis=0)).all() and (
        vertices.max(axis=0) >= landmarks.max(axis=0)
    ).all()
    assert ((faces.blendshapes >= 0) & (faces.blendshapes <= 1)).all()


def test_the_astronaut_smiles_more(aligner: FaceAligner, root: Path) -> None:
    faces = aligner(read_image(root / "samples" / "test1.jpg"), refine=True)
    assert len(faces) == 2
    names = faces.head.expression_names
    smile = [names.index(f"mouth{unit}{side}") for unit in ("Smile", "Dimple") for side in ("Left", "Right")]
    hopper, astronaut = faces.blendshapes[:, smile].mean(axis=1)
    assert astronaut > hopper
