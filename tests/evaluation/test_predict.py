"""Predictions come in the order of the examples, whatever the batches."""

import numpy as np
import pytest
import torch

from lowres_stilts.data.examples import Question, TextExample
from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.evaluation.predict import hidden_token_accuracy, predict
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import UNLABELLED

SHORT, LONG = "the cat sat", "the dog ran sad " * 20
EXAMPLES = {
    "pawsx": [TextExample(SHORT * (1 + i % 3), f"the dog {'ran ' * (i % 5)}", "1") for i in range(9)],
    # A context of several windows stands between contexts of one.
    "xquad": [Question(str(i), "the cat", text, None) for i, text in enumerate([SHORT, LONG, "calm sea", LONG])],
    "mlm": [TextExample(text, None, None) for text in ("the cat sat on the sea " * 4, "calm sea good sun " * 8)],
}


@pytest.fixture(scope="module")
def trained(tiny_model):
    """An encoder, and a network with random heads."""
    torch.manual_seed(3)
    encoder = load_encoder(str(tiny_model), device="cpu", quantize="none", embeddings="none", compute="float32")
    kinds = {name: (FAMILIES[REGISTRY[name].family].head, 2) for name in EXAMPLES}
    heads = {name: make_head(encoder, kind, outputs, layout="mean") for name, (kind, outputs) in kinds.items()}
    for name in ("pawsx", "xquad"):
        for weights in heads[name].parameters():
            torch.nn.init.normal_(weights)
    return encoder, Network(encoder.model, heads)


def encoded(encoder, name):
    task = REGISTRY[name]
    return task, EXAMPLES[name], FAMILIES[task.family].encode(task, EXAMPLES[name], encoder.tokenizer, 32)


@pytest.mark.parametrize("name", ["pawsx", "xquad"])
@pytest.mark.parametrize("tokens", [1, 70, 4000])
def test_every_example_has_its_own_scores(name, tokens, trained):
    encoder, network = trained
    task, examples, features = encoded(encoder, name)
    network.train()  # predicting leaves dropout out by itself
    kept, done = {}, []
    answers = predict(network, encoder, task, examples, features, tokens, done.append, kept.__setitem__)
    assert sum(done) == len(examples) == len(answers)
    assert list(kept) != sorted(kept)  # the longest came first
    assert not network.training
    for index, example in enumerate(examples):
        rows = range(features.examples[index], features.examples[index + 1])
        assert len(kept[index]) == len(rows)
        for row, scores in zip(rows, kept[index], strict=True):
            ids = torch.from_numpy(features.ids[features.sequences[row] : features.sequences[row + 1]])[
                None
            ].long()
            with torch.inference_mode():
                alone = network(name, ids, torch.ones_like(ids))[0].numpy()
            np.testing.assert_allclose(scores[: len(alone)], alone, atol=1e-4)
        assert answers[index] == FAMILIES[task.family].decode(task, example, features, index, kept[index])


def test_where_memory_is_short_batches_are_halved(trained):
    encoder, network = trained
    task, examples, features = encoded(encoder, "pawsx")
    expected = predict(network, encoder, task, examples, features, 4000)
    sizes, done = [], []

    def full(_module, _inputs, output):
        sizes.append(len(output))
        if len(output) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    hook = network.head("pawsx").register_forward_hook(full)
    try:
        assert predict(network, encoder, task, examples, features, 4000, done.append) == expected
        assert sizes == [9, 5, 3, 2, 1, 2, 4, 2, 2]
        assert done == [9]
    finally:
        hook.remove()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("shapes differ")])
def test_an_example_that_does_not_fit_and_other_errors_are_raised(error, trained):
    encoder, network = trained
    task, examples, features = encoded(encoder, "pawsx")

    def refuse(_module, _inputs, _output):
        raise error

    hook = network.head("pawsx").register_forward_hook(refuse)
    try:
        with pytest.raises(type(error), match=str(error)):
            predict(network, encoder, task, examples, features, 4000)
    finally:
        hook.remove()


def test_the_share_of_hidden_tokens_that_are_restored(trained):
    encoder, network = trained
    task, _, features = encoded(encoder, "mlm")
    hidden = np.flatnonzero(features.labels != UNLABELLED)
    guesses = np.full_like(features.labels, UNLABELLED)
    with torch.inference_mode():
        for row in range(len(features.sequences) - 1):
            place = slice(features.sequences[row], features.sequences[row + 1])
            ids = torch.from_numpy(features.ids[place])[None].long()
            states = network.eval().states(ids, torch.ones_like(ids))
            guesses[place] = network.vocabulary_head("mlm").best(states[0]).numpy()
    half = hidden[: len(hidden) // 2]
    features.labels[half] = guesses[half]  # as if the head were right about one half
    right = (guesses == features.labels)[hidden].mean()
    assert 0.4 < right < 1
    for tokens in (1, 4000):
        assert hidden_token_accuracy(network, encoder, task, features, tokens) == pytest.approx(100 * right)


def test_without_hidden_tokens_nothing_is_restored(trained):
    encoder, network = trained
    task, _, features = encoded(encoder, "mlm")
    features.labels[:] = UNLABELLED
    assert hidden_token_accuracy(network, encoder, task, features, 4000) == 0
