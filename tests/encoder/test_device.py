import sys

import pytest
import torch

from lowres_stilts.encoder import device
from lowres_stilts.encoder.device import Heap, resident_bytes

MB = 1 << 20


def test_resident_memory_is_this_process_s():
    before = resident_bytes()
    held = torch.ones(64 * MB, dtype=torch.uint8)
    grown = resident_bytes() - before
    assert len(held) == 64 * MB
    assert (grown > 60 * MB) is (sys.platform == "linux")


@pytest.mark.parametrize(
    ("sizes", "trims"),
    [
        ([100, 200, 224, 220], 0),  # an update takes 100, and a quarter more is left alone
        ([100, 200, 226, 110, 210, 230], 1),  # ... and no more
        ([100, 200, 230, 110, 210, 240, 110], 2),  # it is looked at anew after each
    ],
)
def test_the_heap_is_trimmed_when_it_has_grown_by_a_quarter_of_an_update(monkeypatch, sizes, trims):
    told, trimmed = iter(sizes), []
    monkeypatch.setattr(device, "resident_bytes", lambda: next(told))
    monkeypatch.setattr(device, "release_freed_memory", lambda: trimmed.append(1))
    heap = Heap()
    updates = len(sizes) - 1 - trims  # each trim looks once more
    for _ in range(updates):
        heap.after_update()
    assert len(trimmed) == trims
