"""The answer on a package's card, by the weights that the package stores."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowres_stilts.data.examples import ChoiceExample, Question, TaggedSentence, TextExample
from lowres_stilts.encoder.build import empty_model
from lowres_stilts.encoder.load import DTYPES, Encoder, compute_on, read_config, weights_bytes
from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.hub.card_asking import PRINTS, shown_task, texts_of
from lowres_stilts.hub.load import Loaded, load_base, model_id_of, put_over
from lowres_stilts.hub.manifest import Base, Example
from lowres_stilts.hub.verify import Package, open_package
from lowres_stilts.hub.write import describe_package
from lowres_stilts.pipeline.hardware import free_memory
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.load import find_task
from lowres_stilts.tasks.qa import QuestionAnswering
from lowres_stilts.tasks.task import Task

MOST_OF_FREE = 0.5
"""Of the CPU's free memory, that the weights of the base may take."""
EXAMPLES: MappingProxyType[str, Callable[[list[str]], Any]] = MappingProxyType(
    {
        "classification": lambda texts: TextExample(texts[0], texts[1] if len(texts) > 1 else None, None),
        "tagging": lambda words: TaggedSentence(tuple(words), None),
        "multiple_choice": lambda texts: ChoiceExample(texts[0], tuple(texts[1:]), None),
        "qa": lambda texts: Question("", texts[0], texts[1], None),
    }
)


def add_example(folder: Path) -> None:
    """Puts what the stored weights answer into the manifest and onto the card of a package.

    Nothing is changed where there is nothing to answer, or where the base is not here or does not fit into memory
    unquantized.

    Raises:
        PackageError: the package is not sound.
    """
    package = open_package(folder)
    if (example := example_of(package)) is not None:
        describe_package(folder, package.manifest.model_copy(update={"example": example}))


def example_of(package: Package) -> Example | None:
    """What the weights of a package answer to the texts of its card; None where that cannot be computed here."""
    part = shown_task(package.manifest)
    base = package.manifest.base.model_copy(update={"quantize": "none", "embeddings": "none"})
    if part.family not in PRINTS or part.name not in package.heads:
        return None
    try:
        recipe = Recipe.stored(package.manifest.recipe, package.folder)
        task = replace(
            find_task(part.name, recipe.tasks, "tasks"), labels=tuple(part.labels), max_length=part.max_length
        )
        if not _fits(base):
            return None
        encoder = load_base(package, base, device="cpu")
        own = replace(package, heads={task.name: package.heads[task.name]})
        loaded = put_over(encoder, own, {task.name: task})
    except LowresStiltsError:
        return None
    texts = texts_of(package.manifest)
    return Example(texts=texts, answer=_answer(loaded, encoder, task, texts))


def _fits(base: Base) -> bool:
    """Whether the unquantized base leaves enough of the free memory; it is not worth the end of a run."""
    config, dtype = read_config(model_id_of(base)), DTYPES[compute_on("cpu", base.compute)]
    bare = empty_model(config, quantize="none", dtype=dtype, attention="eager")
    return weights_bytes(bare) < MOST_OF_FREE * free_memory()


def _answer(loaded: Loaded, encoder: Encoder, task: Task, texts: list[str]) -> str | list[str]:
    example = EXAMPLES[task.family](texts)
    features = DECODERS[task.family].encode(task, [example], encoder.tokenizer, task.max_length)
    scores: list[Any] = []
    (answer,) = predict(
        loaded.network,
        encoder,
        task,
        [example],
        features,
        task.max_length,
        keep=lambda _, found: scores.append(found),
    )
    if task.family == "qa":  # the card's lines do not weigh that there may be no answer
        spans, _ = QuestionAnswering().spans(example, features, 0, scores[0])
        return str(example.context[spans[0].start : spans[0].end])
    if task.family == "multiple_choice":
        return str(example.choices[answer])
    return list(answer) if task.family == "tagging" else str(answer)
