"""A loopback server that speaks the Hub's protocol for repositories of models, as far as pushing and pulling go.

Tensors and graphs lie in LFS, which is another host, as on the Hub: it takes and gives files by address, without a
token.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import yaml

WRITER, READER = "hf_writer", "hf_reader"
USERS = {WRITER: ("me", True), READER: ("me", False), "hf_stranger": ("stranger", True)}
"""By token: who, and whether it can write."""


@dataclass
class Repository:
    private: bool
    branches: dict[str, str]
    commits: dict[str, dict[str, bytes]]
    """Files by path, by commit."""

    @property
    def head(self) -> dict[str, bytes]:
        return self.commits[self.branches["main"]]

    def add(self, branch: str, files: dict[str, bytes]) -> str:
        content = sorted((name, hashlib.sha1(data).hexdigest()) for name, data in files.items())
        commit = hashlib.sha1(json.dumps([len(self.commits), content]).encode()).hexdigest()
        self.commits[commit] = files
        self.branches[branch] = commit
        return commit


@dataclass
class Hub:
    """All state of the server, and what it does wrong."""

    endpoint: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """LFS objects by SHA-256."""
    log: list[tuple[str, str]] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    """Addresses of LFS that were asked for with a token."""
    page: int = 1000
    """Most repositories in one answer."""
    cut_uploads: int = 0
    """How many of the next uploads break off in the middle."""
    cut_downloads: int = 0
    fail_commits: int = 0
    stall: threading.Event | None = None
    """Transfers stop in the middle until it is set."""
    stalled: threading.Event = field(default_factory=threading.Event)
    bad_card: str = ""
    before_commit: Callable[[], object] | None = None
    """Called once, before the next commit."""

    def repository(self, name: str, files: dict[str, bytes], *, private: bool = False) -> Repository:
        repository = Repository(private, {}, {})
        repository.add("main", {".gitattributes": b"*.safetensors filter=lfs\n"} | files)
        self.repositories[name] = repository
        return repository

    def changes(self) -> list[tuple[str, str]]:
        """Requests that could change something."""
        return [(method, path) for method, path in self.log if method not in {"GET", "HEAD"}]


class RefusalError(Exception):
    """A status, the Hub's own code of the error, and its message."""


class CutError(Exception):
    """The connection breaks."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def log_message(self, *args: object) -> None:
        pass

    def answer(self) -> None:
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        self.hub.log.append((self.command, url.path))
        try:
            if parts[0] == "lfs":
                self.lfs(parts[1])
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.route(parts, parse_qs(url.query), body)
        except RefusalError as refusal:
            status, code, message = refusal.args
            headers = {"X-Error-Code": code, "X-Error-Message": message}
            self.send(status, json.dumps({"error": message}).encode(), {k: v for k, v in headers.items() if v})
        except (CutError, ConnectionError):
            self.close_connection = True

    def route(self, parts: list[str], query: dict[str, list[str]], body: bytes) -> None:
        match parts:
            case ["api", "models"]:
                self.search(query)
            case ["api", "repos", "create"]:
                self.create(json.loads(body))
            case ["api", "validate-yaml"]:
                self.validate()
            case ["api", "models", who, name, "revision", revision]:
                self.info(f"{who}/{name}", revision)
            case ["api", "models", who, name, "preupload", revision]:
                self.preupload(f"{who}/{name}", revision, json.loads(body))
            case ["api", "models", who, name, "commit", branch]:
                self.commit(f"{who}/{name}", branch, [json.loads(line) for line in body.splitlines()])
            case ["api", "models", who, name, "branch", branch]:
                repository = self.writable(f"{who}/{name}")
                repository.branches[branch] = repository.branches["main"]
                self.json({})
            case [who, name, "info", "lfs", "objects", "batch"]:
                self.batch(f"{who}/{name.removesuffix('.git')}", json.loads(body))
            case [who, name, "resolve", revision, *path]:
                self.resolve(f"{who}/{name}", revision, "/".join(path))
            case _:
                raise RefusalError(404, "NotFound", "")

    # Who may do what.

    def user(self) -> tuple[str, bool] | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in USERS:
            raise RefusalError(401, "", "Invalid credentials in Authorization header")
        return USERS.get(token)

    def readable(self, name: str) -> Repository:
        user = self.user()
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and (user is None or user[0] != owner(name))):
            raise RefusalError(404 if user else 401, "RepoNotFound", "Repository not found")
        return repository

    def writable(self, name: str) -> Repository:
        repository, user = self.readable(name), self.user()
        if user is None:
            raise RefusalError(401, "", "Unauthorized")
        if user != (owner(name), True):
            raise RefusalError(403, "", "Forbidden: you must have write access")
        return repository

    def files(self, name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        repository = self.readable(name)
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, repository.commits[commit]

    # What the API answers.

    def create(self, wanted: dict[str, Any]) -> None:
        name, user = f"{wanted['organization']}/{wanted['name']}", self.user()
        if user is None:
            raise RefusalError(401, "", "Unauthorized")
        if user != (wanted["organization"], True):
            raise RefusalError(403, "", "You don't have the rights to create a model under this namespace")
        if name in self.hub.repositories:
            raise RefusalError(409, "", "You already created this model repo")
        self.hub.repository(name, {}, private=wanted.get("private", False))
        self.json({"url": f"{self.hub.endpoint}/{name}"})

    def validate(self) -> None:
        if self.hub.bad_card:
            answer = {"errors": [{"message": self.hub.bad_card}], "warnings": []}
            self.send(400, json.dumps(answer).encode(), {"Content-Type": "application/json"})
        else:
            self.json({"errors": [], "warnings": []})

    def info(self, name: str, revision: str) -> None:
        commit, files = self.files(name, revision)
        listed = [listed_file(path, content) for path, content in sorted(files.items())]
        self.json({"id": name, "sha": commit, "private": self.hub.repositories[name].private, "siblings": listed})

    def search(self, query: dict[str, list[str]]) -> None:
        """All repositories that the user sees and that have all tags, page by page."""
        user = self.user()
        seen = [
            (name, repository)
            for name, repository in self.hub.repositories.items()
            if not repository.private or (user is not None and user[0] == owner(name))
        ]
        listed = [listed_model(name, repository) for name, repository in seen]
        found = [
            model
            for model in listed
            if set(query.get("filter", [])) <= set(model["tags"])
            and query.get("author", [owner(model["id"])]) == [owner(model["id"])]
            and all(word.lower() in model["id"].lower() for word in query.get("search", []))
        ]
        start = int(query.get("cursor", ["0"])[0])
        end = start + min(self.hub.page, int(query.get("limit", ["1000"])[0]))
        headers = {"Content-Type": "application/json"}
        if end < len(found):
            following = urlencode(query | {"cursor": [str(end)]}, doseq=True)
            headers["Link"] = f'<{self.hub.endpoint}/api/models?{following}>; rel="next"'
        self.send(200, json.dumps(found[start:end]).encode(), headers)

    def preupload(self, name: str, revision: str, asked: dict[str, Any]) -> None:
        self.writable(name)
        _, files = self.files(name, revision)
        answers = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if in_lfs(file["path"]) else "regular",
                "shouldIgnore": False,
                "oid": git_blob(files[file["path"]]) if file["path"] in files else None,
            }
            for file in asked["files"]
        ]
        self.json({"files": answers})

    def batch(self, name: str, asked: dict[str, Any]) -> None:
        self.writable(name)
        objects: list[dict[str, Any]] = []
        for wanted in asked["objects"]:
            action = {"upload": {"href": f"{self.elsewhere()}/lfs/{wanted['oid']}"}}
            objects.append(wanted | ({} if wanted["oid"] in self.hub.objects else {"actions": action}))
        self.json({"transfer": "basic", "objects": objects})

    def commit(self, name: str, branch: str, lines: list[dict[str, Any]]) -> None:
        repository = self.writable(name)
        if self.hub.fail_commits:
            self.hub.fail_commits -= 1
            raise RefusalError(503, "", "Service Unavailable")
        if self.hub.before_commit:
            self.hub.before_commit()
            self.hub.before_commit = None
        header = lines[0]["value"]
        if header.get("parentCommit", repository.branches[branch]) != repository.branches[branch]:
            raise RefusalError(412, "", "A commit has happened since")
        files = dict(repository.commits[repository.branches[branch]])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        commit = repository.add(branch, files)
        url = f"{self.hub.endpoint}/{name}/commit/{commit}"
        self.json({"success": True, "commitUrl": url, "commitOid": commit})

    # Files.

    def resolve(self, name: str, revision: str, path: str) -> None:
        commit, files = self.files(name, revision)
        if path not in files:
            raise RefusalError(404, "EntryNotFound", "Entry not found")
        content, headers = files[path], {"X-Repo-Commit": commit}
        if in_lfs(path):
            oid = hashlib.sha256(content).hexdigest()
            self.hub.objects[oid] = content
            linked = {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
            self.send(302, b"", headers | linked | {"Location": f"{self.elsewhere()}/lfs/{oid}"})
        else:
            self.content(content, headers | {"ETag": f'"{git_blob(content)}"'})

    def lfs(self, oid: str) -> None:
        if self.headers.get("Authorization"):
            self.hub.leaked.append(self.path)
        if self.command == "PUT":
            self.receive(oid)
        else:
            self.content(self.hub.objects[oid], {"ETag": f'"{oid}"'})

    def receive(self, oid: str) -> None:
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length // 2)
        if self.hub.cut_uploads:
            self.hub.cut_uploads -= 1
            raise CutError
        self.wait()
        content += self.rfile.read(length - length // 2)
        if hashlib.sha256(content).hexdigest() != oid:
            raise RefusalError(400, "", "The content has another SHA-256")
        self.hub.objects[oid] = content
        self.send(200, b"", {})

    def content(self, content: bytes, headers: dict[str, str]) -> None:
        start, status = 0, 200
        headers = headers | {"Accept-Ranges": "bytes"}
        if asked := self.headers.get("Range"):
            start, status = int(asked.removeprefix("bytes=").split("-")[0]), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send(status, content[start:], headers)

    def wait(self) -> None:
        if self.hub.stall is not None:
            self.hub.stalled.set()
            self.hub.stall.wait(60)

    def elsewhere(self) -> str:
        return self.hub.endpoint.replace("127.0.0.1", "localhost")

    def json(self, answer: dict[str, Any]) -> None:
        self.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        is_transfer = self.command == "GET" and self.path.startswith("/lfs/")
        half = len(content) // 2 if is_transfer else 0
        self.wfile.write(content[:half])
        if is_transfer and self.hub.cut_downloads:
            self.hub.cut_downloads -= 1
            raise CutError
        if is_transfer:
            self.wfile.flush()
            self.wait()
        self.wfile.write(content[half:])


def owner(name: str) -> str:
    return name.partition("/")[0]


def in_lfs(path: str) -> bool:
    return path.endswith((".safetensors", ".bin", ".onnx"))


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def listed_model(name: str, repository: Repository) -> dict[str, Any]:
    """As the Hub lists a model: tags are those of the card, and some that it makes of its other keys."""
    matter = repository.head.get("README.md", b"").decode(errors="replace").split("---\n")
    card = yaml.safe_load(matter[1]) if len(matter) > 2 else {}
    bases = [f"base_model:{kind}{card['base_model']}" for kind in ("", "adapter:")] if "base_model" in card else []
    library = [card["library_name"]] if "library_name" in card else []
    return {
        "_id": hashlib.sha1(name.encode()).hexdigest()[:24],
        "id": name,
        "modelId": name,
        "likes": 0,
        "private": repository.private,
        "downloads": 0,
        "tags": [*library, *card.get("tags", []), *bases, "region:us"],
        "createdAt": "2026-01-01T00:00:00.000Z",
    }


def listed_file(path: str, content: bytes) -> dict[str, Any]:
    if not in_lfs(path):
        return {"rfilename": path, "size": len(content), "blobId": git_blob(content)}
    oid = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n".encode()
    lfs = {"sha256": oid, "size": len(content), "pointerSize": len(pointer)}
    return {"rfilename": path, "size": len(content), "blobId": git_blob(pointer), "lfs": lfs}


@contextmanager
def hub_serving() -> Iterator[Hub]:
    """An empty Hub on this machine, while the context lasts."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
