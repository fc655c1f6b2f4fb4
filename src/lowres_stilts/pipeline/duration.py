"""How long training takes: from the operations that the planner counts, and how fast products are here."""

import math
from collections.abc import Mapping
from pathlib import Path

from lowres_stilts.encoder.load import DTYPES, compute_on, load_tokenizer
from lowres_stilts.errors import DataError, EncoderError
from lowres_stilts.pipeline.choice import Choice
from lowres_stilts.pipeline.hardware import CUDA_LAYER_SECONDS, EFFICIENCY, products_per_second
from lowres_stilts.pipeline.hyperparameters import settled_by, tokens_per_example
from lowres_stilts.pipeline.material import Material
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.training_set import TrainingSet
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.tasks.load import find_task


def operations_per_second(recipe: Recipe, *, cuda: bool) -> float:
    """What training reaches on this machine."""
    device = "cuda" if cuda else "cpu"
    return EFFICIENCY[device] * products_per_second(device, DTYPES[compute_on(device, recipe.model.compute)])


def settled_here(recipe: Recipe) -> tuple[Recipe, dict[str, int] | None]:
    """The recipe with all that the data decides, and its `training_tokens`; as it is where data is not here."""
    if not has_data(recipe):
        return recipe, None
    try:
        material = Material.of(recipe)
        settled = settled_by(recipe, material)
        return settled, training_tokens(settled, material)
    except (DataError, EncoderError):
        return recipe, None


def training_tokens(recipe: Recipe, material: Material) -> dict[str, int]:
    """Tokens that each section of a recipe trains on, over all epochs, the baseline's with the target's.

    Args:
        recipe: with all that the data decides.
        material: its data.

    Raises:
        EncoderError: the tokenizer is not there.
    """
    sections: dict[str, tuple[list[TrainingSet], TrainSettings, int]] = {}
    if recipe.languages is not None:
        sections["languages"] = (list(material.languages.values()), recipe.languages.train, 1)
    if recipe.intermediate is not None and material.intermediate:
        sections["intermediate"] = (list(material.intermediate), recipe.intermediate.train, 1)
    if material.target_set is not None:
        twice = recipe.evaluate.baseline and recipe.target.transfer != "none"
        twice = twice and not MODES[recipe.target.transfer].trains_baseline
        sections["target"] = ([material.target_set], recipe.target.train, 2 if twice else 1)
    tokenizer = load_tokenizer(recipe.model.id, revision=recipe.model.revision)

    def tokens(each: TrainingSet, train: TrainSettings) -> float:
        return tokens_per_example(each, train, tokenizer) * each.per_epoch * train.pace.epochs

    return {
        section: round(times * sum(tokens(each, train) for each in sets))
        for section, (sets, train, times) in sections.items()
    }


def batches(recipe: Recipe, tokens: Mapping[str, int]) -> int:
    """How many batches are trained and evaluated, about: each language's tests count as one.

    Args:
        recipe: its batches, with all that the data decides.
        tokens: of `training_tokens`.
    """
    count = len(find_task(recipe.target.task, recipe.tasks, "target.task").languages)
    for section, total in tokens.items():
        train: TrainSettings = getattr(recipe, section).train
        whole = train.pace.tokens_per_batch
        count += math.ceil(total / min(whole, train.tokens_at_once or whole))
    return count


def seconds(choice: Choice, tokens: int, rate: float, *, layers: int, cuda: bool) -> float:
    """Of training on so many tokens, as if padding cost nothing.

    Args:
        choice: how batches are computed.
        tokens: how many.
        rate: operations per second.
        layers: of the encoder.
        cuda: whether on a GPU, which may have to wait for the host.
    """
    computing = choice.flops / choice.tokens_per_batch * tokens / rate
    starting = layers * CUDA_LAYER_SECONDS * tokens / choice.tokens_at_once if cuda else 0.0
    return max(computing, starting)


def has_data(recipe: Recipe) -> bool:
    """Whether the data of a recipe is on this machine; the Hub's is not looked for."""
    if recipe.data.source == "hub":
        return False
    return recipe.data.source == "starter" or (recipe.data.dir or Path()).is_dir()
