import json
from types import SimpleNamespace

import pytest
import torch

from lowres_stilts.cli import checkup
from lowres_stilts.cli.checkup import Finding
from tests.forks import call_forked

NAMES = ["python", "torch", "cuda", "bitsandbytes", "libraries", "memory", "disk", "hub login", "threads"]


def test_every_check_has_one_line_and_an_environment_that_can_run_the_tests_passes():
    done = call_forked("doctor", "--json")
    assert done.returncode == 0, done.stdout
    findings = json.loads(done.stdout)
    assert [finding["name"] for finding in findings] == NAMES
    assert {finding["status"] for finding in findings} <= {"ok", "note"}
    assert all(finding["detail"] and "\n" not in finding["detail"] for finding in findings)


def test_a_cache_that_cannot_be_written_is_a_note_or_a_failure_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("LOWRES_STILTS_CACHE", str(tmp_path / "deep" / "cache"))
    finding = next(each for each in checkup.checkup() if each.name == "disk")
    assert str(tmp_path) in finding.detail
    monkeypatch.setattr(checkup, "ROOM", 10**18)
    finding = next(each for each in checkup.checkup() if each.name == "disk")
    assert finding.status == "note"
    assert "free some" in finding.detail


@pytest.mark.parametrize(
    ("free", "bf16", "trains"),
    [(23.1e9, True, "XLM-R XXL"), (7.9e9, True, "XLM-R XL"), (3e9, False, "XLM-R large"), (1e9, True, "smaller")],
)
def test_a_card_is_told_with_what_it_can_train(free, bf16, trains, monkeypatch):
    card = SimpleNamespace(name="NVIDIA T4", major=7, minor=5)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(free), int(24e9)))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
    finding = checkup._cuda()
    assert finding.status == ("ok" if bf16 else "note")
    assert f"NVIDIA T4 (7.5), {free / 1e9:.1f} of 24.0 GB free, trains {trains}" in finding.detail
    assert ("no bfloat16" in finding.detail) is not bf16


def test_what_cannot_be_imported_fails_alone():
    def broken() -> Finding:
        raise ImportError("no\nsuch module")

    finding = checkup._safely("torch", broken)
    assert (finding.name, finding.status) == ("torch", "failed")
    assert "pip install" in finding.detail
    assert "\n" not in finding.detail


def test_more_threads_than_cores_are_noted(monkeypatch):
    import os

    import torch

    if not hasattr(os, "sched_getaffinity"):
        return
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(len(os.sched_getaffinity(0)) + 3)
        finding = checkup._threads()
    finally:
        torch.set_num_threads(before)
    assert finding.status == "note"
    assert "OMP_NUM_THREADS=" in finding.detail
