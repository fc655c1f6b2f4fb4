import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForMaskedLM

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.modules import vocabulary
from lowres_stilts.modules.vocabulary import VocabularyHead

IDS = torch.tensor([[0, 7, 8, 9, 2], [0, 5, 6, 2, 1]])
MASK = (IDS != 1).long()


@pytest.mark.parametrize(("embeddings", "tolerance"), [("none", 1e-4), ("int8", 0.05), ("nf4", 0.6)])
@pytest.mark.parametrize("offload", [False, True])
def test_it_computes_what_the_auto_class_does(tiny_model, embeddings, tolerance, offload):
    model = AutoModelForMaskedLM.from_pretrained(tiny_model).eval()
    encoder = load_encoder(
        str(tiny_model),
        quantize="none",
        embeddings=embeddings,
        offload_embeddings=offload,
        compute="float32",
        device="cpu",
    )
    words = encoder.model.get_input_embeddings()
    head = VocabularyHead(64, model.config.vocab_size, words, model.lm_head.layer_norm.eps).eval()
    head.dense.load_state_dict(model.lm_head.dense.state_dict())
    head.norm.load_state_dict(model.lm_head.layer_norm.state_dict())
    head.bias.data.copy_(model.lm_head.bias)
    assert sum(parameter.numel() for parameter in head.parameters()) < 64 * 64 + 3 * 64 + len(head.bias) + 1
    with torch.no_grad():
        states = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        expected = model(input_ids=IDS, attention_mask=MASK).logits
        chosen = MASK == 1
        torch.testing.assert_close(head(states[chosen], MASK), expected[chosen], atol=tolerance, rtol=tolerance)


@given(st.integers(1, 9), st.sampled_from([1, 7, 40, 100]), st.integers(0, 2**31))
def test_loss_gradients_and_best_are_those_of_all_scores_at_once(tokens, at_once, seed):
    torch.manual_seed(seed)
    head = VocabularyHead(8, 40, nn.Embedding(40, 8).requires_grad_(requires_grad=False), 1e-5)
    nn.init.normal_(head.bias)
    states = torch.randn(tokens, 8, requires_grad=True)
    labels = torch.randint(40, (tokens,))
    learned = [states, *head.parameters()]
    scores = head(states, labels)
    expected = cross_entropy(scores, labels, reduction="sum")
    wanted = torch.autograd.grad(3 * expected, learned)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "PIECES_AT_ONCE", at_once)
        loss = head.loss(states, labels)
        torch.testing.assert_close(loss, expected)
        for found, gradient in zip(torch.autograd.grad(3 * loss, learned), wanted, strict=True):
            torch.testing.assert_close(found, gradient, atol=1e-3, rtol=1e-3)
        assert torch.equal(head.best(states), scores.argmax(-1))


def test_the_largest_tensor_of_the_loss_is_a_piece_of_the_scores():
    """A whole row of scores for every token would be the peak of the memory of language adapters."""
    pieces, tokens, largest = 4 * vocabulary.PIECES_AT_ONCE, 16, 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            found = function(*args, **(kwargs or {}))
            largest = max(
                [
                    largest,
                    *(
                        t.numel()
                        for t in (found if isinstance(found, tuple) else (found,))
                        if isinstance(t, torch.Tensor) and t.dim() == 2 and t.shape[0] == tokens
                    ),
                ]
            )
            return found

    head = VocabularyHead(32, pieces, nn.Embedding(pieces, 32).requires_grad_(requires_grad=False), 1e-5)
    with Watch():
        head.loss(torch.randn(tokens, 32), torch.arange(tokens)).backward()
    assert largest == tokens * vocabulary.PIECES_AT_ONCE
