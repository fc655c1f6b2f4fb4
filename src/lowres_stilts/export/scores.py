"""The scores of a bundle's adapters on evaluation data, by the metrics of the training side."""

from collections.abc import Mapping, Sequence
from typing import Any

from lowres_stilts.data.examples import ChoiceExample, Example, Pool, Question, TaggedSentence, TextExample
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.search import rank
from lowres_stilts.pipeline.material import answers_of
from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.runtime.predictions import Answer, Choice, Label, Prediction, Tagged
from lowres_stilts.tasks.task import Task


def bundle_scores(
    bundle: Bundle, adapter: str | None, task: Task, tests: Mapping[str, Sequence[Any] | Pool]
) -> dict[str, float]:
    """Points by language.

    Args:
        bundle: what answers.
        adapter: its name; of retrieval it may be none.
        task: what the examples are of.
        tests: labelled examples by language.
    """
    metric = METRICS[task.metric]
    found = {}
    for language, examples in tests.items():
        answers = bundle_answers(bundle, adapter, examples)
        found[language] = metric.score(metric.table(answers_of(task, examples), answers, language))
    return found


def bundle_answers(bundle: Bundle, adapter: str | None, examples: Sequence[Any] | Pool) -> list[Any]:
    """Answers in the form in which the training side gives them."""
    if isinstance(examples, Pool):
        queries = bundle.embed([query.passage.text for query in examples.queries], adapter)
        candidates = bundle.embed([passage.text for passage in examples.candidates], adapter)
        return [examples.candidates[row[0]].id for row in rank(queries, candidates, 1)]
    if adapter is None:
        raise TypeError("only retrieval needs no adapter")
    return [_plain(answer) for answer in bundle.predict([request(example) for example in examples], adapter)]


def request(example: Example) -> Any:
    """An example as a bundle is asked."""
    match example:
        case TextExample():
            return example.text if example.text_pair is None else (example.text, example.text_pair)
        case ChoiceExample():
            return example.prompt, example.choices
        case TaggedSentence():
            return example.words
        case Question():
            return example.question, example.context


def _plain(prediction: Prediction) -> str | int | tuple[str, ...]:
    match prediction:
        case Label():
            return prediction.label
        case Choice():
            return prediction.index
        case Tagged():
            return prediction.tags
        case Answer():
            return prediction.text
