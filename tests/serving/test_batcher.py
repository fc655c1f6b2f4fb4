"""The batcher over a real bundle."""

import asyncio
import random
import threading
import time
from contextlib import asynccontextmanager

import numpy as np
import pytest

from lowres_stilts.errors import UsageError
from lowres_stilts.serving.admission import Demand
from lowres_stilts.serving.batcher import Batcher, Group
from lowres_stilts.serving.metrics import Metrics
from lowres_stilts.serving.problems import Refusal
from lowres_stilts.serving.settings import Queue
from lowres_stilts.serving.work import Estimate
from tests.bundles import sentence

pytestmark = pytest.mark.anyio
CLASSIFY, TAG = "first", "first-intermediate-tags"


LONG = "glad sun " * 10


class Gate:
    """Holds batches back when they are through, until it is opened."""

    def __init__(self):
        self.batches = []
        self._is_open = threading.Event()
        self._has_batch = threading.Event()

    def ran(self, rows, seconds):
        self.batches.append(rows)
        self._has_batch.set()
        assert self._is_open.wait(30)

    def open(self):
        self._is_open.set()

    def wait_for_a_batch(self):
        assert self._has_batch.wait(30)


@asynccontextmanager
async def batcher(gate=None, full_batch_seconds=0.0, **settings):
    queue = Queue(**settings)
    metrics = Metrics(queue.tokens_per_run)
    made = Batcher(queue, gate or metrics, full_batch_seconds)
    made.metrics = metrics
    try:
        yield made
    finally:
        await asyncio.to_thread(made.close)


def ask(made, bundle, inputs, adapter=CLASSIFY, client="a"):
    prepared = []

    def prepare():
        prepared.extend((yield from bundle.prepare_in_steps(inputs, adapter)))
        return [row for item in prepared for row in item.rows]

    async def answered():
        _, scores = await made.ask(Group(bundle, "scores"), client, prepare, Demand(len(inputs), 99))
        left = iter(scores)
        return [item.decode([next(left) for _ in item.rows]) for item in prepared]

    return answered()


def embed(made, bundle, texts, client="a", expected=0):
    return made.ask(
        Group(bundle, "embeddings"),
        client,
        lambda: bundle.prepare_texts_in_steps(texts),
        Demand(len(texts), 9),
        estimate=Estimate("embeddings", expected),
    )


def slow(seconds):
    """Something to wait for, before its sequences are there."""

    def prepare():
        time.sleep(seconds)
        yield
        return []

    return prepare


def total(made, name):
    return made.metrics.registry.get_sample_value(f"lowres_stilts_{name}")


async def test_answers_are_those_of_each_request(bundle):
    rng = random.Random(0)
    asked = []
    for number in range(60):
        adapter = [CLASSIFY, TAG, "first-intermediate-choice", "second"][number % 4]
        texts = [sentence(rng, rng.randint(1, 9)) for _ in range(2)]
        inputs = [(text, ["sea", "sun tea"]) for text in texts] if "choice" in adapter else texts
        inputs = [("good", text) for text in texts] if adapter == "second" else inputs
        asked.append((inputs, adapter))
    async with batcher(tokens_per_run=128) as made:
        found = await asyncio.gather(
            *(ask(made, bundle, inputs, adapter, client=f"c{i % 5}") for i, (inputs, adapter) in enumerate(asked))
        )
        runs, sequences = total(made, "runs_total"), total(made, "batch_sequences_sum")
    for (inputs, adapter), own in zip(asked, found, strict=True):
        for one, other in zip(own, bundle.predict(inputs, adapter), strict=True):
            assert type(one) is type(other)
            for key in ("label", "tags", "text", "index"):
                assert getattr(one, key, None) == getattr(other, key, None)
            assert np.allclose(_numbers(one), _numbers(other), atol=1e-4)
    assert runs < sequences, "requests share runs"


def _numbers(prediction):
    scores = getattr(prediction, "scores", None)
    return list(scores.values()) if isinstance(scores, dict) else list(scores or [prediction.score])


async def test_vectors_and_scores_do_not_share_a_run_but_both_come(bundle):
    async with batcher() as made:
        (_, vectors), labels = await asyncio.gather(
            embed(made, bundle, ["glad", "sad rain"]), ask(made, bundle, ["glad"])
        )
    unit = np.stack(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose(unit, bundle.embed(["glad", "sad rain"]), atol=1e-5)
    assert labels[0].label == bundle.predict(["glad"], CLASSIFY)[0].label


async def test_no_inputs_are_no_run(bundle):
    async with batcher() as made:
        rows, found = await embed(made, bundle, [])
        assert (list(rows), found) == ([], [])


async def test_over_capacity_is_refused_at_once(bundle):
    async with batcher(sequences=4, client_share=1) as made:
        group = Group(bundle, "scores")
        first = [asyncio.ensure_future(made.ask(group, "a", slow(0.3), Demand(2, 1))) for _ in range(2)]
        await asyncio.sleep(0)
        started = time.monotonic()
        with pytest.raises(Refusal) as refused:
            await embed(made, bundle, ["a"])
        assert time.monotonic() - started < 0.1
        assert refused.value.status == 429
        assert int(refused.value.response().headers["retry-after"]) >= 1
        await asyncio.gather(*first)
        assert made.sequences == 0
        await embed(made, bundle, ["a"])


async def test_characters_are_bounded_too_and_what_never_fits_is_too_large(bundle):
    async with batcher(characters=100, sequences=4) as made:
        with pytest.raises(Refusal) as refused:
            await made.ask(Group(bundle, "scores"), "a", slow(0), Demand(1, 101))
        assert refused.value.status == 413
        with pytest.raises(Refusal) as refused:
            await made.ask(Group(bundle, "scores"), "a", slow(0), Demand(5, 1))
        assert refused.value.status == 413


async def test_one_client_leaves_room_for_another(bundle):
    async with batcher(sequences=8, client_share=0.5) as made:
        group = Group(bundle, "scores")
        greedy = [asyncio.ensure_future(made.ask(group, "a", slow(0.2), Demand(2, 1))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await made.ask(group, "a", slow(0), Demand(1, 1))
        assert refused.value.status == 429
        await embed(made, bundle, ["a"], client="b")
        await asyncio.gather(*greedy)


async def test_what_would_wait_too_long_is_refused_and_the_heavy_client_first(bundle):
    gate = Gate()
    async with batcher(gate, full_batch_seconds=0.5, wait_seconds=1, runs=1, tokens_per_run=64) as made:

        def work(client, count):
            return asyncio.ensure_future(embed(made, bundle, [LONG] * count, client, expected=20 * count))

        heavy = work("heavy", 20)
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await work("heavy", 1)
        assert refused.value.status == 429
        assert refused.value.retry_after > 1
        light = work("light", 2)
        gate.open()
        await asyncio.gather(heavy, light)
        assert made.admission.clients == 0


async def test_long_texts_at_once_after_pings_are_all_let_in(bundle):
    async with batcher(tokens_per_run=64) as made:
        for _ in range(60):
            await embed(made, bundle, ["a"], "pings", expected=2)
        await asyncio.gather(
            *(embed(made, bundle, [LONG] * 3, f"client {number}", expected=300) for number in range(8))
        )


async def test_a_short_text_is_answered_beside_another_clients_documents(bundle):
    gate = Gate()
    async with batcher(gate, full_batch_seconds=2, runs=1, tokens_per_run=64) as made:
        heavy = asyncio.ensure_future(embed(made, bundle, [LONG] * 39, "heavy", expected=39 * 24))
        await asyncio.to_thread(gate.wait_for_a_batch)
        light = asyncio.ensure_future(embed(made, bundle, ["a"], "light", expected=2))
        while made.waiting != 40 - len(gate.batches[0]):
            await asyncio.sleep(0.001)
        gate.open()
        (own,), _ = await light
        await heavy
    place = next(number for number, rows in enumerate(gate.batches) if any(row is own for row in rows))
    assert place == 1
    assert len(gate.batches) > 10


async def test_tokens_are_counted_when_they_are_known(bundle):
    gate = Gate()
    async with batcher(gate, runs=1, tokens_per_run=64) as made:
        asked = asyncio.ensure_future(embed(made, bundle, [LONG] * 6, expected=100_000))
        await asyncio.sleep(0)
        assert made.admission.total.tokens == 100_000
        await asyncio.to_thread(gate.wait_for_a_batch)
        await asyncio.sleep(0)
        tokens = sum(len(row.ids) for row in bundle.prepare_texts([LONG] * 6))
        assert made.admission.total.tokens == tokens > 64
        gate.open()
        await asked
        assert made.admission.total == Demand()


async def test_what_is_cancelled_is_no_work_any_more(bundle):
    gate = Gate()
    async with batcher(gate, runs=1, tokens_per_run=64) as made:
        asked = asyncio.ensure_future(embed(made, bundle, [LONG] * 6, expected=100))
        await asyncio.to_thread(gate.wait_for_a_batch)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        gate.open()
        await embed(made, bundle, ["a"])
        assert made.admission.total == Demand()


async def test_a_deadline_gives_up(bundle):
    async with batcher(deadline_seconds=0.1) as made:
        with pytest.raises(Refusal, match="no answer within") as refused:
            await made.ask(Group(bundle, "scores"), "a", slow(0.4), Demand(1, 1))
        assert (refused.value.status, refused.value.kind) == (503, "Overloaded")
        assert made.sequences == 0


async def test_cancelled_work_never_runs(bundle):
    async with batcher() as made:
        group = Group(bundle, "scores")
        blocked = [asyncio.ensure_future(made.ask(group, "a", slow(0.2), Demand(1, 1))) for _ in range(2)]
        await asyncio.sleep(0.02)
        waiting = asyncio.ensure_future(embed(made, bundle, ["glad"] * 5))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.gather(*blocked)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await embed(made, bundle, ["sad"])
        assert total(made, "batch_sequences_sum") == 1
        assert made.sequences == 0


async def test_errors_reach_their_own_request_only(bundle):
    def wrong():
        yield
        raise UsageError("this text")

    async with batcher() as made:
        failed, fine = await asyncio.gather(
            made.ask(Group(bundle, "scores"), "a", wrong, Demand(1, 1)),
            ask(made, bundle, ["glad"]),
            return_exceptions=True,
        )
        assert isinstance(failed, UsageError)
        assert fine[0].label == bundle.predict(["glad"], CLASSIFY)[0].label


async def test_a_row_that_the_network_refuses_does_not_harm_others(bundle):
    def wrong():
        (row,) = yield from bundle.prepare_texts_in_steps(["glad sun"])
        return [type(row)([10**6, *row.ids[1:]], row.adapter, row.head)]  # no such piece in the vocabulary

    async with batcher(tokens_per_run=4096) as made:
        found = await asyncio.gather(
            *(embed(made, bundle, ["glad sun"]) for _ in range(8)),
            made.ask(Group(bundle, "embeddings"), "a", wrong, Demand(1, 1)),
            *(embed(made, bundle, ["glad sun"]) for _ in range(8)),
            return_exceptions=True,
        )
        assert [index for index, own in enumerate(found) if isinstance(own, Exception)] == [8]
        assert await embed(made, bundle, ["glad"])


async def test_an_unknown_fault_is_told_and_the_service_goes_on(bundle):
    def wrong():
        yield
        raise ZeroDivisionError

    told = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
    async with batcher() as made:
        with pytest.raises(Refusal) as refused:
            await made.ask(Group(bundle, "scores"), "a", wrong, Demand(1, 1))
        assert refused.value.status == 500
        assert isinstance(told[0], ZeroDivisionError)
        assert await embed(made, bundle, ["glad"])


async def test_a_short_text_does_not_wait_until_a_long_one_is_cut_into_tokens(bundle):
    """More long ones than there are threads, each of many steps."""
    order = []

    def long(steps):
        for _ in range(steps):
            time.sleep(0.01)
            yield
        order.append("long")
        return ()

    async with batcher() as made:
        group = Group(bundle, "scores")
        asked = [asyncio.ensure_future(made.ask(group, "a", lambda: long(50), Demand(1, 1))) for _ in range(4)]
        await asyncio.sleep(0.05)
        await embed(made, bundle, ["hi"], client="b")
        order.append("short")
        await asyncio.gather(*asked)
    assert order == ["short", *["long"] * 4]


async def test_requests_may_hold_so_many_bytes_only(bundle):
    async with batcher(bytes=1000, client_share=1) as made:
        group = Group(bundle, "scores")
        with pytest.raises(Refusal) as too_large:
            await made.ask(group, "a", slow(0), Demand(1, 1, held=1001))
        assert too_large.value.status == 413
        waiting = asyncio.ensure_future(made.ask(group, "a", slow(0.2), Demand(1, 1, held=600)))
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as too_many:
            await made.ask(group, "b", slow(0), Demand(1, 1, held=600))
        assert too_many.value.status == 429
        await made.ask(group, "b", slow(0), Demand(1, 1, held=400))
        await waiting
        await made.ask(group, "b", slow(0), Demand(1, 1, held=1000))
