"""Labelled examples on which quantized scores are compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lowres_stilts.data.withheld import answers_unknown
from lowres_stilts.errors import DataError
from lowres_stilts.export.gate import Tests
from lowres_stilts.pipeline.material import answers_of
from lowres_stilts.tasks.load import find_languages
from lowres_stilts.tasks.source import Source
from lowres_stilts.tasks.task import Split, Task

SPLITS: tuple[Split, ...] = ("test", "dev")


def evaluation_data(
    source: Source, limit: int, only: Sequence[str] = (), say: Callable[[str], object] = lambda _: None
) -> Tests:
    """The first labelled examples of each language of a task: of its test split, or of dev; none where neither is.

    Args:
        source: where examples come from.
        limit: how many of each language.
        only: languages that count, where it is not empty.
        say: told what has no answers, and which tasks are not compared for want of them.
    """

    def tests(task: Task) -> Mapping[str, Sequence[Any]]:
        for split in SPLITS:
            try:
                languages = find_languages("all", task, source, split)
            except DataError:
                continue
            wanted = [code for code in languages if not only or code in only]
            found = {code: list(source.examples(task, split, code))[:limit] for code in wanted}
            labelled = {code: examples for code, examples in found.items() if answers_of(task, examples)}
            if unknown := [code for code in found if code not in labelled]:
                say(answers_unknown(f"{task.name} {split}", unknown, task.answers_at))
            if labelled:
                return labelled
        say(f"{task.name}: no labelled examples, so its scores are not compared")
        return {}

    return tests
