"""HTTP by hand: what no well-behaved client would send."""

import json
import socket
import time
from contextlib import contextmanager
from typing import Any

PATIENCE = 30
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@contextmanager
def connected(port: int):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        yield connection


def request(body: bytes, path: str = "/embed", method: str = "POST", **headers: str) -> bytes:
    """A request with its length, unless `headers` say otherwise."""
    given = {"host": "x", "content-type": "application/json", "content-length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def answer(connection: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the next answer that is a final one."""
    data = b""
    while b"\r\n\r\n" not in data.removeprefix(CONTINUE):
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionResetError(data)
        data += chunk
    head, _, body = data.removeprefix(CONTINUE).partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return int(status.split()[1]), headers, json.loads(body) if body else None


def send(port: int, data: bytes) -> tuple[int, dict[str, str], Any]:
    """Sends bytes on a connection of their own."""
    with connected(port) as connection:
        connection.sendall(data)
        return answer(connection)


def is_closed(connection: socket.socket, seconds: float) -> bool:
    """Whether the server closes the connection within a time."""
    end = time.monotonic() + seconds
    connection.settimeout(seconds)
    try:
        while time.monotonic() < end:
            if not connection.recv(65536):
                return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return False
