import bitsandbytes as bnb
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.encoder.quantize import (
    WordEmbedding4bit,
    fill_linear4bit,
    int8_rows,
    nf4_rows,
    stored_bytes,
)

CPU = torch.device("cpu")


def _split(weight, sizes):
    return torch.split(weight, [64 * size for size in sizes])


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.sampled_from([32, 64, 96]))
def test_int8_in_pieces_equals_bitsandbytes_in_one(sizes, width):
    dense = torch.randn(64 * sum(sizes), width, dtype=torch.bfloat16)
    found = int8_rows(_split(dense, sizes), tuple(dense.shape), CPU)
    expected = bnb.nn.Int8Params(dense, requires_grad=False, has_fp16_weights=False).to("cpu")
    assert torch.equal(found.data, expected.data)
    assert torch.equal(found.SCB, expected.SCB)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.sampled_from([32, 64, 96]))
def test_nf4_in_pieces_equals_bitsandbytes_in_one(sizes, width):
    dense = torch.randn(64 * sum(sizes), width, dtype=torch.bfloat16)
    found, expected = (bnb.nn.Linear4bit(width, len(dense), quant_type="nf4", device="meta") for _ in range(2))
    fill_linear4bit(found, _split(dense, sizes), torch.bfloat16, CPU)
    expected.weight = bnb.nn.Params4bit(dense, quant_type="nf4", module=expected).to("cpu")
    assert torch.equal(found.weight.data, expected.weight.data)
    ours, theirs = (layer.weight.quant_state.as_dict(packed=True) for layer in (found, expected))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


@pytest.mark.parametrize("width", [64, 128])
def test_rows_of_a_4_bit_embedding_are_those_of_the_whole_dequantized(width):
    dense = torch.randn(100, width)
    values, scales = nf4_rows([dense[:64], dense[64:]], (100, width), CPU)
    words = WordEmbedding4bit(values.view(100, -1), scales.view(100, -1), torch.float32)
    packed, state = bnb.functional.quantize_4bit(dense, quant_type="nf4")
    whole = bnb.functional.dequantize_4bit(packed, state)
    ids = torch.tensor([[3, 99, 3], [0, 64, 1]])
    torch.testing.assert_close(words(ids), whole[ids], rtol=0, atol=0)
    torch.testing.assert_close(words.rows(60, 70), whole[60:70], rtol=0, atol=0)


def test_stored_bytes_count_the_constants():
    layer = bnb.nn.Linear4bit(256, 512, quant_type="nf4", bias=False, device="meta")
    fill_linear4bit(layer, [torch.randn(512, 256)], torch.float32, CPU)
    blocks = 512 * 256 // 64
    assert stored_bytes(layer) == 512 * 256 // 2 + blocks + 4 * blocks // 256
