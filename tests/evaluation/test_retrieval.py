import numpy as np
import pytest
import torch

from lowres_stilts.data.examples import Passage, Pool, Query
from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.errors import RecipeError
from lowres_stilts.evaluation.retrieval import Retriever, View, embed, sweep
from lowres_stilts.tasks.catalog import REGISTRY

TEXTS = ["the cat sat", "tea", "rain rain rain grey sea"]
PASSAGES = [Passage(str(number), text) for number, text in enumerate(TEXTS)]


def found_pool(texts, gold=None):
    """Queries that are the candidates themselves, in reverse order."""
    candidates = tuple(Passage(f"en-{number}", text) for number, text in enumerate(texts))
    queries = tuple(
        Query(Passage(f"sw-{number}", text), None if gold is None else gold.get(f"sw-{number}", ()))
        for number, text in enumerate(reversed(texts))
    )
    return Pool(queries, candidates)


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return load_encoder(str(tiny_model), quantize="none", embeddings="none", compute="float32", device="cpu")


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("layer", [0, 1, 2, -1, -3])
def test_embeddings_are_those_of_transformers(encoder, layer, pooling):
    vectors = embed(encoder.model, encoder, PASSAGES, View(layer, pooling), prefix="good ", tokens_per_batch=12)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = torch.tensor([encoder.tokenizer.encode("good " + text).ids])
        with torch.no_grad():
            states = encoder.model(input_ids=ids, output_hidden_states=True).hidden_states[layer][0]
        expected = states.mean(0) if pooling == "mean" else states[0]
        assert torch.nn.functional.normalize(expected, dim=0).numpy() == pytest.approx(vector, abs=1e-5)


def test_a_passage_with_a_second_text_is_encoded_as_a_pair(encoder):
    pair = embed(encoder.model, encoder, [Passage("0", "the cat", "sat")], View())
    ids = torch.tensor([encoder.tokenizer.encode("the cat", "sat").ids])
    with torch.no_grad():
        states = encoder.model(input_ids=ids).last_hidden_state[0]
    assert torch.nn.functional.normalize(states.mean(0), dim=0).numpy() == pytest.approx(pair[0], abs=1e-5)


def test_no_passages_are_no_vectors(encoder):
    assert embed(encoder.model, encoder, [], View()).shape == (0, 64)


@pytest.mark.parametrize("similarity", ["cosine", "margin"])
def test_the_nearest_candidate_answers(encoder, similarity):
    retriever = Retriever(encoder.model, encoder, View(), similarity=similarity)
    texts = [*TEXTS, "good dog", "hello world", "calm sea", "sad sun"]
    found = retriever.answer(REGISTRY["tatoeba"], found_pool(texts))
    assert found == [f"en-{number}" for number in reversed(range(len(texts)))]


def hub_pool(*queries):
    """Each query has a candidate of its own; "the" is near all of them."""
    own = "cat dog", "rain sea", "sun tea"
    asked = (*queries, *(f"the the {text}" for text in own))
    return Pool(
        tuple(Query(Passage(text, text), None) for text in asked),
        tuple(Passage(text, text) for text in ("the", *own)),
    )


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        ({}, ["the", "the", "the", "the"]),
        # Only so many of the nearest are looked at, and "the" is the nearest of all queries.
        ({"similarity": "margin", "neighbours": 1}, ["the", "the", "the", "the"]),
        ({"similarity": "margin", "neighbours": 2}, ["the", "cat dog", "rain sea", "sun tea"]),
    ],
)
def test_a_margin_discounts_the_candidate_that_is_near_everything(options, answers, encoder):
    retriever = Retriever(encoder.model, encoder, View(), **options)
    assert retriever.answer(REGISTRY["tatoeba"], hub_pool("the")) == answers


@pytest.mark.parametrize(
    ("neighbours", "mined"),
    [(1, ["cat dog", "the", "sun tea"]), (2, ["cat dog", "rain sea", "sun tea"])],
)
def test_mining_looks_at_as_many_neighbours_as_asked_for(neighbours, mined, encoder):
    retriever = Retriever(encoder.model, encoder, View(), neighbours=neighbours)
    assert retriever.answer(REGISTRY["bucc2018"], hub_pool()) == mined


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({}, "rain cat rain"),
        ({"max_length": 4}, "rain cat rain"),  # room for two words: "cat rain" and "rain cat"
        ({"max_length": 3}, "cat"),
        ({"max_length": 4, "prefix": "good "}, "cat"),
        ({"prefix": "good "}, "rain cat rain"),
    ],
)
def test_prefix_and_length_reach_the_passages(options, answer, encoder):
    candidates = tuple(Passage(text, text) for text in ("rain cat rain", "cat"))
    pool = Pool((Query(Passage("sw", "cat rain rain rain"), None),), candidates)
    assert Retriever(encoder.model, encoder, View(), **options).answer(REGISTRY["tatoeba"], pool) == [answer]


def test_batches_keep_to_their_budget_of_tokens(encoder):
    shapes = []
    hook = encoder.model.register_forward_pre_hook(
        lambda model, places, names: shapes.append(tuple(names["input_ids"].shape)), with_kwargs=True
    )
    Retriever(encoder.model, encoder, View(), tokens_per_batch=12).answer(REGISTRY["tatoeba"], hub_pool())
    hook.remove()
    assert shapes == [(2, 6), (1, 6), (3, 4), (1, 3)]


def test_a_ranking_has_twenty_candidates_or_all_and_none_twice(encoder):
    retriever = Retriever(encoder.model, encoder, View())
    texts = [f"{a} {b}" for a in "the cat dog sat ran".split() for b in "good bad hello sea sun".split()]
    for pool, count in ((found_pool(texts), 20), (found_pool(TEXTS), 3)):
        ranking = retriever.answer(REGISTRY["lareqa"], pool)
        assert [len(ids) for ids in ranking] == [count] * len(pool)
        assert all(len(set(ids)) == count for ids in ranking)
        same = [f"en-{number}" for number in reversed(range(len(pool)))]
        assert [ids[0] for ids in ranking] == same


def test_mining_takes_its_threshold_from_the_tuning_pool(encoder):
    texts = [*TEXTS, "good dog", "hello world", "calm sea"]
    right = {f"sw-{number}": (f"en-{5 - number}",) for number in range(6)}
    retriever = Retriever(encoder.model, encoder, View())
    task = REGISTRY["bucc2018"]
    everything = retriever.answer(task, found_pool(texts), found_pool(texts, right))
    assert everything == [right[f"sw-{number}"][0] for number in range(6)]
    assert retriever.answer(task, found_pool(texts, right)) == everything
    one = retriever.answer(task, found_pool(texts), found_pool(texts, {"sw-0": right["sw-0"]}))
    assert one[0] == "en-5"


def mining_pool(split, pairs, query, candidate):
    """Pairs of the same texts, and a query and a candidate that have nothing to do with each other."""
    queries = [Query(Passage(f"{split}-sw-{n}", text), (f"{split}-en-{n}",)) for n, text in enumerate(pairs)]
    candidates = [Passage(f"{split}-en-{n}", text) for n, text in enumerate((*pairs, candidate))]
    return Pool((*queries, Query(Passage(f"{split}-sw-x", query), ())), tuple(candidates))


DEV = mining_pool("dev", ["hello world", "sad dog"], "happy smile sea", "bad cry grey")
TEST = mining_pool("test", ["the cat sat", "calm sea"], "rain tea sun", "good dog world")
UNKNOWN = Pool(tuple(Query(query.passage, None) for query in TEST.queries), TEST.candidates)


def test_what_is_below_the_threshold_of_other_sentences_is_not_mined(encoder):
    retriever, task = Retriever(encoder.model, encoder, View()), REGISTRY["bucc2018"]
    assert retriever.answer(task, UNKNOWN, DEV) == ["test-en-0", "test-en-1", None]
    assert retriever.answer(task, TEST) == ["test-en-0", "test-en-1", None]
    assert retriever.answer(task, UNKNOWN) == ["test-en-0", "test-en-1", "test-en-2"]


def test_a_sentence_that_occurs_twice_is_not_mined(encoder):
    texts = [*TEXTS, "tea"]
    found = Retriever(encoder.model, encoder, View()).answer(
        REGISTRY["bucc2018"], found_pool(texts, {"sw-1": ("en-2",), "sw-3": ("en-0",)})
    )
    assert found[0] is None
    assert found[2] is None
    assert (found[1], found[3]) == ("en-2", "en-0")


def test_a_sweep_answers_for_every_layer_and_pooling(encoder):
    retriever = Retriever(encoder.model, encoder, View())
    pools = {"sw": found_pool(TEXTS)}
    answers = sweep(retriever, [0, 2], REGISTRY["tatoeba"], pools, {})
    assert set(answers) == {View(layer, pooling) for layer in (0, 2) for pooling in ("mean", "cls")}
    assert answers[View(2, "mean")]["sw"] == retriever.answer(REGISTRY["tatoeba"], pools["sw"])
    assert answers[View(0, "mean")]["sw"] == ["en-2", "en-1", "en-0"]
    # At the embedding output the first token has seen no other: it is the same for all.
    assert len(set(answers[View(0, "cls")]["sw"])) == 1


def test_a_sweep_tunes_each_language_on_its_own_pool(encoder):
    retriever = Retriever(encoder.model, encoder, View())
    tuned = sweep(retriever, [-1], REGISTRY["bucc2018"], {"zh": UNKNOWN, "fr": UNKNOWN}, {"zh": DEV})
    assert tuned[View(-1, "mean")] == {
        "zh": ["test-en-0", "test-en-1", None],
        "fr": ["test-en-0", "test-en-1", "test-en-2"],
    }


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_is_not_there_is_named(layer, encoder):
    message = rf"evaluate\.retrieval\.layer: {layer} is out of range, there are 0 to 2"
    with pytest.raises(RecipeError, match=message):
        embed(encoder.model, encoder, PASSAGES, View(layer))
