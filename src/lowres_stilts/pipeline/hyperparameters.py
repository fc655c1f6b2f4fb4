"""How long and how fast to train, chosen by the data where a recipe leaves it out."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tokenizers import Tokenizer

from lowres_stilts.pipeline.material import Material
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.training_set import TrainingSet
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.task import Task

VERSION = 1
"""Part of the keys of phases whose settings are chosen."""
CHOSEN = ("epochs", "lr", "tokens_per_batch")
"""What is a number in the end; `head_lr` and `evaluate_every` may follow from them."""
SAMPLE = 200
"""Examples whose tokens are counted."""
LEAST_UPDATES, UPDATES, MANY_UPDATES = 200, 240, 2000
"""What a given number of epochs should come to, what a chosen one comes to, and from where on batches grow, since
large ones are faster."""
EPOCHS = 3
"""Passes at least, where `MOST_TOKENS` allows more than one."""
MOST_TOKENS = 3_000_000
"""Read in all, in more than one pass."""
SMALLEST_BATCH, LARGEST_BATCH = 128, 4096
"""Tokens."""
EXAMPLES_PER_BATCH = ((100, 8), (1000, 16))
"""By the number of training examples, up to each; beyond the last, `MANY_PER_BATCH`."""
MANY_PER_BATCH = 32
FEWEST_PER_BATCH = 4
"""In batches that are made small for the sake of more updates."""
RATE, WIDTH = 1e-3, 384
"""Of an encoder of this width; wider ones get less in proportion, as published recipes give them."""
HEAD_RATE = 1e-2
"""Of a head of one layer; one that is as deep as the library's has the module's rate."""
LOOKS = 10
"""At the dev set, where more epochs were chosen."""


@dataclass(frozen=True)
class Amount:
    """What a module is trained on in an epoch."""

    examples: int
    tokens: float


def choose(train: TrainSettings, amounts: Sequence[Amount], *, width: int, one_layer: bool) -> TrainSettings:
    """The settings with numbers in the place of what is not given.

    Args:
        train: as in the recipe.
        amounts: of each module that is trained with these settings.
        width: of the encoder's hidden states.
        one_layer: the head is a projection, without a dense layer below it.
    """
    least, most = (f(amounts, key=lambda amount: amount.tokens) for f in (min, max))
    tokens = train.tokens_per_batch or _tokens_per_batch(least, train.epochs, train.accumulate)
    epochs = train.epochs or _epochs(least, most, tokens * train.accumulate)
    lr = train.lr or _rounded(RATE * min(1.0, WIDTH / width))
    changes: dict[str, float | int] = {"tokens_per_batch": tokens, "epochs": epochs, "lr": lr}
    if train.lr is None and train.head_lr is None and one_layer:
        changes["head_lr"] = HEAD_RATE
    if train.epochs is None and train.evaluate_every is None and epochs > LOOKS:
        changes["evaluate_every"] = math.ceil(epochs * _updates(least, tokens * train.accumulate) / LOOKS)
    return train.model_copy(update=changes)


def batch_of(train: TrainSettings) -> int:
    """Most tokens of a batch; the most that could be chosen where that is not done yet."""
    return train.tokens_per_batch or LARGEST_BATCH


def is_chosen(train: TrainSettings) -> bool:
    """Whether something is left to be chosen."""
    return any(getattr(train, name) is None for name in CHOSEN)


def tokens_per_example(each: TrainingSet, train: TrainSettings, tokenizer: Tokenizer) -> float:
    """The mean of the first examples, all their sequences counted."""
    examples = list(islice(each.train, SAMPLE))
    length = train.max_length or each.task.max_length
    return len(FAMILIES[each.task.family].encode(each.task, examples, tokenizer, length).ids) / len(examples)


def settled(
    recipe: Recipe,
    *,
    languages: Iterable[TrainingSet] = (),
    intermediate: Sequence[TrainingSet] = (),
    target: TrainingSet | None = None,
) -> Recipe:
    """The recipe with numbers in the place of what it leaves to the data, in the phases whose data is given.

    The same data and encoder give the same numbers.

    Raises:
        EncoderError: the tokenizer or the configuration is not there.
    """
    data = {
        "languages": [[each] for each in languages],
        "intermediate": _modules(recipe, intermediate),
        "target": [[target]] if target else [],
    }
    open_ = {name: sets for name, sets in data.items() if sets and is_chosen(getattr(recipe, name).train)}
    if not open_:
        return recipe
    width, tokenizer = _encoder(recipe)
    changed = {}
    for name, modules in open_.items():
        section = getattr(recipe, name)
        amounts = [_amount(sets, section.train, tokenizer) for sets in modules]
        one_layer = all(_has_one_layer(each.task, recipe) for sets in modules for each in sets)
        train = choose(section.train, amounts, width=width, one_layer=one_layer)
        changed[name] = section.model_copy(update={"train": train})
    return recipe.model_copy(update=changed)


def settled_by(recipe: Recipe, material: Material) -> Recipe:
    """The recipe with numbers for all that the material of a run decides.

    Raises:
        EncoderError: the tokenizer or the configuration is not there.
    """
    return settled(
        recipe,
        languages=material.languages.values(),
        intermediate=material.intermediate,
        target=material.target_set,
    )


def chosen_lines(before: Recipe, now: Recipe) -> Iterator[str]:
    """What was chosen, a line for each phase."""
    for name in ("languages", "intermediate", "target"):
        section = getattr(before, name)
        if section is None or section.train == getattr(now, name).train:
            continue
        before_, after = section.train.model_dump(), getattr(now, name).train.model_dump()
        told = [f"{key} {value:g}" for key, value in after.items() if value != before_[key]]
        yield f"{name}: chosen by the data: {', '.join(told)}"


def _modules(recipe: Recipe, sets: Sequence[TrainingSet]) -> list[list[TrainingSet]]:
    """What each intermediate module is trained on."""
    apart = MODES[recipe.target.transfer].apart
    return [[each] for each in sets] if apart else [list(sets)] if sets else []


def _encoder(recipe: Recipe) -> tuple[int, Tokenizer]:
    """The width of the encoder, and its tokenizer."""
    from lowres_stilts.encoder.load import load_tokenizer, read_config  # noqa: PLC0415 - torch takes seconds

    model, revision = recipe.model.id, recipe.model.revision
    return int(read_config(model, revision).hidden_size), load_tokenizer(model, revision=revision)


def _amount(sets: Sequence[TrainingSet], train: TrainSettings, tokenizer: Tokenizer) -> Amount:
    """Of an epoch of all these tasks."""
    tokens = sum(each.per_epoch * tokens_per_example(each, train, tokenizer) for each in sets)
    return Amount(sum(each.per_epoch for each in sets), tokens)


def _has_one_layer(task: Task, recipe: Recipe) -> bool:
    kind = FAMILIES[task.family].head
    return kind == "token" or (kind == "sequence" and recipe.model.head == "mean")


def _tokens_per_batch(amount: Amount, epochs: int | None, accumulate: int) -> int:
    """A power of two."""
    wanted = next((batch for most, batch in EXAMPLES_PER_BATCH if amount.examples <= most), MANY_PER_BATCH)
    passes = epochs or EPOCHS
    if epochs:
        wanted = max(FEWEST_PER_BATCH, min(wanted, epochs * amount.examples // (LEAST_UPDATES * accumulate)))
    wanted = max(wanted, passes * amount.examples // (MANY_UPDATES * accumulate))
    tokens = wanted * amount.tokens / amount.examples
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, 1 << round(math.log2(tokens))))


def _epochs(least: Amount, most: Amount, tokens_per_update: int) -> int:
    """As many as make enough updates of the smallest set, as long as the largest does not take too long."""
    wanted = max(EPOCHS, math.ceil(UPDATES / _updates(least, tokens_per_update)))
    return max(1, min(wanted, int(MOST_TOKENS / most.tokens)))


def _updates(amount: Amount, tokens_per_update: int) -> int:
    """Of an epoch."""
    return math.ceil(amount.tokens / tokens_per_update)


def _rounded(rate: float) -> float:
    """To two digits."""
    return float(f"{rate:.1e}")
