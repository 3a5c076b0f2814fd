"""Speed of the rasteriser compared with a plain loop over the pixels of every triangle's bounding box.

    python benchmarks/rasterize.py [--head PATH] [--triangles tri.mat] [--sizes 450 1080] [--repeats N]

The mesh of the original V1 with 105,840 triangles is in a `train.configs` folder with its `tri.mat`. Times are CPU time
of one thread, the best of several interleaved repeats, to reduce the influence of other load on the ratio; those with
two threads are wall time and require an idle machine.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numba
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from ddfa.arrays import Float32, Int32
from ddfa.head.model import HeadModel
from ddfa.head.readers import read_triangles
from ddfa.raster.rasterize import Raster, rasterize

_SIDE_SHARE, _YAW_DEG = 0.9, 20


@numba.njit(nogil=True)
def plain_loop(vertices: Float32, triangles: Int32, index: Int32, barycentric: Float32, depth: Float32) -> None:
    """The straightforward implementation: every pixel of every bounding box, three divisions each."""
    height, width = index.shape
    for t in range(len(triangles)):
        a, b, c = vertices[triangles[t, 0]], vertices[triangles[t, 1]], vertices[triangles[t, 2]]
        ax, ay, az = np.float64(a[0]), np.float64(a[1]), np.float64(a[2])
        bx, by, bz = np.float64(b[0]), np.float64(b[1]), np.float64(b[2])
        cx, cy, cz = np.float64(c[0]), np.float64(c[1]), np.float64(c[2])
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        for y in range(max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(np.floor(max(ay, by, cy)))) + 1):
            for x in range(max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(np.floor(max(ax, bx, cx)))) + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                wa = 1.0 - wb - wc
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                z = np.float32(wa * az + wb * bz + wc * cz)
                if z > depth[y, x]:
                    depth[y, x], index[y, x] = z, t
                    barycentric[y, x, 0], barycentric[y, x, 1], barycentric[y, x, 2] = wa, wb, wc


def plain(vertices: Float32, triangles: Int32, size: int) -> Raster:
    """`rasterize` with the plain loop."""
    raster = Raster(
        np.full((size, size), -1, np.int32),
        np.zeros((size, size, 3), np.float32),
        np.full((size, size), -np.inf, np.float32),
    )
    plain_loop(vertices, triangles, *raster)
    return raster


def place(head: HeadModel, size: int) -> Float32:
    """The mean face, slightly rotated and scaled to fill the image: (V, 3) image px."""
    low, high = head.mean.min(axis=0), head.mean.max(axis=0)
    angle = np.radians(_YAW_DEG)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    points = (head.mean - (low + high) / 2) @ turn.T * (_SIDE_SHARE * size / (high - low)[:2].max())
    return np.asarray(points * [1, -1, 1] + [size / 2, size / 2, 0], np.float32)


def milliseconds(works: list[Callable[[], object]], repeats: int, clock: Callable[[], float]) -> list[float]:
    """The least time of each function; they are interleaved after one warm-up round."""
    times = np.empty((repeats + 1, len(works)))
    for row in times:
        for k, work in enumerate(works):
            start = clock()
            work()
            row[k] = clock() - start
    return [1000 * float(t) for t in times[1:].min(axis=0)]


def main(
    head: Path | None = None,
    triangles: Path | None = None,
    sizes: Annotated[tuple[int, ...], tyro.conf.arg(metavar="PX")] = (450, 1080),
    repeats: int = 30,
) -> None:
    """Print a table of times.

    Args:
        head: head model; the open head by default.
        triangles: tri.mat or tri.pkl for a 3DDFA head whose files contain no triangles.
        sizes: sides of the square images.
        repeats: repeats of each measurement.
    """
    model = HeadModel.load(head)
    if triangles is not None:
        model = replace(model, triangles=read_triangles(triangles))
    table = Table("image", "plain loop, ms", "rasterize, ms", "times", "wall, ms", "2 threads, wall, ms")
    for size in sizes:
        mesh, vertices = model.triangles, place(model, size)
        ours = lambda: rasterize(vertices, mesh, size, size)  # noqa: B023, E731
        works = [lambda: plain(vertices, mesh, size), ours]  # noqa: B023
        slow, fast = milliseconds(works, repeats, time.thread_time)
        both = [ours, lambda: rasterize(vertices, mesh, size, size, threads=2)]  # noqa: B023
        one, two = milliseconds(both, repeats, time.perf_counter)
        table.add_row(f"{size} x {size}", *(f"{t:.2f}" for t in (slow, fast, slow / fast, one, two)))
    Console().print(f"{len(model.triangles)} triangles of head '{model.name}'", table)


if __name__ == "__main__":
    tyro.cli(main)
