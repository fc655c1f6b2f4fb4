"""The starter data: tasks built from the conversations of the PyPI package chatterbot-corpus (BSD).

Three tasks come out of it, as files in the layout that every other source has:

- `starter/reply/{train,dev}-en.jsonl`: *reply selection*, the English intermediate task;
- `starter/topic/{train,dev,test}-{lang}.tsv`: *topic of an exchange*, English to train on, ten languages to test;
- `starter/parallel/{lang}-en.{lang}` and `.en`: *sentence retrieval* between English and four languages.

English exchanges are split by prompt, so that no prompt stands on both sides of a split. A file of another
language that follows the English one entry by entry gives test examples only where the English entry is held
out: a translation of a training example would leak. Files of other lengths cannot be aligned; they may hold
translations of training examples.
"""

import hashlib
import importlib.metadata
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lowres_stilts.errors import DataError
from lowres_stilts.extras import install_command
from lowres_stilts.storage import cache_dir, write_folder, write_text

LAYOUT_VERSION = 1
"""Part of the cache folder's name: a change of the splits makes a new folder."""

LANGUAGE_FOLDERS = {
    "en": "english",
    "es": "spanish",
    "fa": "persian",
    "it": "italian",
    "ja": "japanese",
    "ko": "korean",
    "nl": "dutch",
    "uk": "ukrainian",
    "zh": "chinese",
    "zh-TW": "traditionalchinese",
}
PARALLEL_LANGUAGES = ("it", "ja", "ko", "uk")
TOPICS = (
    "ai",
    "computers",
    "emotion",
    "food",
    "gossip",
    "greetings",
    "history",
    "humor",
    "literature",
    "money",
    "movies",
    "politics",
    "profile",
    "psychology",
    "science",
    "sports",
)
TOPIC_OF_FILE = {
    "botprofile": "profile",
    "dinero": "money",
    "emociones": "emotion",
    "ia": "ai",
    "origen": "profile",
    "perfilbot": "profile",
    "psicologia": "psychology",
    "sport": "sports",
}
"""File names that differ from the English ones; a name that is in neither list is no topic."""

NOT_PARALLEL = {("ko", "literature")}
"""As long as the English file, yet shifted against it from the middle on."""

CHOICES = 4
TRAIN_SHARE, DEV_SHARE = 0.70, 0.14


@dataclass(frozen=True)
class Exchange:
    """A prompt, the first reply to it (empty where there is none), and where they stand."""

    topic: str
    index: int
    prompt: str
    reply: str

    @property
    def text(self) -> str:
        """Prompt and reply as one text."""
        return f"{self.prompt} {self.reply}".strip()


def starter_data_dir() -> Path:
    """The folder with the starter tasks' files, written to the user's cache the first time.

    Raises:
        DataError: the package chatterbot-corpus is not installed.
    """
    try:
        package = importlib.metadata.distribution("chatterbot-corpus")
    except importlib.metadata.PackageNotFoundError:
        raise DataError(
            f"the starter data needs the package chatterbot-corpus: {install_command('starter')}"
        ) from None
    folder = cache_dir() / f"starter-data-{package.version}-v{LAYOUT_VERSION}"
    if not folder.exists():
        corpus = Path(str(package.locate_file("chatterbot_corpus/data")))
        write_folder(folder, lambda temporary: _write_tasks(corpus, temporary / "starter"))
    return folder


def _write_tasks(corpus: Path, folder: Path) -> None:
    english = _read_language(corpus / LANGUAGE_FOLDERS["en"])
    split_of = _split_by_prompt(english)
    _write_replies(english, split_of, folder / "reply")
    topics = [exchange for exchange in english if exchange.topic in TOPICS]
    for split in ("train", "dev", "test"):
        chosen = [exchange for exchange in topics if split_of[_key(exchange)] == split]
        _write_topics(chosen, folder / "topic" / f"{split}-en.tsv", without=())
    training = {_normalized(e.text) for e in topics if split_of[_key(e)] == "train"}
    for language, name in LANGUAGE_FOLDERS.items():
        if language == "en":
            continue
        exchanges = _read_language(corpus / name)
        aligned = _aligned(language, exchanges, english)
        kept = [e for e in exchanges if e.topic in TOPICS and _held_out(e, aligned, split_of)]
        _write_topics(kept, folder / "topic" / f"test-{language}.tsv", without=training)
        if language in PARALLEL_LANGUAGES:
            _write_parallel(language, exchanges, aligned, folder / "parallel")


def _read_language(folder: Path) -> list[Exchange]:
    exchanges = []
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
        name = path.stem.lower()
        conversations = yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]
        for index, utterances in enumerate(conversations):
            prompt, reply = [*(_one_line(str(utterance)) for utterance in utterances[:2]), ""][:2]
            exchanges.append(Exchange(TOPIC_OF_FILE.get(name, name), index, prompt, reply))
    return exchanges


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _normalized(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()


def _key(exchange: Exchange) -> str:
    return _normalized(exchange.prompt)


def _split_by_prompt(english: Sequence[Exchange]) -> dict[str, str]:
    """Prompt to `train`, `dev` or `test`, in every topic by the same shares.

    The order is that of a hash, prompts that make up much of their topic first, so that these are trained on.
    A prompt that occurs in several topics stays where its first topic put it.
    """
    by_topic: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for exchange in english:
        by_topic[exchange.topic][_key(exchange)] += 1
    split_of: dict[str, str] = {}
    for sizes in by_topic.values():
        total = sum(sizes.values())
        ordered = sorted(sizes, key=lambda key: (sizes[key] <= 0.2 * total, _hash(key)))
        seen = 0
        for key in ordered:
            share = seen / total
            split = "train" if share < TRAIN_SHARE else "dev" if share < TRAIN_SHARE + DEV_SHARE else "test"
            split_of.setdefault(key, split)
            seen += sizes[key]
    return split_of


def _write_replies(english: Sequence[Exchange], split_of: dict[str, str], folder: Path) -> None:
    """Reply selection from the topic task's training prompts: the other candidates reply to other prompts.

    Candidates of a split's rows are answers of that split, so that training shows a dev answer as a wrong one
    only where it answers a training prompt too.
    """
    rng = random.Random(2020)  # noqa: S311
    usable = [e for e in english if e.reply and split_of[_key(e)] == "train"]
    for split in ("train", "dev"):
        rows = [e for e in usable if (_hash(_key(e))[-1] < 256 * DEV_SHARE) == (split == "dev")]
        own: dict[str, set[str]] = defaultdict(set)
        for exchange in rows:
            own[_key(exchange)].add(exchange.reply)
        replies = list(dict.fromkeys(exchange.reply for exchange in rows))
        lines = []
        for exchange in rows:
            others = [reply for reply in replies if reply not in own[_key(exchange)]]
            choices = [exchange.reply, *rng.sample(others, CHOICES - 1)]
            rng.shuffle(choices)
            row = {"prompt": exchange.prompt, "choices": choices, "label": choices.index(exchange.reply)}
            lines.append(json.dumps(row, ensure_ascii=False))
        _write_rows(folder / f"{split}-en.jsonl", lines)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _write_topics(exchanges: Iterable[Exchange], path: Path, without: Iterable[str]) -> None:
    """Texts and topics, without duplicates and without texts that stand under two topics."""
    excluded = set(without)
    topics: dict[str, set[str]] = defaultdict(set)
    texts: dict[str, Exchange] = {}
    for exchange in exchanges:
        key = _normalized(exchange.text)
        topics[key].add(exchange.topic)
        texts.setdefault(key, exchange)
    rows = [
        f"{exchange.text}\t{exchange.topic}"
        for key, exchange in texts.items()
        if len(topics[key]) == 1 and key not in excluded
    ]
    _write_rows(path, rows)


def _aligned(
    language: str, exchanges: Sequence[Exchange], english: Sequence[Exchange]
) -> dict[tuple[str, int], Exchange]:
    """The English exchange of each place in the files that are as long as their English counterpart."""
    there, here = _by_topic(english), _by_topic(exchanges)
    return {
        (topic, exchange.index): exchange
        for topic in here.keys() & there.keys()
        if len(here[topic]) == len(there[topic]) and (language, topic) not in NOT_PARALLEL
        for exchange in there[topic]
    }


def _by_topic(exchanges: Iterable[Exchange]) -> dict[str, list[Exchange]]:
    grouped: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        grouped[exchange.topic].append(exchange)
    return grouped


def _held_out(exchange: Exchange, aligned: dict[tuple[str, int], Exchange], split_of: dict[str, str]) -> bool:
    counterpart = aligned.get((exchange.topic, exchange.index))
    return counterpart is None or split_of[_key(counterpart)] == "test"


def _write_parallel(
    language: str, exchanges: Sequence[Exchange], aligned: dict[tuple[str, int], Exchange], folder: Path
) -> None:
    """Aligned prompts that occur once on either side."""
    pairs = [
        (exchange.prompt, aligned[exchange.topic, exchange.index].prompt)
        for exchange in exchanges
        if (exchange.topic, exchange.index) in aligned
    ]
    seen: tuple[set[str], set[str]] = (set(), set())
    unique = []
    for pair in pairs:
        keys = [_normalized(text) for text in pair]
        if all(key and key not in before for key, before in zip(keys, seen, strict=True)):
            unique.append(pair)
        for key, before in zip(keys, seen, strict=True):
            before.add(key)
    for side, suffix in enumerate((language, "en")):
        _write_rows(folder / f"{language}-en.{suffix}", [pair[side] for pair in unique])


def _write_rows(path: Path, rows: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{row}\n" for row in rows))
