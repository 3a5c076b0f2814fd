"""`ddfa models convert --to onnx-full`: from a crop, or an image and a box, to landmarks, mesh, pose and blendshapes.

One ONNX file contains the crop, the network, the head model and everything that `Faces` computes from the parameters.
docs/onnx.md describes its inputs and outputs.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from ddfa.errors import ModelError
from ddfa.files import atomic_path
from ddfa.geometry.camera import FLIP_Y
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import POSE
from ddfa.regress.quality import QUALITY_OUTPUT
from ddfa.regress.sampling import MIDDLE, RANGE
from ddfa.train.convert.config import FullInput
from ddfa.train.convert.graph import Graph
from ddfa.train.convert.image_crop import crop_of_box, next_box

OPSET: Final = 17
_POLAR_STEPS: Final = 8  # of Newton's iteration; 5 are enough for matrices as far from a rotation as networks predict


def write_full_graph(bundle: Bundle, target: Path, source: FullInput = "uint8", outputs: Collection[str] = ()) -> None:
    """Write the whole computation of a bundle as one ONNX file.

    Args:
        bundle: of an open head.
        target: the `.onnx` file.
        source: the input: "float" for normalised crops (n, 3, S, S), "uint8" for RGB crops (n, S, S, 3), "image" for
            one image (H, W, 3) and one box (4,).
        outputs: names of the outputs to keep; all by default. The mesh is most of the file and of the time.

    Raises:
        ModelError: the bundle has an original pixel convention, or there is no such output.
        OutputError: the file cannot be written.
    """
    if bundle.convention is not PixelConvention.OPEN:
        raise ModelError(
            f"bundle '{bundle.name}' has the crops of the original 3DDFA: choose a bundle of the open head"
        )
    graph, head, size = Graph("full_"), HeadModel.load(bundle.head_path), bundle.input_size
    inputs, crops, place = _source(graph, source, size)
    network = onnx.load(bundle.model_path)
    found = graph.embed(network, _network_input(graph, network, bundle, crops, normalised=source == "float"))
    whitened = next(iter(found.values()))
    params = graph("Add", graph("Mul", whitened, bundle.whitening.std), bundle.whitening.mean)
    values = _decoded(graph, head, bundle, params, place)
    if QUALITY_OUTPUT in found:
        logit = graph.slice(found[QUALITY_OUTPUT], 1, 0, 1)
        values["quality"] = graph("Squeeze", graph("Sigmoid", logit), np.array([1], np.int64)), ["n"]
    if source == "image":
        values["roi"] = place, ["n", 4]
        values["next_box"] = next_box(graph, values["landmarks"][0]), [4]
    unknown = set(outputs) - values.keys()
    if unknown:
        raise ModelError(f"there is no output {', '.join(sorted(unknown))}: choose from {', '.join(values)}")
    infos = []
    for name, (value, shape) in values.items():
        if not outputs or name in outputs:
            graph.named(value, name)
            sides = [1 if side == "n" and source == "image" else side for side in shape]
            infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sides))
    properties = {"blendshapes": ",".join(head.expression_names) if head.has_arkit else "", "licence": bundle.licence}
    model = graph.model(inputs, infos, OPSET, bundle=bundle.name, head=head.name, **properties)
    with atomic_path(target) as temporary:
        onnx.save(model, temporary)


def _source(graph: Graph, source: FullInput, size: int) -> tuple[list[Any], str, str]:
    """The inputs, the crops (n, 3, S, S) with values 0 to 255 (or normalised), and the RoIs (n, 4)."""
    if source == "image":
        inputs = [
            helper.make_tensor_value_info("image", TensorProto.UINT8, ["height", "width", 3]),
            helper.make_tensor_value_info("box", TensorProto.FLOAT, [4]),
        ]
        crop, roi = crop_of_box(graph, "image", "box", size)
        return inputs, crop, roi
    whole = np.array([[-0.5, -0.5, size - 0.5, size - 0.5]], np.float32)  # the crop is the image
    if source == "float":
        return (
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, size, size])],
            "input",
            graph.constant(whole),
        )
    crops = graph("Transpose", graph("Cast", "crops", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    return (
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", size, size, 3])],
        crops,
        graph.constant(whole),
    )


def _network_input(graph: Graph, network: Any, bundle: Bundle, crops: str, *, normalised: bool) -> str:
    """Convert crops to what the network accepts."""
    (known,) = network.graph.input
    if known.type.tensor_type.elem_type == TensorProto.UINT8:
        raise ModelError(f"bundle '{bundle.name}' has uint8 input: use the bundle it was converted from")
    if normalised:
        return crops
    if bundle.channel_order == "BGR":
        crops = graph("Gather", crops, np.array([2, 1, 0], np.int64), axis=1)
    return graph("Div", graph("Sub", crops, np.float32(MIDDLE)), np.float32(RANGE))


def _decoded(graph: Graph, head: HeadModel, bundle: Bundle, params: str, roi: str) -> dict[str, tuple[str, list[Any]]]:
    """The outputs, each with its shape."""
    identities = bundle.layout.identity
    pose = graph("Reshape", graph.slice(params, 1, 0, POSE), np.array([-1, 3, 4], np.int64))
    coefficients = graph.slice(params, 1, POSE, bundle.layout.size)
    linear, shift = graph.slice(pose, 2, 0, 3), graph.slice(pose, 2, 3, 4)
    rows = graph("ReduceL2", graph.slice(linear, 1, 0, 2), axes=[2], keepdims=0)
    scale = graph("ReduceMean", rows, axes=[1], keepdims=0)
    low = graph.slice(roi, 1, 0, 2)
    factor = graph(
        "Div", graph("Sub", graph.slice(roi, 1, 2, 3), graph.slice(roi, 1, 0, 1)), np.float32(bundle.input_size)
    )
    placed = _Placement(graph, graph("Unsqueeze", factor, np.array([2], np.int64)), low, bundle.input_size)
    origin = graph("Transpose", shift, perm=[0, 2, 1])
    outputs: dict[str, tuple[str, list[Any]]] = {
        "landmarks": (placed(_projected(graph, head.landmark_points, coefficients, linear, origin)), ["n", 68, 3]),
        "vertices": (placed(_projected(graph, head.points, coefficients, linear, origin)), ["n", head.vertices, 3]),
        "rotation": (nearest_rotations(graph, linear, scale), ["n", 3, 3]),
        "scale": (graph("Mul", scale, graph("Squeeze", factor, np.array([1], np.int64))), ["n"]),
        "translation": (graph("Squeeze", placed(origin), np.array([1], np.int64)), ["n", 3]),
    }
    if head.has_arkit:
        expression = graph.slice(params, 1, POSE + identities, bundle.layout.size)
        outputs["blendshapes"] = (
            graph("Clip", expression, np.float32(0), np.float32(1)),
            ["n", len(head.expression_names)],
        )
    outputs["params"] = params, ["n", bundle.layout.size]
    return outputs


def _projected(graph: Graph, points: LinearPoints, coefficients: str, linear: str, origin: str) -> str:
    """Points (n, K, 3) in crop px, y up. The bases are stored as float16, which moves no point by 0.01 px."""
    count = len(points.bases)
    stored = graph.constant(points.bases.reshape(count, -1).astype(np.float16))
    bases = graph("Cast", stored, to=TensorProto.FLOAT)
    flat = graph("Add", graph("MatMul", coefficients, bases), points.mean.reshape(-1).astype(np.float32))
    shape = graph("Reshape", flat, np.array([-1, len(points.mean), 3], np.int64))
    return graph("Add", graph("MatMul", shape, graph("Transpose", linear, perm=[0, 2, 1])), origin)


class _Placement:
    """Maps points (n, K, 3) from crop px, y up, into the image, as `PixelConvention.OPEN` does.

    Args:
        graph: where the nodes are added.
        factor: (n, 1, 1) image px per crop px.
        low: (n, 2) low corner of the RoI, image px.
        size: side of the crop, px.
    """

    def __init__(self, graph: Graph, factor: str, low: str, size: int) -> None:
        self._graph, self._factor, self._size = graph, factor, size
        padded = graph("Pad", low, np.array([0, 0, 0, 1], np.int64))
        self._corner = graph("Unsqueeze", padded, np.array([1], np.int64))

    def __call__(self, points: str) -> str:
        graph = self._graph
        offset = np.array([0.5, self._size - 0.5, 0.0], np.float32)
        crop = graph("Add", graph("Mul", points, FLIP_Y), offset)
        return graph("Add", graph("Mul", crop, self._factor), self._corner)


def nearest_rotations(graph: Graph, linear: str, scale: str) -> str:
    """Add the nodes of the rotations nearest to matrices, by Newton's iteration.

    X becomes (X + X^-T) / 2, where the inverse is that by cofactors: row i of the cofactors is the cross product of the
    next two rows. The limit is the orthogonal factor of the polar decomposition (Higham 1986).

    Args:
        graph: where they are added.
        linear: (n, 3, 3) with positive determinant.
        scale: (n,) of the matrices, approximately.

    Returns:
        (n, 3, 3).
    """
    after, second = (np.array(order, np.int64) for order in ([1, 2, 0], [2, 0, 1]))
    axes = np.array([1, 2], np.int64)
    matrix = graph("Div", linear, graph("Unsqueeze", scale, axes))
    for _ in range(_POLAR_STEPS):
        one, two = (graph("Gather", matrix, order, axis=1) for order in (after, second))
        forward = graph("Mul", graph("Gather", one, after, axis=2), graph("Gather", two, second, axis=2))
        backward = graph("Mul", graph("Gather", one, second, axis=2), graph("Gather", two, after, axis=2))
        cofactors = graph("Sub", forward, backward)
        products = graph("Mul", graph.slice(matrix, 1, 0, 1), graph.slice(cofactors, 1, 0, 1))
        determinant = graph("ReduceSum", products, np.array([2], np.int64))
        matrix = graph("Mul", graph("Add", matrix, graph("Div", cofactors, determinant)), np.float32(0.5))
    return matrix
