"""The phases: language adapters, intermediate tasks, the target."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from lowres_stilts.plugins import one_of
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.recipe.settings import Name, Positive, Settings
from lowres_stilts.recipe.training import TrainSettings


class LanguageSettings(Settings):
    """Language adapters, trained by masked language modelling on plain text, one for each language.

    Both phases train over the English one; the tests of a language are answered over its own.
    """

    adapters: Annotated[list[Name], Field(min_length=1)]
    """Languages, English among them; `data.files.mlm.train` names the texts, with `{lang}` in it."""
    module: ModuleSettings = ModuleSettings(kind="language", reduction=2)
    train: TrainSettings = TrainSettings()

    @model_validator(mode="after")
    def _has_english(self) -> Self:
        if "en" not in self.adapters or len(set(self.adapters)) != len(self.adapters):
            raise ValueError("adapters must name every language once, and en, over which the phases train")
        if self.module.kind != "language":
            raise ValueError("module.kind must be language")
        return self


class MixSettings(Settings):
    """In which proportions several intermediate tasks are trained."""

    cap: Positive | None = None
    """Count no more examples than this of any task."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Shares are in proportion to `min(n, cap) ** (1 / temperature)`: 1 by size, large for equal shares."""
    weights: dict[str, Annotated[float, Field(gt=0)]] = {}
    """Shares by task, in the place of sizes."""


class PackageSettings(Settings):
    """An adapter package that stands for a phase which is not trained again."""

    id: Annotated[str, Field(min_length=1)]
    """Its folder, or its repository on the Hugging Face Hub."""
    revision: str | None = None
    """A branch, tag or commit of the repository; a run writes down the commit."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Of its `SHA256SUMS`; a run writes it down, and takes no other package from then on."""


def package_title(id_: str) -> str:
    """What a package is called, without a folder of this machine."""
    return Path(id_).name if Path(id_).is_absolute() else id_


def _packages(value: object) -> object:
    """One or several packages, each by its name alone or with its keys."""
    found = value if isinstance(value, list) else [] if value is None else [value]
    return [{"id": each} if isinstance(each, str) else each for each in found]


class IntermediateSettings(Settings):
    """The first training phase, on English as a rule, or the packages that stand for it."""

    tasks: list[str] = []
    """The intermediate tasks; several share one module and have a head each."""
    package: Annotated[list[PackageSettings], BeforeValidator(_packages)] = []
    """In the place of tasks: an adapter package, or several for `fuse` and `merge`, each by its folder, its Hub
    repository, or a mapping with `id` and `revision`. Nothing is trained then; a run writes down which it took."""
    mix: MixSettings = MixSettings()
    languages: dict[str, Annotated[list[Name], Field(min_length=1)]] = {}
    """Languages of a task's training data, by task; English where it is not named."""
    translated: list[str] = []
    """Tasks whose training data is XTREME's translate-train in `languages`."""
    module: ModuleSettings = ModuleSettings()
    """What is trained; of a package, a run writes down what it found."""
    train: TrainSettings = TrainSettings()

    @property
    def titles(self) -> list[str]:
        """The tasks, or the packages that stand for them, without folders of this machine."""
        return self.tasks or [package_title(package.id) for package in self.package]

    @model_validator(mode="after")
    def _is_trained_or_given(self) -> Self:
        if bool(self.tasks) is bool(self.package):
            both = "tasks and package are both given: keep one" if self.tasks else "name tasks, or a package"
            raise ValueError(both)
        for key in ("mix", "languages", "translated", "train") if self.package else ():
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} is for tasks, and a package is trained already; remove it")
        return self

    @model_validator(mode="after")
    def _names_its_tasks(self) -> Self:
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError("tasks names a task twice")
        for key, named in (
            ("mix.weights", self.mix.weights),
            ("languages", self.languages),
            ("translated", self.translated),
        ):
            for task in named:
                if task not in self.tasks:
                    raise ValueError(f"{key} names {task!r}, which is none of the tasks")
        if self.mix.weights and set(self.mix.weights) != set(self.tasks):
            raise ValueError("mix.weights must give every task a weight")
        for task in self.translated:
            if task not in self.languages:
                raise ValueError(f"translated: say in languages which languages of {task!r} to take")
        return self


class FuseSettings(Settings):
    """How the weights of the intermediate modules are learned."""

    lr: Annotated[float, Field(gt=0)] = 1e-2
    """Peak learning rate of the weights, one for each module and layer."""


class MergeSettings(Settings):
    """How modules are merged after training."""

    method: Literal["cat", "linear", "ties", "dare_linear", "dare_ties"] = "cat"
    """PEFT's: `cat` adds up the updates exactly, and the ranks with them; the others want equal ranks. TIES: Yadav
    et al. 2023 (arXiv:2306.01708); DARE: Yu et al. 2023 (arXiv:2311.03099)."""
    density: Annotated[float, Field(gt=0, le=1)] = 0.5
    """TIES and DARE: the share of values that is kept."""
    weights: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = [0.1, 0.25, 0.5, 0.75, 1.0]
    """What to try for each intermediate module on English dev, beside 0; the target's own has 1."""


class TargetTrainSettings(TrainSettings):
    """How the target phase is trained, and on which languages' labels."""

    languages: Annotated[list[Name], Field(min_length=1)] | None = None
    """Languages of its training data, as their files are called; English where it is not given. Their dev files,
    as far as they are there, choose the best weights. Scores in these languages are not zero-shot, and results say
    so."""

    @field_validator("languages")
    @classmethod
    def _names_each_once(cls, languages: list[str] | None) -> list[str] | None:
        if languages is not None and len(set(languages)) < len(languages):
            raise ValueError("a language is named twice")
        return languages


class TargetSettings(Settings):
    """The second training phase, on the target task, in English as a rule; a retrieval target has none."""

    task: str
    transfer: Annotated[str, one_of("transfer_modes", "stack", "continue", "fuse", "merge", "none")] = "stack"
    """`stack`: a new module over the frozen intermediate one; `continue`: train that one on; `fuse`: a new module
    over one frozen module for each intermediate task, whose weights are learned layer by layer; `merge`: the
    baseline's module and one for each intermediate task, merged with weights searched on English dev;
    `none`: neither, which is the default where there is no intermediate phase."""
    head: Literal["new", "keep"] = "new"
    """`keep`: begin with the head of the intermediate phase or package, where it is for the same labels."""
    module: ModuleSettings = ModuleSettings(rank=8, alpha=16)
    train: TargetTrainSettings = TargetTrainSettings()
    fuse: FuseSettings = FuseSettings()
    merge: MergeSettings = MergeSettings()
    options: dict[str, Any] = {}
    """Settings of a transfer mode that a plug-in adds."""
