"""Decoded photos of different sizes in one tensor, on the device or in a memory-mapped file."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from ddfa.arrays import Int64, UInt8
from ddfa.files import atomic_path, make_folder

_AT_ONCE = 1024  # photos decoded before they are copied into place


@dataclass(frozen=True, eq=False)
class DevicePhotos:
    """All pixels of n photos.

    A pixel is one 32-bit word, so that a random access reads its three channels at once.

    Attributes:
        pixels: (N,) int32, the bytes R, G, B and 0 of each pixel in memory order, photo after photo and row by row.
        start: (n,) int64, number of the first pixel of each photo.
        height: (n,) int64 px.
        width: (n,) int64 px.
    """

    pixels: Tensor
    start: Tensor
    height: Tensor
    width: Tensor

    def __len__(self) -> int:
        return len(self.start)

    def image(self, number: int) -> UInt8:
        """Photo (H, W, 3) uint8 RGB; a view into the pixels, which are on the CPU."""
        height, width, start = (int(values[number]) for values in (self.height, self.width, self.start))
        words = self.pixels[start : start + height * width].numpy()
        return np.asarray(words.view(np.uint8).reshape(height, width, 4)[..., :3])

    def to(self, device: torch.device) -> "DevicePhotos":
        """The same photos on a device."""
        return DevicePhotos(*(tensor.to(device) for tensor in (self.pixels, self.start, self.height, self.width)))


def load_photos(readers: Sequence[Callable[[], UInt8]], names: Sequence[str], cache: Path | None) -> DevicePhotos:
    """Decode photos once.

    Args:
        readers: each returns a photo (H, W, 3) uint8 RGB.
        names: identify the photos in the cache.
        cache: folder of memory-mapped files with decoded photos, written here and reused by later runs on the same
            photos; None to decode into memory.

    Raises:
        DataError: a photo cannot be decoded.
        OutputError: the cache cannot be written.
    """
    if cache is None:
        return _as_tensors(*_decode(readers, None))
    digest = hashlib.blake2b("\n".join(names).encode(), digest_size=8).hexdigest()
    pixels, sizes = cache / f"{digest}.pixels.npy", cache / f"{digest}.sizes.npy"
    if not (pixels.is_file() and sizes.is_file()):
        make_folder(cache)
        with atomic_path(pixels) as temporary:
            shapes = _decode(readers, temporary)[1]
        with atomic_path(sizes) as temporary, temporary.open("wb") as file:  # last: it marks a complete cache
            np.save(file, shapes)
    # Copy on write, because torch warns about arrays that cannot be written to.
    return _as_tensors(np.load(pixels, mmap_mode="c"), np.load(sizes))


def _as_tensors(pixels: UInt8, sizes: Int64) -> DevicePhotos:
    """Tensors of pixels (N, 4) uint8 and sizes (n, 2), height and width."""
    areas = sizes.prod(axis=1)
    start = np.cumsum(areas) - areas
    words = torch.from_numpy(pixels.view(np.int32).reshape(-1))
    return DevicePhotos(words, *(torch.from_numpy(np.ascontiguousarray(a)) for a in (start, sizes[:, 0], sizes[:, 1])))


def _decode(readers: Sequence[Callable[[], UInt8]], path: Path | None) -> tuple[UInt8, Int64]:
    """Pixels (N, 4), in a file if there is a path, and sizes (n, 2) of photos.

    Every photo is decoded twice, first for its size: the alternative, all of them in separate arrays and then in one,
    needs twice the memory.
    """
    with ThreadPoolExecutor() as pool:
        sizes = np.array(list(pool.map(lambda read: read().shape[:2], readers)), np.int64).reshape(-1, 2)
        shape = (int(sizes.prod(axis=1).sum()), 4)
        pixels: Any = np.zeros(shape, np.uint8) if path is None else open_memmap(path, "w+", np.uint8, shape)
        filled = 0
        for some in range(0, len(readers), _AT_ONCE):
            for photo in pool.map(lambda read: read(), readers[some : some + _AT_ONCE]):
                area = photo.shape[0] * photo.shape[1]
                pixels[filled : filled + area, :3] = photo.reshape(-1, 3)
                filled += area
    if path is not None:
        pixels.flush()
    return pixels, sizes
