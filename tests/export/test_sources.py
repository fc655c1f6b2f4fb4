"""From names with blanks, umlauts and points to a bundle: tasks, a language and the run itself."""

import json
import re
from pathlib import Path

import pytest
import yaml

from lowres_stilts.errors import PackageError, RecipeError
from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.presets import EXACT
from lowres_stilts.export.sources import items_of, open_packages
from lowres_stilts.hub.checksums import write_sums
from lowres_stilts.hub.pack import pack_run
from lowres_stilts.recipe import Recipe
from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.study.runs import write_run_report
from tests.hub.adapter_runs import MODULE, QUICK, TRAIN
from tests.project import write_project
from tests.written import write_run

TASKS = {"mood": "meine Stimmung ä", "choice": "zwei Fragen", "tags": "tags.neu"}
LANGUAGE = "Suahili (Kenia)"
FILE_OF_LANGUAGE = r"Suahili-Kenia-x[0-9a-f]{10}"


def renamed(value, names):
    if isinstance(value, dict):
        return {names.get(key, key): renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def odd_recipe(folder: Path, model: Path, **changes) -> Recipe:
    """A project whose tasks and whose Swahili have names that no file should have."""
    path = write_project(folder, model, examples=12, **(QUICK | changes))
    values = renamed(yaml.safe_load(path.read_text()), {**TASKS, "sw": LANGUAGE}) | {"name": "Läufe, alle"}
    for file in (folder / "data").glob("*-sw.*"):
        file.rename(file.with_name(file.name.replace("-sw.", f"-{LANGUAGE}.")))
    return Recipe.model_validate(values)


def test_odd_names_of_tasks_reach_the_bundle(tmp_path, tiny_model, private_cache):
    recipe = odd_recipe(
        tmp_path,
        tiny_model,
        intermediate__tasks=["choice", "tags"],
        intermediate__module={"rank": 2},
        target__module={"rank": 2},
        target__transfer="fuse",
        evaluate__languages=["sw"],
    )
    write_run(recipe, tmp_path / "run")
    packages = pack_run(tmp_path / "run")
    write_run_report(tmp_path / "run")
    (predictions,) = (tmp_path / "run" / "predictions").iterdir()
    assert re.fullmatch(r"meine-Stimmung-a-x[0-9a-f]{10}", predictions.name)
    assert re.fullmatch(rf"test-{FILE_OF_LANGUAGE}\.tsv", next(predictions.iterdir()).name)
    assert LANGUAGE in (tmp_path / "run" / "report.html").read_text()
    names = ["Laufe-alle-intermediate-1-zwei-Fragen", "Laufe-alle-intermediate-2-tags-neu", "Laufe-alle"]
    assert [json.loads((folder / "stilts.json").read_text())["name"] for folder in packages] == names
    manifest = export_bundle(packages, tmp_path / "bundle", storage=EXACT)
    assert [(part.name, part.task) for part in manifest.adapters] == list(
        zip(names, ["zwei Fragen", "tags.neu", "meine Stimmung ä"], strict=True)
    )
    assert Bundle.load(tmp_path / "bundle", threads=1).predict(["glad sun"], "Laufe-alle")[0].label


def test_several_heads_of_odd_tasks_are_adapters_of_their_own(tmp_path, tiny_model, private_cache):
    recipe = odd_recipe(
        tmp_path,
        tiny_model,
        intermediate__tasks=["choice", "tags"],
        intermediate__module={"rank": 2},
        target__module={"rank": 2},
        evaluate__languages=["en"],
    )
    write_run(recipe, tmp_path / "run")
    first = pack_run(tmp_path / "run")[0]
    manifest = export_bundle([first], tmp_path / "bundle", storage=EXACT)
    spaced, plain = (part.name for part in manifest.adapters)
    assert re.fullmatch(r"Laufe-alle-intermediate-zwei-Fragen-x[0-9a-f]{10}", spaced)
    assert plain == "Laufe-alle-intermediate-tags.neu"
    assert set(Bundle.load(tmp_path / "bundle", threads=1).adapters) == {spaced, plain}
    same = tmp_path / "same"
    first.rename(same)
    described = (same / "stilts.json").read_text()
    other = tmp_path / "other"
    other.mkdir()
    for file in same.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    (other / "stilts.json").write_text(described.replace('"Laufe-alle-inter', '"laufe-ALLE-inter'))
    write_sums(other)
    with pytest.raises(PackageError, match=r"another package is called Laufe-alle-intermediate-tags\.neu too"):
        items_of(open_packages([same, other]))
    written = json.loads(described)
    written["recipe"]["tasks"]["zwei/Fragen"] = written["recipe"]["tasks"]["zwei Fragen"]
    (other / "stilts.json").write_text(json.dumps(written))
    write_sums(other)
    with pytest.raises(RecipeError, match=r"the recipe in .*other: tasks\.zwei/Fragen: a name cannot have '/'"):
        items_of(open_packages([other]))


def test_a_language_adapter_of_an_odd_language_answers_for_it(tmp_path, tiny_model, private_cache):
    recipe = odd_recipe(
        tmp_path,
        tiny_model,
        languages={"adapters": ["en", "sw"], "train": TRAIN},
        intermediate__module=MODULE,
        target__module=MODULE,
        evaluate__languages=["sw"],
        data__files__mlm={"train": "text-test-{lang}.txt"},
    )
    write_run(recipe, tmp_path / "run")
    package = pack_run(tmp_path / "run")[-1]
    (opened,) = open_packages([package])
    composition = opened.manifest.composition
    english, code = composition.languages
    assert english == "en"
    assert re.fullmatch(FILE_OF_LANGUAGE, code)
    assert composition.active(LANGUAGE) == composition.active(code)
    assert composition.active(LANGUAGE)[0] == f"0-language-{code}"
    assert composition.active("ur")[0] == "0-language-en"
    assert [item.name for item in items_of([opened])] == ["Laufe-alle-en", f"Laufe-alle-{code}"]
    manifest = export_bundle([package], tmp_path / "bundle", storage=EXACT)
    assert [part.language for part in manifest.adapters] == ["en", code]
