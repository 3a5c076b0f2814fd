"""Compositing of surfaces, against the reference implementation."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ddfa.draw.compositing import composite, composite_reference


@given(seed=st.integers(0, 2**31), size=st.sampled_from([(1, 1), (1, 9), (12, 17)]), step=st.sampled_from([1.0, 30.0]))
def test_lay_over_is_its_reference(seed, size, step):
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (*size, 3), np.uint8)
    colour, cover = rng.uniform(0, 255, (*size, 3)).astype(np.float32), rng.uniform(0, 1, size).astype(np.float32)
    depth = rng.uniform(0, step, size).astype(np.float32)
    away = rng.random(size) < 0.3
    depth[away], cover[away] = -np.inf, 0
    expected = ground.copy()
    composite(ground, colour, cover, depth)
    composite_reference(expected, colour, cover, depth)
    assert np.abs(ground.astype(int) - expected).max() <= 1


def test_outlines_are_averaged_and_the_rest_is_not():
    colour, cover = np.full((9, 9, 3), 200, np.float32), np.zeros((9, 9), np.float32)
    cover[:, :5] = 1
    for depth, at_the_edge in ((np.where(cover > 0, 0, -np.inf), True), (np.zeros((9, 9)), False)):
        ground = np.zeros((9, 9, 3), np.uint8)
        composite(ground, colour, cover, depth.astype(np.float32))
        assert (ground[:, :4] == 200).all() and (ground[:, 6:] == 0).all()
        assert (0 < ground[4, 5, 0] < 100 < ground[4, 4, 0] < 200) == at_the_edge
