"""Building ONNX graphs from operators, one call per node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Graph:
    """Nodes and constants of an ONNX graph, in topological order.

    A value is its name; arrays and numbers that are passed as inputs become constants.

        graph = Graph("head_")
        doubled = graph("Mul", "points", np.float32(2))

    Args:
        prefix: of all names that are made here.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix, self._count = prefix, 0
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def __call__(self, operator: str, *inputs: "str | NDArray[Any] | np.generic | None", **attributes: Any) -> str:
        """Add a node with one output; returns the output. None stands for an optional input that is missing."""
        (output,) = self.several(operator, 1, *inputs, **attributes)
        return output

    def several(
        self, operator: str, outputs: int, *inputs: "str | NDArray[Any] | np.generic | None", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs; returns them."""
        names = [self._name(operator) for _ in range(outputs)]
        values = [
            "" if value is None else value if isinstance(value, str) else self.constant(value) for value in inputs
        ]
        self.nodes.append(helper.make_node(operator, values, names, **attributes))
        return names

    def constant(self, value: "NDArray[Any] | np.generic") -> str:
        """Add a constant; returns its name."""
        name = self._name("constant")
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def named(self, value: str, name: str) -> None:
        """Give a value a name of its own, without the prefix: that of an output."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def slice(self, value: str, axis: int, start: int, stop: int) -> str:
        """The entries start to stop of an axis."""
        return self("Slice", value, *(np.array([number], np.int64) for number in (start, stop, axis)))

    def embed(self, network: Any, images: str) -> dict[str, str]:
        """Add the nodes of a network with one input.

        Args:
            network: an `onnx.ModelProto`; not changed.
            images: the value to use as its input.

        Returns:
            Name of each output in the network -> value here.
        """
        (source,) = network.graph.input
        inside = self._name("network") + "_"
        renamed = {source.name: images, "": ""}

        def new(name: str) -> str:
            return renamed.setdefault(name, inside + name)

        for initializer in network.graph.initializer:
            copied = onnx.TensorProto.FromString(initializer.SerializeToString())
            copied.name = new(initializer.name)
            self.initializers.append(copied)
        for node in network.graph.node:
            copied = onnx.NodeProto.FromString(node.SerializeToString())
            copied.input[:] = [new(name) for name in node.input]
            copied.output[:] = [new(name) for name in node.output]
            copied.name = inside + node.name if node.name else ""
            self.nodes.append(copied)
        return {output.name: new(output.name) for output in network.graph.output}

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any], opset: int, **properties: str) -> Any:
        """The checked model: the nodes and constants that the outputs need.

        Args:
            inputs: `onnx.ValueInfoProto` of each input.
            outputs: of each output.
            opset: version of the operators.
            properties: metadata of the model.

        Returns:
            An `onnx.ModelProto`.
        """
        needed, nodes = {output.name for output in outputs}, list[Any]()
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.output):
                nodes.insert(0, node)
                needed.update(node.input)
        constants = [constant for constant in self.initializers if constant.name in needed]
        graph = helper.make_graph(nodes, "openddfa", list(inputs), list(outputs), constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="OpenDDFA")
        model.ir_version = 8  # read by ONNX Runtime from version 1.14 on
        for key, value in properties.items():
            model.metadata_props.add(key=key, value=value)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{self._prefix}{what.lower()}_{self._count}"
