import stat

import pytest

from lowres_stilts.errors import UsageError
from lowres_stilts.serving import keys as module
from lowres_stilts.serving.keys import KeyRing, add_key, read_keys
from lowres_stilts.serving.problems import Refusal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.yaml"


def test_a_file_holds_hashes_only_and_is_the_owners_alone(path):
    key = add_key(path, "alice", requests_per_minute=60)
    other = add_key(path, "bob")
    text = path.read_text()
    assert key not in text
    assert other not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ring = KeyRing(path)
    assert ring.owner(f"Bearer {key}").name == "alice"
    assert ring.owner(f"bearer  {other}").name == "bob"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic {key}", "{key}", "Bearer {key}x", "Bearer é"]
)
def test_others_are_refused(path, header):
    key = add_key(path, "alice")
    with pytest.raises(Refusal) as refused:
        KeyRing(path).owner(header and header.format(key=key))
    assert refused.value.status == 401
    assert refused.value.response().headers["www-authenticate"] == "Bearer"


def test_a_key_of_the_same_name_replaces_the_old_one(path):
    old = add_key(path, "alice")
    ring = KeyRing(path)
    new = add_key(path, "alice")
    ring.reload()
    assert ring.owner(f"Bearer {new}").name == "alice"
    with pytest.raises(Refusal):
        ring.owner(f"Bearer {old}")


def test_a_file_that_breaks_leaves_the_former_keys(path):
    key = add_key(path, "alice")
    ring = KeyRing(path)
    path.write_text("- name: [")
    with pytest.raises(UsageError, match="no YAML"):
        ring.reload()
    assert ring.owner(f"Bearer {key}").name == "alice"


HASH, OTHER = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: a, sha256: 12}", r"0\.sha256"),
        ("- {name: a, sha256: zz}", r"0\.sha256"),
        ("- {name: a}", r"0\.sha256: Field required"),
        (f"- {{name: 'a b', sha256: {HASH}}}", r"0\.name"),
        (f"- {{name: a, sha256: {HASH}, admin: true}}", r"0\.admin: Extra"),
        (f"- {{name: a, sha256: {HASH}}}\n- {{name: a, sha256: {OTHER}}}", "two keys have the same name"),
        ("name: a", "valid list"),
        ("\x00", "no YAML"),
    ],
)
def test_malformed_files_are_named(path, text, message):
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_keys(path)


def test_a_missing_file_and_a_wrong_name(path):
    with pytest.raises(UsageError, match="cannot be read"):
        KeyRing(path)
    with pytest.raises(UsageError, match="a b"):
        add_key(path, "a b")


def test_requests_at_a_time(path):
    key = add_key(path, "alice", concurrent=2)
    ring = KeyRing(path)
    owner = ring.owner(f"Bearer {key}")
    ring.enter(owner)
    ring.enter(owner)
    with pytest.raises(Refusal, match="2 requests at a time") as refused:
        ring.enter(owner)
    assert refused.value.status == 429
    ring.leave(owner)
    ring.enter(owner)


def test_requests_a_minute(path, monkeypatch):
    key = add_key(path, "alice", requests_per_minute=2)
    ring = KeyRing(path)
    owner = ring.owner(f"Bearer {key}")
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    ring.enter(owner)
    ring.enter(owner)
    with pytest.raises(Refusal, match="2 requests a minute") as refused:
        ring.enter(owner)
    assert refused.value.response().headers["retry-after"] == "30"
    now[0] += 31
    ring.enter(owner)
    with pytest.raises(Refusal):
        ring.enter(owner)
