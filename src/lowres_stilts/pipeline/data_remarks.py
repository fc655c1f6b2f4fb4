"""What should worry about the data: tests that stand in the training data, and languages that are hard to read."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.examples import ChoiceExample, Pool, Question, TaggedSentence, TextExample
from lowres_stilts.pipeline.material import Material
from lowres_stilts.text.pieces import pieces_of

Seen = dict[str, dict[str, dict[str, float]]]
"""By training task and language of the test: how many of its examples, and which share of them."""
SEEN_SHARE = 0.01
"""Of a test, from which on it is remarked on; of PAN-X's English dev set, 3.3% stand in its training set."""
CUT, UNKNOWN = 0.8, 0.05
"""Pieces for each character, and share of characters without a piece, from which on a language is remarked on.
With XLM-R's vocabulary 27 languages of PAN-X have 0.28 to 0.56 pieces for a character, Korean of TyDi QA
0.70, and none has unknown ones."""
SENTENCES = 200
"""Of a language, that are cut into pieces."""
NAMED = 8
"""Languages in a remark."""
BETWEEN = "\x1f"


def seen_in_training(material: Material) -> Seen:
    """Test examples whose texts, but for white space, stand in the training data; labels do not count."""
    tests = {language: _hashes(found) for language, found in material.test.items() if not isinstance(found, Pool)}
    sets = [*material.intermediate, *([material.target_set] if material.target_set else [])]
    found: Seen = {}
    for each in sets if tests else ():
        trained = _hashes(each.train)
        counts = {language: int(np.isin(test, trained).sum()) for language, test in tests.items()}
        own = {
            language: {"count": count, "share": round(count / len(tests[language]), 4)}
            for language, count in counts.items()
            if count
        }
        if own:
            found[each.task.name] = own
    return found


def cut_into_pieces(material: Material, tokenizer: Tokenizer) -> dict[str, dict[str, float]]:
    """How the tokenizer cuts the words of each test language, by its first sentences."""
    found = {
        language: pieces_of(tokenizer, list(islice(_sentences(examples), SENTENCES)))
        for language, examples in material.test.items()
    }
    return {
        language: {name: round(value, 4) for name, value in asdict(pieces).items()}
        for language, pieces in found.items()
        if pieces is not None
    }


def on_data(target: str, seen: Seen, pieces: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What to say of both, a line each."""
    told = []
    for task, languages in seen.items():
        shares = {code: own["share"] for code, own in languages.items() if own["share"] >= SEEN_SHARE}
        if shares:
            told.append(f"{target}: texts of the test stand in the training data of {task}: {_shown(shares)}")
    unknown = {code: own["unknown"] for code, own in pieces.items() if own["unknown"] >= UNKNOWN}
    if unknown:
        told.append(f"the model's vocabulary lacks characters of {_shown(unknown)}: try another model.id")
    cut = [code for code, own in pieces.items() if own["per_character"] >= CUT and code not in unknown]
    if cut:
        told.append(f"the model's tokenizer cuts words of {', '.join(cut)} into characters: try another model.id")
    return told


def _shown(shares: Mapping[str, float]) -> str:
    worst = sorted(shares, key=lambda code: -shares[code])
    named = ", ".join(f"{code} {shares[code]:.0%}" for code in worst[:NAMED])
    return named + (f" and {len(worst) - NAMED} more" if len(worst) > NAMED else "")


def _hashes(examples: Iterable[Any]) -> NDArray[np.uint64]:
    """Eight bytes for each example, of its texts; memory holds no text."""
    digests = (
        hashlib.blake2b(_text(example).encode(errors="surrogatepass"), digest_size=8) for example in examples
    )
    return np.fromiter((int.from_bytes(digest.digest()) for digest in digests), np.uint64)


def _text(example: Any) -> str:
    """Its texts with single spaces, apart from each other."""
    return BETWEEN.join(" ".join(text.split()) for text in _texts(example))


def _texts(example: Any) -> Sequence[str]:
    match example:
        case TextExample():
            return [example.text, example.text_pair or ""]
        case ChoiceExample():
            return [example.prompt, *example.choices]
        case TaggedSentence():
            return [" ".join(example.words)]
        case Question():
            return [example.question, example.context]
    return [repr(example)]  # of a plug-in's family


def _sentences(examples: Sequence[Any] | Pool) -> Iterator[Sequence[str]]:
    """The words of each example, as they are given or as white space parts them."""
    if isinstance(examples, Pool):
        yield from (query.passage.text.split() for query in examples.queries)
        return
    for example in examples:
        yield example.words if isinstance(example, TaggedSentence) else " ".join(_texts(example)).split()
