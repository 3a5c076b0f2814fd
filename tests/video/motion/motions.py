"""Motions for tests."""

import numpy as np
from hypothesis import strategies as st

from ddfa.geometry.rotation import matrix_from_turn_nod_tilt
from ddfa.head.model import HeadModel
from ddfa.video.motion.motion import Motion

NAMES = HeadModel.load().expression_names


def motion(time=0.0, turn=0.0, nod=0.0, tilt=0.0, position=(0.0, 0.0, 0.0), **weights: float) -> Motion:
    """A motion with angles in degrees and weights by name; the others are 0."""
    values = np.zeros(52, np.float32)
    for name, weight in weights.items():
        values[NAMES.index(name)] = weight
    return Motion(time, NAMES, values, matrix_from_turn_nod_tilt(np.array([turn, nod, tilt])), np.array(position))


@st.composite
def motions(draw, largest_deg=80.0):
    """Any motion, with angles up to a size."""
    angle = st.floats(-largest_deg, largest_deg)
    drawn = motion(
        draw(st.floats(0, 3600)), draw(angle), draw(angle), draw(angle), draw(st.tuples(*[st.floats(-1, 1)] * 3))
    )
    drawn.weights[:] = np.random.default_rng(draw(st.integers(0, 2**32))).beta(0.5, 0.5, 52)
    return drawn
