"""What an unfriendly world sends: the right status, and a service that goes on, in the memory that it had."""

import contextlib
import json
import re
import threading
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.serving.raw import answer, connected, is_closed, request, send
from tests.serving.service import service

LIMITS = {"body_bytes": 100_000, "drained_bytes": 1_000_000, "header_seconds": 0.6, "body_seconds": 0.8,
          "connections": 40, "characters": 1000, "inputs": 8, "idle_seconds": 2}  # fmt: skip


@pytest.fixture(scope="module")
def strict(zoo):
    """A service with small limits."""
    with service(zoo.bundle, limits=LIMITS) as running:
        yield running


@pytest.fixture(autouse=True)
def is_alive(strict):
    yield
    assert strict.process.poll() is None
    assert strict.post("/embed", {"inputs": "glad"}).status_code == 200
    assert not [line for line in strict.lines() if line["level"] == "error"]


BODIES = {
    "nothing": (b"", 400),
    "no JSON": (b"{", 400),
    "more than JSON": (b'{"inputs":"a"}{}', 400),
    "invalid UTF-8": (b'{"inputs":"\xff\xfe"}', 400),
    "an overlong encoding": (b'{"inputs":"\xc0\xaf"}', 400),
    "an encoded surrogate": (b'{"inputs":"\xed\xa0\x80"}', 400),
    "half of a surrogate pair": (b'{"inputs":"\\ud800"}', 400),
    "the other half": (b'{"inputs":"a\\udfff"}', 400),
    "UTF-16": ('{"inputs":"a"}'.encode("utf-16"), 400),
    "a byte order mark": (b'\xef\xbb\xbf{"inputs":"a"}', 400),
    "deep lists": (b'{"inputs":' + b"[" * 40_000 + b"]" * 40_000 + b"}", 400),
    "deep objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
    "not a number": (b'{"inputs":NaN}', 422),
    "infinity": (b'{"inputs":-Infinity}', 422),
    "a number without end": (b'{"inputs":' + b"9" * 50_000 + b"}", 400),
    "a huge exponent": (b'{"inputs":1e999999}', 422),
    "a truth": (b"true", 422),
    "null": (b"null", 422),
    "many keys": (json.dumps({f"k{n}": n for n in range(5000)}).encode(), 422),
    "a long key": (json.dumps({"k" * 50_000: 1, "inputs": "a"}).encode(), 422),
    "too long a text": (json.dumps({"inputs": "a" * 1001}).encode(), 413),
    "too many texts": (json.dumps({"inputs": ["a"] * 9}).encode(), 413),
    "too many tokens": (json.dumps({"inputs": "glad " * 190}).encode(), 413),
    "a body over the limit": (b'{"inputs":"' + b"a" * 200_000 + b'"}', 413),
    "a pair of surrogates": (b'{"inputs":"\\ud83d\\ude00"}', 200),
    "no characters": (b'{"inputs":"\\u0000\\u200d\\ufeff\\u202e"}', 200),
    "white space": (b'{"inputs":" \\n\\t"}', 200),
    "many marks on one letter": (json.dumps({"inputs": "e" + "\u0301" * 50}).encode(), 200),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(strict, name):
    body, status = BODIES[name]
    found, headers, told = send(strict.port, request(body))
    assert found == status
    assert headers["x-request-id"]
    if status != 200:
        assert set(told) == {"error", "error_type"}
        assert len(told["error"]) < 300


def test_of_equal_keys_the_last_counts(strict, bundle):
    _, _, told = send(strict.port, request(b'{"inputs":"sad","inputs":"glad"}'))
    assert told[0] == pytest.approx(bundle.embed(["glad"])[0].tolist(), abs=1e-5)


@given(st.binary(max_size=200))
@example(b"\x00")
def test_any_bytes_as_a_body(strict, body):
    status, _, told = send(strict.port, request(body))
    assert status in {400, 422}
    assert told["error_type"] == "Validation"


@settings(max_examples=15)
@given(st.text(min_size=1, max_size=60))
def test_any_text_is_answered(strict, text):
    for path, body in [
        ("/embed", {"inputs": text, "truncate": True}),
        ("/token-classification", {"inputs": text, "adapter": "first-intermediate-tags"}),
        ("/question-answering", {"inputs": {"question": text, "context": text}, "adapter": "second"}),
        ("/predict", {"inputs": [text, text], "adapter": "first", "truncate": True}),
    ]:
        assert strict.post(path, body).status_code == 200, path


@given(st.binary(max_size=100))
@example(b"\x16\x03\x01\x02\x00\x01\x00\x01")
@example(b"GET / HTTP/9.9\r\n\r\n")
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
def test_any_bytes_as_a_request(strict, data):
    with connected(strict.port) as connection:
        connection.sendall(data + b"\r\n\r\n")
        try:
            status, _, told = answer(connection)
        except ConnectionError:
            return
        assert 400 <= status < 500
        assert "error" in told


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/json; charset=utf-8"}, 200),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": ""}, 200),
        ({"content_length": "-1"}, 400),
        ({"content_length": "1e3"}, 400),
        ({"content_length": "99999999999999999999999999"}, 400),
        ({"content_length": "14", "transfer_encoding": "chunked"}, 400),
        ({"x_a": "b" * 20_000}, 431),
        ({f"x_{n}": "1" for n in range(100)}, 431),
        ({"x_a": "b\x01c"}, 400),
        ({"authorization": "Bearer \xff\xfe"}, 200),
        ({"x_request_id": "a b; c"}, 200),
        ({"x_forwarded_for": "1.2.3.4, " * 50}, 200),
        ({"expect": "100-continue"}, 200),
        ({"upgrade": "websocket", "connection": "upgrade"}, 400),
        ({"accept_encoding": "gzip;q=" + "9" * 500}, 200),
        ({"host": ""}, 200),
    ],
)
def test_headers(strict, headers, status):
    found, _, _ = send(strict.port, request(b'{"inputs":"a"}', **headers))
    assert found == status


def test_a_request_id_is_taken_over_only_if_it_is_harmless(strict):
    _, headers, _ = send(strict.port, request(b'{"inputs":"a"}', x_request_id="abc-1"))
    assert headers["x-request-id"] == "abc-1"
    _, headers, _ = send(strict.port, request(b'{"inputs":"a"}', x_request_id="a\tb"))
    assert "\t" not in headers["x-request-id"]


@pytest.mark.parametrize(
    "path",
    [
        "/playground/../../../../etc/passwd",
        "/playground/%2e%2e/%2e%2e/etc/passwd",
        "/playground/..%2f..%2f..%2fetc%2fpasswd",
        "/playground//etc/passwd",
        "/playground/%00",
        "/playground/....//....//etc/passwd",
        "/playground/\\..\\..\\windows",
        "/%2e%2e/embed",
        "/admin/adapters/..%2f..%2fetc",
        "/admin/adapters",
        "/embed/",
        "//embed",
        "/docs",
        "/" + "a" * 5000,
        "/%ff%fe",
        "/embed%00",
    ],
)
def test_paths(strict, path):
    status, _, told = send(strict.port, request(b"", path=path, method="GET", content_length=""))
    assert status == 404
    assert told["error_type"] == "NotFound"


def test_a_long_address_is_refused(strict):
    assert send(strict.port, request(b"", path="/" + "a" * 17_000, method="GET"))[0] == 431


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "first\x00", "first/../second", "bundle/first/.."]
)
def test_names_are_no_paths(strict, name):
    assert strict.post("/embed", {"inputs": "a", "adapter": name}).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
def test_methods(strict, method):
    with connected(strict.port) as connection:
        connection.sendall(request(b"", method=method))
        head = connection.recv(65536)
    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"allow: POST" in head


def test_a_body_in_chunks_is_read(strict):
    data = request(b"", content_length="", transfer_encoding="chunked")
    assert send(strict.port, data + b'7\r\n{"input\r\n7\r\ns":"a"}\r\n0\r\n\r\n')[0] == 200


def test_a_body_without_end_is_cut_off(strict):
    before = strict.memory()
    with connected(strict.port) as connection:
        connection.sendall(request(b"", content_length="", transfer_encoding="chunked"))
        chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        try:
            for _ in range(400):
                connection.sendall(chunk)
        except ConnectionError:
            pass
        try:
            status, headers, _ = answer(connection)
        except ConnectionError:
            pass
        else:
            assert (status, headers["connection"]) == (413, "close")
    assert strict.memory() - before < 20e6


def test_an_over_long_body_is_read_before_it_is_refused(strict):
    """A client that only reads after it has written gets its answer, and can go on."""
    with connected(strict.port) as connection:
        connection.sendall(request(b"a" * 900_000))
        assert answer(connection)[0] == 413
        connection.sendall(request(b'{"inputs":"a"}'))
        assert answer(connection)[0] == 200


def test_a_head_that_comes_too_slowly(strict):
    with connected(strict.port) as connection:
        started = time.monotonic()
        for byte in b"POST /embed HTTP/1.1\r\nhost: x\r\n":
            try:
                connection.sendall(bytes([byte]))
            except ConnectionError:
                break
            time.sleep(0.05)
        assert is_closed(connection, 5)
        assert time.monotonic() - started < 4


def test_a_connection_that_says_nothing(strict):
    with connected(strict.port) as connection:
        assert answer(connection)[0] == 408
        assert is_closed(connection, 1)


def test_a_body_that_comes_too_slowly(strict):
    with connected(strict.port) as connection:
        connection.sendall(request(b"", content_length="100"))
        connection.sendall(b'{"inputs":')
        status, headers, _ = answer(connection)
        assert (status, headers["connection"]) == (408, "close")


def test_a_second_head_may_not_be_slow_either_but_waiting_is_allowed(strict):
    with connected(strict.port) as connection:
        connection.sendall(request(b'{"inputs":"a"}'))
        assert answer(connection)[0] == 200
        time.sleep(0.9)
        connection.sendall(request(b'{"inputs":"a"}'))
        assert answer(connection)[0] == 200
        connection.sendall(b"POST /em")
        assert answer(connection)[0] == 408


def test_requests_in_a_row_on_one_connection(strict):
    with connected(strict.port) as connection:
        connection.sendall(request(b'{"inputs":"a"}') + request(b"", path="/health") + request(b"{"))
        data = b""
        while data.count(b"HTTP/1.1 ") < 3:
            data += connection.recv(65536)
        assert re.findall(rb"HTTP/1\.1 (\d+)", data) == [b"200", b"405", b"400"]


def test_too_many_connections(strict):
    connections = []
    try:
        for _ in range(LIMITS["connections"] + 5):
            connection = connected(strict.port)
            connections.append(connection)
            last = connection.__enter__()
        status, headers, _ = answer(last)
        assert status == 503
        assert headers["retry-after"] == "1"
    finally:
        for connection in connections:
            connection.__exit__(None, None, None)
    time.sleep(0.2)


def test_clients_that_hang_up(strict):
    for _ in range(30):
        with connected(strict.port) as connection:
            connection.sendall(request(json.dumps({"inputs": ["glad sun"] * 8}).encode()))
    time.sleep(0.3)
    text = strict.get("/metrics").text
    assert "lowres_stilts_accepted_sequences 0.0" in text


def test_memory_stays_flat_under_abuse(strict):
    bodies = [body for body, _ in BODIES.values()]

    def abuse():
        for number in range(150):
            with contextlib.suppress(OSError):
                send(strict.port, request(bodies[number % len(bodies)]))

    def once():
        threads = [threading.Thread(target=abuse) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return strict.memory()

    first = once()
    assert once() - first < 10e6
