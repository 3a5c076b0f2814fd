"""Kernels survive any coordinates: run in a process of its own, which a wild address would kill."""

import subprocess
import sys

_SCRIPT = """
import numpy as np
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from ddfa.head.open import load_open_head
from ddfa.raster.rasterize import interpolate, rasterize
from ddfa.raster.visibility import hidden_landmarks, nearest_surface

numbers = st.one_of(st.floats(width=32), st.floats(-50, 100, width=32), st.sampled_from([3e38, -3e38, 2.0**20, 1e7]))
triangles = np.array([[0, 1, 2], [2, 1, 3], [3, 4, 5], [5, 4, 0], [1, 1, 1]], np.int32)

@settings(max_examples=150, deadline=None, derandomize=True)
@given(arrays(np.float32, (6, 3), elements=numbers), st.booleans(), st.sampled_from([1, 2]))
def check(vertices, cull, threads):
    raster = rasterize(vertices, triangles, 40, 30, cull=cull, threads=threads)
    assert raster.triangle.min() >= -1 and raster.triangle.max() < len(triangles)
    shown = raster.barycentric[raster.mask]
    assert np.isfinite(shown).all() and (shown >= 0).all() and (shown <= 1).all()
    values = interpolate(raster, triangles, np.ones((6, 2), np.float32))
    assert np.isfinite(values).all()
    nearest_surface(np.zeros((2, 3, 2)), np.nan_to_num(vertices), triangles)

check()
head = load_open_head()
random = np.random.default_rng(0)
for scale in (1e4, 1e12, 3e38):
    with np.errstate(all="ignore"):
        vertices = (head.mean * np.float32(scale)).astype(np.float32)
        vertices[random.integers(len(vertices), size=50)] = np.nan
        rasterize(vertices, head.triangles, 50, 50)
print("survived")
"""


def test_any_float_survives() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and done.stdout.strip() == "survived", done.stderr[-2000:]
