"""From the records of a split to the examples that are used, and what of them is left out."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from lowres_stilts.data.examples import Defective, is_labelled
from lowres_stilts.data.readers import Record
from lowres_stilts.tasks.task import Split, Task
from lowres_stilts.tasks.unlabelled import LabelsElsewhere

LeftOut = Counter[tuple[str, Split, str, str]]
"""How many examples are not used, by task, split, language and defect."""


def read_examples(
    task: Task, split: Split, language: str, records: Iterable[Record], left_out: LeftOut | None = None
) -> Iterator[Any]:
    """Examples of a split, without those that a known defect of a published set makes useless.

    Training and dev leave out whatever is defective. Tests keep what has an answer, such as a blank text, since
    official scores count it, and leave out what annotators left undecided.

    Args:
        task: its record; only what it tolerates is left out, and all else that is malformed is an error.
        split: training, dev or test.
        language: for the count.
        records: what was read.
        left_out: counts what is not used.

    Raises:
        DataError: a record is malformed, the id of a question comes twice in dev or test, or some examples of a
            test have answers and some have none.
    """
    counted = Counter() if left_out is None else left_out
    if split != "train" and task.family == "qa":
        records = _with_ids_of_their_own(records)
    tolerant = "undecided label" in task.tolerates
    parsed = _parsed(task, records, alike=split == "test" and not tolerant)
    if tolerant and split != "train":
        items = list(parsed)
        tolerant = any(is_labelled(item) for item in items)  # else nothing is undecided, but all withheld
        parsed = iter(items)
    for item in parsed:
        if isinstance(item, Defective):
            if split == "test" and item.example is not None:
                yield item.example
            else:
                counted[task.name, split, language, item.defect] += 1
        elif tolerant and not is_labelled(item):
            counted[task.name, split, language, "undecided label"] += 1
        else:
            yield item


def told_of(left_out: LeftOut) -> list[str]:
    """A line for each count."""
    return [
        f"left out: {count} of {task} {split} in {language}: {defect}"
        for (task, split, language, defect), count in sorted(left_out.items())
    ]


def nested(left_out: LeftOut) -> dict[str, Any]:
    """The counts by task, split, language and defect, as in results.json."""
    found: dict[str, Any] = {}
    for (task, split, language, defect), count in sorted(left_out.items()):
        found.setdefault(task, {}).setdefault(split, {}).setdefault(language, {})[defect] = count
    return found


def _parsed(task: Task, records: Iterable[Record], *, alike: bool) -> Iterator[Any]:
    """Examples of records; where they must be alike, all of them have answers or none has."""
    labelled: bool | None = None
    some = False
    elsewhere = LabelsElsewhere(task)
    path = ""
    for record in records:
        path = str(record.path)
        example = task.example(record)
        if alike and not isinstance(example, Defective):
            found = is_labelled(example)
            if labelled is not None and found != labelled:
                has, others = ("an answer", "have none") if found else ("no answer", "have one")
                raise record.error(f"this example has {has}, but those before it {others}; give all or none")
            labelled = found
        some = some or isinstance(example, Defective) or is_labelled(example)
        if not some:
            elsewhere.see(record, example)
        yield example
    if not some:
        elsewhere.require_none(path)


def _with_ids_of_their_own(records: Iterable[Record]) -> Iterator[Record]:
    """The same records; predictions are kept by id, so that two questions with one id would share an answer."""
    seen: dict[str, int | str] = {}
    for record in records:
        name = str(record.fields.get("id"))
        if name in seen:
            raise record.error(f"id {name!r} is also that of the question at {seen[name]}; give each its own")
        seen[name] = record.line
        yield record
