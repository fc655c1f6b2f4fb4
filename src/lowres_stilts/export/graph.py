"""A small builder of ONNX graphs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CONTRIB = "com.microsoft"
"""Operators that onnxruntime has beside ONNX's own."""
OPSET, CONTRIB_OPSET = 20, 1
IR_VERSION = 10
"""onnxruntime 1.18 and newer read it."""
TYPES = {
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.uint8): TensorProto.UINT8,
}
Dimensions = Sequence[int | str]
FloatType = type[np.float32] | type[np.float16]


class Graph:
    """Nodes, constants, inputs and outputs, in the order in which they are added."""

    def __init__(self, floats: FloatType = np.float32) -> None:
        """Floating-point constants and values are of this type, inputs and outputs of float32."""
        self._floats = np.dtype(floats)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """A named tensor; the same name again is the same tensor."""
        if name not in self._constants:
            if value.dtype == np.float32:
                value = value.astype(self._floats)
            self._constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def int4_constant(self, name: str, packed: NDArray[np.uint8], shape: Sequence[int]) -> str:
        """A tensor of signed 4-bit numbers, two of which are in a byte, the first in its low half."""
        self._constants[name] = helper.make_tensor(name, TensorProto.INT4, shape, packed.tobytes(), raw=True)
        return name

    def input(self, name: str, dtype: Any, shape: Dimensions, default: NDArray[Any] | None = None) -> str:
        """What a run gives; with a default, what it may leave out."""
        self._inputs.append(helper.make_tensor_value_info(name, TYPES[np.dtype(dtype)], shape))
        if default is not None:
            self._constants[name] = numpy_helper.from_array(default, name)
        return name

    def weight_input(self, name: str, shape: Dimensions, default: Sequence[int], dtype: Any) -> str:
        """Weights that a run may leave out: given as float32, or as float16, in which adapters store them."""
        given = self.input(name, dtype, shape, np.zeros(default, dtype))
        return given if dtype == self._floats else self.cast(given)

    def cast(self, value: str) -> str:
        """A value in the graph's floating-point type."""
        return self.node("Cast", value, to=TYPES[self._floats])

    def output(self, name: str, value: str, shape: Dimensions) -> None:
        """What a run may ask for, as float32."""
        # What is of this type already passes as it is.
        self._nodes.append(helper.make_node("Cast", [value], [name], name=name, to=TensorProto.FLOAT))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def nodes(self, operator: str, *inputs: str, count: int, domain: str = "", **attributes: Any) -> list[str]:
        """Adds a node with several outputs."""
        name = f"{operator}_{len(self._nodes)}"
        outputs = [f"{name}.{number}" for number in range(count)]
        self._nodes.append(helper.make_node(operator, inputs, outputs, name=name, domain=domain, **attributes))
        return outputs

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Adds a node with one output."""
        return self.nodes(operator, *inputs, count=1, domain=domain, **attributes)[0]

    def model(self) -> onnx.ModelProto:
        """The graph as a model."""
        graph = helper.make_graph(
            self._nodes, "encoder", self._inputs, self._outputs, list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, CONTRIB_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="lowres-stilts")
