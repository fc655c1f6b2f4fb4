"""A finished package; a Hub on this machine, and the command line that knows no other."""

import shutil

import pytest

from tests.hub.lora_runs import finished_lora
from tests.hub_repo_server import hub_serving
from tests.shell import Shell, hub_environment


@pytest.fixture(scope="session")
def sound(once):
    return finished_lora(once)[1][-1]


@pytest.fixture
def package(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "package")


@pytest.fixture(scope="session")
def serving():
    with hub_serving() as hub:
        yield hub


@pytest.fixture(scope="session")
def started(serving, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with Shell(hub_environment(serving.endpoint, home, LOWRES_STILTS_CACHE=str(home / "cache"))) as shell:
        yield shell


@pytest.fixture
def hub(serving):
    for state in (serving.repositories, serving.objects, serving.log, serving.leaked):
        state.clear()
    serving.page = 1000
    serving.cut_uploads = serving.cut_downloads = serving.fail_commits = 0
    serving.bad_card, serving.stall, serving.before_commit = "", None, None
    serving.stalled.clear()
    yield serving
    if serving.stall is not None:
        serving.stall.set()
    assert serving.leaked == []


@pytest.fixture
def shell(started, hub):
    return started
