"""The face of the open head, loaded once."""

import pytest

from ddfa.head.open import load_open_head
from ddfa.replace.face_region import FaceSurface


@pytest.fixture(scope="session")
def surface() -> FaceSurface:
    """The face of the open head."""
    return FaceSurface(load_open_head())
