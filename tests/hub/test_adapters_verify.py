"""Damaged and hostile packages in AdapterHub's format: refused with one clear line, whatever was done to them."""

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.checksums import write_sums
from lowres_stilts.hub.verify import open_package
from lowres_stilts.sums import SUMS, sha256_of
from tests.hub.adapter_runs import finished_adapters
from tests.hub.damage import Evil, notice_all_damage

WEIGHTS, CONFIG = "adapter.safetensors", "adapter_config.json"
BELOW, LANGUAGE = "below/1-intermediate", "languages/sw"


@pytest.fixture(scope="session")
def packages(once):
    languages = finished_adapters(once, "languages")[1]
    fused = finished_adapters(once, "fuse")[1]["2-target"]
    return {"task": languages["2-target"], "language": languages["0-language-sw"], "fused": fused}


@pytest.fixture
def package(packages, tmp_path):
    return shutil.copytree(packages["task"], tmp_path / "package")


@pytest.fixture
def fused(packages, tmp_path):
    return shutil.copytree(packages["fused"], tmp_path / "fused")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_tensors(package, file, change):
    """Changes tensors, and the manifest's hash of them."""
    tensors = load_file(package / file)
    before = sha256_of(package / file)
    change(tensors)
    save_file(tensors, package / file)
    manifest = (package / "stilts.json").read_text()
    (package / "stilts.json").write_text(manifest.replace(before, sha256_of(package / file)))


def composition(package, change):
    edit(package / "stilts.json", lambda content: change(content["composition"]))


@pytest.mark.parametrize("which", ["task", "language", "fused"])
def test_every_region_of_every_file_flipped_or_cut_is_noticed(packages, which, tmp_path):
    package = shutil.copytree(packages[which], tmp_path / "package")
    assert notice_all_damage(packages[which], package, 30) > 400


def pickle_inside(package):
    (package / BELOW / "pytorch_adapter.bin").write_bytes(pickle.dumps(Evil()))


def pickled_head(package):
    (package / "pytorch_model_head.bin").write_bytes(pickle.dumps(Evil()))


def link_inside(package):
    (package / LANGUAGE / CONFIG).unlink()
    (package / LANGUAGE / CONFIG).symlink_to("/etc/hostname")


def folder_is_a_link(package):
    shutil.move(package / LANGUAGE, package.parent / "elsewhere")
    (package / LANGUAGE).symlink_to(package.parent / "elsewhere")


def empty_folder(package):
    (package / "below" / "more").mkdir()


def deep_folder(package):
    (package / BELOW / "below").mkdir()
    (package / BELOW / "below" / CONFIG).write_text("{}")


def other_folder(package):
    (package / "src").mkdir()
    (package / "src" / CONFIG).write_text("{}")


def climbing_name(package):
    sums = (package / SUMS).read_text()
    (package / SUMS).write_text(sums + f"{'0' * 64}  below/../../{CONFIG}\n")


@pytest.mark.parametrize(
    "harm",
    [
        pickle_inside,
        pickled_head,
        link_inside,
        folder_is_a_link,
        empty_folder,
        deep_folder,
        other_folder,
        climbing_name,
    ],
    ids=lambda harm: harm.__name__,
)
def test_files_that_do_not_belong_are_refused(harm, package):
    harm(package)
    with pytest.raises(PackageError) as caught:
        open_package(package)
    assert "\n" not in str(caught.value)


def further_module(package):
    shutil.copytree(package / BELOW, package / "below" / "more")


def lora_too(package):
    shutil.copy(package / WEIGHTS, package / "adapter_model.safetensors")


def a_second_head(package):
    shutil.copy(package / "model_head.safetensors", package / "head.safetensors")


def swapped_modules(package):
    shutil.move(package / BELOW / WEIGHTS, package / "kept")
    shutil.move(package / WEIGHTS, package / BELOW / WEIGHTS)
    shutil.move(package / "kept", package / WEIGHTS)


def swapped_languages(package):
    composition(package, lambda content: content["languages"].update(sw=content["languages"]["en"]))


def looked_up_config(package):
    edit(package / CONFIG, lambda content: content.update(config="houlsby"))


def another_architecture(package):
    edit(package / BELOW / CONFIG, lambda content: content["config"].update(architecture="lora"))


def another_reduction(package):
    composition(package, lambda content: content["top"].update(reduction=8))


def reduction_of_nothing(package):
    composition(package, lambda content: content["top"].update(reduction=1000))


def unknown_config_key(package):
    edit(package / LANGUAGE / CONFIG, lambda content: content.update(auto_map="run"))


def null_config_key(package):
    edit(package / CONFIG, lambda content: content.update(leave_out=None))


def another_module_name(package):
    edit(package / CONFIG, lambda content: content.update(name="1-intermediate"))


def another_base(package):
    edit(package / "stilts.json", lambda content: content["base"].update(id="somebody/else"))


def climbing_module(package):
    composition(package, lambda content: content["below"][0].update(name="../up"))


def twice_the_same(package):
    composition(package, lambda content: content["below"].append(content["below"][0]))


def no_english(package):
    composition(package, lambda content: content["languages"].pop("en"))


def no_composition(package):
    edit(package / "stilts.json", lambda content: content.pop("composition"))


def rank_too(package):
    edit(package / "stilts.json", lambda content: content.update(rank=4))


def kind_of_language(package):
    edit(package / "stilts.json", lambda content: content.update(kind="language"))


def other_order(package):
    edit(package / "stilts.json", lambda content: content["stack"].reverse())


def other_class(package):
    edit(package / "stilts.json", lambda content: content.update(auto_class="AutoModel"))


def other_labels(package):
    edit(package / "stilts.json", lambda content: content["tasks"][0]["labels"].append("new"))


def labels_in_other_order(package):
    edit(package / "head_config.json", lambda content: content["config"].update(label2id={"sad": 0}))


def other_head(package):
    edit(package / "head_config.json", lambda content: content["config"].update(head_type="causal_lm"))


def retrieval_head(package):
    edit(package / "stilts.json", lambda content: content["tasks"][0].update(family="retrieval"))


def too_many_layers(package):
    composition(package, lambda content: content.update(layers=10**9))


def fewer_layers(package):
    composition(package, lambda content: content.update(layers=1))


def other_width(package):
    composition(package, lambda content: content.update(hidden_size=32))


def not_a_number(package):
    edit_tensors(package, f"{LANGUAGE}/{WEIGHTS}", lambda found: next(iter(found.values())).fill_(float("nan")))


def weight_of_the_encoder(package):
    name = "roberta.encoder.layer.0.output.dense.weight"
    edit_tensors(package, WEIGHTS, lambda found: found.update({name: torch.zeros(64, 128)}))


def missing_weight(package):
    edit_tensors(package, f"{BELOW}/{WEIGHTS}", lambda found: found.pop(next(iter(found))))


def unknown_head_weight(package):
    edit_tensors(package, "model_head.safetensors", lambda found: found.update(extra=torch.zeros(2)))


def missing_head_weight(package):
    edit_tensors(package, "model_head.safetensors", lambda found: found.pop("heads.2-target.1.bias"))


def other_head_shape(package):
    name = "heads.2-target.1.weight"
    edit_tensors(package, "model_head.safetensors", lambda found: found.update({name: torch.zeros(64, 3)}))


def integers(package):
    edit_tensors(
        package, WEIGHTS, lambda found: found.update({next(iter(found)): torch.zeros(2, dtype=torch.int8)})
    )


def huge_tensor(package):
    header = json.dumps(
        {"x": {"dtype": "BF16", "shape": [10**6, 10**6], "data_offsets": [0, 2 * 10**12]}}
    ).encode()
    (package / "model_head.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


def pickle_for_tensors(package):
    (package / BELOW / WEIGHTS).write_bytes(pickle.dumps(Evil()))


def deep_json(package):
    (package / "head_config.json").write_text("[" * 100_000)


HOSTILE = {
    further_module: "does not belong",
    lora_too: "does not belong",
    a_second_head: "does not belong",
    swapped_modules: "in this place",
    swapped_languages: "two modules have the same name",
    looked_up_config: "config is 'houlsby'",
    another_architecture: "config is",
    another_reduction: "config is",
    reduction_of_nothing: "leaves nothing",
    unknown_config_key: "auto_map is 'run'",
    null_config_key: "leave_out is None",
    another_module_name: "name is '1-intermediate'",
    another_base: "model_name is",
    climbing_module: "composition.below.0.name",
    twice_the_same: "two modules have the same name",
    no_english: "the English adapter is missing",
    no_composition: "have a composition",
    rank_too: "a LoRA has a rank",
    kind_of_language: "a language adapter has a language",
    other_order: "in this order",
    other_class: "missing|does not belong",
    other_labels: "config is",
    labels_in_other_order: "config is",
    other_head: "config is",
    retrieval_head: "tasks.0.family",
    too_many_layers: "composition.layers",
    fewer_layers: "shape",
    other_width: "hidden_size is 64",
    not_a_number: "no finite numbers",
    weight_of_the_encoder: "output.dense.weight has shape",
    missing_weight: "has shape None",
    unknown_head_weight: "unknown tensor extra",
    missing_head_weight: "dense.bias has shape None",
    other_head_shape: "dense.weight has shape",
    integers: "no finite numbers",
    huge_tensor: "no valid safetensors|larger than any",
    pickle_for_tensors: "in this place",
    deep_json: "not valid JSON",
}


@pytest.mark.parametrize("harm", HOSTILE, ids=lambda harm: harm.__name__)
def test_contents_that_contradict_each_other_are_refused(harm, package):
    harm(package)
    write_sums(package)
    with pytest.raises(PackageError, match=HOSTILE[harm]) as caught:
        open_package(package)
    assert "\n" not in str(caught.value)


def other_members(fused):
    edit(fused / "adapter_fusion_config.json", lambda content: content["adapter_names"].reverse())


def members_swapped(fused):
    composition(fused, lambda content: content["below"].reverse())


def nothing_to_fuse(fused):
    composition(fused, lambda content: content.update(below=[]))


def a_fusion_that_is_none(fused):
    composition(fused, lambda content: content["top"].update(adapter="seq_bn", reduction=4, dropout=0))


@pytest.mark.parametrize(
    "harm",
    [other_members, members_swapped, nothing_to_fuse, a_fusion_that_is_none],
    ids=lambda harm: harm.__name__,
)
def test_fusions_that_contradict_themselves_are_refused(harm, fused):
    harm(fused)
    write_sums(fused)
    with pytest.raises(PackageError) as caught:
        open_package(fused)
    assert "\n" not in str(caught.value)
