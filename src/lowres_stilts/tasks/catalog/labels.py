"""Label sets that several tasks share."""

from collections.abc import Mapping
from types import MappingProxyType

NLI = ("contradiction", "entailment", "neutral")
NLI_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "c": "contradiction",
        "e": "entailment",
        "n": "neutral",
        "contradictory": "contradiction",
        "CONTRADICTION": "contradiction",
        "ENTAILMENT": "entailment",
        "NEUTRAL": "neutral",
    }
)
"""As ANLI, XTREME's translations and SICK spell them."""
NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
NER_WITH_DATES = (*NER, "B-DATE", "I-DATE")
UPOS = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
NO_YES = ("0", "1")
SIB_TOPICS = (
    "science/technology",
    "travel",
    "politics",
    "sports",
    "health",
    "entertainment",
    "geography",
)
