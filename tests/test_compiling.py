import numpy as np

from ddfa import compiling


def test_kernels_compile_without_a_writable_cache_folder(monkeypatch) -> None:
    real = compiling.numba.njit

    def njit(cache: bool = False, **options: object):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(compiling.numba, "njit", njit)
    values = np.zeros(3)
    compiling.compiled(_fill_with_ones)(values)
    assert (values == 1).all()


def test_fast_kernels_agree() -> None:
    values = np.random.default_rng(0).normal(size=(3, 100))
    results = np.empty((2, 100))
    for result, fast in zip(results, (False, True), strict=True):
        compiling.compiled(_multiply_and_add, fast=fast)(*values, result)
    np.testing.assert_allclose(results, np.tile(values[0] * values[1] + values[2], (2, 1)), atol=1e-15)


def _fill_with_ones(values: np.ndarray) -> None:
    values[:] = 1


def _multiply_and_add(a: np.ndarray, b: np.ndarray, c: np.ndarray, result: np.ndarray) -> None:
    for k in range(len(result)):
        result[k] = a[k] * b[k] + c[k]
