import threading
import time

from lowres_stilts.serving.turns import Turns, Work


def steps(seconds, count, result):
    for _ in range(count):
        time.sleep(seconds)
        yield
    return result


class Ends:
    """What comes of several pieces of work, in order."""

    def __init__(self, expected):
        self.found = []
        self._missing = expected
        self._is_there = threading.Event()

    def take(self, result):
        self.found.append(result)
        self._missing -= 1
        if not self._missing:
            self._is_there.set()

    def wait(self):
        assert self._is_there.wait(30)
        return self.found


def test_short_work_is_through_before_long_work_that_came_first():
    turns, ends = Turns(1, "test"), Ends(3)
    for name, count in (("long", 30), ("longer", 60), ("short", 1)):
        turns.add(Work(steps(0.006, count, name), lambda: False, ends.take, ends.take))
    assert ends.wait() == ["short", "long", "longer"]
    turns.close()


def test_faults_reach_their_own_work():
    def broken():
        yield
        raise KeyError("here")

    def refuse(result):
        raise ValueError(result)

    turns, ends = Turns(2, "test"), Ends(3)
    turns.add(Work(broken(), lambda: False, ends.take, ends.take))
    turns.add(Work(steps(0, 1, "no"), lambda: False, refuse, ends.take))
    turns.add(Work(steps(0, 1, "yes"), lambda: False, ends.take, ends.take))
    assert {repr(own) for own in ends.wait()} == {"KeyError('here')", "ValueError('no')", "'yes'"}
    turns.close()


def test_what_nobody_wants_is_left():
    turns, ends = Turns(1, "test"), Ends(1)
    given_up = steps(0, 5, "no")
    turns.add(Work(given_up, lambda: True, ends.take, ends.take))
    turns.add(Work(steps(0, 1, "yes"), lambda: False, ends.take, ends.take))
    assert ends.wait() == ["yes"]
    assert next(given_up, "never begun") is None
    turns.close()


def test_closing_leaves_what_is_not_through():
    turns = Turns(1, "test")
    ends = Ends(1)
    turns.add(Work(steps(0.01, 10**6, "no"), lambda: False, ends.take, ends.take))
    time.sleep(0.03)
    turns.close()
    assert not ends.found
