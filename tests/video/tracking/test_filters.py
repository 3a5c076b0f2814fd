import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ddfa.geometry.pose import matrix_from_euler
from ddfa.video.tracking.filters import (
    OneEuro,
    RotationFilter,
    ValueFilter,
    line_weights,
    rotation_vectors,
    rotations,
    weighted_rotation,
    with_events,
)

ANGLES = st.tuples(st.floats(-80, 80), st.floats(-80, 80), st.floats(-80, 80))


@given(ANGLES)
def test_rotation_vectors_and_back(angles):
    matrix = matrix_from_euler(np.array(angles))
    np.testing.assert_allclose(rotations(rotation_vectors(matrix)), matrix, atol=1e-9)


@given(ANGLES, st.floats(0.1, 5))
def test_a_rotation_at_rest_stays_and_a_new_one_is_approached(angles, cutoff):
    start, goal = np.eye(3), matrix_from_euler(np.array(angles))
    filtered = RotationFilter(OneEuro(cutoff, 0.1))
    assert (filtered(start, 0) == start).all()
    distances = []
    for k in range(1, 100):
        now = filtered(goal, k / 10)
        np.testing.assert_allclose(now @ now.T, np.eye(3), atol=1e-8)
        distances.append(np.linalg.norm(rotation_vectors(now.T @ goal)))
    assert (np.diff(distances) <= 1e-9).all() and distances[-1] <= 0.01 * max(distances[0], 1e-6) + 1e-6


def test_noise_at_rest_is_calmed_and_motion_lags_less_than_a_frame():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.3, 300)
    still, moving = (RotationFilter(OneEuro(0.6, 0.12)) for _ in range(2))
    yaw = lambda matrix: np.rad2deg(rotation_vectors(matrix)[1])  # noqa: E731
    rest = [yaw(still(rotations(np.deg2rad([0, n, 0])), k / 25)) for k, n in enumerate(noise)]
    assert np.std(np.diff(rest, 2)) < np.std(np.diff(noise, 2)) / 3
    path = [yaw(moving(rotations(np.deg2rad([0, 2.4 * k, 0])), k / 25)) for k in range(60)]
    assert 0 <= 2.4 * 59 - path[-1] < 2.4  # 60 degrees/s at 25 frames/s


def test_values_each_for_itself():
    filtered = ValueFilter(OneEuro(1.0, 0.0))
    filtered(np.zeros(2), 0)
    once = filtered(np.array([1.0, 0.0]), 0.04)
    assert 0 < once[0] < 1 and once[1] == 0


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=9), st.floats(-3, 3), st.floats(-3, 3))
def test_a_window_is_exact_for_lines(steps, offset, slope):
    times = np.cumsum(steps)
    for at in (times[0], times[len(times) // 2], times[-1]):
        weights = line_weights(times, at, 0.5)
        np.testing.assert_allclose(weights.sum(), 1, atol=1e-6)
        np.testing.assert_allclose(weights @ (offset + slope * times), offset + slope * at, atol=1e-5)


def test_one_time_alone_is_a_mean():
    np.testing.assert_allclose(line_weights(np.zeros(3), 0.0, 1.0), 1 / 3)


@given(ANGLES)
def test_rotations_at_steady_speed_average_to_the_middle(angles):
    centre = matrix_from_euler(np.array(angles))
    around = np.stack([centre @ rotations(np.array([0.0, 0.05 * k, 0.0])) for k in (-2, -1, 0, 1, 2)])
    weights = line_weights(np.arange(5.0), 2.0, 1.0)
    np.testing.assert_allclose(weighted_rotation(around, weights, centre), centre, atol=1e-9)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_events_are_kept_and_noise_is_not(smoothed, raw):
    kept = float(with_events(np.array(smoothed), np.array(raw), 0.1, 0.25))
    assert min(smoothed, raw) - 1e-9 <= kept <= max(smoothed, raw) + 1e-9
    if abs(raw - smoothed) <= 0.1:
        assert kept == smoothed
    if abs(raw - smoothed) >= 0.26:
        assert abs(kept - raw) < 1e-9
