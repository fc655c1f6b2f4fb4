"""The float32 encoder has the values that bitsandbytes' quantized weights stand for."""

import numpy as np
import pytest
import torch

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.export.reference import float_encoder, shape_of, weights_of
from lowres_stilts.runtime.network import Row
from tests.export.networks import float32, network_of
from tests.models import write_tiny_model

IDS = [[0, 7, 8, 9, 2], [0, 5, 6, 2]]
NEAR = {"none": 1e-6, "nf4": 2e-5, "int8": 0.1}
"""LLM.int8 rounds activations too."""


@pytest.mark.parametrize("quantize", NEAR)
@pytest.mark.parametrize("embeddings", ["none", "int8"])
@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "xlm-roberta-xl"])
def test_the_graph_computes_what_the_quantized_encoder_does(family, quantize, embeddings, tmp_path):
    folder = write_tiny_model(tmp_path / "model", family)

    def loaded():
        return load_encoder(str(folder), quantize=quantize, embeddings=embeddings, compute="float32", device="cpu")

    dense = float_encoder(loaded())
    assert {tensor.dtype for tensor in dense.model.parameters()} == {torch.float32}
    if quantize != "none" or embeddings != "none":
        plain = weights_of(float32(folder).model)
        assert any(not np.array_equal(value, plain[name]) for name, value in weights_of(dense.model).items())
    network = network_of(dense, tmp_path)
    encoder = loaded()
    for row in IDS:
        with torch.no_grad():
            expected = encoder.model(
                input_ids=torch.tensor([row]), attention_mask=torch.ones(1, len(row), dtype=torch.long)
            ).last_hidden_state.numpy()
        np.testing.assert_allclose(network.states([Row(row, None, "sequence")]), expected, atol=NEAR[quantize])


def test_the_shape_says_how_positions_are_counted(tmp_path):
    shapes = {
        family: shape_of(float32(write_tiny_model(tmp_path / family, family)))
        for family in ("bert", "xlm-roberta", "xlm-roberta-xl")
    }
    assert [shape.counts_tokens for shape in shapes.values()] == [False, True, True]
    assert [shape.norms_first for shape in shapes.values()] == [False, False, True]
    assert {(shape.layers, shape.heads, shape.hidden, shape.pad_id) for shape in shapes.values()} == {
        (2, 2, 64, 1)
    }
