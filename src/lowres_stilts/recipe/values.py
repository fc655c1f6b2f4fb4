"""From a YAML file and overrides to settings, with errors that name key and line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from lowres_stilts.errors import RecipeError
from lowres_stilts.recipe.suggestions import suggestion
from lowres_stilts.recipe.yaml_lines import Key, parse_yaml, read_yaml

Places = dict[Key, str]
"""File and line of every key."""
Overrides = Sequence[str] | Mapping[str, Any]
"""Texts `a.b=value` with YAML values, as on the command line, or values by such keys; applied in order."""
OTHER = {
    "recipe": ("axes", "this is a study; its command is lowres-stilts study"),
    "study": ("target", "this is a recipe; its command is lowres-stilts run"),
}
"""By what a file should be: a key that only another kind of file has, and what to say then."""
AnySettings = TypeVar("AnySettings", bound=BaseModel)


def read_values(path: Path, overrides: Overrides, noun: str) -> tuple[dict[str, Any], Places]:
    """The values of a YAML file after overrides, and where each of them stands.

    Args:
        path: the file.
        overrides: what to change.
        noun: what the file is, for messages.

    Raises:
        RecipeError: it cannot be read, or an override does not fit.
    """
    values, lines = read_yaml(path)
    if not isinstance(values, dict):
        raise RecipeError(f"{path}:1: a {noun} is a mapping of keys to values")
    key, problem = OTHER[noun]
    if key in values:
        raise RecipeError(f"{path}:{lines[key,]}: {problem}")
    return overridden(values, {key: f"{path}:{line}" for key, line in lines.items()}, overrides)


def overridden(values: dict[str, Any], places: Places, overrides: Overrides) -> tuple[dict[str, Any], Places]:
    """Values after overrides, which change them in place, and where each of them stands.

    Raises:
        RecipeError: an override does not fit.
    """
    for override in _overrides(overrides):
        replaced = {key for key in places if key[: len(override.key)] == override.key}
        made = _apply(values, override)
        places = {key: place for key, place in places.items() if key not in replaced} | made
    return values, places


def one_place(values: Any, source: str, above: Key = ()) -> Places:
    """The same place for every key of values that have no lines."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return {above: source} | {
        key: place for name, value in items for key, place in one_place(value, source, (*above, name)).items()
    }


def checked(model: type[AnySettings], values: Any, places: Places, source: str) -> AnySettings:
    """Values as settings.

    Args:
        model: what they should be.
        values: as they were read.
        places: file and line of every key.
        source: named where a key has no place.

    Raises:
        RecipeError: anything is wrong; the message has the key, and its place.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_message(model, error, places, source)) from None


class _Override(NamedTuple):
    key: tuple[str, ...]
    value: Any
    inner: Iterable[Key]
    """The keys within the value."""
    label: str
    """What stands in messages."""


def _overrides(overrides: Overrides) -> Iterator[_Override]:
    if isinstance(overrides, Mapping):
        for name, value in overrides.items():
            yield _Override(tuple(name.split(".")), value, (), f"override {name}")
        return
    for text in overrides:
        name, separator, written = text.partition("=")
        key, label = tuple(name.strip().split(".")), f"--set {text}"
        if not separator or not all(key):
            raise RecipeError(f"{label}: expected key=value, for instance seed=7 or target.train.epochs=1")
        value, lines = parse_yaml(written, label)
        yield _Override(key, value, lines, label)


def _apply(values: dict[str, Any], override: _Override) -> Places:
    """Changes `values`; returns the places that the override made."""
    keys = override.key
    places = dict.fromkeys([keys, *((*keys, *key) for key in override.inner)], override.label)
    place = values
    for depth, key in enumerate(keys[:-1], start=1):
        if key not in place:
            place[key] = {}
            places[keys[:depth]] = override.label
        if not isinstance(place[key], dict):
            raise RecipeError(f"{override.label}: {key} is not a mapping")
        place = place[key]
    place[keys[-1]] = override.value
    return places


def _message(model: type[BaseModel], error: ValidationError, places: dict[Key, str], source: str) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    known = [key for key in _prefixes(first["loc"]) if key in places]
    # pydantic puts names of union members into `loc`; the recipe's own keys are those with a place.
    key = first["loc"] if first["type"] in {"missing", "extra_forbidden"} else (known or [()])[0]
    place = places[known[0]] if known else source
    name = " ".join(".".join(map(str, key)).split())
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        reason = "unknown key" + suggestion(model, first["loc"])
    elif first["type"] == "missing":
        reason = "missing key"
    elif first["type"] != "value_error":
        reason = f"{reason}, found {first['input']!r}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {name + ': ' if name else ''}{reason}{more}"


def _prefixes(key: tuple[int | str, ...]) -> list[Key]:
    return [key[:length] for length in range(len(key), -1, -1)]
