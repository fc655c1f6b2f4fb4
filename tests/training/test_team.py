"""Two real processes, which talk through gloo, make the updates of one."""

import json

import pytest
import torch
from safetensors.torch import load_file

from lowres_stilts.training.team import ALONE, joined
from tests.forks import Forked
from tests.models import write_tiny_model
from tests.teams import end_of, start_team
from tests.training.pair import SCENARIOS, trained


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("pair")
    ended = end_of(start_team(["-m", "tests.training.pair", model, folder], Forked))
    assert [code for code, _, _ in ended] == [0, 0], ended
    return folder


def told(pair):
    return [json.loads((pair / rank / "told.json").read_text()) for rank in "01"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_updates_are_those_of_one_process(scenario, pair, model, tmp_path):
    alone = trained(scenario, model, tmp_path)
    weights = [load_file(pair / rank / f"{scenario}.safetensors") for rank in "01"]
    for name, value in alone.weights().items():
        assert torch.equal(weights[0][name], weights[1][name])
        torch.testing.assert_close(weights[0][name], value, atol=2e-4, rtol=1e-3)
    first, second = (each[scenario]["losses"] for each in told(pair))
    assert first == second == pytest.approx(alone.losses, rel=1e-4, abs=1e-5)


def test_batches_are_halved_in_all_processes_when_memory_runs_out_in_one(pair):
    first, second = (each["memory runs out"]["at once"] for each in told(pair))
    assert first == second <= 60


def test_only_main_writes(pair):
    written = [{path.name for path in (pair / rank).iterdir()} for rank in "01"]
    own = {"told.json", *(f"{scenario}.safetensors" for scenario in SCENARIOS)}
    assert written[1] == own
    assert written[0] - own == {"patient", *(f"{scenario}.checkpoint" for scenario in SCENARIOS)}


def test_main_decides_when_to_stop(pair):
    assert [each["patient"] for each in told(pair)] == [{"update": 4, "best": 2}] * 2


def test_an_interruption_changes_nothing(pair):
    assert [each["resumed"] for each in told(pair)] == [{"same": True}] * 2


def test_each_process_has_noise_of_its_own(pair):
    first, second = (each["noise"] for each in told(pair))
    assert first != second


def test_a_process_without_launcher_is_alone(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with joined() as team:
        assert team is ALONE
        assert team.from_main(lambda: 3) == team.main_first(lambda: 3) == 3
