"""Glasses are detected from thin lines below both eyes and across the bridge of the nose."""

import numpy as np
import pytest

from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.glasses import glasses_of

SKIN = np.log(np.array([190, 140, 120]) / 255)
RIM_MM, HALF_WIDTH_MM = 18.0, 1.6


def eye_centres(surface: FaceSurface) -> list[np.ndarray]:
    points = surface.head.landmark_points.mean
    return [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]


def rims(surface: FaceSurface) -> list[np.ndarray]:
    """Vertices on a circle around each eye."""
    distances = [np.hypot(*(surface.mm - eye)[:, :2].T) for eye in eye_centres(surface)]
    return [np.abs(distance - RIM_MM) < HALF_WIDTH_MM for distance in distances]


def bridge(surface: FaceSurface) -> np.ndarray:
    """Vertices on a horizontal line across the nose."""
    height = np.mean([eye[1] for eye in eye_centres(surface)])
    return (np.abs(surface.mm[:, 0]) < 12) & (np.abs(surface.mm[:, 1] - height - 3) < 2 * HALF_WIDTH_MM)


def bare_skin(surface: FaceSurface) -> np.ndarray:
    return SKIN + np.random.default_rng(0).normal(0, 0.03, (len(surface.vertices), 3))


def worn(surface: FaceSurface, colours: np.ndarray, visibility: float = 1.0) -> bool:
    seen = np.full(len(surface.vertices), visibility, np.float32)
    return glasses_of(surface).worn(colours.astype(np.float32), seen)


def test_bare_skin_has_no_glasses(surface: FaceSurface) -> None:
    assert not worn(surface, bare_skin(surface))


@pytest.mark.parametrize("frame", [(0.1, 0.1, 0.1), (0.55, 0.35, 0.9)], ids=["black", "coloured"])
def test_frames_are_found(surface: FaceSurface, frame: tuple[float, float, float]) -> None:
    colours = bare_skin(surface)
    colours[np.logical_or.reduce([*rims(surface), bridge(surface)])] = np.log(frame)
    assert worn(surface, colours)
    assert not worn(surface, colours, visibility=0.1)


def test_all_three_parts_are_needed(surface: FaceSurface) -> None:
    parts = [*rims(surface), bridge(surface)]
    for missing in range(3):
        colours = bare_skin(surface)
        colours[np.logical_or.reduce([part for k, part in enumerate(parts) if k != missing])] = np.log(0.1)
        assert not worn(surface, colours)


def test_a_shadow_is_not_a_line(surface: FaceSurface) -> None:
    colours = bare_skin(surface)
    colours[surface.mm[:, 0] > 0] -= 0.8
    assert not worn(surface, colours)


def test_glasses_cover_eyes_and_temples_but_not_the_mouth(surface: FaceSurface) -> None:
    cover = glasses_of(surface).cover
    assert cover.shape == (len(surface.vertices),) and cover.min() == 0 and cover.max() == 1
    for eye in eye_centres(surface):
        assert cover[np.hypot(*(surface.mm - eye)[:, :2].T) < 25].min() > 0.99
    mouth = surface.head.landmark_points.mean[48:68].mean(axis=0)
    assert not cover[np.linalg.norm(surface.mm - mouth, axis=1) < 25].any()


def test_one_detector_per_surface(surface: FaceSurface) -> None:
    assert glasses_of(surface) is glasses_of(surface)
