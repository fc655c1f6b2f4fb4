"""Tokenized examples as flat arrays: small in memory, on disk until they are used, ready to batch."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

UNLABELLED = -100
"""Stands where there is no label: torch's cross-entropy leaves it out."""
SHAPES = "shapes.json"
POINTERS = ("sequences", "examples")
"""Arrays that count from the start and have one entry more than there are parts."""


@dataclass(frozen=True)
class Features:
    """Examples, each of one or more sequences (choices of a prompt, windows of a sentence or a context).

    Example `e` has the sequences `examples[e]:examples[e+1]`; sequence `s` has the tokens
    `ids[sequences[s]:sequences[s+1]]`.
    """

    ids: NDArray[np.int32]
    """Token ids, `[tokens]`."""
    sequences: NDArray[np.int64]
    """Where each sequence starts, and the end, `[sequences + 1]`."""
    examples: NDArray[np.int64]
    """The first sequence of each example, and the end, `[examples + 1]`."""
    labels: NDArray[np.int32]
    """`[examples]`; `[tokens]` for tags and hidden tokens; `[sequences, 2]` for answers; or `UNLABELLED`."""
    carriers: NDArray[np.bool_]
    """`[tokens]`: which carry a tag (first pieces of words) or are hidden; empty for other families."""
    offsets: NDArray[np.int32]
    """`[tokens, 2]`: characters of the context, negative outside it; empty except for answers."""

    def __len__(self) -> int:
        return len(self.examples) - 1

    @property
    def labels_of(self) -> Literal["example", "sequence", "token"]:
        """What has a label."""
        return "token" if self.carriers.size else "sequence" if self.offsets.size else "example"

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longest sequence of each example, `[examples]`."""
        return np.maximum.reduceat(np.diff(self.sequences), self.examples[:-1])

    def widths(self) -> NDArray[np.int64]:
        """Number of sequences of each example, `[examples]`."""
        return np.diff(self.examples)

    def by_sequence(self) -> "Features":
        """The same with every sequence as an example of its own, where sequences have labels of their own."""
        return replace(self, examples=np.arange(len(self.sequences)))

    @classmethod
    def load(cls, folder: Path) -> "Features":
        """Maps what `write_features` wrote; the arrays stay on disk."""
        shapes = json.loads((folder / SHAPES).read_text(encoding="utf-8"))
        return cls(**{item.name: _mapped(folder / item.name, *shapes[item.name]) for item in fields(cls)})


def write_features(folder: Path, parts: Iterable[Features]) -> None:
    """Writes features that come in parts, one part after the other, into an existing folder."""
    shapes: dict[str, tuple[str, list[int]]] = {}
    ends = dict.fromkeys(POINTERS, 0)
    for part in parts:
        for item in fields(Features):
            array = getattr(part, item.name)
            if item.name in POINTERS:
                array = array + ends[item.name]
                ends[item.name] = int(array[-1])
                # The end of one part is the start of the next.
                array = array[1:] if item.name in shapes else array
            with (folder / item.name).open("ab") as handle:
                handle.write(np.ascontiguousarray(array).tobytes())
            before = shapes.get(item.name, (array.dtype.str, [0]))[1][0]
            shapes[item.name] = (array.dtype.str, [before + array.shape[0], *array.shape[1:]])
    (folder / SHAPES).write_text(json.dumps(shapes), encoding="utf-8")


def _mapped(path: Path, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    if 0 in shape:  # an empty file cannot be mapped
        return np.zeros(shape, dtype)
    kind = np.dtype(dtype)
    # Objects are addresses of memory, and no file may name those.
    if kind.hasobject or path.stat().st_size != kind.itemsize * int(np.prod(shape)):
        raise ValueError(f"{path}: damaged")
    return np.memmap(path, kind, mode="r", shape=tuple(shape))


def pack(
    sequences_of: Sequence[Sequence[Sequence[int]]],
    labels: Sequence[int] | Sequence[tuple[int, int]],
    *,
    carriers: Sequence[bool] = (),
    offsets: Sequence[tuple[int, int]] = (),
) -> Features:
    """Features of nested token ids `[example][sequence][token]`."""
    flat = [ids for sequences in sequences_of for ids in sequences]
    return Features(
        ids=np.array([token for ids in flat for token in ids], dtype=np.int32),
        sequences=np.cumsum([0, *map(len, flat)], dtype=np.int64),
        examples=np.cumsum([0, *map(len, sequences_of)], dtype=np.int64),
        labels=np.array(labels, dtype=np.int32),
        carriers=np.array(carriers, dtype=np.bool_),
        offsets=np.array(offsets, dtype=np.int32).reshape(-1, 2),
    )
