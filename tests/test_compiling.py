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


def _fill_with_ones(values: np.ndarray) -> None:
    values[:] = 1
