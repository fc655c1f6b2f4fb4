"""Answers of a bundle are those of the training side, for every family and for several windows."""

import json
import random

import numpy as np
import pytest

from lowres_stilts.data.examples import ChoiceExample, Passage, Question, TaggedSentence, TextExample
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.evaluation.retrieval import View, embed
from lowres_stilts.export.scores import bundle_answers, bundle_scores, request
from lowres_stilts.hub.evaluate import evaluate_package
from lowres_stilts.hub.load import load_package
from lowres_stilts.hub.verify import open_package
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.runtime import Bundle, Choice
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.load import find_task, open_source
from tests.bundles import SHORT, WORDS, copied, sentence, summed
from tests.export.networks import float32

ADAPTERS = [
    "first",
    "first-intermediate-choice",
    "first-intermediate-tags",
    "first-intermediate-squad_v2",
    "second-intermediate",
    "second",
]


@pytest.fixture(scope="module")
def bundle(zoo):
    return Bundle.load(zoo.bundle, threads=1)


def examples_of(task, count=30):
    """Short and long ones; choices in uneven numbers."""
    rng = random.Random(2)

    def text(most=80):
        return sentence(rng, rng.choice([1, 3, 7, rng.randint(10, most)]), [*WORDS, "Xyz", "éa", "42"])

    match task:
        case "choice":
            rows = [(text(), tuple(text() for _ in range(rng.randint(2, 6)))) for _ in range(count)]
            return [ChoiceExample(prompt, choices, 0) for prompt, choices in rows]
        case "tags":
            return [TaggedSentence(tuple(text().split()), None) for _ in range(count)]
        case "asked" | "squad_v2":
            return [Question(str(number), text(), text(), None) for number in range(count)]
        case "twin":
            return [TextExample(text(), text(), None) for _ in range(count)]
    return [TextExample(text(), None, None) for _ in range(count)]


def loaded_package(zoo, adapter):
    package = open_package(zoo.packages[adapter])
    name = zoo.tasks[adapter]
    task = find_task(name, Recipe.model_validate(package.manifest.recipe).tasks, "task")
    return task, load_package(package, {name: task}, device="cpu")


def training_answers(zoo, adapter, examples, bundle):
    task, loaded = loaded_package(zoo, adapter)
    length = bundle.adapter(adapter).max_length
    features = DECODERS[task.family].encode(task, examples, loaded.encoder.tokenizer, length)
    scores = {}
    answers = predict(
        loaded.network, loaded.encoder, task, examples, features, 512, keep=lambda i, s: scores.update({i: s})
    )
    return answers, scores


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_answers_are_those_of_the_training_side(adapter, zoo, bundle):
    examples = examples_of(zoo.tasks[adapter])
    expected, scores = training_answers(zoo, adapter, examples, bundle)
    assert bundle_answers(bundle, adapter, examples) == expected
    if zoo.tasks[adapter] in {"tags", "asked", "squad_v2"}:
        assert max(len(own) for own in scores.values()) > 1  # several windows
    assert len(set(map(str, expected))) > 1


def test_some_questions_have_an_answer_and_others_none(zoo, bundle):
    """The null score is compared with the best span's, where the task knows questions without an answer."""
    examples = examples_of("squad_v2", 60)
    expected, _ = training_answers(zoo, "first-intermediate-squad_v2", examples, bundle)
    found = bundle.predict([(e.question, e.context) for e in examples], "first-intermediate-squad_v2")
    assert [answer.text for answer in found] == expected
    for answer, example in zip(found, examples, strict=True):
        assert example.context[answer.start : answer.end] == answer.text
        assert 0 <= answer.score <= 1
    # Without that knowledge every one of them has an answer.
    part = bundle.adapter("first-intermediate-squad_v2").model_copy(update={"name": "sure", "no_answer": False})
    bundle.add_adapter(zoo.bundle / "adapters" / "first-intermediate-squad_v2.onnx_adapter", part)
    sure = bundle.predict([(e.question, e.context) for e in examples], "sure")
    bundle.remove_adapter("sure")
    assert all(answer.text for answer in sure)
    assert all(not own.text or own.text == other.text for own, other in zip(found, sure, strict=True))


def test_probabilities_are_those_of_the_scores(zoo, bundle):
    for adapter in ("first", "second-intermediate", "first-intermediate-choice"):
        examples = examples_of(zoo.tasks[adapter], 8)
        _, scores = training_answers(zoo, adapter, examples, bundle)
        for number, found in enumerate(bundle.predict(requests(examples), adapter)):
            table = np.exp(scores[number].ravel() - scores[number].max())
            own = list(found.scores) if isinstance(found, Choice) else list(found.scores.values())
            np.testing.assert_allclose(own, table / table.sum(), atol=1e-5)


def requests(examples):
    return [request(example) for example in examples]


def test_a_mixed_batch_answers_as_one_adapter_at_a_time(zoo, bundle):
    given = {adapter: requests(examples_of(zoo.tasks[adapter], 6)) for adapter in ADAPTERS}
    alone = {adapter: bundle.predict(inputs, adapter) for adapter, inputs in given.items()}
    order = [(adapter, number) for number in range(6) for adapter in ADAPTERS]
    random.Random(5).shuffle(order)
    names = [adapter for adapter, _ in order]
    mixed = bundle.predict([given[adapter][number] for adapter, number in order], names, tokens_per_batch=900)
    for (adapter, number), found in zip(order, mixed, strict=True):
        assert_same(found, alone[adapter][number])


def assert_same(found, expected):
    assert type(found) is type(expected)
    for key, value in vars(expected).items():
        if key in {"score", "scores"}:
            own, theirs = (
                [*each.values()] if isinstance(each, dict) else each for each in (getattr(found, key), value)
            )
            np.testing.assert_allclose(own, theirs, atol=1e-5)
        else:
            assert getattr(found, key) == value


def test_scores_on_a_test_split_are_those_of_evaluate(zoo, bundle, private_cache):
    package = open_package(zoo.packages["first"])
    source = open_source(zoo.recipe.data)
    written = evaluate_package(package, source, languages=["en", "sw"])["scores"]["mood"]
    task = find_task("mood", zoo.recipe.tasks, "task")
    tests = {language: list(source.examples(task, "test", language)) for language in ("en", "sw")}
    own = bundle_scores(bundle, "first", task, tests)
    # Those of a package are rounded to four places.
    assert own == pytest.approx({language: score["value"] for language, score in written.items()}, abs=5e-5)


TEXTS = ["the cat sat", "tea", "", "quiet sea smile rain " * 5, "Xyz 42"]


@pytest.mark.parametrize("adapter", [None, "first", "first-intermediate-choice"])
@pytest.mark.parametrize(
    ("layer", "pooling", "prefix"), [(1, "cls", "good "), (2, "mean", ""), (1, "mean", "tea ")]
)
def test_embeddings_are_those_of_the_training_side(zoo, tmp_path, adapter, layer, pooling, prefix):
    folder = copied(zoo.bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "bundle.json").read_text())
    written = manifest["embedding"]
    assert written == {"layer": 1, "pooling": "cls", "prefix": "good ", "max_length": 78}  # the first recipe's
    manifest["embedding"] = {"layer": layer, "pooling": pooling, "prefix": prefix, "max_length": SHORT}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    found = Bundle.load(summed(folder), threads=1).embed(TEXTS, adapter)
    if adapter is None:
        encoder = float32(zoo.recipe.model.id)
        model = encoder.model
    else:
        _, loaded = loaded_package(zoo, adapter)
        encoder, model = loaded.encoder, loaded.stack.model
    passages = [Passage(str(number), text) for number, text in enumerate(TEXTS)]
    expected = embed(model, encoder, passages, View(layer, pooling), prefix=prefix, max_length=SHORT)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_retrieval_answers_as_evaluate_does(zoo, bundle, private_cache):
    source = open_source(zoo.recipe.data)
    task = find_task("pairs", zoo.recipe.tasks, "task")
    pools = {language: source.pool(task, "test", language) for language in ("sw", "ur")}
    package = open_package(zoo.packages["first"])
    written = evaluate_package(package, source, task="pairs", languages=["sw", "ur"])["scores"]["pairs"]
    own = bundle_scores(bundle, "first", task, pools)
    # Those of a package are rounded to four places.
    assert own == pytest.approx({language: score["value"] for language, score in written.items()}, abs=5e-5)


def test_no_texts_have_no_answers_and_no_vectors(bundle):
    assert bundle.predict([], "first") == []
    assert bundle.embed([]).shape == (0, 64)
