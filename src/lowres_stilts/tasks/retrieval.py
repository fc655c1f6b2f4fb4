"""Sentence retrieval: a sentence finds its English translation by the similarity of embeddings."""

from collections.abc import Iterator
from pathlib import Path

from lowres_stilts.data.examples import SentencePair
from lowres_stilts.data.readers import Record, read_jsonl, read_lines, read_tsv
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.task import Task


def read_parallel(path: Path, task: Task) -> Iterator[SentencePair]:
    """Pairs from two parallel files, `X.sw` with `X.en` beside it, or from one `.tsv` or `.jsonl` file.

    Raises:
        DataError: the files differ in length, or a sentence is empty.
    """
    if path.suffix in {".tsv", ".jsonl"}:
        records = read_jsonl(path) if path.suffix == ".jsonl" else read_tsv(path, ["source", "english"])
        for record in records:
            yield SentencePair(record.text("source"), record.text("english"))
        return
    english_path = path.with_suffix(".en")
    sources, english = list(read_lines(path)), list(read_lines(english_path))
    if len(sources) != len(english):
        raise DataError(f"{path}: has {len(sources)} lines, but {english_path.name} has {len(english)}")
    for (line, source), (_, translation) in zip(sources, english, strict=True):
        yield SentencePair(
            Record(path, line, {"sentence": source}).text("sentence"),
            Record(english_path, line, {"sentence": translation}).text("sentence"),
        )
