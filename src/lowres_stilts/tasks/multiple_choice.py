"""Multiple choice: any number of continuations of a prompt, uneven numbers too."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.examples import ChoiceExample
from lowres_stilts.data.readers import Record, is_text, read_jsonl
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts

COPA_QUESTIONS = {"cause": "What was the cause?", "effect": "What happened as a result?"}


def choice_reader(
    parse: Callable[[Record], ChoiceExample],
) -> Callable[[Path, Task], Iterator[ChoiceExample]]:
    """A reader of JSON lines that `parse` turns into examples."""

    def read(path: Path, task: Task) -> Iterator[ChoiceExample]:
        return map(parse, read_jsonl(path))

    return read


def parse_plain(record: Record) -> ChoiceExample:
    """`prompt`, `choices` (a list of texts) and `label` (the index of the right one)."""
    return _checked(record, record.text("prompt"), record.fields.get("choices"), record.fields.get("label"))


def parse_copa(record: Record) -> ChoiceExample:
    """XCOPA: `premise`, `question` (cause or effect), `choice1`, `choice2`, `label`."""
    question = record.text("question")
    if question not in COPA_QUESTIONS:
        raise record.error(f"question {question!r} is neither cause nor effect")
    prompt = f"{record.text('premise')} {COPA_QUESTIONS[question]}"
    choices = [record.text("choice1"), record.text("choice2")]
    return _checked(record, prompt, choices, record.fields.get("label"))


def parse_csqa(record: Record) -> ChoiceExample:
    """CommonsenseQA: `question.stem`, `question.choices` with `label` and `text`, `answerKey`."""
    match record.fields:
        case {"question": {"stem": str(stem), "choices": [*options]}, **rest} if options and all(
            isinstance(option, dict) for option in options
        ):
            keys = [option.get("label") for option in options]
            return _checked(record, stem, [option.get("text") for option in options], _index(record, keys, rest))
    raise record.error("expected a field 'question' with a 'stem' and a list of 'choices'")


def parse_siqa(record: Record) -> ChoiceExample:
    """Social IQa: `context`, `question`, `answerA` to `answerC`, `correct`."""
    prompt = f"{record.text('context')} {record.text('question')}"
    choices = [record.text(f"answer{key}") for key in "ABC"]
    return _checked(
        record, prompt, choices, _index(record, list("ABC"), {"answerKey": record.fields.get("correct")})
    )


def _index(record: Record, keys: Sequence[Any], fields: dict[str, Any]) -> int | None:
    answer = fields.get("answerKey")
    if answer is None:
        return None
    if answer not in keys:
        raise record.error(f"answer {answer!r} is not one of {', '.join(map(str, keys))}")
    return keys.index(answer)


def _checked(record: Record, prompt: str, choices: Any, label: Any) -> ChoiceExample:
    if not isinstance(choices, list) or len(choices) < 2:
        raise record.error("field 'choices' must be a list of at least two texts")
    if not all(is_text(choice) and choice.strip() for choice in choices):
        raise record.error("every choice must be a text with something to read in it")
    if label is not None and (type(label) is not int or not 0 <= label < len(choices)):
        raise record.error(f"label {label!r} is not the index of a choice (0 to {len(choices) - 1})")
    return ChoiceExample(prompt, tuple(choices), label)


class MultipleChoice:
    """One sequence per choice; the head gives each a score, and the highest wins."""

    per_token = False

    def outputs(self, task: Task) -> int:
        """A single score."""
        return 1

    def encode(
        self, task: Task, examples: Sequence[ChoiceExample], tokenizer: Tokenizer, max_length: int
    ) -> Features:
        """The prompt paired with each choice."""
        pairs = [(example.prompt, choice) for example in examples for choice in example.choices]
        ids = iter(encode_texts(tokenizer, pairs, max_length))
        labels = [UNLABELLED if example.label is None else example.label for example in examples]
        return pack([[next(ids) for _ in example.choices] for example in examples], labels)

    def decode(self, task: Task, features: Features, index: int, scores: NDArray[np.float32]) -> int:
        """The index of the best choice."""
        return int(scores[:, 0].argmax())

    def gold(self, example: ChoiceExample) -> int | None:
        """The index of the right choice."""
        return example.label
