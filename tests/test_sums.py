"""What belongs to a folder with sums: one rule for packages, bundles and adapters of bundles."""

import os
import shutil

import pytest

from lowres_stilts.errors import BundleError, PackageError
from lowres_stilts.hub.checksums import PACKAGE, can_belong
from lowres_stilts.runtime.sums import BUNDLE
from lowres_stilts.sums import SUMS
from tests.downloads import WAYS, files, local

KINDS = {
    "package": (
        PACKAGE,
        ["stilts.json", "README.md", "adapter_model.safetensors", "below/one/adapter.safetensors"],
    ),
    "bundle": (BUNDLE, ["bundle.json", "README.md", "model.onnx", "weights.bin", "adapters/one.onnx_adapter"]),
    "adapter": (BUNDLE, ["adapter.json", "one.onnx_adapter"]),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    """The rule, and a folder that it allows."""
    rule, names = KINDS[request.param]
    folder = tmp_path / "sound"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    rule.write(folder)
    return rule, folder


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_tools_of_the_hub_leave_is_sound(kind, way, tmp_path):
    rule, folder = kind
    made = way(folder, tmp_path / "made")
    found = rule.verify(made)
    assert {name: path.read_text() for name, path in found.items()} == {
        path.relative_to(folder).as_posix(): path.read_text() for path in files(folder) if path.name != SUMS
    }


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_change_is_noticed_however_it_was_downloaded(kind, way, tmp_path):
    rule, folder = kind
    made = way(folder, tmp_path / "made")
    for name, path in rule.verify(made).items():
        content = path.read_text()
        path.write_text(content.upper())
        with pytest.raises(rule.error, match=f"{name}: changed since it was summed"):
            rule.verify(made)
        path.write_text(content)


def test_nothing_that_tools_left_is_summed(kind, tmp_path):
    rule, folder = kind
    made = local(folder, tmp_path / "made")
    (made / ".git").mkdir()
    (made / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    rule.write(made)
    assert (made / SUMS).read_text() == (folder / SUMS).read_text()


def dangling(folder):
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "README.md").symlink_to("nowhere")


def loop(folder):
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")


def link_to_a_folder(folder):
    (folder / "more").symlink_to(folder.parent)


def link_in_the_place_of_a_folder(folder):
    (folder.parent / "elsewhere").mkdir()
    shutil.rmtree(folder / "below", ignore_errors=True)
    (folder / "below").symlink_to(folder.parent / "elsewhere")


def pipe(folder):
    os.mkfifo(folder / "pipe")


def pipe_for_a_file(folder):
    (folder / "README.md").unlink(missing_ok=True)
    os.mkfifo(folder / "README.md")


def link_to_a_pipe(folder):
    os.mkfifo(folder.parent / "pipe")
    (folder / "pipe").symlink_to(folder.parent / "pipe")


def link_to_a_device(folder):
    (folder / "zero").symlink_to("/dev/zero")


def pipe_for_the_sums(folder):
    (folder / SUMS).unlink()
    os.mkfifo(folder / SUMS)


def device_for_the_sums(folder):
    (folder / SUMS).unlink()
    (folder / SUMS).symlink_to("/dev/zero")


def dangling_sums(folder):
    (folder / SUMS).unlink()
    (folder / SUMS).symlink_to("nowhere")


def other_cache(folder):
    (folder / ".cache" / "other").mkdir(parents=True)


def linked_cache(folder):
    (folder.parent / "elsewhere" / "huggingface").mkdir(parents=True)
    (folder / ".cache").symlink_to(folder.parent / "elsewhere")


def attributes_further_inside(folder):
    (folder / "below").mkdir(exist_ok=True)
    (folder / "below" / ".gitattributes").touch()


def git_by_another_name(folder):
    (folder / ".github").mkdir()


def hidden_file(folder):
    (folder / ".gitignore").touch()


def empty_folder(folder):
    (folder / "more").mkdir()


def deep_folders(folder):
    path = folder
    for _ in range(400):
        path /= "x"
    path.mkdir(parents=True)


HARM = [
    dangling, loop, link_to_a_folder, link_in_the_place_of_a_folder, pipe, pipe_for_a_file, link_to_a_pipe,
    link_to_a_device, pipe_for_the_sums, device_for_the_sums, dangling_sums, other_cache, linked_cache,
    attributes_further_inside, git_by_another_name, hidden_file, empty_folder, deep_folders,
]  # fmt: skip


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_all_else_is_refused_in_one_line(kind, harm):
    rule, folder = kind
    harm(folder)
    with pytest.raises(rule.error) as caught:
        rule.verify(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [".gitattributes", ".git/config", ".cache/huggingface/x", ".huggingface/x"])
def test_no_list_can_name_what_tools_leave(kind, name):
    rule, folder = kind
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    (folder / SUMS).write_text(f"{'0' * 64}  {name}\n" + (folder / SUMS).read_text())
    with pytest.raises(rule.error, match=r"SHA256SUMS:1: expected a SHA-256"):
        rule.verify(folder)
    assert not can_belong(name)


def test_the_rules_know_their_own_files_only():
    for rule, names in KINDS.values():
        assert all(map(rule.can_list, [*names, SUMS]))
    for name in ("own.udpos.onnx", "mixed.onnx", "tokenizer.json"):
        assert BUNDLE.can_list(name)
        assert not PACKAGE.can_list(name)
    for name in ("pytorch_model.bin", "run.py", "../model.onnx", "a/b/c.onnx", "model.onnx\n", "stilts.json/x"):
        assert not can_belong(name)
    assert (PACKAGE.error, BUNDLE.error) == (PackageError, BundleError)
