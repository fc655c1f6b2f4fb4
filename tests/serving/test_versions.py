"""Versions of adapters: told, replaced without a failed request, and put back."""

import random
import threading
from contextlib import contextmanager

import httpx
import pytest

from lowres_stilts.errors import UsageError
from lowres_stilts.runtime import Bundle
from lowres_stilts.serving.catalog import Shelf
from lowres_stilts.sums import sha256_of
from tests.bundles import sentence
from tests.serving.service import PATIENCE, service
from tests.serving.test_adapters_served import admin, folder, until, variant

__all__ = ["admin", "folder"]
CLIENTS = 6
LOWER, UPPER = {"glad", "sad", "calm"}, {"GLAD", "SAD", "CALM"}
ROLLBACK = "/admin/adapters/extra/rollback"


class Asking:
    """Clients that ask one adapter for several texts at a time; what each version told them."""

    def __init__(self, url):
        self.url, self.stop, self.statuses = url, threading.Event(), set()
        self.labels, self.torn = {}, []

    def ask(self, number):
        rng = random.Random(number)
        with httpx.Client(base_url=self.url, timeout=PATIENCE) as client:
            while not self.stop.is_set():
                texts = [[sentence(rng, rng.randint(1, 9))] for _ in range(rng.randint(1, 12))]
                answer = client.post("/predict", json={"inputs": texts, "adapter": "extra"})
                self.statuses.add(answer.status_code)
                if answer.status_code == 200:
                    self.note(answer.headers["x-adapter-version"], answer.json())

    def note(self, version, found):
        told = {entry["label"] for one in found for entry in one}
        if told not in (LOWER, UPPER):
            self.torn.append(told)
        self.labels.setdefault(version, set()).add(frozenset(told))

    def wait_for(self, version):
        until(lambda: version in self.labels)


@contextmanager
def asking(url):
    clients = Asking(url)
    threads = [threading.Thread(target=clients.ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        clients.stop.set()
        for thread in threads:
            thread.join()


def version_of(client):
    bundles = client.get("/info").json()["bundles"]
    return next(one["version"] for one in bundles[0]["adapters"] if one["name"] == "extra")


def test_no_request_fails_while_versions_are_replaced_and_put_back(zoo, exported, folder, admin):
    settings, headers = admin
    variant(exported, folder / "extra", "extra")
    with (
        service(zoo.bundle, adapters=str(folder), watch_seconds=0.05, **settings) as running,
        running.client(headers=headers) as client,
    ):
        first = version_of(client)
        with asking(running.url) as clients:
            clients.wait_for(first)
            for number in range(6):
                before = version_of(client)
                variant(exported, folder / "extra", "extra", [str.upper, str.lower][number % 2])
                until(lambda before=before: version_of(client) != before)
                now = version_of(client)
                clients.wait_for(now)
                back = client.post(ROLLBACK).json()
                assert (back["version"], back["previous"]) == (before, now)
                again = client.post(ROLLBACK).json()
                assert (again["version"], again["previous"]) == (now, before)
        events = [line for line in running.lines() if line["event"].startswith("adapter ")]
    assert clients.statuses == {200}
    assert clients.torn == []
    assert len(clients.labels) == 2
    assert {next(iter(told)) for told in clients.labels.values()} == {frozenset(LOWER), frozenset(UPPER)}
    assert all(len(told) == 1 for told in clients.labels.values())
    assert [line["adapter_version"] for line in events if line["event"] == "adapter put back"].count(first) >= 3
    assert {line["adapter_version"] for line in events if line["event"] == "adapter loaded"} == set(clients.labels)


def test_a_version_is_that_of_the_content_and_is_told_everywhere(zoo, bundle, exported, folder):
    variant(exported, folder / "extra", "extra")
    with service(zoo.bundle, adapters=str(folder), log_requests=True) as running:
        told = {one["name"]: one for one in running.get("/info").json()["bundles"][0]["adapters"]}
        answer = running.post("/predict", {"inputs": "glad sun", "adapter": "extra"})
        assert answer.headers["x-adapter-version"] == told["extra"]["version"]
        assert "x-adapter-version" not in running.post("/embed", {"inputs": "glad"}).headers
        until(lambda: any(line["event"] == "request" and line["route"] == "/predict" for line in running.lines()))
        (line,) = [line for line in running.lines() if line.get("route") == "/predict"]
        assert line["adapter_version"] == told["extra"]["version"]
    assert told["first"]["sha256"] == told["extra"]["sha256"] == sha256_of(folder / "extra" / "extra.onnx_adapter")
    assert told["first"]["version"] == bundle.loaded["first"].version != told["extra"]["version"]


def test_what_was_put_back_stays_until_the_folder_changes(zoo, exported, folder, admin):
    settings, headers = admin
    variant(exported, folder / "extra", "extra")
    with (
        service(zoo.bundle, adapters=str(folder), adapters_loaded=1, **settings) as running,
        running.client(headers=headers) as client,
    ):
        first = version_of(client)
        refused = client.post(ROLLBACK)
        assert (refused.status_code, refused.json()["error"]) == (409, "extra: no former version is in memory")
        assert client.post("/admin/adapters/nobody/rollback").status_code == 404
        assert running.post("/predict", {"inputs": "glad sun", "adapter": "extra"}).status_code == 200
        variant(exported, folder / "extra", "extra", str.upper)
        until(lambda: version_of(client) != first)
        assert client.post(ROLLBACK).json()["version"] == first
        # Another adapter takes its place in memory, and it comes back as it was put back.
        assert running.post("/predict", {"inputs": "glad sun", "adapter": "first"}).status_code == 200
        answer = running.post("/predict", {"inputs": "glad sun", "adapter": "extra"})
        assert (answer.json()[0]["label"], answer.headers["x-adapter-version"]) == ("glad", first)
        (folder / "extra" / "adapter.json").write_text("{}")
        until(lambda: "cannot be loaded" in running.log.read_text())
        assert version_of(client) == first
        variant(exported, folder / "extra", "extra", str.title)
        until(lambda: version_of(client) != first)
        assert client.post(ROLLBACK).json()["version"] == first


def test_workers_put_back_together(zoo, exported, folder, admin):
    settings, headers = admin
    variant(exported, folder / "extra", "extra")

    def versions(running):
        found = set()
        for _ in range(12):
            found.add(
                running.post("/predict", {"inputs": "glad sun", "adapter": "extra"}).headers["x-adapter-version"]
            )
        return found

    with (
        service(zoo.bundle, adapters=str(folder), workers=2, **settings) as running,
        running.client(headers=headers) as client,
    ):
        until(lambda: "lowres_stilts_ready_workers 2.0" in running.get("/metrics").text)
        (first,) = versions(running)
        variant(exported, folder / "extra", "extra", str.upper)
        until(lambda: first not in versions(running))
        assert client.post(ROLLBACK).json()["version"] == first
        until(lambda: versions(running) == {first})


def test_only_as_many_former_versions_stay_as_adapters(zoo, exported, tmp_path):
    bundle = Bundle.load(zoo.bundle, threads=1)
    shelf = Shelf(bundle, most=2)
    for number in range(3):
        for change in (str.lower, str.upper):
            made = variant(exported, tmp_path / f"{number}-{change.__name__}", f"extra{number}", change)
            shelf.take(f"extra{number}", lambda made=made: bundle.load_adapter(made))
    assert list(shelf.replaced) == ["extra1", "extra2"]
    with pytest.raises(UsageError, match="no former version is in memory"):
        shelf.roll_back("extra0")
