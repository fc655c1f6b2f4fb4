"""Repositories of the Hugging Face Hub: what they hold of a package or bundle, and what goes wrong with them."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from lowres_stilts.data.hub_problems import causes, is_unreachable, status_of
from lowres_stilts.errors import LowresStiltsError, PackageError, UsageError
from lowres_stilts.hub.checksums import can_belong
from lowres_stilts.sums import sha256_of

NAME = re.compile(r"\b[\w.-]{1,96}\b/\b[\w.-]{1,96}\b", re.ASCII)
PATIENCE = 10
"""Seconds until the Hub counts as unreachable."""
LOG_IN = "log in with `hf auth login` or set HF_TOKEN"
REFUSALS = {
    401: f"the Hub does not accept the token; {LOG_IN} anew",
    403: f"the token does not allow that; take one with access to this repository and {LOG_IN}",
    409: "somebody changed it at the same time; try again",
    412: "somebody changed it at the same time; try again",
    429: "the Hub has had too many requests; try again later",
}


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub lists it."""

    size: int
    """In bytes."""
    blob: str
    """Git's hash of what git holds of it."""
    sha256: str | None
    """Of the content, where git holds only a pointer to it."""

    def equals(self, path: Path) -> bool:
        """Whether a file has the same bytes."""
        if path.stat().st_size != self.size:
            return False
        return sha256_of(path) == self.sha256 if self.sha256 else git_blob(path.read_bytes()) == self.blob


@dataclass(frozen=True)
class Remote:
    """A repository at one commit."""

    repo: str
    commit: str
    private: bool
    files: Mapping[str, RemoteFile]
    """Those that a package or a bundle may have; others are left alone."""


def git_blob(content: bytes) -> str:
    """Git's hash of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def check_name(repo: str) -> str:
    """The name of a repository, if it can be one.

    Raises:
        UsageError: it cannot.
    """
    if not NAME.fullmatch(repo) or "--" in repo or ".." in repo or repo.endswith(".git"):
        raise UsageError("REPO: expected a repository's name on the Hub, which is like owner/name")
    return repo


def look_up(repo: str, revision: str) -> Remote:
    """What the repository holds now, in one request; raises the errors of `huggingface_hub`."""
    info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=PATIENCE)
    files = {
        file.rfilename: RemoteFile(file.size or 0, file.blob_id or "", file.lfs.sha256 if file.lfs else None)
        for file in info.siblings or []
        if can_belong(file.rfilename)
    }
    return Remote(repo, info.sha or "", bool(info.private), files)


@contextmanager
def hub_errors(repo: str, revision: str, *, sending: bool = False) -> Iterator[None]:
    """Turns whatever `huggingface_hub` raises into one line; errors of the disk pass through unless sending."""
    try:
        yield
    except LowresStiltsError:
        raise
    # Besides its own it lets the errors of requests, urllib3, hf_xet and of its worker threads through.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None and not is_unreachable(error) and not sending:
            raise
        raise PackageError(f"{repo}: {_described(error, revision, sending=sending)}") from error


def _described(error: Exception, revision: str, *, sending: bool) -> str:
    chain = list(causes(error))
    kinds = {kind for cause in chain for kind in type(cause).__mro__}
    status = next(filter(None, map(status_of, chain)), 0)
    if GatedRepoError in kinds:
        return f"access is gated; ask for it on its page at {constants.ENDPOINT}, then {LOG_IN}"
    if RevisionNotFoundError in kinds:
        return f"no revision {revision!r}; name a branch, a tag or a commit that it has"
    if RepositoryNotFoundError in kinds:
        return _not_found(sending=sending)
    if status in REFUSALS:
        return REFUSALS[status]
    if is_unreachable(error):
        return f"{_absent(status)}; nothing is half-written, try again later"
    # Of what the Hub refuses, the library says more than the answer that it wraps; of its own failures, less.
    return f"the Hub does not take it: {_reason(error)}" if status else f"it failed: {_reason(chain[-1])}"


def _absent(status: int) -> str:
    if status:
        return f"{constants.ENDPOINT} answered with error {status}"
    offline = " (HF_HUB_OFFLINE is set)" if constants.HF_HUB_OFFLINE else ""
    return f"{constants.ENDPOINT} cannot be reached or broke off{offline}"


def _not_found(*, sending: bool) -> str:
    if get_token() is None:
        return f"no such repository at {constants.ENDPOINT}; if it is private, {LOG_IN}"
    wanted = "write to" if sending else "see"
    return f"no such repository at {constants.ENDPOINT}, or none that the token lets you {wanted}; check both"


def _reason(error: BaseException) -> str:
    """In one line, without addresses, as those of uploads are signed, and without the token."""
    text = re.sub(r"(https?://|url: )\S+", "...", " ".join(str(error).split()) or type(error).__name__)
    if token := get_token():
        text = text.replace(token, "...")
    return "".join(filter(str.isprintable, text))[:300]
