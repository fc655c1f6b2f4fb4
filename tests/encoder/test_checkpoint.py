import pytest
import torch
from transformers import AutoModelForMaskedLM, BertConfig, BertForMaskedLM, XLMRobertaConfig, XLMRobertaForMaskedLM

from lowres_stilts.encoder.checkpoint import pretrained_lm_head
from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.modules.network import Network, make_head
from tests.models import SIZES, write_tiny_model


@pytest.mark.parametrize(
    ("config", "model"), [(XLMRobertaConfig, XLMRobertaForMaskedLM), (BertConfig, BertForMaskedLM)]
)
@pytest.mark.parametrize("shard", ["5GB", "20KB"])
def test_with_the_checkpoints_head_it_scores_as_transformers_does(config, model, shard, tmp_path):
    family = config.model_type
    write_tiny_model(tmp_path, family)
    torch.manual_seed(1)
    vocabulary = config.from_pretrained(tmp_path).vocab_size
    whole = model(config(**SIZES, vocab_size=vocabulary))
    for name, parameter in whole.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    (tmp_path / "model.safetensors").unlink()
    whole.save_pretrained(tmp_path, max_shard_size=shard)
    plain = AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    encoder = load_encoder(str(tmp_path), quantize="none", embeddings="none", compute="float32", device="cpu")
    head = make_head(encoder, "vocabulary", 0, layout="library")
    network = Network(encoder.model, {"mlm": head}).eval()
    ids = torch.tensor([[0, 7, 8, 9, 2], [0, 5, 6, 2, 1]])
    mask = (ids != 1).long()
    chosen = torch.tensor([[False, True, False, True, False], [False, True, False, False, False]])
    with torch.no_grad():
        expected = plain(input_ids=ids, attention_mask=mask).logits[chosen]
        found = network.vocabulary_head("mlm")(network.states(ids, mask)[chosen], mask)
        torch.testing.assert_close(found, expected)


def test_a_bare_encoder_has_no_head(tiny_model):
    assert pretrained_lm_head(str(tiny_model)) is None


def test_int8_embeddings_score_nearly_the_same(tiny_model):
    ids = torch.tensor([[0, 7, 8, 9, 2]])
    scores = []
    for embeddings in ("none", "int8"):
        encoder = load_encoder(
            str(tiny_model), quantize="none", embeddings=embeddings, compute="float32", device="cpu"
        )
        torch.manual_seed(0)
        head = make_head(encoder, "vocabulary", 0, layout="library").eval()
        with torch.no_grad():
            scores.append(Network(encoder.model, {"mlm": head})("mlm", ids, torch.ones_like(ids)).flatten())
    assert torch.cosine_similarity(*scores, dim=0) > 0.995
