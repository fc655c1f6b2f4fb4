"""Adapters at run time, while requests are answered."""

import json
import os
import random
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from lowres_stilts.errors import UsageError
from lowres_stilts.runtime.sums import write_sums
from lowres_stilts.serving.catalog import bundle_name
from lowres_stilts.serving.keys import add_key
from tests.bundles import copied, sentence
from tests.downloads import link_to_snapshot, local, snapshot
from tests.hub_repo_server import hub_serving
from tests.serving.load import Load, labels, questions
from tests.serving.service import PATIENCE, service
from tests.shell import hub_environment

SUFFIX = ".onnx_adapter"


def variant(exported: Path, folder: Path, name: str, change=str) -> Path:
    """The same adapter under another name, its labels changed."""
    temporary = shutil.copytree(exported, folder.parent / f".{folder.name}.new")
    (temporary / f"first{SUFFIX}").rename(temporary / f"{name}{SUFFIX}")
    described = json.loads((temporary / "adapter.json").read_text())
    described["adapter"] |= {"name": name, "labels": [change(label) for label in described["adapter"]["labels"]]}
    (temporary / "adapter.json").write_text(json.dumps(described))
    write_sums(temporary)
    if folder.exists():
        shutil.rmtree(folder)
    return temporary.rename(folder)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "adapters").mkdir()
    return tmp_path / "adapters"


@pytest.fixture
def admin(tmp_path):
    key = add_key(tmp_path / "admin.yaml", "root")
    return {"admin_keys": str(tmp_path / "admin.yaml")}, {"authorization": f"Bearer {key}"}


def until(is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def first_label(running, adapter, text="glad sun"):
    answer = running.post("/predict", {"inputs": text, "adapter": adapter})
    return answer.json()[0]["label"] if answer.status_code == 200 else answer.status_code


def test_adapters_come_change_and_go_with_their_folders(zoo, exported, folder):
    with service(zoo.bundle, adapters=str(folder)) as running:
        assert first_label(running, "extra") == 404
        variant(exported, folder / "extra", "extra")
        until(lambda: first_label(running, "extra") == first_label(running, "first"))
        variant(exported, folder / "extra", "extra", str.upper)
        until(lambda: first_label(running, "extra") == first_label(running, "first").upper())
        shutil.rmtree(folder / "extra")
        until(lambda: first_label(running, "extra") == 404)
        assert first_label(running, "first") == "glad"


def test_what_the_hubs_tools_downloaded_is_served(zoo, exported, folder, tmp_path):
    """A bundle and adapters, as links and beside what was noted of their download."""
    made = variant(exported, tmp_path / "made", "extra", str.upper)
    (tmp_path / "latest").symlink_to(snapshot(zoo.bundle, tmp_path / "cache"))
    link_to_snapshot(exported, tmp_path / "one").rename(folder / "one")
    local(made, folder / "two")
    with service(tmp_path / "latest", adapters=str(folder)) as running:
        until(lambda: first_label(running, "extra") == "GLAD")
        until(lambda: len([line for line in running.lines() if line["event"] == "adapter loaded"]) == 2)
        assert first_label(running, "first") == "glad"
        assert running.get("/v1/models").json()["data"][0]["id"] == "latest"
        with (folder / "one" / "adapter.json").open("a") as described:
            described.write(" ")
        until(lambda: "cannot be loaded" in running.log.read_text())
        (told,) = {line["reason"] for line in running.lines() if line["event"] == "an adapter cannot be loaded"}
        assert told.startswith(f"{folder / 'one' / 'adapter.json'}: changed since it was summed")


def test_a_damaged_adapter_is_told_and_taken_once_it_is_sound(zoo, exported, folder):
    with service(zoo.bundle, adapters=str(folder)) as running:
        made = variant(exported, folder / "extra", "extra")
        until(lambda: first_label(running, "extra") == "glad")
        file = made / f"extra{SUFFIX}"
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        until(lambda: "cannot be loaded" in running.log.read_text())
        assert first_label(running, "extra") == "glad", "what was loaded is not what was written over"
        (told,) = {line["reason"] for line in running.lines() if line["event"] == "an adapter cannot be loaded"}
        assert "changed since it was summed" in told
        file.write_bytes(whole)
        until(lambda: len([line for line in running.lines() if line["event"] == "adapter loaded"]) == 2)
        assert first_label(running, "extra") == "glad"


def test_folders_may_have_any_name(zoo, exported, folder):
    with service(zoo.bundle, adapters=str(folder)) as running:
        variant(exported, folder / os.fsdecode(b"mod\xe8le \n (2)"), "extra")
        until(lambda: first_label(running, "extra") == "glad")
        odd = shutil.copytree(exported, folder / "odd")
        (odd / f"first{SUFFIX}").rename(odd / os.fsdecode(b"mod\xe8le.onnx_adapter"))
        until(lambda: "cannot be loaded" in running.log.read_text())
        (told,) = (line for line in running.lines() if line["event"] == "an adapter cannot be loaded")
        assert told["adapter"] == r"mod\xe8le"
        assert first_label(running, "first") == "glad"


def test_a_bundle_is_asked_for_by_the_name_of_its_folder(zoo, tmp_path, admin):
    settings, headers = admin
    odd = copied(zoo.bundle, tmp_path / "Bündel + 2")
    with service(zoo.bundle, odd, **settings) as running, running.client(headers=headers) as client:
        assert first_label(running, "Bündel + 2/first") == "glad"
        address = f"/admin/adapters/{quote('Bündel + 2/first')}"
        assert client.delete(address).json() == {"unloaded": "Bündel + 2/first"}
        assert first_label(running, "Bündel + 2/first") == 404
        assert first_label(running, f"{zoo.bundle.name}/first") == "glad"


@pytest.mark.parametrize("name", [b"mod\xe8le", b"two\nlines"])
def test_a_bundle_that_no_request_could_name_is_refused(name, tmp_path):
    (tmp_path / os.fsdecode(name)).mkdir()
    with pytest.raises(UsageError, match="a bundle is named after its folder, in printable UTF-8; rename it"):
        bundle_name(tmp_path / os.fsdecode(name))


def test_an_adapter_of_the_folder_goes_before_one_of_the_bundle(zoo, exported, folder):
    with service(zoo.bundle, adapters=str(folder)) as running:
        variant(exported, folder / "first", "first", str.upper)
        until(lambda: first_label(running, "first") == "GLAD")
        shutil.rmtree(folder / "first")
        until(lambda: first_label(running, "first") == "glad")


def test_swaps_under_load_harm_nobody(zoo, bundle, exported, folder):
    """Every answer is that of its text, whole, from the adapter before or after the swap."""
    rng = random.Random(5)
    asked = [labels(bundle, sentence(rng, rng.randint(1, 9)), "first", "swapped") for _ in range(20)]
    cases = set()
    for question in asked:
        question.is_right = both(question.is_right, cases)
    variant(exported, folder / "swapped", "swapped")
    with service(zoo.bundle, adapters=str(folder), watch_seconds=0.05) as running:
        with Load(running.url, asked + questions(bundle, rng, 20), clients=8) as load:
            for number in range(8):
                variant(exported, folder / "swapped", "swapped", [str.upper, str.lower][number % 2])
                load.wait_for(load.statuses[200] + 80)
        swaps = [line for line in running.lines() if line["event"] == "adapter loaded"]
    assert not load.wrong
    assert set(load.statuses) == {200}, "though its folder is not there while it is replaced"
    assert len(swaps) >= 5
    assert cases == {"glad", "GLAD"}


def both(is_right, cases):
    def check(found):
        own = {entry["label"] for entry in found}
        cases.add("GLAD" if "GLAD" in own else "glad")
        return own in ({"GLAD", "SAD", "CALM"}, {"glad", "sad", "calm"}) and is_right(found)

    return check


def test_unloading_and_loading_by_an_admin_under_load(zoo, bundle, admin):
    settings, headers = admin
    rng = random.Random(6)
    asked = questions(bundle, rng, 24)
    with service(zoo.bundle, **settings) as running, running.client(headers=headers) as client:
        listed = client.get("/admin/adapters").json()
        assert {one["name"] for one in listed["adapters"]} == set(bundle.adapters)
        assert all(one["loaded"] for one in listed["adapters"])
        with Load(running.url, asked, clients=6) as load:
            for _ in range(10):
                assert client.delete("/admin/adapters/first").json() == {"unloaded": "first"}
                load.wait_for(load.statuses[200] + 10)
                assert client.post("/admin/adapters", json={"name": "first"}).json()["loaded"] is True
                load.wait_for(load.statuses[200] + 10)
        assert not load.wrong
        assert set(load.statuses) == {200, 404}
        client.delete("/admin/adapters/first")
        assert client.get("/admin/adapters").json()["unloaded"] == ["first"]
        assert "first" not in [one["id"] for one in client.get("/v1/models").json()["data"]]
        assert client.delete("/admin/adapters/first").status_code == 404
        for name in ("nobody", "../first", "bundle/../first"):
            refused = client.post("/admin/adapters", json={"name": name})
            assert (refused.status_code, refused.json()["error_type"]) == (404, "NotFound")
        assert client.post("/admin/adapters", json={"repo": "a/b"}).status_code == 403
        assert client.post("/admin/adapters", json={}).status_code == 422


def test_a_request_in_flight_keeps_its_adapter(zoo, bundle, admin):
    settings, headers = admin
    body = {"inputs": {"question": "a", "context": "glad sun " * 15_000}, "adapter": "second"}
    with service(
        zoo.bundle, queue={"tokens_per_run": 50, "runs": 1}, limits={"characters": 200_000}, **settings
    ) as running:
        found = []
        asking = threading.Thread(target=lambda: found.append(running.post("/question-answering", body)))
        asking.start()
        until(lambda: "lowres_stilts_accepted_sequences 1.0" in running.get("/metrics").text)
        with running.client(headers=headers) as client:
            assert client.delete("/admin/adapters/second").status_code == 200
        assert asking.is_alive(), "it is still being answered"
        assert running.post("/question-answering", body).status_code == 404
        asking.join()
    assert found[0].status_code == 200
    expected = bundle.predict([("a", "glad sun " * 15_000)], "second")[0]
    assert found[0].json()["score"] == pytest.approx(expected.score, abs=1e-3)


def test_few_in_memory_and_all_answer(zoo, bundle, admin):
    settings, headers = admin
    asked = questions(bundle, random.Random(7), 24)
    with service(zoo.bundle, adapters_loaded=1, **settings) as running:
        with Load(running.url, asked, clients=6) as load:
            load.wait_for(200)
        assert not load.wrong
        assert set(load.statuses) == {200}
        with running.client(headers=headers) as client:
            listed = client.get("/admin/adapters").json()["adapters"]
        assert len(listed) == 6
        assert sum(one["loaded"] for one in listed) == 1


def test_several_bundles(zoo, bundle, exported, folder, tmp_path):
    other = copied(zoo.bundle, tmp_path / "other")
    (folder / "other").mkdir()
    variant(exported, folder / "other" / "extra", "extra", str.upper)
    with service(zoo.bundle, other, adapters=str(folder)) as running:
        names = [one["id"] for one in running.get("/v1/models").json()["data"]]
        assert names[:2] == ["bundle", "other"]
        assert {"bundle/first", "other/first", "other/extra"} <= set(names)
        assert "bundle/extra" not in names
        assert first_label(running, "bundle/first") == first_label(running, "other/first") == "glad"
        assert first_label(running, "other/extra") == "GLAD"
        assert first_label(running, "first") == 404
        found = running.post("/embed", {"inputs": "glad", "model": "other"}).json()
        assert found[0] == pytest.approx(bundle.embed(["glad"])[0].tolist(), abs=1e-5)


def test_workers_follow_each_other(zoo, admin):
    settings, headers = admin

    def statuses(running):
        return {first_label(running, "first") for _ in range(12)}

    with service(zoo.bundle, workers=2, **settings) as running, running.client(headers=headers) as client:
        until(lambda: "lowres_stilts_ready_workers 2.0" in running.get("/metrics").text)
        assert client.delete("/admin/adapters/first").status_code == 200
        until(lambda: statuses(running) == {404})
        assert client.post("/admin/adapters", json={"name": "first"}).status_code == 200
        until(lambda: statuses(running) == {"glad"})


def test_adapters_of_the_hub(zoo, exported, folder, admin, tmp_path):
    settings, headers = admin
    made = variant(exported, tmp_path / "shared", "shared", str.upper)
    files = {path.name: path.read_bytes() for path in made.iterdir()}
    with hub_serving() as hub:
        hub.repository("me/shared", {**files, "README.md": b"# Shared\n", "evil.py": b"raise SystemExit\n"})
        damaged = {**files, f"shared{SUFFIX}": files[f"shared{SUFFIX}"] + b"more"}
        hub.repository("me/damaged", damaged)
        known = hub_environment(hub.endpoint, tmp_path / "home")
        with (
            service(zoo.bundle, adapters=str(folder), hub=True, environment=known, **settings) as running,
            running.client(headers=headers) as client,
        ):
            loaded = client.post("/admin/adapters", json={"repo": "me/shared"})
            assert (loaded.status_code, loaded.json()["name"]) == (200, "shared"), loaded.text
            assert first_label(running, "shared") == "GLAD"
            assert {path.name for path in (folder / "shared").iterdir()} == set(files)
            for repo, status in [("me/damaged", 424), ("me/nobody", 424), ("../../etc", 422), ("a/b/c", 422)]:
                refused = client.post("/admin/adapters", json={"repo": repo})
                assert (refused.status_code, refused.json()["error"].count("\n")) == (status, 0)
                assert str(folder) not in refused.text
            assert [path.name for path in folder.iterdir()] == ["shared"]
