"""Text that spells a control token, read as the characters that it is."""

import json
import re

from tokenizers import Regex, Tokenizer, pre_tokenizers


def read_literally(tokenizer: Tokenizer) -> None:
    """Makes a tokenizer read the names of its control tokens (`<s>`, `[CLS]`) in a text as ordinary characters.

    The template still puts control tokens around texts, texts without such names keep their ids, and added tokens
    that are not special stay the pieces that they are. Done twice, it changes nothing.
    """
    if tokenizer.encode_special_tokens:
        return
    tokens = tokenizer.get_added_tokens_decoder().values()
    names = sorted({token.content for token in tokens if token.special and len(token.content) > 1})
    if names:
        _cut_up(tokenizer, names)
    # Written last, as it says that the rest is done; files of tokenizers do not keep it.
    tokenizer.encode_special_tokens = True


def _cut_up(tokenizer: Tokenizer, names: list[str]) -> None:
    """Parts the first character of a name from the rest, as the vocabulary has the whole name for a piece too."""
    pattern = "|".join(f"{re.escape(name[0])}(?={re.escape(name[1:])})" for name in names)
    before = tokenizer.pre_tokenizer
    if before is not None and pattern in _patterns(before):
        return
    cut = pre_tokenizers.Split(Regex(pattern), "merged_with_previous")
    tokenizer.pre_tokenizer = cut if before is None else pre_tokenizers.Sequence([before, cut])


def _patterns(step: pre_tokenizers.PreTokenizer) -> set[str]:
    """The regular expressions at which a pre-tokenizer, or its parts, split."""
    definition = json.loads(step.__getstate__())
    parts = definition.get("pretokenizers", [definition])
    return {part["pattern"].get("Regex", "") for part in parts if part["type"] == "Split"}
