"""API keys: only hashes are kept, and comparing takes as long whatever is right."""

import hashlib
import hmac
import secrets
import time
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from lowres_stilts.errors import UsageError
from lowres_stilts.names import unreadable
from lowres_stilts.parts import Part
from lowres_stilts.serving.problems import TOO_MANY, UNAUTHORIZED, Refusal
from lowres_stilts.storage import write_text

PREFIX = "stilts-"
BYTES = 32
"""Of chance in a key: so many need no slow hash."""
MINUTE = 60.0


class Key(Part):
    """A client of the service."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """What logs and the queue call it."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    requests_per_minute: Annotated[int, Field(gt=0)] | None = None
    """For each worker process."""
    concurrent: Annotated[int, Field(gt=0)] | None = None
    """Requests at a time, for each worker process."""


KEYS = TypeAdapter(list[Key])


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def add_key(
    path: Path, name: str, *, requests_per_minute: int | None = None, concurrent: int | None = None
) -> str:
    """Adds a new key to a file, in the place of one of the same name; returns it, for it is nowhere else.

    Raises:
        UsageError: the file is malformed, or the name is none.
    """
    key = PREFIX + secrets.token_urlsafe(BYTES)
    kept = [other for other in read_keys(path) if other.name != name] if path.exists() else []
    try:
        added = Key(name=name, sha256=digest(key), requests_per_minute=requests_per_minute, concurrent=concurrent)
    except ValidationError as error:
        raise UsageError(f"{name!r}: {error.errors()[0]['msg']}") from None
    listed = [one.model_dump(exclude_none=True) for one in (*kept, added)]
    if not path.exists():
        path.touch(mode=0o600)
    mode = path.stat().st_mode
    write_text(path, yaml.safe_dump(listed, sort_keys=False))
    path.chmod(mode)
    return key


def read_keys(path: Path) -> list[Key]:
    """The keys of a file.

    Raises:
        UsageError: it cannot be read or is malformed.
    """
    try:
        keys = KEYS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or [])
    except OSError as error:
        raise UsageError(unreadable(path, error)) from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise UsageError(f"{path}: no YAML; write it with `lowres-stilts key`") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if len({key.name for key in keys}) != len(keys):
        raise UsageError(f"{path}: two keys have the same name; rename one")
    return keys


class KeyRing:
    """The keys of a file, as it is now, and what each has used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = path.stat().st_mtime_ns if path.exists() else 0
        self._keys = read_keys(path)
        self._credit: dict[str, tuple[float, float]] = {}
        self._running: dict[str, int] = {}

    def reload(self) -> None:
        """Reads the file again where it has changed.

        Raises:
            UsageError: it is malformed now; the keys that were read before stay.
        """
        changed = self._path.stat().st_mtime_ns if self._path.exists() else 0
        if changed != self._changed:
            self._changed = changed
            self._keys = read_keys(self._path)

    def owner(self, authorization: str | None) -> Key:
        """Whose key a request has.

        Raises:
            Refusal: it has none that is known.
        """
        scheme, _, given = (authorization or "").partition(" ")
        own = digest(given.strip()) if scheme.lower() == "bearer" else ""
        found = None
        for key in self._keys:
            # All are compared, so that time tells nothing.
            if hmac.compare_digest(key.sha256, own):
                found = key
        if found is None:
            raise Refusal(UNAUTHORIZED, "a key is needed: send the header Authorization: Bearer KEY")
        return found

    def enter(self, key: Key) -> None:
        """Counts a request against the limits of its key; `leave` has to follow.

        Raises:
            Refusal: it is over one of them.
        """
        running = self._running.get(key.name, 0)
        if key.concurrent is not None and running >= key.concurrent:
            raise Refusal(TOO_MANY, f"this key may have {key.concurrent} requests at a time", 1)
        if key.requests_per_minute is not None:
            self._spend(key.name, key.requests_per_minute)
        self._running[key.name] = running + 1

    def leave(self, key: Key) -> None:
        """A counted request is over."""
        self._running[key.name] -= 1

    def _spend(self, name: str, per_minute: int) -> None:
        now = time.monotonic()
        credit, then = self._credit.get(name, (float(per_minute), now))
        credit = min(float(per_minute), credit + (now - then) * per_minute / MINUTE)
        if credit < 1:
            self._credit[name] = (credit, now)
            wait = (1 - credit) * MINUTE / per_minute
            raise Refusal(TOO_MANY, f"this key may have {per_minute} requests a minute", wait)
        self._credit[name] = (credit - 1, now)
