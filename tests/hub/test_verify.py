"""Damaged and hostile packages: refused with one clear line, whatever was done to them."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.checksums import write_sums
from lowres_stilts.hub.verify import open_package
from lowres_stilts.sums import SUMS
from tests.commands import ask
from tests.hub.damage import Evil, notice_all_damage

TENSORS = "adapter_model.safetensors"


def edit_json(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_tensors(package, change):
    tensors = load_file(package / TENSORS)
    change(tensors)
    save_file(tensors, package / TENSORS)


def test_a_sound_package_is_opened(sound):
    assert open_package(sound).manifest.tasks[0].name == "mood"


def test_every_region_of_every_file_flipped_or_cut_is_noticed(sound, package):
    assert notice_all_damage(sound, package, 60) > 500


def add_pickle(package):
    (package / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))


def pickle_for_tensors(package):
    (package / TENSORS).write_bytes(pickle.dumps(Evil()))


def link_outside(package):
    (package / "README.md").unlink()
    (package / "README.md").symlink_to("/etc/hostname")


def add_folder(package):
    (package / "more").mkdir()


def climbing_name(package):
    sums = (package / SUMS).read_text().splitlines()
    (package / SUMS).write_text("\n".join([*sums, f"{'0' * 64}  ../secret"]) + "\n")


def absolute_name(package):
    sums = (package / SUMS).read_text().splitlines()
    (package / SUMS).write_text("\n".join([*sums, f"{'0' * 64}  /etc/hostname"]) + "\n")


def no_sums(package):
    (package / SUMS).unlink()


@pytest.mark.parametrize(
    "harm", [add_pickle, link_outside, add_folder, climbing_name, absolute_name, no_sums], ids=lambda f: f.__name__
)
def test_files_that_do_not_belong_are_refused(harm, package):
    harm(package)
    with pytest.raises(PackageError):
        open_package(package)


def unknown_key(package):
    edit_json(package / "stilts.json", lambda content: content.update(script="run me"))


def other_base(package):
    edit_json(package / "stilts.json", lambda content: content["base"].update(id="somebody/else"))


def other_labels(package):
    edit_json(package / "stilts.json", lambda content: content["tasks"][0]["labels"].append("new"))


def other_rank(package):
    edit_json(package / "stilts.json", lambda content: content.update(rank=3))


def odd_name(package):
    edit_json(package / "stilts.json", lambda content: content.update(name="../up"))


def auto_mapping(package):
    edit_json(
        package / "adapter_config.json", lambda content: content.update(auto_mapping={"parent_library": "os"})
    )


def more_modules(package):
    edit_json(package / "adapter_config.json", lambda content: content.update(modules_to_save=["embeddings"]))


def not_a_number(package):
    edit_tensors(package, lambda tensors: next(iter(tensors.values())).fill_(float("nan")))


def unknown_tensor(package):
    edit_tensors(package, lambda tensors: tensors.update(extra=torch.zeros(2)))


def missing_tensor(package):
    edit_tensors(package, lambda tensors: tensors.pop(next(name for name in tensors if "lora_A" in name)))


def missing_head(package):
    edit_tensors(package, lambda tensors: tensors.pop("base_model.model.classifier.out_proj.bias"))


def integers(package):
    edit_tensors(package, lambda tensors: tensors.update({next(iter(tensors)): torch.zeros(2, dtype=torch.int8)}))


def deep_json(package):
    (package / "adapter_config.json").write_text("[" * 100_000)


def list_for_config(package):
    (package / "adapter_config.json").write_text("[]")


HOSTILE = [
    pickle_for_tensors,
    unknown_key,
    other_base,
    other_labels,
    other_rank,
    odd_name,
    auto_mapping,
    more_modules,
    not_a_number,
    unknown_tensor,
    missing_tensor,
    missing_head,
    integers,
    deep_json,
    list_for_config,
]


@pytest.mark.parametrize("harm", HOSTILE, ids=lambda f: f.__name__)
def test_contents_that_contradict_each_other_are_refused_though_summed(harm, package):
    harm(package)
    write_sums(package)
    with pytest.raises(PackageError) as caught:
        open_package(package)
    assert "\n" not in str(caught.value)


def test_a_tensor_that_claims_to_be_huge_is_not_read(package):
    header = json.dumps(
        {"x": {"dtype": "BF16", "shape": [10**6, 10**6], "data_offsets": [0, 2 * 10**12]}}
    ).encode()
    (package / TENSORS).write_bytes(len(header).to_bytes(8, "little") + header)
    write_sums(package)
    with pytest.raises(PackageError):
        open_package(package)


def test_the_commands_show_list_and_verify(sound, package):
    verified = ask("hub", "verify", sound)
    assert (verified.returncode, "sound" in verified.stdout) == (0, True)
    shown = ask("hub", "show", sound, "--json")
    assert json.loads(shown.stdout)["name"] == "small"
    assert "## Scores" in ask("hub", "show", sound).stdout
    listed = json.loads(ask("hub", "list", package.parent, "--json").stdout)
    assert [row["tasks"] for row in listed] == [["mood"]]
    add_pickle(package)
    refused = ask("hub", "verify", package)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "pytorch_model.bin" in refused.stderr


@pytest.mark.parametrize("asked", ["show", "verify"])
def test_a_mistyped_folder_is_answered_with_the_nearest_one(asked, package, monkeypatch):
    monkeypatch.chdir(package.parent.parent)
    near = package.relative_to(package.parent.parent)
    done = ask("hub", asked, f"{near}s")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: no folder {near}s here; did you mean {near}?\n"
