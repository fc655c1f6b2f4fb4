import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from lowres_stilts.runtime import session
from lowres_stilts.runtime.overflow import PRODUCT, int8_overflows
from lowres_stilts.runtime.session import CPU, open_session

RNG = np.random.default_rng(0)
ROWS = RNG.integers(200, 256, (8, 64)).astype(np.uint8)
WEIGHT = RNG.integers(100, 128, (64, 16)).astype(np.int8)
"""So large that each pair of their products is beyond 16 bits."""


def test_what_is_tried_is_one_product_of_integers():
    model = onnx.load_from_string(PRODUCT)
    onnx.checker.check_model(model)
    types = {item.name: item.type.tensor_type.elem_type for item in model.graph.input}
    assert types == {"a": TensorProto.UINT8, "b": TensorProto.INT8}
    assert [node.op_type for node in model.graph.node] == ["MatMulInteger"]


def test_an_overflow_is_noticed_where_the_cpu_says_so():
    """As on this machine: right where its products are, and wrong where they are wrong."""
    found = onnxruntime.InferenceSession(PRODUCT).run(
        None, {"a": np.full((1, 2), 255, np.uint8), "b": np.full((2, 1), 127, np.int8)}
    )[0]
    assert int8_overflows() == (found.item() != 64770)
    assert found.item() in {64770, 32767}  # all of it, or the largest number of 16 bits


@pytest.fixture
def product(tmp_path):
    """A graph of products with frozen int8 weights."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, ["rows", 64])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.INT32, ["rows", 16])]
    weight = helper.make_tensor("weight", TensorProto.INT8, WEIGHT.shape, WEIGHT.tobytes(), raw=True)
    node = helper.make_node("MatMulInteger", ["x", "weight"], ["y"])
    graph = helper.make_graph([node], "products", inputs, outputs, [weight])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_products_are_right_on_every_cpu(product):
    found = open_session(product, threads=1, providers=CPU).run(None, {"x": ROWS})[0]
    assert np.array_equal(found, ROWS.astype(np.int32) @ WEIGHT.astype(np.int32))


def test_what_an_older_cpu_needs_is_right_on_this_one_too(product, monkeypatch):
    monkeypatch.setattr(session, "int8_overflows", lambda: True)
    found = open_session(product, threads=1, providers=CPU).run(None, {"x": ROWS})[0]
    assert np.array_equal(found, ROWS.astype(np.int32) @ WEIGHT.astype(np.int32))
