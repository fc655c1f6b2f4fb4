"""A loopback server that speaks the Hub's protocol, as far as reading data sets goes.

It serves `root/OWNER/NAME/COMMIT/...`; `root/OWNER/NAME/refs.json` maps branches and tags to commits, and a file
`gated` or `broken` beside it closes the data set to everybody.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class RefusalError(Exception):
    """A status and the Hub's own code of the error."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def log_message(self, *args: object) -> None:
        pass

    def answer(self) -> None:
        url = urlsplit(self.path)
        # Slashes within a revision come quoted, so that the parts are told apart before they are unquoted.
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if parts[:2] == ["api", "datasets"]:
                self.api(parts[2:4], *parts[4:], query=parse_qs(url.query), body=body)
            elif parts[0] == "datasets" and parts[3] == "resolve":
                self.file(parts[1:3], parts[4], "/".join(parts[5:]))
            else:
                raise RefusalError(404, "NotFound")
        except RefusalError as refusal:
            status, code = refusal.args
            self.send(status, b"{}", {"X-Error-Code": code})

    def api(
        self, name: list[str], kind: str = "revision", revision: str = "main", *path: str, query, body
    ) -> None:
        commit = self.commit(name, revision)
        entries = list(listing(commit))
        answer: Any
        if kind == "revision":
            files = [{"rfilename": entry["path"]} for entry in entries if entry["type"] == "file"]
            answer = {"id": "/".join(name), "sha": commit.name, "private": False, "siblings": files}
        elif kind == "tree":
            folder = "/".join(path)
            if not (commit / folder).is_dir():
                raise RefusalError(404, "EntryNotFound")
            recursive = query.get("recursive", [""])[0].lower() in {"true", "1"}
            answer = [entry for entry in entries if stands_in(entry["path"], folder, recursive)]
        elif kind == "paths-info":
            wanted = parse_qs(body.decode())["paths"]
            answer = [entry for entry in entries if entry["path"] in wanted]
        else:
            raise RefusalError(404, "NotFound")
        self.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def file(self, name: list[str], revision: str, path: str) -> None:
        commit = self.commit(name, revision)
        if (commit.parent / "gated").exists():
            raise RefusalError(403, "GatedRepo")
        if not (commit / path).is_file():
            raise RefusalError(404, "EntryNotFound")
        content = (commit / path).read_bytes()
        headers = {"ETag": f'"{digest(content)}"', "X-Repo-Commit": commit.name, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range")
        if asked is None:
            self.send(200, content, headers)
            return
        first, last = asked.removeprefix("bytes=").split("-")
        start, end = int(first), min(int(last or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        self.send(206, content[start : end + 1], headers)

    def commit(self, name: list[str], revision: str) -> Path:
        repository = self.root.joinpath(*name)
        if (repository / "broken").exists():
            raise RefusalError(503, "Unavailable")
        if not (repository / "refs.json").exists():
            raise RefusalError(404, "RepoNotFound")
        commit = repository / json.loads((repository / "refs.json").read_text()).get(revision, revision)
        if not commit.is_dir():
            raise RefusalError(404, "RevisionNotFound")
        return commit

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def listing(commit: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(commit.rglob("*")):
        name = path.relative_to(commit).as_posix()
        if path.is_dir():
            yield {"type": "directory", "path": name, "oid": digest(name.encode()), "size": 0}
        else:
            content = path.read_bytes()
            yield {"type": "file", "path": name, "oid": digest(content), "size": len(content)}


def stands_in(path: str, folder: str, recursive: bool) -> bool:
    inside = path.removeprefix(f"{folder}/" if folder else "")
    return (not folder or inside != path) and (recursive or "/" not in inside)


def digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The endpoint of a server of this folder, while the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (Handler,), {"root": root}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
