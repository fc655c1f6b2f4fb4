"""Packages as the Hub's own tools leave them."""

import json

import pytest

from lowres_stilts.errors import PackageError
from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.presets import EXACT
from lowres_stilts.hub.evaluate import evaluate_package
from lowres_stilts.hub.verify import open_package
from lowres_stilts.runtime import Bundle
from lowres_stilts.tasks.load import open_source
from tests.commands import ask
from tests.downloads import WAYS, link_to_snapshot, local, snapshot

every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@every_way
def test_a_package_is_the_same_however_it_was_downloaded(way, sound, tmp_path):
    folder = way(sound, tmp_path / "made")
    assert open_package(folder).manifest == open_package(sound).manifest
    verified = ask("hub", "verify", folder)
    assert (verified.returncode, "sound; small" in verified.stdout) == (0, True), verified.stderr
    assert json.loads(ask("hub", "show", folder, "--json").stdout)["name"] == "small"
    assert json.loads(ask("hub", "list", folder.parent, "--json").stdout)[0]["name"] == "small"


@every_way
def test_a_change_of_any_file_is_noticed(way, sound, tmp_path):
    folder = way(sound, tmp_path / "made")
    for name in ("stilts.json", "README.md", "adapter_model.safetensors", "SHA256SUMS"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1] + b"x")
        with pytest.raises(PackageError, match=name):
            open_package(folder)
        (folder / name).write_bytes(content)
    open_package(folder)


@pytest.mark.usefixtures("private_cache")
def test_downloaded_packages_are_scored_and_exported(zoo, tmp_path):
    """Those of a snapshot and of a local folder, the former by a link to it."""
    places = [
        link_to_snapshot(zoo.packages["first"], tmp_path / "first"),
        local(zoo.packages["second"], tmp_path / "second"),
    ]
    bundle = tmp_path / "bundle"
    export_bundle(places, bundle, storage=EXACT)
    found = Bundle.load(bundle, threads=1).predict(["glad sun"], "first")
    assert found == Bundle.load(zoo.bundle, threads=1).predict(["glad sun"], "first")
    source = open_source(zoo.recipe.data)
    scored = [evaluate_package(open_package(place), source, languages=["en"], limit=4) for place in places]
    assert [list(result["scores"]) for result in scored] == [["mood"], ["asked"]]
    # The command line finds the folders, too.
    done = ask("export", places[0], "-o", bundle)
    assert "is there already" in done.stderr


def test_a_link_that_leads_nowhere_is_no_folder(tmp_path):
    (tmp_path / "latest").symlink_to(tmp_path / "gone")
    with pytest.raises(PackageError, match="latest: no such folder"):
        open_package(tmp_path / "latest")


def test_links_to_other_content_are_refused(sound, tmp_path):
    folder = snapshot(sound, tmp_path / "made")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/hostname")
    with pytest.raises(PackageError, match=r"README\.md: changed since it was summed"):
        open_package(folder)


@pytest.mark.parametrize("name", [".cache/more/x", ".gitignore", ".github", ".cache/huggingface"])
def test_what_only_looks_like_it_is_refused(package, name):
    (package / name).parent.mkdir(exist_ok=True, parents=True)
    if name == ".cache/huggingface":
        (package / ".cache").rmdir()
        (package / ".cache").symlink_to("/etc")
    else:
        (package / name).write_text("x")
    with pytest.raises(PackageError, match=r"plain files only|not listed in SHA256SUMS"):
        open_package(package)
