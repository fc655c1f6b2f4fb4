"""The service starts, drains, dies and comes back, and nobody is told what was meant for another."""

import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.bundles import copied
from tests.serving.load import Load, questions
from tests.serving.raw import answer, connected, request
from tests.serving.service import COMMAND, PATIENCE, service, start, wait_until_ready


@pytest.fixture(scope="module")
def asked(bundle):
    return questions(bundle, random.Random(3))


def clean(load):
    assert not load.wrong
    assert not load.cut_off
    assert not load.refusals_without_advice


def test_it_drains(zoo, asked):
    with service(zoo.bundle) as running, Load(running.url, asked, clients=12) as load:
        load.wait_for(100)
        assert running.end() == 0
    clean(load)
    assert set(load.statuses) <= {200, 503, 0}


def test_while_it_drains_accepted_requests_are_answered_and_new_ones_refused(zoo, bundle):
    with service(zoo.bundle, linger_seconds=1.5) as running, connected(running.port) as accepted:
        text = " ".join(["glad"] * 60)
        body = f'{{"inputs":{{"question":"good","context":"{text * 8}"}},"adapter":"second"}}'.encode()
        accepted.sendall(request(body, path="/question-answering"))
        time.sleep(0.02)
        running.process.terminate()
        _until(lambda: running.get("/health").status_code == 503)
        refused = running.post("/embed", {"inputs": "a"})
        assert refused.status_code == 503
        assert refused.json()["error_type"] == "Unhealthy"
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["connection"] == "close"
        assert answer(accepted)[0] == 200
        assert running.process.wait(PATIENCE) == 0


def test_a_second_signal_ends_at_once(zoo):
    with service(zoo.bundle, linger_seconds=60) as running:
        running.process.send_signal(signal.SIGINT)
        _until(lambda: running.get("/health").status_code == 503)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 0


def test_killed_and_started_again_on_the_same_address(zoo, asked, tmp_path):
    first = start(tmp_path, zoo.bundle)
    wait_until_ready(first)
    (tmp_path / "again").mkdir()
    with Load(first.url, asked, clients=6) as load:
        load.wait_for(50)
        first.process.kill()
        first.process.wait()
        second = start(tmp_path / "again", zoo.bundle, port=first.port)
        try:
            wait_until_ready(second)
            load.wait_for(load.statuses[200] + 100)
        finally:
            load.__exit__()
            second.process.kill()
            second.process.wait()
    clean(load)


def test_while_it_loads_it_says_so(zoo, tmp_path):
    running = start(tmp_path, zoo.bundle)
    try:
        refused = running.post("/embed", {"inputs": "a"})
        if refused.status_code != 200:
            assert (refused.status_code, refused.json()["error_type"]) == (503, "Unhealthy")
            assert running.get("/health").status_code in {200, 503}
        wait_until_ready(running)
        assert running.post("/embed", {"inputs": "a"}).status_code == 200
        assert running.end() == 0
    finally:
        running.process.kill()


def test_workers_share_the_work_and_a_dead_one_is_replaced(zoo, asked):
    with service(zoo.bundle, workers=2) as running:
        workers = _children(running.process.pid)
        assert len(workers) == 2
        with Load(running.url, asked, clients=8) as load:
            load.wait_for(150)
            os.kill(workers[0], signal.SIGKILL)
            load.wait_for(load.statuses[200] + 150)
        assert not load.wrong
        _until(lambda: len(set(_children(running.process.pid)) - {workers[0]}) == 2)
        _until(lambda: "lowres_stilts_ready_workers 2.0" in running.get("/metrics").text)
        assert running.end() == 0
    assert load.statuses[200] >= 300
    assert set(load.statuses) <= {200, 503, 0}


def test_workers_that_cannot_start(zoo, tmp_path):
    damaged = copied(zoo.bundle, tmp_path / "damaged")
    (damaged / "tokenizer.json").write_text("{}")
    done = subprocess.run(
        [*COMMAND, damaged, "--port", "0", "--workers", "2"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 1
    assert "tokenizer.json: changed since it was summed" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: a worker process did not start")


WRONG = {
    "no bundle": (["{tmp}/nowhere"], 1, "no such folder; write a bundle with `lowres-stilts export`"),
    "an empty folder": (["{tmp}"], 1, "no bundle.json, so this is no bundle"),
    "a damaged bundle": (["{damaged}"], 1, "changed since it was summed"),
    "two of one name": (["{bundle}", "{bundle}"], 2, "two bundles are called 'bundle'"),
    "a used port": (["{bundle}", "--port", "{port}"], 1, "cannot listen on 127.0.0.1:{port}: "),
    "no address": (["{bundle}", "--host", "256.1.1.1"], 1, "cannot listen on 256.1.1.1:8000: "),
    "no keys": (["{bundle}", "--keys", "{tmp}/keys"], 2, "keys: cannot be read"),
    "the hub without a folder": (["{bundle}", "--hub"], 2, "hub: needs adapters"),
    "a port that is none": (["{bundle}", "--port", "70000"], 2, "port: "),
    "no arguments": ([], 2, "Missing argument"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_start_is_one_line(zoo, served, tmp_path, name):
    arguments, code, message = WRONG[name]
    damaged = tmp_path / "damaged"
    if name == "a damaged bundle":
        copied(zoo.bundle, damaged)
        (damaged / "tokenizer.json").write_text("{}")
    names = {"tmp": tmp_path, "bundle": zoo.bundle, "damaged": damaged, "port": served.port}
    given = [argument.format(**names) for argument in arguments]
    if given and "--port" not in given and name != "no address":
        given += ["--port", "0"]
    done = subprocess.run([*COMMAND, *given], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert message.format(**names) in done.stderr
    assert "Traceback" not in done.stderr
    if name != "no arguments":
        *logged, last = done.stderr.splitlines()
        assert last.startswith("error: ")
        assert all(line.startswith("{") for line in logged)


def test_help_has_examples():
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert "Example: lowres-stilts serve bundle --port 8000" in done.stdout


def test_overload_is_refused_at_once_and_leaves_nothing_behind(zoo, asked):
    with service(zoo.bundle, queue={"sequences": 4, "runs": 1}) as running:
        with Load(running.url, asked, clients=24) as load:
            load.wait_for(300)
            waits = []
            for _ in range(20):
                started = time.monotonic()
                if running.post("/embed", {"inputs": "a"}).status_code == 429:
                    waits.append(time.monotonic() - started)
        clean(load)
        assert set(load.statuses) == {200, 429}
        assert waits
        assert min(waits) < 0.3
        assert "lowres_stilts_accepted_sequences 0.0" in running.get("/metrics").text
        assert running.post("/embed", {"inputs": "a"}).status_code == 200


def test_a_deadline(zoo):
    with service(
        zoo.bundle, queue={"deadline_seconds": 0.05, "runs": 1}, limits={"characters": 400_000}
    ) as running:
        body = {"inputs": {"question": "a", "context": "glad " * 60_000}, "adapter": "second"}
        late = running.post("/question-answering", body)
        assert late.status_code == 503
        assert late.json()["error_type"] == "Overloaded"
        assert "retry-after" in late.headers
        _until(lambda: running.post("/embed", {"inputs": "a"}).status_code == 200)


def test_a_client_that_hangs_up_is_not_worked_for(zoo):
    with service(zoo.bundle, queue={"tokens_per_run": 100, "runs": 1}) as running:
        given = {"inputs": {"question": "a", "context": "glad sun " * 5000}, "adapter": "second"}
        with connected(running.port) as connection:
            connection.sendall(request(json.dumps(given).encode(), path="/question-answering"))
            time.sleep(0.05)
        _until(lambda: 'route="/question-answering",status="499"} 1.0' in running.get("/metrics").text)
        before = _sequences(running)
        time.sleep(0.3)
        assert _sequences(running) == before
        answer = running.post("/question-answering", given)
        assert answer.status_code == 200
        assert _sequences(running) - before > before, "the whole of it takes more"


def _sequences(running) -> float:
    text = running.get("/metrics").text
    found = re.search(r"^lowres_stilts_batch_sequences_sum (\S+)", text, re.MULTILINE)
    assert found
    return float(found[1])


def _children(pid: int) -> list[int]:
    """Worker processes; the tracker of shared resources is none."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _until(is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)
