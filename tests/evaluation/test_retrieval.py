import numpy as np
import pytest
import torch

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.errors import RecipeError
from lowres_stilts.evaluation.retrieval import embed, nearest

TEXTS = ["the cat sat", "tea", "rain rain rain grey sea"]


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return load_encoder(str(tiny_model), quantize="none", embeddings="none", compute="float32", device="cpu")


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("layer", [0, 1, -1])
def test_embeddings_are_those_of_transformers(encoder, layer, pooling):
    vectors = embed(
        encoder.model, encoder, TEXTS, layer=layer, pooling=pooling, prefix="good ", tokens_per_batch=12
    )
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = torch.tensor([encoder.tokenizer.encode("good " + text).ids])
        with torch.no_grad():
            states = encoder.model(input_ids=ids, output_hidden_states=True).hidden_states[layer][0]
        expected = states.mean(0) if pooling == "mean" else states[0]
        assert torch.nn.functional.normalize(expected, dim=0).numpy() == pytest.approx(vector, abs=1e-5)


def test_the_nearest_is_found():
    vectors = np.eye(4, dtype=np.float32)
    assert nearest(vectors[[2, 0]], vectors) == [2, 0]


def test_a_layer_that_is_not_there_is_named(encoder):
    with pytest.raises(RecipeError, match=r"evaluate\.retrieval\.layer: 3 is out of range, there are 0 to 2"):
        embed(encoder.model, encoder, TEXTS, layer=3)
