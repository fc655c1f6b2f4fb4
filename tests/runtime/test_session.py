import os

import pytest

from lowres_stilts.runtime import session
from lowres_stilts.runtime.session import cores


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1 100000\n", 1),
        ("9900000 100000\n", 8),
        ("200000 0\n", 8),
        ("", 8),
        ("what\n", 8),
        ("a b\n", 8),
        (None, 8),
    ],
)
def test_a_container_may_use_fewer_cores_than_there_are(quota, expected, tmp_path, monkeypatch):
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota)
    monkeypatch.setattr(session, "QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores() == expected


def test_a_process_tied_to_one_core_uses_one(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "QUOTA", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert cores() == 1
