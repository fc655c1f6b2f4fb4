"""Multiple-choice records as their official releases and the Hub spell them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lowres_stilts.data.examples import ChoiceExample
from lowres_stilts.data.readers import Record, is_text
from lowres_stilts.data.withheld import are_placeholder_labels
from lowres_stilts.tasks.task import Reader, Task

COPA_QUESTIONS = {"cause": "What was the cause?", "effect": "What happened as a result?"}


def without_placeholder_labels(read: Reader) -> Reader:
    """The same reader for files in which XTREME's script may have set every label to 0: those have no labels."""

    def strip(path: Path) -> Iterator[Record]:
        withheld = are_placeholder_labels(record.fields.get("label") for record in read(path))
        for record in read(path):
            yield replace(record, fields=record.fields | {"label": None}) if withheld else record

    return strip


def parse_plain(record: Record, task: Task) -> ChoiceExample:
    """`prompt`, `choices` (a list of texts) and `label` (the index of the right one)."""
    return _checked(record, record.text("prompt"), record.fields.get("choices"), record.fields.get("label"))


def parse_copa(record: Record, task: Task) -> ChoiceExample:
    """XCOPA: `premise`, `question` (cause or effect), `choice1`, `choice2`, `label`."""
    question = record.text("question")
    if question not in COPA_QUESTIONS:
        raise record.error(f"question {question!r} is neither cause nor effect")
    prompt = f"{record.text('premise')} {COPA_QUESTIONS[question]}"
    choices = [record.text("choice1"), record.text("choice2")]
    return _checked(record, prompt, choices, record.fields.get("label"))


def parse_csqa(record: Record, task: Task) -> ChoiceExample:
    """CommonsenseQA: `question.stem`, `question.choices` with `label` and `text`, `answerKey`.

    The Hub's copy has the stem in `question` and `choices` as two lists.
    """
    match record.fields:
        case {"question": {"stem": str(stem), "choices": [*options]}} if options and all(
            isinstance(option, dict) for option in options
        ):
            keys, texts = ([option.get(key) for option in options] for key in ("label", "text"))
        case {"question": str(stem), "choices": {"label": [*keys], "text": [*texts]}}:
            pass
        case _:
            raise record.error("expected a field 'question' with a 'stem' and a list of 'choices'")
    answer = record.fields.get("answerKey") or None
    return _checked(record, stem, texts, _index(record, keys, answer))


def parse_siqa(record: Record, task: Task) -> ChoiceExample:
    """Social IQa: `context`, `question`, `answerA` to `answerC`, and `correct` (A to C) or `label` (1 to 3)."""
    prompt = f"{record.text('context')} {record.text('question')}"
    choices = [record.text(f"answer{key}") for key in "ABC"]
    if "label" in record.fields:
        return _checked(record, prompt, choices, _index(record, list("123"), record.fields["label"]))
    return _checked(record, prompt, choices, _index(record, list("ABC"), record.fields.get("correct")))


def parse_hellaswag(record: Record, task: Task) -> ChoiceExample:
    """HellaSwag: `ctx`, four `endings`, and `label`, which the Hub's copy has as a text."""
    label = record.fields.get("label")
    return _checked(record, record.text("ctx"), record.fields.get("endings"), _number(record, label, first=0))


def parse_cosmosqa(record: Record, task: Task) -> ChoiceExample:
    """Cosmos QA: `context`, `question`, `answer0` to `answer3`, `label`."""
    prompt = f"{record.text('context')} {record.text('question')}"
    choices = [record.text(f"answer{index}") for index in range(4)]
    return _checked(record, prompt, choices, _number(record, record.fields.get("label"), first=0))


def parse_storycloze(record: Record, task: Task) -> ChoiceExample:
    """XStoryCloze: four sentences, two endings, the right one (1 or 2), named as in the files or on the Hub."""
    sentence, ending, answer = "input_sentence_{}", "sentence_quiz{}", "answer_right_ending"
    if "InputSentence1" in record.fields:
        sentence, ending, answer = "InputSentence{}", "RandomFifthSentenceQuiz{}", "AnswerRightEnding"
    story = " ".join(record.text(sentence.format(number)) for number in range(1, 5))
    choices = [record.text(ending.format(number)) for number in (1, 2)]
    return _checked(record, story, choices, _number(record, record.fields.get(answer), first=1))


def parse_belebele(record: Record, task: Task) -> ChoiceExample:
    """Belebele: `flores_passage`, `question`, `mc_answer1` to `mc_answer4`, `correct_answer_num`."""
    prompt = f"{record.text('flores_passage')} {record.text('question')}"
    choices = [record.text(f"mc_answer{number}") for number in range(1, 5)]
    return _checked(record, prompt, choices, _number(record, record.fields.get("correct_answer_num"), first=1))


def _number(record: Record, value: Any, *, first: int) -> int | None:
    """The index that a number counted from `first` means; files have it as a text."""
    if value is None or value in ("", -1, "-1"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > 9:
        raise record.error(f"label {value!r} is not a number")
    try:
        return int(value) - first
    except ValueError:
        raise record.error(f"label {value!r} is not a number") from None


def _index(record: Record, keys: Sequence[Any], answer: Any) -> int | None:
    if answer is None or answer == "":
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
