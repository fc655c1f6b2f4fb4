"""A tiny real tokenizer with XLM-R's special tokens and template."""

from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = "the cat dog sat ran glad happy smile sun sad cry rain grey calm tea sea quiet good bad hello world"


def tiny_tokenizer() -> Tokenizer:
    """Unigram over a few English words and single letters."""
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("<mask>", 0.0)]
    pieces += [(f"▁{word}", -2.0) for word in WORDS.split()]
    pieces += [(letter, -6.0) for letter in "▁abcdefghijklmnopqrstuvwxyz.,?!'0123456789"]
    pieces += [(f"<spare{number}>", -20.0) for number in range(-len(pieces) % 32)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return tokenizer
