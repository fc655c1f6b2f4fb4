import shutil

import bitsandbytes as bnb
import pytest
import torch

from lowres_stilts.encoder import load
from lowres_stilts.encoder.load import compute_on, load_encoder, load_tokenizer, weights_bytes
from lowres_stilts.errors import EncoderError
from tests.models import tiny_base

FAMILIES = ["xlm-roberta", "xlm-roberta-xl", "bert"]


def _states(encoder, seed=0):
    ids = torch.randint(4, encoder.model.config.vocab_size, (3, 9), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return encoder.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.float()


@pytest.fixture(scope="session", params=FAMILIES)
def folder(request, once):
    return tiny_base(once, request.param)


@pytest.mark.parametrize("compute", ["float32", "bf16"])
@pytest.mark.parametrize(("quantize", "layer"), [("nf4", bnb.nn.Linear4bit), ("int8", bnb.nn.Linear8bitLt)])
def test_quantized_by_bitsandbytes_and_close_to_float32(folder, quantize, layer, compute):
    exact = load_encoder(str(folder), quantize="none", embeddings="none", compute="float32", device="cpu")
    encoder = load_encoder(str(folder), quantize=quantize, embeddings="int8", compute=compute, device="cpu")
    assert sum(isinstance(module, layer) for module in encoder.model.modules()) == 12
    assert isinstance(encoder.model.get_input_embeddings(), bnb.nn.Embedding8bit)
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
    assert encoder.model.dtype == encoder.dtype == {"float32": torch.float32, "bf16": torch.bfloat16}[compute]
    similarity = torch.cosine_similarity(_states(exact).flatten(), _states(encoder).flatten(), dim=0)
    assert similarity > (0.97 if quantize == "nf4" else 0.99)
    assert weights_bytes(encoder.model) < 0.6 * weights_bytes(exact.model)


def test_without_quantization_equals_transformers(tiny_model):
    from transformers import AutoModel

    plain = AutoModel.from_pretrained(tiny_model, add_pooling_layer=False).eval()
    encoder = load_encoder(str(tiny_model), quantize="none", embeddings="none", compute="float32", device="cpu")
    ids = torch.tensor([[0, 7, 8, 9, 2]])
    with torch.no_grad():
        expected = plain(input_ids=ids).last_hidden_state
        found = encoder.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    torch.testing.assert_close(found, expected)


def test_quantized_forward_does_not_spoil_training(tiny_model):
    """On CPUs with AVX512-bf16 bitsandbytes repacks weights in the first forward without gradients."""
    encoder = load_encoder(str(tiny_model), quantize="nf4", compute="bf16", device="cpu")
    layer = next(m for m in encoder.model.modules() if isinstance(m, bnb.nn.Linear4bit))
    before = layer.weight.data.clone()
    _states(encoder)
    assert torch.equal(layer.weight.data, before)


@pytest.mark.parametrize(
    ("model_id", "words"),
    [
        ("starter:nothing", "there is no starter model"),
        ("/nowhere/at/all", "cannot be loaded"),
    ],
)
def test_a_model_that_is_not_there_gives_one_clear_line(model_id, words, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EncoderError, match=words) as caught:
        load_encoder(model_id)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("model.id: ")


def test_other_families_are_refused(tmp_path):
    from transformers import DistilBertConfig, DistilBertModel

    DistilBertModel(DistilBertConfig(dim=32, n_heads=2, n_layers=1, hidden_dim=32, vocab_size=50)).save_pretrained(
        tmp_path
    )
    with pytest.raises(EncoderError, match="is a distilbert model"):
        load_encoder(str(tmp_path))


def test_a_model_without_a_tokenizer_gives_one_clear_line(tiny_model, tmp_path):
    shutil.copy(tiny_model / "config.json", tmp_path)
    with pytest.raises(EncoderError) as caught:
        load_tokenizer(str(tmp_path))
    assert str(caught.value) == f"model.id: {tmp_path} has no fast tokenizer; put a tokenizer.json beside it"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_where_there_is_none(tiny_model):
    with pytest.raises(EncoderError, match=r"no CUDA device here; set model\.device"):
        load_encoder(str(tiny_model), device="cuda")


@pytest.mark.parametrize(
    ("device", "compute", "has_bf16", "expected"),
    [
        ("cpu", "bf16", True, "bf16"),
        ("cpu", "bf16", False, "float32"),
        ("cpu", "float32", False, "float32"),
        ("cuda", "bf16", False, "bf16"),
    ],
)
def test_a_cpu_that_only_emulates_bf16_computes_in_float32(device, compute, has_bf16, expected, monkeypatch):
    monkeypatch.setattr(load, "_cpu_has_bf16", lambda: has_bf16)
    assert compute_on(device, compute) == expected
