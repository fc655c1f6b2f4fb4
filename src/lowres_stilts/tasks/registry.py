"""Every task that the project knows. Adding a task is adding an entry here."""

from collections.abc import Mapping
from types import MappingProxyType

from lowres_stilts.data.starter import LANGUAGE_FOLDERS, PARALLEL_LANGUAGES, TOPICS
from lowres_stilts.tasks.classification import text_reader
from lowres_stilts.tasks.multiple_choice import (
    choice_reader,
    parse_copa,
    parse_csqa,
    parse_plain,
    parse_siqa,
)
from lowres_stilts.tasks.retrieval import read_parallel
from lowres_stilts.tasks.tagging import read_tagged
from lowres_stilts.tasks.task import Split, Task

NLI_LABELS = ("contradiction", "entailment", "neutral")
NER_TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
UPOS_TAGS = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())

ENGLISH = ("en",)
XNLI_LANGUAGES = tuple("en ar bg de el es fr hi ru sw th tr ur vi zh".split())
PAWSX_LANGUAGES = tuple("en de es fr ja ko zh".split())
XTREME_LANGUAGES = tuple(
    "en af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th tl "
    "tr ur vi yo zh".split()
)
PANX_LANGUAGES = (*XTREME_LANGUAGES, *"az gu lt pa pl qu ro uk".split())
UDPOS_LANGUAGES = tuple(
    "en af ar bg de el es et eu fa fi fr he hi hu id it ja kk ko lt mr nl pl pt ro ru ta te th tl tr uk ur vi wo "
    "yo zh".split()
)
XCOPA_LANGUAGES = tuple("en et ht id it qu sw ta th tr vi zh".split())
TATOEBA_LANGUAGES = (
    *(language for language in XTREME_LANGUAGES if language not in {"en", "ms", "my", "yo"}),
    *"az lt pl ro uk".split(),
)


def _files(folder: str, suffix: str = "tsv", dev: str = "dev") -> Mapping[Split, str]:
    """XTREME's layout: `folder/split-lang.suffix`."""
    return MappingProxyType(
        {
            "train": f"{folder}/train-{{lang}}.{suffix}",
            "dev": f"{folder}/{dev}-{{lang}}.{suffix}",
            "test": f"{folder}/test-{{lang}}.{suffix}",
        }
    )


_TASKS = (
    Task(
        name="xnli",
        family="classification",
        summary="natural language inference",
        languages=XNLI_LANGUAGES,
        metric="accuracy",
        reader=text_reader("premise", "label", pair="hypothesis"),
        files=_files("xnli"),
        labels=NLI_LABELS,
        licence="CC-BY-NC-4.0",
        citation="Conneau et al. 2018, arXiv:1809.05053",
    ),
    Task(
        name="pawsx",
        family="classification",
        summary="paraphrase identification",
        languages=PAWSX_LANGUAGES,
        metric="accuracy",
        reader=text_reader("sentence1", "label", pair="sentence2"),
        files=_files("pawsx"),
        labels=("0", "1"),
        licence="free for any purpose, acknowledgement of Google LLC asked",
        citation="Yang et al. 2019, arXiv:1908.11828",
    ),
    Task(
        name="panx",
        family="tagging",
        summary="named entities of WikiAnn",
        languages=PANX_LANGUAGES,
        metric="span_f1",
        reader=read_tagged,
        files=_files("panx"),
        labels=NER_TAGS,
        licence="text: CC-BY-SA",
        citation="Pan et al. 2017; splits: Rahimi et al. 2019, arXiv:1902.00193",
    ),
    Task(
        name="udpos",
        family="tagging",
        summary="parts of speech of Universal Dependencies 2.5",
        languages=UDPOS_LANGUAGES,
        metric="span_f1",
        reader=read_tagged,
        files=_files("udpos"),
        labels=UPOS_TAGS,
        licence="per treebank, mostly CC-BY-SA-4.0 or CC-BY-NC-SA",
        citation="Nivre et al. 2018; XTREME, arXiv:2003.11080",
    ),
    Task(
        name="xcopa",
        family="multiple_choice",
        summary="causal commonsense, 2 choices",
        languages=XCOPA_LANGUAGES,
        metric="accuracy",
        reader=choice_reader(parse_copa),
        files=_files("xcopa", "jsonl", dev="val"),
        licence="CC-BY-4.0",
        citation="Ponti et al. 2020, arXiv:2005.00333",
    ),
    Task(
        name="tatoeba",
        family="retrieval",
        summary="sentences find their English translation",
        languages=TATOEBA_LANGUAGES,
        metric="accuracy",
        reader=read_parallel,
        files=MappingProxyType({"test": "tatoeba/{lang}-en.{lang}"}),
        licence="CC-BY-2.0-FR",
        citation="Artetxe and Schwenk 2019, arXiv:1812.10464",
    ),
    Task(
        name="mnli",
        family="classification",
        summary="MultiNLI, which is XNLI's English training file, for the intermediate phase",
        languages=ENGLISH,
        metric="accuracy",
        reader=text_reader("premise", "label", pair="hypothesis"),
        files=MappingProxyType({"train": "xnli/train-{lang}.tsv", "dev": "xnli/dev-{lang}.tsv"}),
        labels=NLI_LABELS,
        licence="OANC and others",
        citation="Williams et al. 2018, arXiv:1704.05426",
    ),
    Task(
        name="csqa",
        family="multiple_choice",
        summary="CommonsenseQA, 5 choices, for the intermediate phase",
        languages=ENGLISH,
        metric="accuracy",
        reader=choice_reader(parse_csqa),
        files=MappingProxyType(
            {
                "train": "english/mc/commonsenseqa/train.jsonl",
                "dev": "english/mc/commonsenseqa/dev.jsonl",
            }
        ),
        licence="MIT",
        citation="Talmor et al. 2019, arXiv:1811.00937",
    ),
    Task(
        name="socialiqa",
        family="multiple_choice",
        summary="Social IQa, 3 choices, for the intermediate phase",
        languages=ENGLISH,
        metric="accuracy",
        reader=choice_reader(parse_siqa),
        files=MappingProxyType(
            {
                "train": "siqa/socialIQa_v1.4_trn.jsonl",
                "dev": "siqa/socialIQa_v1.4_dev.jsonl",
                "test": "siqa/socialIQa_v1.4_tst.jsonl",
            }
        ),
        licence="CC-BY-4.0",
        citation="Sap et al. 2019, arXiv:1904.09728",
    ),
    Task(
        name="starter-reply",
        family="multiple_choice",
        summary="which of 4 replies answers the prompt: the starter's English intermediate task",
        languages=ENGLISH,
        metric="accuracy",
        reader=choice_reader(parse_plain),
        files=_files("starter/reply", "jsonl"),
        licence="BSD-3-Clause",
        citation="chatterbot-corpus",
    ),
    Task(
        name="starter-topic",
        family="classification",
        summary="topic of a short exchange, 16 topics: the starter's target task",
        languages=tuple(LANGUAGE_FOLDERS),
        metric="accuracy",
        reader=text_reader("text", "label"),
        files=_files("starter/topic"),
        labels=TOPICS,
        licence="BSD-3-Clause",
        citation="chatterbot-corpus",
    ),
    Task(
        name="starter-parallel",
        family="retrieval",
        summary="prompts find their English translation",
        languages=PARALLEL_LANGUAGES,
        metric="accuracy",
        reader=read_parallel,
        files=MappingProxyType({"test": "starter/parallel/{lang}-en.{lang}"}),
        licence="BSD-3-Clause",
        citation="chatterbot-corpus",
    ),
)

REGISTRY: Mapping[str, Task] = MappingProxyType({task.name: task for task in _TASKS})
