"""The recipe as a whole. It stays at the edge: the pipeline unpacks it into plain arguments."""

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import model_validator

from lowres_stilts.recipe.data import CustomTask, DataSettings
from lowres_stilts.recipe.evaluation import EvaluateSettings
from lowres_stilts.recipe.model import ModelSettings
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.recipe.phases import IntermediateSettings, LanguageSettings, MixSettings, TargetSettings
from lowres_stilts.recipe.settings import Name, Settings
from lowres_stilts.recipe.values import Overrides, checked, one_place, overridden, read_values
from lowres_stilts.recipe.yaml_lines import Dumper


class Recipe(Settings):
    """One run: an encoder, two phases, an evaluation."""

    name: str
    """Names the run."""
    model: ModelSettings
    data: DataSettings
    tasks: dict[Name, CustomTask] = {}
    """Tasks of the user's own, beside the registry's."""
    languages: LanguageSettings | None = None
    intermediate: IntermediateSettings | None = None
    target: TargetSettings
    evaluate: EvaluateSettings = EvaluateSettings()
    seed: int = 13
    """Order of the batches, initial weights, dropout and resampling."""
    licence: str | None = None
    """Licence of the packages that the run writes, such as `CC-BY-4.0`; by default that of the tasks' data."""

    @classmethod
    def load(cls, path: Path | str, overrides: Overrides = ()) -> Self:
        """Reads and checks a recipe.

        Args:
            path: the YAML file.
            overrides: changes to it, such as `{"seed": 7, "target.train.epochs": 1}`, or texts as after `--set`.

        Raises:
            RecipeError: anything is wrong; the message has the key, and the line of the file.
        """
        values, places = read_values(Path(path), overrides, "recipe")
        return checked(cls, values, places, str(path))

    @classmethod
    def stored(cls, values: Any, source: object) -> Self:
        """The recipe in the results of a run or the manifest of a package, which another version may have written.

        Args:
            values: what is written there.
            source: the folder that it is in, for messages.

        Raises:
            RecipeError: this version cannot read it; the message has the key.
        """
        where = f"the recipe in {source}"
        return checked(cls, values, one_place(values, where), where)

    def changed(self, overrides: Overrides) -> Self:
        """The recipe with other values, such as `{"seed": 7}`; keys that were never set follow their defaults.

        Raises:
            RecipeError: there is no such key, or a value does not fit.
        """
        values, places = overridden(self.model_dump(mode="json", exclude_unset=True), {}, overrides)
        return checked(type(self), values, places, f"recipe {self.name}")

    def as_yaml(self) -> str:
        """The recipe as YAML, defaults included, so that it reads the same when they change."""
        return yaml.dump(self.model_dump(mode="json"), Dumper=Dumper, sort_keys=False, allow_unicode=True)

    @model_validator(mode="before")
    @classmethod
    def _alone_by_itself(cls, values: Any) -> Any:
        """A target without an intermediate phase is trained alone, where the recipe says nothing of transfer."""
        if not isinstance(values, dict) or values.get("intermediate") is not None:
            return values
        target = values.get("target")
        if not isinstance(target, dict) or "transfer" in target:
            return values
        return {**values, "target": {**target, "transfer": "none"}}

    @model_validator(mode="after")
    def _transfer_fits(self) -> Self:
        if self.target.transfer != "none" and self.intermediate is None:
            raise ValueError(
                f"target.transfer is {self.target.transfer!r} but there is no intermediate phase; "
                "add one or set transfer: none"
            )
        own_module = self.target.module != TargetSettings.model_fields["module"].default
        if self.target.transfer == "continue" and own_module:
            raise ValueError("target.transfer continue trains the intermediate module on: remove target.module")
        if self.intermediate is not None and not self._is_unopened:
            self._modules_fit(self.intermediate)
        self._head_fits()
        self._languages_fit()
        return self

    @property
    def _is_unopened(self) -> bool:
        """Whether the intermediate module is that of a package that nobody has looked into yet."""
        first = self.intermediate
        return first is not None and bool(first.package) and first.module == ModuleSettings()

    def _head_fits(self) -> None:
        mode = self.target.transfer
        if self.target.head == "keep" and mode in {"none", "merge"}:
            raise ValueError(
                f"target.head keep: target.transfer {mode} trains the target as if there were no intermediate "
                "phase; use stack, continue or fuse"
            )

    def _languages_fit(self) -> None:
        if self.languages is not None and self.intermediate is not None and self.intermediate.package:
            raise ValueError("intermediate.package: a package does not stand on language adapters; name tasks")
        modules = {"target": self.target.module}
        if self.intermediate is not None:
            modules["intermediate"] = self.intermediate.module
        for key, module in modules.items():
            if module.kind == "language":
                raise ValueError(
                    f"{key}.module.kind language: language adapters are trained in the section languages"
                )
            default = TargetSettings.model_fields["module"].default
            unset = self.target.transfer != "none" and module == default
            if self.languages is not None and module.kind != "bottleneck" and not unset:
                raise ValueError(f"{key}.module.kind must be bottleneck to stand on language adapters")
        if self.languages is not None and self.target.transfer == "fuse":
            raise ValueError("target.transfer fuse: AdapterFusion does not stand on language adapters; use stack")

    def _modules_fit(self, intermediate: IntermediateSettings) -> None:
        mode, below, own = self.target.transfer, intermediate.module, self.target.module
        if own.kind == "bottleneck" and self.target.merge.method != "cat":
            raise ValueError("target.merge.method: bottleneck adapters can only be averaged; remove it")
        if mode in {"stack", "fuse", "merge"} and (below.dora or own.dora):
            raise ValueError(
                f"module.dora is no sum, so target.transfer {mode} cannot add it up; use continue or none"
            )
        if mode in {"stack", "fuse"} and own.init == "loftq":
            raise ValueError(
                "target.module.init loftq makes up for NF4 a second time; set intermediate.module.init"
            )
        if mode in {"fuse", "merge"} and intermediate.mix != MixSettings():
            raise ValueError(f"intermediate.mix: each task has a module of its own under target.transfer {mode}")
        if mode == "merge" and self.target.merge.method != "cat" and below.rank != own.rank:
            raise ValueError(
                f"target.merge.method {self.target.merge.method} wants equal ranks, but intermediate.module.rank "
                f"is {below.rank} and target.module.rank {own.rank}; make them equal or use cat"
            )
