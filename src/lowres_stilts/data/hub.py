"""Records of data sets on the Hugging Face Hub, or in a folder with the Hub's layout, through `datasets`.

A data set is read at one commit: its name is looked up first, and neither a later commit nor another one in the
cache is ever read in its place. A commit that is in the cache is read from there, without a request for its data.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowres_stilts.data.hub_problems import describe, is_unreachable
from lowres_stilts.data.readers import Record
from lowres_stilts.errors import DataError
from lowres_stilts.extras import install_command

LANGUAGE = "{lang}"
FULL_SHA = re.compile(r"[0-9a-f]{40}")
PATIENCE = 10
"""Seconds until the Hub counts as unreachable, which is what `huggingface_hub` gives to each file."""
LOCAL = "local"
"""What a folder has in the place of a commit."""
NO_CONFIG = "default"
"""The name that `datasets` gives to the only configuration of a data set that names none."""


@dataclass(frozen=True)
class HubDataset:
    """Where a task's data is on the Hugging Face Hub."""

    id: str
    """Such as `facebook/xnli`, or the path of a folder with the Hub's layout."""
    config: str = LANGUAGE
    """The configuration; empty for none; `{lang}` stands for the Hub's own name of the language."""
    splits: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"train": "train", "dev": "validation", "test": "test"})
    )
    """The Hub's name of each of our splits, or a sum (`train_r1+train_r2`); downloads can be sliced too."""
    languages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The Hub's codes of the languages, where they differ from ours."""
    lacks: frozenset[str] = frozenset()
    """Languages of the task, by our codes, that the Hub's copy does not have."""
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The Hub's names of our fields, where they differ; dots reach into nested structs (`answers.text`)."""
    revision: str = "main"
    """A branch, tag or commit, or `refs/convert/parquet`, the Hub's own conversion."""


def read_hub(
    dataset: HubDataset, split: str, language: str, *, revision: str | None = None, streaming: bool = False
) -> Iterator[Record]:
    """Records of one split in one language; they stand at `id/config/split` and the row's number.

    Fields are the row's own and the renamed ones. Class labels become their names, also within lists and structs;
    -1 and null become None, which is unlabelled.

    Args:
        dataset: where the data is.
        split: `train`, `dev` or `test`, or whatever `dataset.splits` calls its splits.
        language: our code of the language.
        revision: read this branch, tag or commit instead of `dataset.revision`.
        streaming: read rows as they arrive, instead of downloading the whole configuration into the cache first;
            a folder is always read so.

    Raises:
        DataError: there is no such data set, configuration, split, revision or field, the Hub cannot be reached
            and the cache has no copy, or the data cannot be read.
    """
    if split not in dataset.splits:
        raise DataError(f"{dataset.id} has no split {split!r}; its splits are {', '.join(dataset.splits)}")
    config = dataset.config.replace(LANGUAGE, dataset.languages.get(language, language))
    part = dataset.splits[split]
    place = Path(dataset.id, config, part)
    wanted = revision or dataset.revision
    with _clear_errors(dataset.id, str(place), wanted):
        builder = _builder(dataset, config, wanted)
        # `datasets` keeps no track of changes within a folder: its cache would give the rows of yesterday.
        kinds, rows = _rows(builder, str(place.parent), part, streaming=streaming or Path(dataset.id).is_dir())
        features = {name: kind for name, kind in kinds.items() if _holds_labels(kind)}
        for number, row in enumerate(rows, start=1):
            yield _record(Record(place, number, row), features, dataset.fields)


def resolve_revision(dataset: HubDataset, revision: str | None = None) -> str:
    """The commit that a branch, tag or commit stands for now, to pin it and to write it into results.

    Where the Hub cannot be reached, it is the commit that the name stood for when it was last looked up. A folder
    has no commits, and gives `local`.

    Raises:
        DataError: there is no such data set or revision, or the Hub cannot be reached and nothing is in the cache.
    """
    wanted = revision or dataset.revision
    if Path(dataset.id).is_dir():
        if wanted not in {HubDataset.revision, LOCAL}:
            raise DataError(f"{dataset.id}: no revision {wanted!r}; a folder has no revisions")
        return LOCAL
    with _clear_errors(dataset.id, dataset.id, wanted):
        return _commit(dataset.id, wanted)


@contextmanager
def _clear_errors(dataset_id: str, place: str, revision: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except ModuleNotFoundError as error:
        raise DataError(
            f"{dataset_id}: data sets of the Hub need the package {error.name}: {install_command('train')}"
        ) from error
    # `datasets` lets everything through that its builders, fsspec, requests and Arrow raise.
    except Exception as error:
        raise DataError(describe(error, dataset_id, place, revision)) from error


def _commit(dataset_id: str, wanted: str) -> str:
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    get_card = partial(
        snapshot_download, dataset_id, repo_type="dataset", revision=wanted, allow_patterns="README.md"
    )
    try:
        _ask_hub(dataset_id, wanted)
    except OSError as error:
        if not is_unreachable(error):
            raise
        return wanted if FULL_SHA.fullmatch(wanted) else Path(get_card(local_files_only=True)).name
    # This also notes the commit in the cache, for the time without a network.
    return Path(get_card()).name


def _ask_hub(dataset_id: str, revision: str) -> None:
    """Raises what stands in the way, within seconds; the libraries' own calls may try for minutes."""
    from huggingface_hub import HfApi  # noqa: PLC0415

    HfApi().dataset_info(dataset_id, revision=revision, timeout=PATIENCE)


def _builder(dataset: HubDataset, config: str, wanted: str) -> Any:
    """What `datasets` builds the configuration with; its rows are those of the wanted revision."""
    if Path(dataset.id).is_dir():
        resolve_revision(dataset, wanted)
        return _fresh_builder(dataset.id, config, None)
    # A pinned commit that is in the cache needs no network.
    builder = _cached_builder(dataset.id, config, wanted) if FULL_SHA.fullmatch(wanted) else None
    if builder is not None:
        return builder
    sha = resolve_revision(dataset, wanted)
    builder = _cached_builder(dataset.id, config, sha)
    if builder is not None:
        return builder
    _ask_hub(dataset.id, sha)
    builder = _fresh_builder(dataset.id, config, sha)
    # Where it loses the Hub on the way, `datasets` takes the latest commit in its cache.
    if builder.hash != sha:
        raise ConnectionError(f"commit {sha} could not be had")
    return builder


def _cached_builder(dataset_id: str, config: str, sha: str) -> Any:
    from datasets.packaged_modules.cache.cache import Cache  # noqa: PLC0415

    name = config or _default_config(dataset_id, sha)
    builder = Cache(repo_id=dataset_id, dataset_name=Path(dataset_id).name, config_name=name, hash=sha)
    return builder if Path(builder.cache_dir).is_dir() else None


def _default_config(dataset_id: str, sha: str) -> str:
    """What `datasets` takes where no configuration is named, by the card in the cache."""
    from huggingface_hub import DatasetCard, try_to_load_from_cache  # noqa: PLC0415

    card = try_to_load_from_cache(dataset_id, "README.md", repo_type="dataset", revision=sha)
    # Other than a path: None where nobody has looked, a marker where the commit is known to have no card.
    configs = DatasetCard.load(card).data.get("configs") or [] if isinstance(card, str) else []
    names = [config["config_name"] for config in configs]
    marked = [config["config_name"] for config in configs if config.get("default")]
    return next(iter(marked or names[: len(names) == 1]), NO_CONFIG)


def _fresh_builder(dataset_id: str, config: str, sha: str | None) -> Any:
    from datasets import get_dataset_config_names, load_dataset_builder  # noqa: PLC0415

    # With a cache that is empty, `datasets` says what is wrong instead of taking another commit from it.
    configs = get_dataset_config_names(dataset_id, revision=sha, cache_dir=os.devnull)
    try:
        return load_dataset_builder(dataset_id, config or None, revision=sha)
    except ValueError as error:
        if (config or NO_CONFIG) in configs:
            raise
        folders = _folders(dataset_id, sha) if configs == [NO_CONFIG] else []
        if config in folders:
            # Without a card that names them, as in refs/convert/parquet, each folder is a configuration.
            return load_dataset_builder(dataset_id, revision=sha, data_dir=config, config_id=config)
        names = ", ".join(folders or configs)
        problem = (
            f"no configuration {config!r}; there are {names}" if config else f"name one configuration of {names}"
        )
        raise DataError(f"{dataset_id}: {problem}") from error


def _folders(dataset_id: str, sha: str | None) -> list[str]:
    if sha is None:
        return sorted(path.name for path in Path(dataset_id).iterdir() if path.is_dir())
    from huggingface_hub import HfApi  # noqa: PLC0415
    from huggingface_hub.hf_api import RepoFolder  # noqa: PLC0415

    entries = HfApi().list_repo_tree(dataset_id, repo_type="dataset", revision=sha)
    return sorted(entry.path for entry in entries if isinstance(entry, RepoFolder))


def _rows(
    builder: Any, place: str, part: str, *, streaming: bool
) -> tuple[Mapping[str, Any], Iterable[dict[str, Any]]]:
    """The kinds of the columns, as far as they are known, and the rows of a split or of a sum of splits."""
    known = [str(name) for name in builder.config.data_files or builder.info.splits or ()]
    names = [name.strip() for name in part.split("+")]
    for name in names:
        if name.partition("[")[0] not in known:
            raise DataError(f"{place}: no split {name!r}; there are {', '.join(known)}")
    if streaming:
        if "[" in part:
            raise DataError(
                f"{place}: {part!r} is a slice, which neither a stream nor a folder has; name whole splits"
            )
        streams = [builder.as_streaming_dataset(split=name) for name in names]
        return streams[0].features or {}, chain.from_iterable(streams)
    builder.download_and_prepare()
    table = builder.as_dataset(split="+".join(names))
    return table.features, table


def _holds_labels(feature: Any) -> bool:
    from datasets import ClassLabel  # noqa: PLC0415

    if isinstance(feature, Mapping):
        return any(_holds_labels(inner) for inner in feature.values())
    return isinstance(feature, ClassLabel) or _holds_labels(getattr(feature, "feature", {}))


def _record(row: Record, features: Mapping[str, Any], renamed: Mapping[str, str]) -> Record:
    try:
        fields = row.fields | {name: _with_names(kind, row.fields[name]) for name, kind in features.items()}
    except ValueError as error:
        raise row.error(str(error)) from error
    ours = {}
    for name, path in renamed.items():
        try:
            ours[name] = _reach(fields, path)
        except KeyError as error:
            raise row.error(f"no field {path!r}; there are {', '.join(fields)}") from error
    return Record(row.path, row.line, fields | ours)


def _with_names(feature: Any, value: Any) -> Any:
    """The value with names in the place of class labels."""
    if value is None:
        return None
    if isinstance(feature, Mapping):
        return {name: _with_names(kind, value[name]) for name, kind in feature.items()}
    if isinstance(value, list):
        return [_with_names(feature.feature, item) for item in value]
    if not hasattr(feature, "int2str"):
        return value
    return None if value < 0 else feature.int2str(value)


def _reach(value: Any, path: str) -> Any:
    """What a path of names and dots leads to; in a list, what it leads to in each item."""
    if value is None:
        return None
    if isinstance(value, list):
        return [_reach(item, path) for item in value]
    if not isinstance(value, Mapping):
        raise KeyError(path)
    name, dot, rest = path.partition(".")
    # A column's own name may have dots.
    return value[path] if path in value or not dot else _reach(value[name], rest)
