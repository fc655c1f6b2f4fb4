"""A few test examples with their answers and an arm's predictions, as texts to show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lowres_stilts.data.examples import ChoiceExample, Passage, Pool, Query, Question, TaggedSentence, TextExample
from lowres_stilts.evaluation.submission import prediction_file, read_predictions
from lowres_stilts.names import file_name
from lowres_stilts.tasks.task import Split, Task

KEPT = 5
"""Of each language."""
CONTEXT = 160
"""Characters of a context on either side of its answer."""


def samples_of(
    task: Task, examples: Sequence[Any] | Pool, predictions: Path, split: Split, language: str
) -> list[dict[str, str]]:
    """Texts, right answers and predictions of the first examples of a language.

    Raises:
        DataError: the predictions cannot be read.
    """
    path = predictions / file_name(task.name) / prediction_file(task, split, language)
    answers = read_predictions(path, task, examples)[:KEPT]
    if isinstance(examples, Pool):
        texts = {passage.id: passage.text for passage in examples.candidates}
        return [_retrieved(*pair, texts) for pair in zip(examples.queries, answers, strict=False)]
    return [_shown(*pair) for pair in zip(examples[:KEPT], answers, strict=True)]


def _shown(example: Any, answer: Any) -> dict[str, str]:
    if isinstance(example, TextExample):
        text = " / ".join(filter(None, (example.text, example.text_pair)))
        return {"text": text, "gold": str(example.label), "predicted": str(answer)}
    if isinstance(example, ChoiceExample):
        gold = "" if example.label is None else example.choices[example.label]
        return {"text": example.prompt, "gold": gold, "predicted": example.choices[int(answer)]}
    if isinstance(example, TaggedSentence):
        return {
            "text": " ".join(example.words),
            "gold": _tagged(example.words, example.tags or ()),
            "predicted": _tagged(example.words, answer),
        }
    if isinstance(example, Question):
        gold = example.answers[0].text if example.answers else ""
        return {"text": f"{example.question} / {_around(example)}", "gold": gold, "predicted": str(answer or "")}
    return {"text": str(example), "gold": "", "predicted": str(answer)}  # of a plug-in's family


def _retrieved(query: Query, answer: Any, texts: dict[str, str]) -> dict[str, str]:
    found = answer[0] if isinstance(answer, tuple) else answer
    gold = texts.get(query.answers[0], "") if query.answers else ""
    return {"text": _whole(query.passage), "gold": gold, "predicted": texts.get(str(found), "")}


def _whole(passage: Passage) -> str:
    return " / ".join(filter(None, (passage.text, passage.text_pair)))


def _tagged(words: Sequence[str], tags: Sequence[str]) -> str:
    """Words with a tag that says something."""
    return ", ".join(f"{word} ({tag})" for word, tag in zip(words, tags, strict=False) if tag != "O")


def _around(example: Question) -> str:
    start = example.answers[0].start if example.answers else 0
    end = start + (len(example.answers[0].text) if example.answers else 0)
    before, after = max(0, start - CONTEXT), min(len(example.context), end + CONTEXT)
    return f"{'…' if before else ''}{example.context[before:after]}{'…' if after < len(example.context) else ''}"
