"""The number of threads is measured in a phase's first updates."""

import pytest
import torch

from lowres_stilts.training.threads import TRIED, Threads
from tests.training.bench import Bench, Killed


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def through_updates(threads, seconds, updates=range(TRIED + 4)):
    """How many threads each update had, which took these seconds by their number."""
    had = []
    with threads:
        for update in updates:
            threads.begin(update)
            had.append(torch.get_num_threads())
            threads.end(update, 100, seconds[had[-1]])
    return had


@pytest.mark.parametrize(("alone", "taken"), [(0.5, 1), (0.85, 1), (0.9, 2), (1.0, 2), (2.0, 2)])
def test_what_is_clearly_faster_is_taken(two_threads, alone, taken):
    threads = Threads()
    had = through_updates(threads, {1: alone, 2: 1.0})
    assert had == [2, 2, 1, 2, 1, 2, 1, *[taken] * 3]
    assert (threads.taken, threads.fewer) == (taken, taken == 1)
    assert threads.gain == pytest.approx(1 / alone)
    assert torch.get_num_threads() == 2


def test_a_phase_that_goes_on_keeps_its_threads(two_threads):
    assert through_updates(Threads(1), {1: 9.0, 2: 1.0}, range(3, 9)) == [1] * 6


def test_a_phase_that_goes_on_within_the_trial_ends_it(two_threads):
    assert through_updates(Threads(), {1: 0.1, 2: 1.0}, range(5, 9)) == [2, 1, 1, 1]
    assert through_updates(Threads(), {1: 0.1, 2: 1.0}, range(6, 9)) == [1, 2, 2], "one alone is no comparison"


def test_threads_that_are_set_are_kept(two_threads, monkeypatch):
    assert through_updates(Threads(measured=False), {2: 1.0}) == [2] * (TRIED + 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert through_updates(Threads(), {2: 1.0}) == [2] * (TRIED + 4)
    torch.set_num_threads(1)
    assert through_updates(Threads(), {1: 1.0}) == [1] * (TRIED + 4)


def test_training_takes_what_it_measured_and_tells(two_threads, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(Threads, "gain", 1.5)
    bench = Bench(tiny_model)
    with pytest.raises(Killed):
        bench.train(tmp_path / "c", kill_after=TRIED + 3)
    assert torch.get_num_threads() == 2
    assert [now.one_thread_gain for now in bench.reports] == [None] * TRIED + [1.5] * 3
    resumed = Bench(tiny_model)
    resumed.train(tmp_path / "c")
    assert {now.one_thread_gain for now in resumed.reports} == {1.5}
    assert torch.get_num_threads() == 2
