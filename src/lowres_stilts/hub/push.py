"""Puts a package or a bundle into a repository of the Hugging Face Hub, in one commit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_token
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from lowres_stilts.errors import PackageError, UsageError
from lowres_stilts.hub.kinds import files_of, kind_of
from lowres_stilts.hub.remote import LOG_IN, Remote, check_name, hub_errors, look_up

Change = Literal["new", "changed", "same", "removed"]
MAIN = constants.DEFAULT_REVISION


@dataclass(frozen=True)
class Plan:
    """What a push would do."""

    folder: Path
    content: str
    """What it is, for the message of the commit."""
    repo: str
    branch: str
    private: bool
    """Whether the repository is, or will be."""
    remote: Remote | None
    """The repository as it is; None if there is none."""
    branch_exists: bool
    changes: Mapping[str, Change]
    """By file."""
    doubts: list[str]
    """Which of its scores are no better than one answer for all."""
    not_asked: str = ""
    """Why the Hub does not say what it holds; the repository is taken for a new one then."""

    @property
    def is_done(self) -> bool:
        """Whether the branch already holds the same files."""
        return self.branch_exists and set(self.changes.values()) == {"same"}


def plan_push(
    folder: Path, repo: str, *, private: bool = False, branch: str = MAIN, dry_run: bool = False
) -> Plan:
    """Checks the package or bundle and compares it with the repository; changes nothing.

    Args:
        folder: the package or bundle.
        repo: the repository.
        private: whether to make it so, if it is made.
        branch: where to push to.
        dry_run: plan as for a new repository where the Hub cannot be asked.

    Raises:
        BundleError: the bundle is not sound.
        PackageError: the package is not sound, the Hub cannot be asked, or the repository is public and should
            not be.
        UsageError: that is no name of a repository or branch.
    """
    check_name(repo)
    if not branch or re.fullmatch(r"[0-9a-f]{40}", branch):
        raise UsageError("--revision: expected a branch; a commit cannot be added to")
    kind = kind_of(folder)
    content = kind.check(folder)
    not_asked = ""
    try:
        with hub_errors(repo, branch):
            remote, branch_exists = _found(repo, branch)
    except PackageError as error:
        if not dry_run:
            raise
        remote, branch_exists, not_asked = None, False, str(error)
    if private and remote:
        _check_private(remote)
    changes = _changes(folder, remote)
    private = remote.private if remote else private
    doubts = kind.doubts(folder)
    return Plan(folder, content, repo, branch, private, remote, branch_exists, changes, doubts, not_asked)


def push(plan: Plan) -> str:
    """Does what was planned; returns the address of the commit that holds it.

    Raises:
        PackageError: the Hub cannot be reached, refuses it, or has changed since it was planned.
    """
    if plan.remote is not None and plan.is_done:
        return f"{constants.ENDPOINT}/{plan.repo}/commit/{plan.remote.commit}"
    if get_token() is None:
        raise PackageError(f"{plan.repo}: pushing needs a token of the Hub with write access; {LOG_IN}")
    with hub_errors(plan.repo, plan.branch, sending=True):
        remote = _prepared(plan)
        changes = _changes(plan.folder, remote)
        additions = [
            CommitOperationAdd(name, plan.folder / name)
            for name, change in changes.items()
            if change in {"new", "changed"}
        ]
        deletions = [CommitOperationDelete(name) for name, change in changes.items() if change == "removed"]
        commit = HfApi().create_commit(
            plan.repo,
            [*additions, *deletions],
            commit_message=f"Push {plan.content}",
            revision=plan.branch,
            parent_commit=remote.commit,
        )
    return str(commit.commit_url)


def _found(repo: str, branch: str) -> tuple[Remote | None, bool]:
    """The repository at the branch, else at the main one, from which the branch would start."""
    try:
        return look_up(repo, branch), True
    except RevisionNotFoundError:
        return look_up(repo, MAIN), False
    except RepositoryNotFoundError:
        return None, False


def _prepared(plan: Plan) -> Remote:
    """The repository with the branch, which are made if they are not there."""
    if plan.remote is not None and plan.branch_exists:
        return plan.remote
    if plan.remote is None:
        HfApi().create_repo(plan.repo, private=plan.private, exist_ok=True)
    if plan.branch != MAIN:
        HfApi().create_branch(plan.repo, branch=plan.branch, exist_ok=True)
    remote = look_up(plan.repo, plan.branch)
    if plan.private:
        _check_private(remote)
    return remote


def _check_private(remote: Remote) -> None:
    if not remote.private:
        raise PackageError(
            f"{remote.repo}: it exists and is public; make it private on its page, or leave --private out"
        )


def _changes(folder: Path, remote: Remote | None) -> dict[str, Change]:
    theirs = remote.files if remote else {}
    changes: dict[str, Change] = {}
    for name, path in files_of(folder).items():
        there = theirs.get(name)
        changes[name] = "new" if there is None else "same" if there.equals(path) else "changed"
    return changes | dict.fromkeys(sorted(set(theirs) - set(changes)), "removed")
