"""Twenty thousand damaged files of every layout: examples, or one of the project's own data errors."""

import json
import random
from collections.abc import Callable

import pytest

from lowres_stilts.data.examples import Pool
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.source import FolderSource
from tests.official import ANSWERS, OFFICIAL, POOLS

PER_TASK = 600
JUNK = [
    b"\x00", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b"\n\n", b"\t", b"\t\t", b'"', b"'", b"\\",
    b"{", b"}", b"[", b"]", b",", b":", b" ", b"\xe2\x80\xa8", b"-", b"#", b"1-2", b"9" * 5000, b"[" * 3000,
    b"\\ud800", b"null", b"NaN", b"1e999", b"true",
]  # fmt: skip
VALUES = [None, True, -1, 10**30, 1.5, "", " ", "\ud800", [], {}, [None], {"a": 1}, ["x"], "x" * 3000]


def flip(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:first] + data[last:]


def insert(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(JUNK) + data[place:]


def repeat_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    return b"".join(lines)


def replace_value(data: bytes, rng: random.Random) -> bytes:
    """Another value somewhere in the first JSON document, or plain damage where there is none."""
    try:
        document = json.loads(data.split(b"\n")[0])
    except (ValueError, RecursionError):
        return insert(flip(data, rng), rng)
    places: list[tuple[dict | list, object]] = []

    def walk(value: object) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in list(items):
            places.append((value, key))
            walk(inner)

    walk(document)
    if not places:
        return json.dumps(rng.choice(VALUES)).encode()
    parent, key = rng.choice(places)
    if isinstance(parent, dict) and rng.random() < 0.2:
        del parent[key]
    else:
        parent[key] = rng.choice(VALUES)
    return json.dumps(document).encode()


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [flip, cut, insert, repeat_line, replace_value]


def damaged(content: str, rng: random.Random) -> bytes:
    data = content.encode()
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(MUTATIONS)(data or b"x", rng)
    return data


def require_own_error(read: Callable[[], object], folder: str) -> bool:
    """Whether it was refused; any other exception than the project's own fails the test."""
    try:
        read()
    except DataError as error:
        assert folder in str(error)
        assert "\n" not in str(error)
        return True
    return False


@pytest.mark.parametrize("name", OFFICIAL)
def test_damaged_records_give_examples_or_data_errors(name, tmp_path):
    task, rng = REGISTRY[name], random.Random(name)
    split = next(iter(task.files))
    path = FolderSource(tmp_path).paths(task, split, task.english)[0]
    path.parent.mkdir(parents=True)
    refused = 0
    for _ in range(PER_TASK):
        path.write_bytes(damaged(OFFICIAL[name], rng))
        refused += require_own_error(lambda: list(task.read(path)), str(tmp_path))
    assert refused > PER_TASK / 50


@pytest.mark.parametrize("name", POOLS)
def test_damaged_pools_give_pools_or_data_errors(name, tmp_path):
    task, rng = REGISTRY[name], random.Random(name)
    split, language = next(iter(task.files)), ANSWERS[name][0]
    source = FolderSource(tmp_path)
    folder = source.paths(task, split, language)[0].parent
    folder.mkdir(parents=True)
    files = {
        folder / file.replace("{split}", split).replace("{lang}", language): content
        for file, content in POOLS[name].items()
    }
    refused = 0
    for _ in range(PER_TASK):
        for path, content in files.items():
            path.write_text(content)
        harmed = rng.choice(list(files))
        harmed.write_bytes(damaged(files[harmed], rng))
        refused += require_own_error(lambda: isinstance(source.pool(task, split, language), Pool), str(tmp_path))
    assert refused > PER_TASK / 50


def test_it_is_twenty_thousand_and_more():
    assert PER_TASK * (len(OFFICIAL) + len(POOLS)) >= 20_000
