import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForTokenClassification

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.modules.heads import SequenceHead, TokenHead, VocabularyHead, mean_pool

IDS = torch.tensor([[0, 7, 8, 9, 2], [0, 5, 6, 2, 1]])
MASK = (IDS != 1).long()


@pytest.mark.parametrize("family", ["xlm-roberta", "bert"])
def test_library_head_computes_what_the_auto_class_does(family, tmp_path):
    from tests.models import write_tiny_model

    folder = write_tiny_model(tmp_path / family, family)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3).eval()
    head = SequenceHead(64, 3, "library").eval()
    if family == "bert":
        dense, projection = model.bert.pooler.dense, model.classifier
    else:
        dense, projection = model.classifier.dense, model.classifier.out_proj
    head.dense.load_state_dict(dense.state_dict())
    head.projection.load_state_dict(projection.state_dict())
    with torch.no_grad():
        states = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        expected = model(input_ids=IDS, attention_mask=MASK).logits
        torch.testing.assert_close(head(states, MASK), expected)


def test_token_head_computes_what_the_auto_class_does(tiny_model):
    model = AutoModelForTokenClassification.from_pretrained(tiny_model, num_labels=4).eval()
    head = TokenHead(64, 4).eval()
    head.projection.load_state_dict(model.classifier.state_dict())
    with torch.no_grad():
        states = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        torch.testing.assert_close(head(states, MASK), model(input_ids=IDS, attention_mask=MASK).logits)


@pytest.mark.parametrize(("embeddings", "tolerance"), [("none", 1e-4), ("int8", 0.05)])
def test_vocabulary_head_computes_what_the_auto_class_does(tiny_model, embeddings, tolerance):
    model = AutoModelForMaskedLM.from_pretrained(tiny_model).eval()
    encoder = load_encoder(
        str(tiny_model), quantize="none", embeddings=embeddings, compute="float32", device="cpu"
    )
    head = VocabularyHead(64, encoder.model.get_input_embeddings(), model.lm_head.layer_norm.eps).eval()
    head.dense.load_state_dict(model.lm_head.dense.state_dict())
    head.norm.load_state_dict(model.lm_head.layer_norm.state_dict())
    head.bias.data.copy_(model.lm_head.bias)
    assert sum(parameter.numel() for parameter in head.parameters()) < 64 * 64 + 3 * 64 + len(head.bias) + 1
    with torch.no_grad():
        states = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        expected = model(input_ids=IDS, attention_mask=MASK).logits
        chosen = MASK == 1
        torch.testing.assert_close(head(states[chosen], MASK), expected[chosen], atol=tolerance, rtol=tolerance)


def test_mean_pool_leaves_padding_out():
    states = torch.randn(2, 5, 8)
    torch.testing.assert_close(mean_pool(states, MASK)[1], states[1, :4].mean(0))
