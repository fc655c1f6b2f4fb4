"""`lowres-stilts plan`: whether a recipe fits a memory, and how."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowres_stilts.errors import UsageError

if TYPE_CHECKING:
    from lowres_stilts.pipeline.choice import Choice
    from lowres_stilts.recipe import Recipe

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|[KMGT]i?B)?", re.IGNORECASE)
UNITS: dict[str, int] = {"": 10**9, "B": 1} | {
    f"{letter}{binary}B": (1024 if binary else 1000) ** power
    for power, letter in enumerate("KMGT", start=1)
    for binary in ("", "I")
}


def plan_command(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    vram: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Plan for a GPU of this memory, such as 8GiB, in GB without a unit; for this machine without it.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Overrides a key of the recipe; the value is YAML."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predicts memory and time of a recipe from the model's configuration; no weights are downloaded.

    Exit code 1 where it does not fit.

    Example: lowres-stilts plan configs/xtreme/panx-full.yaml --vram 8GiB
    """
    from lowres_stilts.recipe import Recipe

    loaded = Recipe.load(recipe, overrides or [])
    budget = None if vram is None else parse_size(vram)

    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    result = _planned(loaded, budget)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        _show(result)
    if not result["fits"]:
        raise typer.Exit(1)


def parse_size(text: str) -> int:
    """Bytes of `8GiB`, `24 GB` or `500MB`; a number alone is of GB.

    Raises:
        UsageError: it is no size.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--vram {text}: not a size; write 8GiB or 24GB")
    return int(float(match[1]) * UNITS[(match[2] or "").upper()])


def _planned(recipe: "Recipe", vram: int | None) -> dict[str, Any]:
    from lowres_stilts.display import tell_waiting
    from lowres_stilts.encoder.known import config_to_plan
    from lowres_stilts.pipeline.duration import batches, settled_here
    from lowres_stilts.pipeline.hardware import Place, this_place
    from lowres_stilts.pipeline.planner import advice, plan_recipe

    if recipe.intermediate is not None and recipe.intermediate.package:
        from lowres_stilts.hub.intermediate import take_packages

        recipe, _ = take_packages(recipe)
    tell_waiting(f"reading the configuration of {recipe.model.id}")
    config = config_to_plan(recipe.model.id, recipe.model.revision)
    recipe, tokens = settled_here(recipe)
    place = this_place(recipe.model.device) if vram is None else Place(cuda=True, budget=vram)
    if tokens is not None and vram is None:
        place = replace(place, batches=batches(recipe, tokens))
    planned = plan_recipe(recipe, config, place)
    choices = planned.choices
    return {
        "model": recipe.model.id,
        "device": "cuda" if place.cuda else "cpu",
        "memory_bytes": place.budget,
        "fits": planned.fits,
        "peak_bytes": planned.peak_bytes,
        "weights_bytes": max((choice.weight_bytes for choice in choices), default=0),
        "phases": [_phase(choice) for choice in choices],
        "training_seconds": None if vram else _seconds(recipe, choices, tokens, config, cuda=place.cuda),
        "changes": [] if planned.fits else advice(recipe, config, place),
    }


def _phase(choice: "Choice") -> dict[str, Any]:
    return {
        "section": choice.section,
        "tokens_per_batch": choice.tokens_per_batch,
        "tokens_at_once": choice.tokens_at_once,
        "parts": choice.parts,
        "gradient_checkpointing": choice.gradient_checkpointing,
        "max_length": choice.length,
        "trainable_parameters": choice.trainable,
        "peak_bytes": choice.peak_bytes,
        "flops_per_batch": choice.flops,
        "fits": choice.fits,
    }


def _seconds(
    recipe: "Recipe", choices: "list[Choice]", tokens: dict[str, int] | None, config: Any, *, cuda: bool
) -> float | None:
    """Of training, where its tokens are known."""
    from lowres_stilts.pipeline.duration import operations_per_second, seconds

    if tokens is None:
        return None
    rate, layers = operations_per_second(recipe, cuda=cuda), int(config.num_hidden_layers)
    each = (seconds(choice, tokens.get(choice.section, 0), rate, layers=layers, cuda=cuda) for choice in choices)
    return round(sum(each), 3)


def _show(result: dict[str, Any]) -> None:
    giga = 10**9
    for phase in result["phases"]:
        twice = ", activations computed twice" if phase["gradient_checkpointing"] else ""
        tokens, at_once = phase["tokens_per_batch"], phase["tokens_at_once"]
        work = f"{phase['flops_per_batch'] / 1e12:.1f} TFLOP a batch"
        typer.echo(
            f"{phase['section']}: {phase['peak_bytes'] / giga:.2f} GB; batches of {tokens} tokens, "
            f"{at_once} at once ({phase['parts']} accumulated){twice}; {work}"
        )
    verdict = "fits" if result["fits"] else "does not fit"
    typer.echo(
        f"{verdict}: {result['peak_bytes'] / giga:.2f} GB of {result['memory_bytes'] / giga:.2f} GB "
        f"({result['device']}), {result['weights_bytes'] / giga:.2f} GB of them weights"
    )
    if result["training_seconds"] is not None:
        typer.echo(f"training takes about {result['training_seconds'] / 60:.0f} minutes on this machine")
    for change in result["changes"]:
        typer.echo(f"would fit with {change}")
