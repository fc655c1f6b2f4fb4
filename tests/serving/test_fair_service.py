"""What clients of one service notice of each other."""

import threading

import httpx
import pytest

from tests.serving.service import service

LONG = "glad sun tea " * 154
"""2,000 characters."""


def post(served, client, texts, answers):
    body = {"inputs": texts, "truncate": True}
    answers.append((client, served.post("/embed", body, headers={"x-forwarded-for": client}).status_code))


def together(served, asked):
    answers: list[tuple[str, int]] = []
    threads = [threading.Thread(target=post, args=(served, client, texts, answers)) for client, texts in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_long_texts_of_eight_clients_after_pings(served):
    with served.client(headers={"x-forwarded-for": "10.0.0.1"}) as client:
        for _ in range(60):
            assert client.post("/embed", json={"inputs": "a"}).status_code == 200
    answers = together(served, [(f"10.0.1.{number}", LONG[:2000]) for number in range(8)])
    assert [status for _, status in answers] == [200] * 8


def test_a_short_text_beside_many_documents(served):
    answers = together(served, [("10.0.0.1", [LONG] * 39), *[("10.0.0.2", "hi")] * 4])
    assert dict(answers) == {"10.0.0.1": 200, "10.0.0.2": 200}
    assert [status for _, status in answers] == [200] * 5


def test_addresses_do_not_grow_memory(served):
    def visit(first):
        with httpx.Client(base_url=served.url, timeout=60) as client:
            for number in range(first, first + 1000):
                address = f"10.1.{number // 256}.{number % 256}"
                answer = client.post("/embed", json={"inputs": "a"}, headers={"x-forwarded-for": address})
                assert answer.status_code == 200

    visit(0)
    before = served.memory()
    visit(1000)
    assert served.memory() - before < 5e6


@pytest.mark.parametrize("characters", [10_000, 20_000, 50_000])
def test_a_pair_of_long_texts_takes_little_memory(served, characters):
    """Memory of a pair grew with the square of its length, to gigabytes."""
    pair = {"text": ("glad sun " * characters)[:characters], "text_pair": ("tea sea " * characters)[:characters]}
    body = {"inputs": pair, "adapter": "second-intermediate"}
    assert (
        served.post("/text-classification", {**body, "inputs": {"text": "a", "text_pair": "b"}}).status_code == 200
    )
    before = served.memory()
    assert served.post("/text-classification", body).status_code == 200
    assert served.memory() - before < 20e6


def test_a_short_text_beside_a_long_context(served):
    def ask():
        body = {
            "inputs": {"question": "who", "context": "glad sun tea " * 3800},
            "adapter": "first-intermediate-squad_v2",
        }
        answers.append(served.post("/question-answering", body).status_code)

    answers: list[int] = []
    thread = threading.Thread(target=ask)
    thread.start()
    for number in range(5):
        answer = served.post("/embed", {"inputs": "hi"}, headers={"x-forwarded-for": f"10.0.2.{number}"})
        assert answer.status_code == 200
    thread.join()
    assert answers == [200]


def test_requests_that_would_hold_too_much_memory_are_refused(plain_bundle):
    with service(plain_bundle, queue={"bytes": 1_000_000}) as running:
        long = {"inputs": "glad sun tea " * 1500}
        refused = running.post("/token-classification", long)
        assert refused.status_code == 413
        assert refused.json()["error_type"] == "Validation"
        assert "bytes" in refused.json()["error"]
        assert running.post("/embed", {**long, "truncate": True}).status_code == 413
        assert running.post("/embed", {"inputs": "glad"}).status_code == 200
