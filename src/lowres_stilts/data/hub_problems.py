"""What went wrong with a data set of the Hub, in one line that says what to do next."""

from collections.abc import Iterator

UNREACHABLE = {
    "ChunkedEncodingError",
    "ConnectError",
    "ConnectionError",
    "LocalEntryNotFoundError",
    "Timeout",
    "TimeoutError",
    "TimeoutException",
}
"""Python, requests, httpx and huggingface_hub each have classes of their own for it, by these names."""


def is_unreachable(error: BaseException) -> bool:
    """Whether the Hub did not answer or broke down, and the cache had nothing in its place."""
    return any(
        UNREACHABLE & {kind.__name__ for kind in type(cause).__mro__} or status_of(cause) >= 500
        for cause in causes(error)
    )


def describe(error: Exception, dataset_id: str, place: str, revision: str) -> str:
    """One line for an error of `datasets` or `huggingface_hub`.

    Args:
        error: what they raised.
        dataset_id: the data set's name, or its folder.
        place: what was read, for errors that are of this part alone.
        revision: the branch, tag or commit that was asked for.
    """
    from huggingface_hub import constants  # noqa: PLC0415

    refusal = _refusal(error, revision)
    if refusal:
        return f"{dataset_id}: {refusal}"
    if is_unreachable(error):
        offline = " (HF_HUB_OFFLINE is set)" if constants.HF_HUB_OFFLINE else ""
        return (
            f"{place}: not in the cache at revision {revision}, and {constants.ENDPOINT} cannot be reached"
            f"{offline}; download it once while online, or use data.source: files"
        )
    return f"{place}: cannot be read: {_reason(error)}"


def _refusal(error: Exception, revision: str) -> str | None:
    """What a data set's name, its revision, its terms or its script forbid."""
    from datasets.exceptions import DatasetNotFoundError  # noqa: PLC0415
    from huggingface_hub import constants, errors  # noqa: PLC0415

    missing = isinstance(error, (errors.RepositoryNotFoundError, DatasetNotFoundError))
    gated = isinstance(error, DatasetNotFoundError) and "gated" in str(error)
    if isinstance(error, errors.HFValidationError):
        return "neither a folder nor a data set's name, which is like facebook/xnli"
    if gated or isinstance(error, errors.GatedRepoError):
        return (
            f"access is gated; ask for it on its page at {constants.ENDPOINT}, "
            "then log in with `hf auth login` or set HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"no revision {revision!r}; name a branch, a tag or a commit that it has"
    if missing:
        return f"no such data set at {constants.ENDPOINT}; if it is private, log in with `hf auth login`"
    if isinstance(error, RuntimeError) and "script" in str(error):
        return "it has a loading script, and `datasets` runs none; revision refs/convert/parquet may have its rows"
    return None


def status_of(error: BaseException) -> int:
    """The status of the answer that the error is about; 0 where there was no answer."""
    return getattr(getattr(error, "response", None), "status_code", 0)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, down to the first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _reason(error: Exception) -> str:
    """The first line of the innermost cause: `datasets` wraps what a file's reader said in words of its own."""
    innermost = list(causes(error))[-1]
    lines = str(innermost).strip().splitlines()
    return lines[0] if lines else type(innermost).__name__
