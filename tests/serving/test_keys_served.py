"""Keys over HTTP."""

import time

import pytest
from openai import AuthenticationError, OpenAI

from lowres_stilts.serving.keys import add_key
from tests.serving.service import service


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def keys(files):
    return {
        "alice": add_key(files / "keys.yaml", "alice"),
        "slow": add_key(files / "keys.yaml", "slow", requests_per_minute=2),
        "admin": add_key(files / "admin.yaml", "root"),
    }


@pytest.fixture(scope="module")
def locked(zoo, files, keys):
    with service(
        zoo.bundle, keys=str(files / "keys.yaml"), admin_keys=str(files / "admin.yaml"), open_metrics=False
    ) as running:
        yield running


def bearer(key):
    return {"headers": {"authorization": f"Bearer {key}"}}


PRIVATE = ["/info", "/v1/models", "/metrics", "/admin/adapters"]


@pytest.mark.parametrize("path", PRIVATE)
def test_without_a_key(locked, path):
    refused = locked.get(path)
    assert refused.status_code == 401
    assert refused.json()["error_type"] == "Unauthorized"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert locked.get(path, **bearer("stilts-wrong")).status_code == 401


def test_what_is_for_everybody(locked):
    for path in ("/health", "/", "/openapi.json"):
        assert locked.get(path).status_code == 200
    for path in ("/embed", "/"):
        assert locked.post(path, {"inputs": "a"}).status_code == 401


def test_with_a_key(locked, keys):
    assert locked.post("/embed", {"inputs": "a"}, **bearer(keys["alice"])).status_code == 200
    with OpenAI(base_url=f"{locked.url}/v1", api_key=keys["alice"], max_retries=0) as client:
        assert client.embeddings.create(model="bundle", input="a").data
    with (
        OpenAI(base_url=f"{locked.url}/v1", api_key="no", max_retries=0) as client,
        pytest.raises(AuthenticationError),
    ):
        client.embeddings.create(model="bundle", input="a")
    time.sleep(0.1)
    assert "key:alice" in {line.get("client") for line in locked.lines()}


def test_keys_and_admin_keys_are_apart(locked, keys):
    assert locked.get("/admin/adapters", **bearer(keys["admin"])).status_code == 200
    assert locked.get("/admin/adapters", **bearer(keys["alice"])).status_code == 401
    assert locked.get("/info", **bearer(keys["admin"])).status_code == 401


def test_limits_of_a_key_are_its_own(locked, keys):
    statuses = [locked.post("/embed", {"inputs": "a"}, **bearer(keys["slow"])).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = locked.post("/embed", {"inputs": "a"}, **bearer(keys["slow"]))
    assert 20 <= int(refused.headers["retry-after"]) <= 30
    assert locked.post("/embed", {"inputs": "a"}, **bearer(keys["alice"])).status_code == 200


def test_a_key_is_good_and_bad_without_a_restart(locked, files):
    path = files / "keys.yaml"
    before = path.read_text()
    key = add_key(path, "carol")
    try:
        _until(lambda: locked.get("/info", **bearer(key)).status_code == 200)
    finally:
        path.write_text(before)
    _until(lambda: locked.get("/info", **bearer(key)).status_code == 401)


def test_no_key_is_logged(locked, keys):
    text = locked.log.read_text()
    assert not any(key in text for key in keys.values())


def test_there_are_no_admin_routes_without_admin_keys(served):
    assert served.get("/admin/adapters").status_code == 404
    assert served.post("/admin/adapters", {"name": "first"}).status_code == 404
    assert "/admin/adapters" not in served.get("/openapi.json").json()["paths"]


def _until(is_so):
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
