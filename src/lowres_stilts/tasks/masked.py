"""Masked language modelling on plain text in any language."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import Tokenizer

from lowres_stilts.data.examples import TextExample
from lowres_stilts.data.formats import is_json
from lowres_stilts.data.own_tables import Layout, read_own
from lowres_stilts.data.readers import Record, read_lines
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import split_texts
from lowres_stilts.text.masking import Masking


def read_text_lines(path: Path) -> Iterator[Record]:
    """One text per line, or JSON, CSV or TSV with `text`; blank lines are skipped."""
    if is_json(path) or path.suffix.lower() in {".csv", ".tsv"}:
        yield from read_own(path, ["text"], Layout(), label=None)
        return
    for number, line in read_lines(path):
        if line.strip():
            yield Record(path, number, {"text": line})


def parse_plain_text(record: Record, task: Task) -> TextExample:
    """A text without a label."""
    return TextExample(record.text("text"), None, None)


class MaskedLanguageModel:
    """One or more sequences per text; the head scores the vocabulary for each hidden token.

    Which tokens are hidden is drawn once, from the text itself, as BERT's authors did.
    """

    head: Final = "vocabulary"

    def outputs(self, task: Task) -> int:
        """None of its own: the vocabulary."""
        return 0

    def encode(
        self, task: Task, examples: Sequence[TextExample], tokenizer: Tokenizer, max_length: int
    ) -> Features:
        """Texts cut into sequences, with hidden tokens; their labels are what stood there."""
        masking = Masking.of(tokenizer)
        sequences_of: list[list[list[int]]] = []
        labels: list[int] = []
        flags: list[bool] = []
        for example, sequences in zip(
            examples, split_texts(tokenizer, [e.text for e in examples], max_length), strict=True
        ):
            seed = hashlib.sha256(example.text.encode()).digest()[:8]
            rng = np.random.default_rng(int.from_bytes(seed, "little"))
            sequences_of.append([])
            for ids in sequences:
                original = np.array(ids, np.int32)
                hidden, chosen = masking.hide(original, rng)
                sequences_of[-1].append(hidden.tolist())
                labels += np.where(chosen, original, UNLABELLED).tolist()
                flags += chosen.tolist()
        return pack(sequences_of, labels, carriers=flags)

    def gold(self, example: TextExample) -> str:
        """The text is its own answer."""
        return example.text
