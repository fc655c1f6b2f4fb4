"""Runs that begin with packages in the place of an intermediate phase, beside those that have the same phase."""

import json
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file

from lowres_stilts.api import Run
from lowres_stilts.api import run as run_and_pack
from lowres_stilts.display import Display
from lowres_stilts.encoder import load
from lowres_stilts.errors import PackageError, RecipeError, UsageError
from lowres_stilts.hub.intermediate import take_packages
from lowres_stilts.hub.pack import pack_run
from lowres_stilts.hub.verify import open_package
from lowres_stilts.pipeline import run
from lowres_stilts.recipe import Recipe
from tests.models import write_tiny_model
from tests.project import write_project
from tests.runs import packages_of
from tests.written import write_run

TRAIN = {"epochs": 1, "lr": 2e-2, "tokens_per_batch": 128}
BOTTLENECK = {"kind": "bottleneck", "reduction": 4}
PLAIN = ["model.quantize=none", "model.embeddings=none", "model.device=cpu", "evaluate.languages=[en, sw]"]
BOTH = ["intermediate.tasks=[choice, tags]"]
MODES = {"stack": [], "continue": [], "fuse": BOTH, "merge": [*BOTH, "target.merge.weights=[0.5]"]}
ALONE = "model.head=mean"


@pytest.fixture(autouse=True)
def computed_in_bf16(monkeypatch, private_cache):
    """What packages store, so that nothing is rounded."""
    monkeypatch.setattr(load, "_cpu_has_bf16", lambda: True)


@pytest.fixture(scope="session")
def project(once, tiny_model):
    changes = {"intermediate__train": TRAIN, "target__train": TRAIN, "target__module": None}
    folder = once("project", lambda folder: write_project(folder, tiny_model, examples=24, **changes))

    def recipe(*settings):
        return Recipe.load(folder / "recipe.yaml", [*PLAIN, *settings])

    return recipe


def complete(recipe, folder):
    """A run whose intermediate phases are written and whose target phase is trained, and its packages by phase."""
    return write_run(recipe, folder, "1-"), packages_of(folder)


def begun_with(recipe, packages, folder, *settings, resume=False):
    """A run that begins with packages."""
    values = recipe.model_dump(mode="json", exclude_unset=True)
    values["intermediate"] = {"package": [str(path) for path in packages]}
    asked = Recipe.model_validate(values).changed(dict(settings))
    pinned, given = take_packages(asked, folder if resume else None)
    return run(pinned, folder, resume=resume, display=Display(quiet=True), given=given)


def weights(folder, phase="2-target"):
    (path,) = (folder / "phases" / phase / "module").glob("adapter*.safetensors")
    return load_file(path) | load_file(path.with_name("head.safetensors"))


def as_products(tensors):
    """With the product of A and B, since packages have `alpha / rank` in B, and what is merged of a run in A."""
    products = {
        name: tensors[name.replace("lora_A", "lora_B")].float() @ tensor.float()
        for name, tensor in tensors.items()
        if "lora_A" in name
    }
    return products | {name: tensor for name, tensor in tensors.items() if "lora_" not in name}


def same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=0, rtol=0, msg=name)


@pytest.mark.parametrize("mode", MODES)
def test_it_ends_where_a_run_ends_that_has_the_same_phase(mode, project, tmp_path):
    recipe = project(f"target.transfer={mode}", *MODES[mode])
    before, packages = complete(recipe, tmp_path / "complete")
    first = [path for phase, path in packages.items() if phase.startswith("1-")]
    after = begun_with(recipe, first, tmp_path / "begun")
    for key in ("scores", "baseline", "gain"):
        assert after[key] == before[key]
    begun, whole = weights(tmp_path / "begun"), weights(tmp_path / "complete")
    if mode == "merge":
        begun, whole = as_products(begun), as_products(whole)
    same(begun, whole)
    told = [phase["package"]["name"] for phase in after["phases"] if "package" in phase]
    assert told == [open_package(path).manifest.name for path in first]
    assert after["cost"]["training_seconds"] <= before["cost"]["training_seconds"]


@pytest.mark.parametrize("mode", ["stack", "continue", "fuse", "merge"])
def test_bottleneck_adapters_are_taken_too(mode, project, tmp_path):
    own = f"target.module={json.dumps(BOTTLENECK)}"
    settings = [f"intermediate.module={json.dumps(BOTTLENECK)}", f"target.transfer={mode}", *MODES[mode]]
    recipe = project(*settings, *([] if mode == "continue" else [own]))
    before, packages = complete(recipe, tmp_path / "complete")
    first = [path for phase, path in packages.items() if phase.startswith("1-")]
    after = begun_with(recipe, first, tmp_path / "begun")
    assert (after["scores"], after["baseline"]) == (before["scores"], before["baseline"])
    for package in pack_run(tmp_path / "begun"):
        open_package(package)


@pytest.fixture
def first(project, once):
    """An intermediate package with a head for the target's labels, and the recipe that stands on it."""
    recipe = project("intermediate.tasks=[mood]", "target.task=mood", "intermediate.module={rank: 4, alpha: 8}")
    folder = once("first", lambda folder: complete(recipe, folder / "run")) / "run"
    return recipe, packages_of(folder)["1-intermediate"], folder


def test_what_was_taken_is_in_recipe_results_and_card(first, tmp_path):
    recipe, package, _ = first
    values = recipe.model_dump(mode="json", exclude_unset=True) | {"intermediate": {"package": str(package)}}
    done = run_and_pack(Recipe.model_validate(values), tmp_path / "run", quiet=True)
    (pin,) = done.recipe.intermediate.package
    assert pin.sha256 == open_hash(package)
    assert yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["intermediate"]["package"][0]["id"]
    assert done.results["phases"][0]["package"]["sha256"] == pin.sha256
    assert list(done.packages) == ["2-target"]
    manifest = open_package(done.packages["2-target"]).manifest
    assert manifest.rank == 4 + 8
    assert [(each.id, each.sha256) for each in manifest.packages] == [("package", pin.sha256)]
    card = (done.packages["2-target"] / "README.md").read_text()
    assert f"stacked on the package `package` (`{pin.sha256[:12]}`)" in card
    assert str(package.parent) not in card
    assert "after package" in done.report.read_text()
    assert Run.open(tmp_path / "run").recipe == done.recipe


def open_hash(package):
    from lowres_stilts.sums import SUMS, sha256_of

    return sha256_of(package / SUMS)


def test_a_collapsed_package_can_be_stood_on_again(first, tmp_path):
    recipe, package, _ = first
    begun_with(recipe, [package], tmp_path / "once")
    (stacked,) = pack_run(tmp_path / "once")
    begun_with(recipe, [stacked], tmp_path / "twice", ("target.transfer", "stack"))
    (again,) = pack_run(tmp_path / "twice")
    assert open_package(again).manifest.rank == 4 + 8 + 8


def test_continuing_keeps_the_scaling_of_its_training(first, tmp_path):
    recipe, package, _ = first
    begun_with(recipe, [package], tmp_path / "run", ("target.transfer", "continue"))
    config = json.loads((tmp_path / "run/phases/2-target/module/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    (made,) = pack_run(tmp_path / "run")
    assert "continued from the package" in (made / "README.md").read_text()


def test_the_head_is_kept(first, tmp_path):
    recipe, package, _ = first
    kept = [("target.head", "keep"), ("target.train.lr", 1e-9), ("target.train.head_lr", 1e-9)]
    results = begun_with(recipe, [package], tmp_path / "run", *kept)
    head = load_file(tmp_path / "run/phases/2-target/module/head.safetensors")
    own = open_package(package).heads["mood"]
    for name, tensor in own.items():
        torch.testing.assert_close(head[f"mood.{name}"], tensor.float(), atol=1e-6, rtol=0)
    alone = load_file(tmp_path / "run/phases/2-target-baseline/module/head.safetensors")
    assert not torch.allclose(alone["mood.projection.weight"], head["mood.projection.weight"])
    assert results["phases"][1]["head_kept_from"] == "mood"


def test_a_trained_phase_leaves_its_head_as_well(first, tmp_path):
    recipe, _, folder = first
    kept = {"target.head": "keep", "target.train.lr": 1e-9, "target.train.head_lr": 1e-9}
    complete(recipe.changed(kept), tmp_path / "run")
    before = load_file(folder / "phases/1-intermediate/module/head.safetensors")
    after = load_file(tmp_path / "run/phases/2-target/module/head.safetensors")
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=0)


def test_a_head_for_other_labels_is_refused_before_anything_is_written(first, tmp_path):
    recipe, package, _ = first
    with pytest.raises(
        RecipeError, match=r"^target\.head keep: tags needs a head for tagging \(glad, sad, calm\), "
    ):
        begun_with(recipe, [package], tmp_path / "run", ("target.task", "tags"), ("target.head", "keep"))
    assert not list((tmp_path / "run").glob("[!.]*"))


def test_resuming_goes_on_and_refuses_another_package(first, tmp_path):
    recipe, package, _ = first
    mine = shutil.copytree(package, tmp_path / "mine")
    done = begun_with(recipe, [mine], tmp_path / "run")
    (tmp_path / "run" / "results.json").unlink()
    shutil.rmtree(tmp_path / "run" / "phases" / "2-target")
    again = begun_with(recipe, [mine], tmp_path / "run", resume=True)
    assert again["scores"] == done["scores"]
    shutil.rmtree(mine)
    begun_with(recipe, [package], tmp_path / "other")
    (other,) = pack_run(tmp_path / "other")
    shutil.copytree(other, mine)
    with pytest.raises(UsageError, match=r"the run was started with another intermediate\.package"):
        begun_with(recipe, [mine], tmp_path / "run", resume=True)


def test_a_pinned_hash_takes_no_other(first, tmp_path):
    recipe, package, _ = first
    pinned = {"intermediate": {"package": {"id": str(package), "sha256": "0" * 64}}}
    values = recipe.model_dump(mode="json", exclude_unset=True) | pinned
    with pytest.raises(PackageError, match=r"is another package than the recipe says: its SHA256SUMS"):
        take_packages(Recipe.model_validate(values))


@pytest.mark.parametrize("kind", ["weights", "architecture"])
def test_a_package_of_another_encoder_is_refused(kind, first, tmp_path):
    recipe, package, _ = first
    torch.manual_seed(7)
    other = write_tiny_model(tmp_path / "other", "bert" if kind == "architecture" else "xlm-roberta")
    if kind == "weights":
        changed = load_file(other / "model.safetensors")
        from safetensors.torch import save_file

        save_file({name: tensor + 1e-3 for name, tensor in changed.items()}, other / "model.safetensors")
    expected = r"was trained on a xlm-roberta, but .*other is a bert" if kind == "architecture" else "has weights"
    with pytest.raises(PackageError, match=expected):
        begun_with(recipe, [package], tmp_path / "run", ("model.id", str(other)))
    assert not list((tmp_path / "run").glob("[!.]*"))


def test_another_storage_of_the_same_encoder_is_told(first, tmp_path):
    recipe, package, _ = first
    results = begun_with(recipe, [package], tmp_path / "run", ("model.quantize", "nf4"))
    assert results["phases"][0]["remarks"] == [
        "the package was trained with model.quantize none, and not nf4: it may do worse here"
    ]


def test_damage_is_told(first, tmp_path):
    recipe, package, _ = first
    bad = shutil.copytree(package, tmp_path / "bad")
    (bad / "stilts.json").write_text((bad / "stilts.json").read_text().replace('"rank": 4', '"rank": 5'))
    with pytest.raises(PackageError, match=r"intermediate\.package: .*stilts\.json: changed since it was summed"):
        begun_with(recipe, [bad], tmp_path / "run")
    with pytest.raises(PackageError, match=r"intermediate\.package: .*no such folder"):
        begun_with(recipe, [tmp_path / "none"], tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackageError, match=r"intermediate\.package: .*no SHA256SUMS, so this is no package"):
        begun_with(recipe, [tmp_path / "empty"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_begun_with_is_refused(project, first, tmp_path):
    recipe, package, _ = first
    stacked = project(
        f"intermediate.module={json.dumps(BOTTLENECK)}", f"target.module={json.dumps(BOTTLENECK)}", ALONE
    )
    packages = complete(stacked, tmp_path / "adapters")[1]
    with pytest.raises(PackageError, match="holds several adapters together"):
        begun_with(stacked, [packages["2-target"]], tmp_path / "run")
    with pytest.raises(RecipeError, match="some are LoRAs and others bottleneck adapters"):
        begun_with(recipe, [package, packages["1-intermediate"]], tmp_path / "run", ("target.transfer", "fuse"))
    with pytest.raises(RecipeError, match=r"target\.transfer stack takes one; use fuse or merge for several"):
        begun_with(recipe, [package, package], tmp_path / "run")
    ties = [("target.transfer", "merge"), ("target.merge", {"method": "ties"})]
    with pytest.raises(RecipeError, match=r"target\.merge\.method ties wants equal ranks"):
        begun_with(recipe, [package], tmp_path / "run", *ties)


def test_a_repository_is_pinned_to_its_commit_and_kept(first, hub, shell, tmp_path):
    recipe, package, _ = first
    files = {path.name: path.read_bytes() for path in package.iterdir()}
    values = recipe.model_dump(mode="json", exclude_unset=True)
    values["intermediate"] = {"package": {"id": "me/mood"}}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    repository = hub.repository("me/mood", files)
    commit = repository.branches["main"]
    done = shell("run", path, "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["intermediate"]["package"]
    assert written == [{"id": "me/mood", "revision": commit, "sha256": open_hash(package)}]
    repository.add("main", {**files, "stilts.json": b"{}"})
    asked = len(hub.log)
    again = shell("run", path, "-o", tmp_path / "run", "--resume")
    assert again.returncode == 0, again.stderr
    assert len(hub.log) == asked, "what was pinned is there"
    moved = shell("run", path, "-o", tmp_path / "run", "--resume", "--set", "intermediate.package.revision=x")
    assert moved.returncode != 0
    unknown = shell("run", path, "-o", tmp_path / "new", "--set", "intermediate.package=me/none")
    assert unknown.stderr.startswith("error: intermediate.package: no folder me/none here; on the Hub, me/none:")
    assert not (tmp_path / "new").exists()
