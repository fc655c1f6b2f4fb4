"""What `lowres_stilts` gives to Python: a recipe in, a finished run out."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lowres_stilts.display import Display
from lowres_stilts.errors import UsageError
from lowres_stilts.extras import naming_extras
from lowres_stilts.libraries import quiet_libraries
from lowres_stilts.names import file_name
from lowres_stilts.recipe import Recipe
from lowres_stilts.training.team import ALONE, Team

if TYPE_CHECKING:
    from rich.console import Group

    from lowres_stilts.pipeline.given import GivenModule
    from lowres_stilts.prediction.packages import PackageAnswerer
    from lowres_stilts.runtime import Bundle
    from lowres_stilts.runtime.predictions import Prediction

WIDTH_OF_TEXT = 100


@dataclass(frozen=True)
class Score:
    """A score or a gain in points (0 to 100), with its 95% interval."""

    value: float
    low: float
    high: float
    metric: str = ""
    """Empty for gains and means."""
    n: int = 0
    """Examples; 0 for gains and means."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """What a metric is made of, such as `exact_match` beside F1."""

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


@dataclass(frozen=True)
class Run:
    """A finished run: its scores, its packages, its report. A notebook shows its table."""

    folder: Path
    results: Mapping[str, Any] = field(repr=False)
    """The content of `results.json`."""

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """A run that was finished before.

        Raises:
            UsageError: there is none.
        """
        from lowres_stilts.pipeline.folder import RunFolder  # noqa: PLC0415

        results = RunFolder(Path(folder)).results()
        if results is None or "recipe" not in results:
            raise UsageError(f"{folder} holds no finished run; go on with `lowres-stilts run RECIPE --resume`")
        return cls(Path(folder), results)

    @cached_property
    def recipe(self) -> Recipe:
        """What was run, with all defaults."""
        return Recipe.stored(self.results["recipe"], self.folder)

    @property
    def task(self) -> str:
        """The target task."""
        return self.recipe.target.task

    @property
    def scores(self) -> dict[str, Score]:
        """Of the whole system, by language."""
        return self._scores("scores")

    @property
    def baseline(self) -> dict[str, Score]:
        """Of the target training alone, by language; empty where the recipe wants no baseline."""
        return self._scores("baseline")

    @property
    def gain(self) -> dict[str, Score]:
        """Points over the baseline by language, with paired intervals; empty where there is no baseline."""
        return self._scores("gain")

    @property
    def without_answers(self) -> tuple[str, ...]:
        """Languages that have predictions and no score, since the answers to their test examples are not known."""
        return tuple(self.results.get("evaluation", {}).get("without_answers", ()))

    @property
    def labelled(self) -> tuple[str, ...]:
        """Languages whose labels of the target were learned; scores in the others are zero-shot."""
        return tuple(self.results.get("evaluation", {}).get("labelled", ("en",)))

    @property
    def means(self) -> dict[str, Score]:
        """Means of `scores`, and of `baseline` and `gain` where they are known, over languages without labels.

        Those are all but English, or all but the languages of `target.train.languages`.
        """
        from lowres_stilts.evaluation.table import mean_of_others  # noqa: PLC0415

        found = mean_of_others(self.results, self.task)[1]
        return {key: _score(value) for key, value in found.items()}

    @property
    def packages(self) -> dict[str, Path]:
        """Folders of the adapter packages by phase, from the first to the target's."""
        return {path.parent.name: path for path in sorted(self.folder.glob("phases/*/package"))}

    @property
    def report(self) -> Path:
        """The page that shows it all."""
        return self.folder / "report.html"

    def table(self) -> "Group":
        """Scores, baseline and gain by language, for rich."""
        from lowres_stilts.evaluation.table import transfer_table  # noqa: PLC0415

        return transfer_table(self.results)

    def export(self, output: Path | str, *, preset: str = "server-cpu") -> "Bundle":
        """Exports the target's modules and their base for onnxruntime, and opens the bundle.

        Args:
            output: a folder that is not there yet.
            preset: how weights are stored, as in `lowres-stilts export --preset`.

        Raises:
            UsageError: the folder exists, or there is no such preset.
            ExportError: a graph differs from torch; nothing is written.
        """
        quiet_libraries()
        with naming_extras():
            from lowres_stilts.export.bundle import export_bundle  # noqa: PLC0415
            from lowres_stilts.export.presets import PRESETS  # noqa: PLC0415
            from lowres_stilts.runtime import Bundle  # noqa: PLC0415

            if preset not in PRESETS:
                raise UsageError(f"preset {preset!r} is none of {', '.join(PRESETS)}")
            export_bundle([self.folder], Path(output), storage=PRESETS[preset])
            return Bundle.load(output)

    def predict(self, inputs: Sequence[Any], *, tokens_per_batch: int = 4096) -> "list[Prediction]":
        """Answers of the target's module, in the order and the form of `Bundle.predict`.

        The encoder is loaded when it is asked first. For a service or a long file, export a bundle: it is faster.

        Args:
            inputs: what the task is of: texts, pairs, words, questions with contexts, prompts with choices.
            tokens_per_batch: most tokens of a batch, padding counted in.

        Raises:
            UsageError: an input has another form, or the package answers for several tasks or languages.
            PackageError: the run has no package, or it is damaged.
            EncoderError: the encoder cannot be loaded.
        """
        return self._answerer.answers(inputs, tokens_per_batch=tokens_per_batch)

    @cached_property
    def _answerer(self) -> "PackageAnswerer":
        quiet_libraries()
        with naming_extras():
            from lowres_stilts.prediction.packages import PackageAnswerer  # noqa: PLC0415

            return PackageAnswerer(self.folder, None)

    def __str__(self) -> str:
        from rich.console import Console  # noqa: PLC0415

        text = io.StringIO()
        # In a notebook rich would show it beside the text, and leave the text empty.
        Console(file=text, width=WIDTH_OF_TEXT, color_system=None, force_jupyter=False).print(self.table())
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<pre>{escape(str(self))}</pre>"

    def _scores(self, key: str) -> dict[str, Score]:
        return {language: _score(told) for language, told in self.results.get(key, {}).get(self.task, {}).items()}


def run(
    recipe: Recipe | Path | str,
    folder: Path | str | None = None,
    *,
    resume: bool = False,
    quiet: bool = False,
    team: Team = ALONE,
    trackers: Sequence[str] = (),
) -> Run:
    """Trains, evaluates zero-shot in every language, packs the modules and writes the report.

    Args:
        recipe: what to run, or its YAML file.
        folder: the run folder, new or empty unless `resume` is set; `runs/NAME` where it is not given.
        resume: go on where an earlier run of the same recipe stopped, to the same scores.
        quiet: show no progress on standard error.
        team: the processes that train it together, from `lowres_stilts.training.team.joined()`; all of them
            call this, and all get the run.
        trackers: what is told losses and scores as they come: `tensorboard`, `mlflow`, `wandb`.

    Raises:
        LowresStiltsError: the recipe, the data, the model or the folder is at fault; the message says what to do.
    """
    loaded = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    place = Path("runs") / file_name(loaded.name) if folder is None else Path(folder)
    quiet_libraries()
    with naming_extras():
        from lowres_stilts import pipeline  # noqa: PLC0415

        shown = Display(quiet=quiet)
        loaded, given = _take_packages(loaded, place if resume else None, team)
        results = pipeline.run(
            loaded, place, resume=resume, display=shown, team=team, trackers=trackers, given=given
        )
        if team.is_main:
            _publish(place)
    return Run(place, team.from_main(lambda: results))


def _take_packages(recipe: Recipe, before: Path | None, team: Team) -> tuple[Recipe, list["GivenModule"]]:
    """The recipe with the packages that it names pinned, and these packages, which main alone opens."""
    given: list[GivenModule] = []
    if recipe.intermediate is None or not recipe.intermediate.package:
        return recipe, given

    def opened() -> Recipe:
        from lowres_stilts.hub.intermediate import take_packages  # noqa: PLC0415

        pinned, found = take_packages(recipe, before)
        given.extend(found)
        return pinned

    return team.from_main(opened), given


def _publish(folder: Path) -> None:
    """Adds to a finished run what others may want of it: packages and a report."""
    from lowres_stilts.hub.pack import pack_run  # noqa: PLC0415

    pack_run(folder)
    from lowres_stilts.study.runs import write_run_report  # noqa: PLC0415

    write_run_report(folder)


def _score(told: Mapping[str, Any]) -> Score:
    known = {"value", "ci95", "metric", "n"}
    low, high = told["ci95"]
    parts = {key: value for key, value in told.items() if key not in known}
    return Score(told["value"], low, high, told.get("metric", ""), told.get("n", 0), parts)
