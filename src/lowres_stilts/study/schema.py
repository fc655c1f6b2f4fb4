"""The fields of a study file."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lowres_stilts.recipe.settings import Positive, Settings

Changes = dict[str, Any]
"""Keys of a recipe and what they become."""


def _named(value: object) -> object:
    """Names alone change nothing but what their axis says."""
    if isinstance(value, list):
        return {str(name): {} for name in value}
    return {name: changes or {} for name, changes in value.items()} if isinstance(value, dict) else value


def _listed(value: object) -> object:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


Values = Annotated[dict[str, Changes], BeforeValidator(_named), Field(min_length=1)]
"""Values of an axis: names, or names with the keys of the recipe that each of them changes."""
Names = Annotated[list[str], BeforeValidator(_listed)]
"""One name or several."""


class Axes(Settings):
    """What is varied; every combination is a cell, but for those that are excluded."""

    models: Values
    """A name is the model's id, unless its changes say another."""
    intermediate: Values
    """A name is an intermediate task, unless its changes name the tasks; `none` is the baseline, which is there
    in any case."""
    targets: Values
    """A name is a target task, unless its changes say another."""
    languages: Literal["all"] | list[str] = "all"
    """Those of them that a target and the data folder have are evaluated."""
    sizes: list[Positive] = []
    """Examples of each intermediate task; the recipe's own limit where it is empty."""
    seeds: Annotated[list[int], Field(min_length=1)] = [13]
    transfer: Values = {"stack": {}}
    modules: Values = {"default": {}}
    """Kinds or sizes of modules: each changes `intermediate.module` and `target.module`."""


class Group(Settings):
    """Some of the results; what is not named is not narrowed."""

    model: Names = []
    intermediate: Names = []
    target: Names = []
    language: Names = []
    """English is left out unless it is named: it is the language of training."""
    size: Names = []
    transfer: Names = []
    module: Names = []
    resource: list[Literal["high", "medium", "low"]] = []
    """Resource levels of languages."""


class Claim(Settings):
    """A sentence that the study may support or not, and how it is decided."""

    text: str
    paper: str = ""
    """What the paper found, in its figures."""
    kind: Literal["gain", "no_gain", "more", "most", "correlation", "diminishing", "absent"]
    """`gain`: the mean of `of` is above 0. `no_gain`: it is at most `margin`. `more`: that of `of` is above that
    of `than`. `most`: that of `of` is above each other one along `over`. `correlation`: with `over`, positive.
    `diminishing`: along sizes, the last doubling adds less than the first. `absent`: not measured here; `note`
    says why."""
    measure: Literal["gain", "score", "baseline"] = "gain"
    """What is averaged: the gain over the baseline, the system's score, or the baseline's."""
    of: Group = Group()
    than: Group | None = None
    over: Literal["intermediate", "target", "model", "model_size", "size", "distance"] | None = None
    margin: Annotated[float, Field(gt=0)] = 1.0
    """Points that count as nothing."""
    note: str = ""
    """What a reader should know of how it was measured."""

    @model_validator(mode="after")
    def _has_its_keys(self) -> Self:
        if self.kind == "more" and self.than is None:
            raise ValueError("a claim of kind more needs than, what it is compared with")
        if self.kind in {"most", "correlation"} and self.over is None:
            raise ValueError(f"a claim of kind {self.kind} needs over")
        if self.kind == "most" and self.over not in {"intermediate", "target", "model"}:
            raise ValueError("over must be intermediate, target or model for kind most")
        if self.kind == "correlation" and self.over not in {"model_size", "size", "distance"}:
            raise ValueError("over must be model_size, size or distance for kind correlation")
        if self.kind == "absent" and not self.note:
            raise ValueError("a claim of kind absent needs a note that says why")
        return self


class StatisticsSettings(Settings):
    """How results are judged."""

    samples: Annotated[int, Field(ge=100)] = 2000
    """Resamples of the bootstrap."""
    seed: int = 13
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Level of the tests, over the whole grid (Holm)."""


class ReportSettings(Settings):
    """What the report shows."""

    samples: Annotated[int, Field(ge=0, le=5)] = 2
    """Sample predictions of each language; 0 where the data may not be quoted."""


class Study(Settings):
    """A grid of runs and the questions to it."""

    name: str
    title: str
    question: str = ""
    """What the study is for, for its report."""
    recipe: Changes
    """A recipe without what the axes say."""
    axes: Axes
    exclude: list[Group] = []
    """Cells that are left out: those that fit every name of an entry."""
    claims: list[Claim] = []
    statistics: StatisticsSettings = StatisticsSettings()
    report: ReportSettings = ReportSettings()

    @model_validator(mode="after")
    def _names_no_value_twice(self) -> Self:
        for key in ("seeds", "sizes"):
            values = getattr(self.axes, key)
            if len(set(values)) < len(values):
                raise ValueError(f"axes.{key} names a value twice")
        return self
