"""Weights and inputs as integers: how far they are from what they stand for."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lowres_stilts.export.graph import Graph
from lowres_stilts.export.int4 import BLOCK, Int4Rows, packed, quantize_blocks
from lowres_stilts.export.int8 import (
    INT8_MAX,
    MOST_COLUMNS,
    OUTLIERS,
    Int8Linear,
    Range,
    overflow_of,
    quantize_rows,
    usual_range,
)
from lowres_stilts.runtime.session import CPU, open_session

TABLES = st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=5)


@given(TABLES)
@example([[1e-44, 0.0, 0.0]])
def test_integers_are_within_half_a_step(rows):
    weight = np.array(rows, np.float32)
    integers, scales = quantize_rows(weight)
    assert np.abs(integers).max() <= INT8_MAX
    assert (np.abs(integers * scales[:, None] - weight) <= 0.5001 * scales[:, None] + 1e-30).all()


@given(TABLES)
def test_blocks_are_within_a_step_and_two_numbers_share_a_byte(rows):
    weight = np.array(rows, np.float32)
    numbers, scales = quantize_blocks(weight, BLOCK)
    again = (numbers * scales[..., None]).reshape(len(weight), -1)[:, :3]
    assert (np.abs(again - weight) <= 1.0001 * np.abs(scales) + 1e-30).all()
    assert -8 <= numbers.min() <= numbers.max() <= 7
    halves = packed(numbers)
    low, high = ((half.astype(np.int8) ^ 8) - 8 for half in (halves & 15, halves >> 4))
    assert np.array_equal(np.stack([low, high], axis=-1).reshape(numbers.shape), numbers)


@given(st.lists(st.floats(0, 1e3, width=32), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_range_is_that_of_all_but_a_few_far_features(sizes, random):
    largest = np.array(sizes, np.float32)
    least = -largest * np.array([random.random() for _ in sizes], np.float32)
    low, high = usual_range(Range(least, largest))
    beyond = (largest > high) | (least < low)
    assert beyond.sum() <= OUTLIERS
    assert low <= 0 <= high
    assert high == 0 or high in largest
    assert low == 0 or low in least


@given(
    st.lists(st.tuples(st.floats(-50, 0, width=32), st.floats(0, 50, width=32)), min_size=1, max_size=20),
    st.floats(0.5, 4),
    st.randoms(use_true_random=False),
)
def test_columns_carry_all_that_is_beyond_the_range(features, largest, random):
    """Each takes at most what the range holds above zero, and together they are the feature."""
    range_ = Range(*(np.array(ends, np.float32) for ends in zip(*features, strict=True)))
    least = -largest / 2
    overflow = overflow_of(range_, least, largest)
    x = np.array([random.uniform(float(a), float(b)) for a, b in features])
    columns = np.clip(overflow.signs * x[overflow.features] - overflow.starts, 0, largest)
    found = np.clip(x, least, largest)
    np.add.at(found, overflow.features, overflow.signs * columns)
    room = MOST_COLUMNS * largest
    assert np.abs(found - np.clip(x, least - room, largest + room)).max() <= largest / INT8_MAX + 1e-5


def run(folder, graph, output, given, shape):
    graph.output("out", output, shape)
    path = folder / "graph.onnx"
    path.write_bytes(graph.model().SerializeToString())
    return open_session(path, threads=1, providers=CPU).run(["out"], given)[0]


@pytest.mark.parametrize("unsigned", [False, True])
def test_outliers_have_columns_of_their_own(unsigned, tmp_path):
    """A feature that is 20 times larger than the rest costs these no precision, and keeps its own."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 64)).astype(np.float32)
    x[:, 7] *= 20
    weight, bias = rng.normal(size=(32, 64)).astype(np.float32), rng.normal(size=32).astype(np.float32)
    exact = x @ weight.T + bias
    errors = {}
    for kind, ranges in (("static", {"layer": Range(x.min(0), x.max(0))}), ("dynamic", {})):
        graph = Graph()
        given = graph.input("x", np.float32, ["tokens", 64])
        product = Int8Linear(unsigned=unsigned, ranges=ranges).add(graph, "layer", given, weight, bias)
        errors[kind] = np.abs(run(tmp_path, graph, product, {"x": x}, ["tokens", 32]) - exact).mean()
    assert errors["static"] < 0.15
    assert errors["dynamic"] > 4 * errors["static"]


@pytest.mark.parametrize("width", [32, 64, 80])
def test_rows_of_4_bits_are_what_their_numbers_stand_for(width, tmp_path):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(50, width)).astype(np.float32)
    numbers, scales = quantize_blocks(weight, BLOCK)
    stored = (numbers * scales.astype(np.float16).astype(np.float32)[..., None]).reshape(50, -1)[:, :width]
    graph = Graph()
    ids = np.array([[3, 49, 0], [7, 7, 1]])
    rows = Int4Rows().add(graph, "rows", weight, graph.input("ids", np.int64, ["batch", "length"]))
    found = run(tmp_path, graph, rows, {"ids": ids}, ["batch", "length", width])
    np.testing.assert_allclose(found, stored[ids], rtol=2e-3, atol=1e-3)
