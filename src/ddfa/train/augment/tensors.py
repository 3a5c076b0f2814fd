"""Arrays on a device, and subsets of a batch."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddfa.arrays import Bools


def on_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """A small array as a tensor on a device; float64 becomes float32."""
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type != "cuda":
        return tensor
    # From pinned memory: a copy from pageable memory may wait for all work queued on the device.
    return tensor.pin_memory().to(device, non_blocking=True)


@cache
def constant(values: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A vector of constants, made once per device: each `torch.tensor` there would wait for all queued work."""
    return torch.tensor(values, dtype=dtype, device=device)


def apply_where(crops: Tensor, chosen: Bools, work: Callable[..., Tensor], *parameters: NDArray[Any]) -> None:
    """Replace the chosen crops by `work` of them.

    Args:
        crops: (n, 3, S, S), changed in place.
        chosen: (n,).
        work: maps crops (m, 3, S, S) and the tensors of `parameters` to crops.
        parameters: arrays with first axis n; those of the chosen crops are moved to the device.
    """
    index = np.flatnonzero(chosen)
    if not len(index):
        return
    rows = on_device(index, crops.device)
    crops[rows] = work(crops[rows], *(on_device(values[index], crops.device) for values in parameters))
