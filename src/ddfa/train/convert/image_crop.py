"""The crop of a face in an ONNX graph: box -> RoI -> bilinear crop, as `ddfa.regress.sampling` computes it."""

from typing import Final

import numpy as np
from onnx import TensorProto

from ddfa.geometry.roi import BOX_SHIFT_DOWN, FITTED_ENLARGEMENT
from ddfa.train.convert.graph import Graph

_FLOAT, _INT64 = TensorProto.FLOAT, TensorProto.INT64
_LANDMARKS_TO_SIDE: Final = np.sqrt(2.0)  # see `roi_from_landmarks`


def crop_of_box(graph: Graph, image: str, box: str, size: int) -> tuple[str, str]:
    """Add the nodes that cut one face.

    A face of at least twice the crop's size is averaged in blocks of factor x factor px first; what is outside the
    image is 0.

    Args:
        graph: where they are added.
        image: (H, W, 3) uint8.
        box: (4,) float32 x0, y0, x1, y1 in px.
        size: side S of the crop, px.

    Returns:
        The crop (1, 3, S, S) float32 with values 0 to 255, and the RoI (1, 4).
    """
    low, side = _roi(graph, box)
    high = graph("Add", low, side)
    roi = graph("Unsqueeze", graph("Concat", low, high, axis=0), np.array([0], np.int64))
    zoom = graph("Div", side, np.float32(size))
    factor = graph("Max", graph("Floor", zoom), np.array([1], np.float32))
    first = graph("Sub", graph("Floor", low), factor)
    # Position of the crop's first pixel in blocks: the centre of a block is (factor - 1) / 2 px after its first pixel.
    half = graph("Div", graph("Sub", factor, np.float32(1)), np.float32(2))
    offset = graph("Add", graph("Sub", graph("Sub", low, first), half), graph("Div", zoom, np.float32(2)))
    start, step = graph("Div", offset, factor), graph("Div", zoom, factor)
    count = graph("Add", graph("Floor", graph("Add", start, graph("Mul", step, np.float32(size - 1)))), np.float32(2))
    blocks = _block_means(graph, image, first, count, factor)
    return graph("GridSample", blocks, _grid(graph, start, step, count, size), align_corners=1), roi


def next_box(graph: Graph, landmarks: str) -> str:
    """The box (4,) of which the RoI is that of landmarks (1, 68, 3): for the next frame of a video."""
    points = graph.slice(landmarks, 2, 0, 2)
    high = graph("ReduceMax", points, axes=[0, 1], keepdims=0)
    low = graph("ReduceMin", points, axes=[0, 1], keepdims=0)
    centre = graph("Div", graph("Add", low, high), np.float32(2))
    longest = graph("ReduceMax", graph("Sub", high, low), axes=[0], keepdims=1)
    length = graph("Mul", longest, np.float32(_LANDMARKS_TO_SIDE / FITTED_ENLARGEMENT))
    down = graph("Mul", length, np.array([0.0, BOX_SHIFT_DOWN], np.float32))
    middle, half = graph("Sub", centre, down), graph("Div", length, np.float32(2))
    return graph("Concat", graph("Sub", middle, half), graph("Add", middle, half), axis=0)


def _roi(graph: Graph, box: str) -> tuple[str, str]:
    """Low corner (2,) and side (1,) of the RoI, see `roi_from_boxes`."""
    low, high = graph.slice(box, 0, 0, 2), graph.slice(box, 0, 2, 4)
    length = graph("ReduceMean", graph("Sub", high, low), axes=[0], keepdims=1)
    side = graph("Mul", length, np.float32(FITTED_ENLARGEMENT))
    centre = graph("Div", graph("Add", low, high), np.float32(2))
    lowered = graph("Add", centre, graph("Mul", length, np.array([0.0, BOX_SHIFT_DOWN], np.float32)))
    return graph("Sub", lowered, graph("Div", side, np.float32(2))), side


def _block_means(graph: Graph, image: str, first: str, count: str, factor: str) -> str:
    """Means (1, 3, rows, columns) of blocks of factor x factor px.

    Args:
        graph: where the nodes are added.
        image: (H, W, 3) uint8.
        first: (2,) x and y of the first pixel; may be outside the image.
        count: (2,) columns and rows.
        factor: (1,).
    """
    begin = graph("Cast", first, to=_INT64)
    length = graph("Cast", graph("Mul", count, factor), to=_INT64)
    end = graph("Add", begin, length)
    # Part inside the image: [inner_begin, inner_end), which may be empty; the rest is padded with zeros.
    extent = graph("Gather", graph("Shape", image), np.array([1, 0], np.int64))  # width, height
    inner_begin = graph("Min", graph("Max", begin, np.array([0, 0], np.int64)), extent)
    inner_end = graph("Max", graph("Min", end, extent), inner_begin)
    yx = np.array([1, 0], np.int64)
    inside = graph(
        "Slice", image, *(graph("Gather", edge, yx) for edge in (inner_begin, inner_end)), np.array([0, 1], np.int64)
    )
    before = graph("Gather", graph("Max", graph("Sub", inner_begin, begin), np.array([0, 0], np.int64)), yx)
    taken = graph("Gather", graph("Sub", inner_end, inner_begin), yx)
    after = graph("Sub", graph("Sub", graph("Gather", length, yx), before), taken)
    none = np.array([0], np.int64)
    pads = graph("Concat", before, graph.constant(none), after, graph.constant(none), axis=0)
    patch = graph("Pad", graph("Cast", inside, to=_FLOAT), pads)
    sides = graph("Cast", count, to=_INT64)
    columns, rows = graph.slice(sides, 0, 0, 1), graph.slice(sides, 0, 1, 2)
    block = graph("Cast", factor, to=_INT64)
    shape = graph("Concat", rows, block, columns, block, graph.constant(np.array([3], np.int64)), axis=0)
    means = graph("ReduceMean", graph("Reshape", patch, shape), axes=[1, 3], keepdims=0)
    return graph("Unsqueeze", graph("Transpose", means, perm=[2, 0, 1]), none)


def _grid(graph: Graph, start: str, step: str, count: str, size: int) -> str:
    """Sample positions (1, S, S, 2) in the coordinates of GridSample: -1 and 1 are the centres of the border blocks."""
    steps = graph("Mul", graph("Unsqueeze", step, np.array([0], np.int64)), np.arange(size, dtype=np.float32)[:, None])
    doubled = graph("Mul", graph("Add", start, steps), np.float32(2))  # (S, 2)
    scaled = graph("Sub", graph("Div", doubled, graph("Sub", count, np.float32(1))), np.float32(1))
    shape = np.array([1, size, size, 1], np.int64)
    x = graph("Reshape", graph.slice(scaled, 1, 0, 1), np.array([1, 1, size, 1], np.int64))
    y = graph("Reshape", graph.slice(scaled, 1, 1, 2), np.array([1, size, 1, 1], np.int64))
    return graph("Concat", graph("Expand", x, shape), graph("Expand", y, shape), axis=3)
