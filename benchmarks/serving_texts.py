"""Requests of mixed lengths: from one character to 50,000, as people and programs send them."""

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lowres_stilts.runtime.manifest import TOKENIZER, read_manifest
from report import data_dir

LONGEST = 50_000
"""Characters: the service's limit."""
DOCUMENTS = 39
"""In a request of the heavy client."""
DOCUMENT_BYTES = (2_000, 48_000)
"""Of the heavy client's documents: the body stays within 2 MB."""
WORDS = 'habari ya asubuhi guten Morgen доброе утро સુપ્રભાત 早上好 좋은 아침 "good morning", 12.5'.split()


@dataclass(frozen=True)
class Request:
    """What is sent."""

    path: str
    body: dict[str, Any]
    tokens: int
    """That the network gets."""


class Texts:
    """Texts by kind: Tatoeba's sentences, XNLI's, TyDi QA's passages; drawn ones where the data is absent."""

    def __init__(self, bundle: Path) -> None:
        self._rng = random.Random(0)  # noqa: S311 - the same in every run
        self._tokenizer = Tokenizer.from_file(str(bundle / TOKENIZER))
        self._tokenizer.enable_truncation(read_manifest(bundle).embedding.max_length)
        folder = data_dir()
        self.is_real = all((folder / name).is_dir() for name in ("tatoeba", "xnli", "tydiqa"))
        self.short = _tatoeba(folder) if self.is_real else self._drawn(35, 0.6)
        self.sentences = _xnli(folder) if self.is_real else self._drawn(110, 0.6)
        self.passages = _tydi(folder) if self.is_real else self._drawn(500, 0.7)

    def embed(self, texts: Sequence[str]) -> Request:
        """For vectors, cut to what the encoder takes."""
        tokens = sum(len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts)))
        return Request("/embed", {"inputs": list(texts), "truncate": True}, tokens)

    def light(self) -> Request:
        """One short text: a character, a sentence."""
        draw = self._rng.random()
        text = "a" if draw < 0.1 else self._rng.choice(self.short if draw < 0.6 else self.sentences)
        return self.embed([text])

    def heavy(self) -> Request:
        """Many documents."""
        return self.embed(
            [_cut_bytes(self.document(*DOCUMENT_BYTES), DOCUMENT_BYTES[1]) for _ in range(DOCUMENTS)]
        )

    def mixed(self) -> Request:
        """One text of any length, several sentences, or a pair to classify."""
        draw = self._rng.random()
        if draw < 0.1:
            return self.embed(self._rng.choices(self.sentences, k=8))
        if draw < 0.2:
            pair = self._rng.choices(self.sentences, k=2)
            tokens = len(self._tokenizer.encode(*pair).ids)
            return Request("/text-classification", {"inputs": {"text": pair[0], "text_pair": pair[1]}}, tokens)
        if draw < 0.8:
            return self.light()
        if draw < 0.95:
            return self.embed([self._rng.choice(self.passages)[:LONGEST]])
        return self.embed([self.document(2_000, LONGEST)])

    def document(self, least: int, most: int) -> str:
        """Passages one after another; the logarithm of its length is uniform."""
        length = int(least * (most / least) ** self._rng.random())
        text = ""
        while len(text) < length:
            text += self._rng.choice(self.passages) + "\n"
        return text[:length]

    def _drawn(self, median: float, sigma: float) -> list[str]:
        """Texts of log-normal lengths."""
        lengths = [max(1, int(median * self._rng.lognormvariate(0, sigma))) for _ in range(2000)]
        return [" ".join(self._rng.choices(WORDS, k=length // 2 + 1))[:length] for length in lengths]


def write_requests(path: Path, requests: Sequence[Request]) -> None:
    """The file that `serving_clients.py` reads."""
    lines = (json.dumps({"path": request.path, "body": request.body}) for request in requests)
    path.write_text("\n".join(lines), encoding="utf-8")


def _tatoeba(folder: Path) -> list[str]:
    texts = (
        path.read_text(encoding="utf-8").splitlines()[:200] for path in sorted((folder / "tatoeba").iterdir())
    )
    return [text for own in texts for text in own if text]


def _xnli(folder: Path) -> list[str]:
    found = []
    for path in sorted((folder / "xnli").glob("test-*.tsv")):
        with path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        found += [text for row in rows[:500] for text in row[:2] if text]
    return found


def _tydi(folder: Path) -> list[str]:
    found = []
    for path in sorted((folder / "tydiqa" / "tydiqa-goldp-v1.1-dev").glob("*.json")):
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        found += [passage["context"] for article in articles for passage in article["paragraphs"]]
    return found


def _cut_bytes(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")
