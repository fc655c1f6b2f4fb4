"""A package of somebody else's adds a task, a family, a metric, a kind and a mode, and real runs use them."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lowres_stilts.plugins import Registry, plugin_names
from tests.commands import ask, call
from tests.project import write_project
from tests.shell import Shell

OUTSIDE = Path(__file__).parent / "outside"
SHIFT = {"module": {"kind": "shift", "options": {"scale": 0.01}}}
TRAIN = {"epochs": 3, "lr": 5e-3, "tokens_per_batch": 128}


def install(source: Path, target: Path) -> dict[str, str]:
    """Installs a package as pip does, without running a build; an environment in which it is there."""
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    info = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in groups]
    (info / "entry_points.txt").write_text("\n".join(lines))
    for package in source.iterdir():
        if package.is_dir() and package.name != "__pycache__":
            shutil.copytree(package, target / package.name)
    path = os.pathsep.join(filter(None, (str(target), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def plugged(tmp_path_factory) -> Iterator[Shell]:
    """Commands where the package is installed."""
    cache = {"LOWRES_STILTS_CACHE": str(tmp_path_factory.mktemp("cache"))}
    with Shell(install(OUTSIDE, tmp_path_factory.mktemp("place") / "site") | cache) as shell:
        yield shell


def started(tmp_path, tiny_model, plugged, **changes) -> dict:
    recipe = write_project(
        tmp_path / "project", tiny_model, target__task="mood-order", target__train=TRAIN, **changes
    )
    done = plugged("run", recipe, "-o", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_with_a_task_family_metric_and_kind_of_a_plug_in(tmp_path, tiny_model, plugged):
    results = started(
        tmp_path, tiny_model, plugged, target__module=SHIFT["module"], intermediate__module=SHIFT["module"]
    )
    scores = results["scores"]["mood-order"]
    assert {score["metric"] for score in scores.values()} == {"closeness"}
    assert scores["en"]["value"] > 100 * 5 / 9  # that of the best constant, the middle
    target = next(phase for phase in results["phases"] if phase["phase"] == "2-target")
    assert (target["kind"], target["trainable_parameters"]) == ("shift", 2 * 64)
    assert (tmp_path / "run" / "phases" / "2-target" / "module" / "shift.safetensors").is_file()
    lines = (tmp_path / "run" / "predictions" / "mood-order" / "test-sw.jsonl").read_text().splitlines()
    assert {json.loads(line) for line in lines} <= {0, 1, 2}
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_run_with_a_mode_of_a_plug_in_whose_package_is_sound(tmp_path, tiny_model, plugged):
    results = started(tmp_path, tiny_model, plugged, target__transfer="warm", target__options={"epochs": 1})
    phases = [phase["phase"] for phase in results["phases"]]
    assert phases == ["1-intermediate", "2-target-alone", "2-target", "2-target-baseline"]
    package = tmp_path / "run" / "phases" / "2-target" / "package"
    assert plugged("hub", "verify", package).returncode == 0
    without = ask("hub", "verify", package)
    assert without.returncode == 1
    assert "there is no 'ordinal' here" in without.stderr
    exported = plugged("export", package, "-o", tmp_path / "bundle")
    assert exported.returncode == 1
    assert "bundles cannot answer for tasks of the family ordinal" in exported.stderr


def test_plug_ins_are_listed_and_named_in_mistakes(tmp_path, tiny_model, plugged):
    assert "mood-order" in {row["name"] for row in json.loads(plugged("tasks", "--json").stdout)}
    assert "mood-order" not in ask("tasks").stdout
    recipe = write_project(tmp_path / "project", tiny_model, target__transfer="worm")
    message = "target.transfer: there is no 'worm' here; there are stack, continue, fuse, merge, none"
    assert ask("run", recipe).stderr.endswith(f"{message}\n")
    assert plugged("run", recipe).stderr.endswith(f"{message}, warm\n")


def broken(folder: Path, group: str, name: str, value: str) -> Path:
    (folder / "lowres_broken").mkdir(parents=True)
    (folder / "lowres_broken" / "__init__.py").write_text("import lowres_missing_library\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "lowres-broken"\nversion = "2.0"\n'
        f'[project.entry-points."lowres_stilts.{group}"]\n{name} = "{value}"\n'
    )
    return folder


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "mine",
            "lowres_broken:MINE",
            "error: plug-in lowres-broken 2.0: lowres_broken:MINE cannot be imported (ModuleNotFoundError: ",
        ),
        ("mine", "json:dumps", "error: plug-in lowres-broken 2.0: json:dumps is no Task; update it"),
        (
            "xnli",
            "json:dumps",
            "error: plug-in lowres-broken 2.0 adds 'xnli' to tasks, which has one; uninstall it",
        ),
    ],
)
def test_a_plug_in_that_does_not_work_is_named(name, value, message, tmp_path):
    environment = install(broken(tmp_path / "source", "tasks", name, value), tmp_path / "site")
    done = call("tasks", env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_two_plug_ins_of_one_name_are_named(tmp_path):
    environment = install(OUTSIDE, tmp_path / "site")
    source = broken(tmp_path / "source", "tasks", "mood-order", "json:dumps")
    environment["PYTHONPATH"] = (
        install(source, tmp_path / "more")["PYTHONPATH"] + os.pathsep + str(tmp_path / "site")
    )
    done = call("tasks", env=environment)
    assert done.returncode == 1
    assert "lowres-broken 2.0" in done.stderr
    assert "both add 'mood-order' to tasks; uninstall one of them" in done.stderr


def test_asking_for_names_imports_no_plug_in(tmp_path):
    environment = install(broken(tmp_path / "source", "tasks", "mine", "lowres_broken:MINE"), tmp_path / "site")
    code = (
        "from lowres_stilts.tasks.catalog import REGISTRY as r; print('mine' in r, len(r) - len([n for n in r]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "0"]


def test_a_registry_is_a_mapping():
    registry = Registry("nothing", {"a": 1, "b": 2})
    assert dict(registry) == {"a": 1, "b": 2}
    assert (len(registry), "c" in registry, plugin_names("nothing")) == (2, False, ())
    with pytest.raises(KeyError):
        registry["c"]
