"""Many clients at once, each of whom knows what it should be told."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

TOLERANCE = 1e-3


@dataclass
class Question:
    """A request, and whether an answer is right."""

    path: str
    body: dict[str, Any]
    is_right: Callable[[Any], bool]


@dataclass
class Load:
    """Clients that ask until they are stopped."""

    url: str
    questions: list[Question]
    clients: int = 8
    statuses: Counter[int] = field(default_factory=Counter)
    """0 is a connection that broke off or was refused."""
    wrong: list[tuple[Question, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refusals_without_advice: int = 0
    cut_off: int = 0
    """Answers that began and did not end."""

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, answers: int, patience: float = 60) -> None:
        """Until so many right answers have come."""
        end = time.monotonic() + patience
        while self.statuses[200] < answers:
            assert time.monotonic() < end, self.statuses
            time.sleep(0.01)

    def _ask(self, number: int) -> None:
        rng = random.Random(number)
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self._stop.is_set():
                self._ask_once(client, rng.choice(self.questions))

    def _ask_once(self, client: httpx.Client, question: Question) -> None:
        started = time.monotonic()
        try:
            answer = client.post(question.path, json=question.body)
        except httpx.RemoteProtocolError as error:
            self.cut_off += "incomplete" in str(error)
            self._refused(0)
            return
        except httpx.TransportError:
            self._refused(0)
            return
        self.seconds.append(time.monotonic() - started)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            if not question.is_right(answer.json()):
                self.wrong.append((question, answer.json()))
        else:
            if answer.status_code in {429, 503} and "retry-after" not in answer.headers:
                self.refusals_without_advice += 1
            time.sleep(0.02)

    def _refused(self, status: int) -> None:
        self.statuses[status] += 1
        time.sleep(0.05)


def questions(bundle, rng: random.Random, count: int = 40) -> list[Question]:
    """Of every kind, over several adapters, with the answers that the bundle itself gives."""
    from tests.bundles import sentence

    found = []
    for number in range(count):
        text = sentence(rng, rng.randint(1, 12))
        kind = number % 4
        if kind == 0:
            found.append(embedding(bundle, text, [None, "first"][number // 4 % 2]))
        elif kind == 1:
            found.append(labels(bundle, text, "first"))
        elif kind == 2:
            found.append(tags(bundle, text))
        else:
            found.append(answer(bundle, "good bad", text))
    return found


def embedding(bundle, text: str, adapter: str | None) -> Question:
    expected = bundle.embed([text], adapter)[0]
    body = {"inputs": text} | ({"adapter": adapter} if adapter else {})
    return Question("/embed", body, lambda found: abs(expected - found[0]).max() < TOLERANCE)


def labels(bundle, text: str, adapter: str, named: str | None = None) -> Question:
    expected = bundle.predict([text], adapter)[0].scores

    def is_right(found: Any) -> bool:
        scores = {own["label"].lower(): own["score"] for own in found}
        return scores.keys() == expected.keys() and all(
            abs(scores[key] - expected[key]) < TOLERANCE for key in scores
        )

    return Question("/predict", {"inputs": text, "adapter": named or adapter}, is_right)


def tags(bundle, text: str) -> Question:
    expected = bundle.predict([text], "first-intermediate-tags")[0].tags
    body = {"inputs": text, "adapter": "first-intermediate-tags", "parameters": {"aggregation_strategy": "none"}}
    return Question("/token-classification", body, lambda found: tuple(own["entity"] for own in found) == expected)


def answer(bundle, question: str, context: str) -> Question:
    expected = bundle.predict([(question, context)], "second")[0]
    body = {"inputs": {"question": question, "context": context}, "adapter": "second"}

    def is_right(found: Any) -> bool:
        same = (found["answer"], found["start"]) == (expected.text, expected.start)
        # Spans of almost equal score may change places with what shares the batch.
        return same or abs(found["score"] - expected.score) < TOLERANCE

    return Question("/question-answering", body, is_right)
