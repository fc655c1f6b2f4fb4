import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from lowres_stilts.modules.heads import SequenceHead, TokenHead, mean_pool

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


def test_mean_pool_leaves_padding_out():
    states = torch.randn(2, 5, 8)
    torch.testing.assert_close(mean_pool(states, MASK)[1], states[1, :4].mean(0))
