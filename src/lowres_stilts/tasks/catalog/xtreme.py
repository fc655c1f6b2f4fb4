"""The nine tasks of XTREME (Hu et al. 2020, arXiv:2003.11080)."""

from types import MappingProxyType

from lowres_stilts.data.conll import without_language_prefix
from lowres_stilts.data.hub import HubDataset
from lowres_stilts.data.squad import read_squad
from lowres_stilts.data.tables import tsv
from lowres_stilts.tasks.catalog import labels, languages
from lowres_stilts.tasks.catalog.english import SQUAD
from lowres_stilts.tasks.catalog.layouts import (
    BLANK_TEXTS,
    BLANK_TOKENS,
    NLI_FIELDS,
    PARQUET,
    SQUAD_FILES,
    XTREME_ON_HUB,
    files,
    read_nli,
)
from lowres_stilts.tasks.classification import parse_text
from lowres_stilts.tasks.qa import parse_squad
from lowres_stilts.tasks.retrieval import read_mining, read_parallel
from lowres_stilts.tasks.tagging import parse_tagged, read_tagged
from lowres_stilts.tasks.task import Task, Translated

QA_FIELDS = ("question", "context")
SENTENCES = ("sentence1", "sentence2")

PANX = Task(
    name="panx",
    family="tagging",
    summary="named entities of WikiAnn",
    languages=languages.PANX,
    metric="span_f1",
    reader=without_language_prefix(read_tagged, languages.PANX),
    parser=parse_tagged,
    files=files("panx"),
    hub=HubDataset(
        XTREME_ON_HUB,
        "PAN-X.{lang}",
        lacks=frozenset({*languages.PANX} - {*languages.XTREME}),
        fields={"tags": "ner_tags"},
    ),
    fields=("tokens",),
    labels=labels.NER,
    public_labels=False,
    answers_at="https://github.com/afshinrahimi/mmner",
    tolerates=BLANK_TOKENS,
    licence="text: CC-BY-SA",
    citation="Pan et al. 2017; splits: Rahimi et al. 2019, arXiv:1902.00193",
)
UDPOS = Task(
    name="udpos",
    family="tagging",
    summary="parts of speech of Universal Dependencies 2.5",
    languages=languages.UDPOS,
    metric="span_f1",
    reader=read_tagged,
    parser=parse_tagged,
    files=files("udpos"),
    hub=HubDataset(
        XTREME_ON_HUB,
        "udpos.{lang}",
        languages=languages.UD_TREEBANK_NAMES,
        lacks=frozenset({*languages.UDPOS} - {*languages.UD_TREEBANK_NAMES}),
        fields={"tags": "pos_tags"},
    ),
    fields=("tokens",),
    labels=labels.UPOS,
    label_names={"_": "X"},
    answers_at="https://universaldependencies.org",
    tolerates=BLANK_TOKENS,
    licence="per treebank, mostly CC-BY-SA-4.0 or CC-BY-NC-SA",
    citation="Nivre et al. 2018; XTREME, arXiv:2003.11080",
)
XTREME = (
    Task(
        name="xnli",
        family="classification",
        summary="natural language inference",
        languages=languages.XNLI,
        metric="accuracy",
        reader=read_nli,
        parser=parse_text,
        files=files("xnli"),
        hub=HubDataset("facebook/xnli"),
        translated=Translated(
            "XNLI/translate-train/en-{lang}-translated.tsv", tsv("en1", "en2", *NLI_FIELDS, "label")
        ),
        fields=NLI_FIELDS,
        labels=labels.NLI,
        label_names=labels.NLI_NAMES,
        answers_at="https://github.com/facebookresearch/XNLI",
        tolerates=BLANK_TEXTS,
        licence="CC-BY-NC-4.0",
        citation="Conneau et al. 2018, arXiv:1809.05053",
    ),
    Task(
        name="pawsx",
        family="classification",
        summary="paraphrase identification",
        languages=languages.PAWSX,
        metric="accuracy",
        reader=tsv(*SENTENCES, "label"),
        parser=parse_text,
        files=files("pawsx"),
        hub=HubDataset("google-research-datasets/paws-x"),
        translated=Translated(
            "PAWSX/translate-train/en-{lang}-translated.tsv", tsv("en1", "en2", *SENTENCES, "label")
        ),
        fields=SENTENCES,
        labels=labels.NO_YES,
        answers_at="https://github.com/google-research-datasets/paws/tree/master/pawsx",
        tolerates=BLANK_TEXTS,
        licence="free for any purpose, acknowledgement of Google LLC asked",
        citation="Yang et al. 2019, arXiv:1908.11828",
    ),
    PANX,
    UDPOS,
    Task(
        name="xquad",
        family="qa",
        summary="SQuAD questions translated by people; trained on SQuAD",
        languages=languages.XQUAD,
        metric="squad",
        reader=read_squad,
        parser=parse_squad,
        files=MappingProxyType({**SQUAD_FILES, "test": "xquad/xquad.{lang}.json"}),
        hub=HubDataset("google/xquad", "xquad.{lang}", splits={"test": "validation"}),
        trained_on=SQUAD,
        fields=QA_FIELDS,
        max_length=384,
        answers_at="https://github.com/google-deepmind/xquad",
        licence="CC-BY-SA-4.0",
        citation="Artetxe et al. 2020, arXiv:1910.11856",
    ),
    Task(
        name="mlqa",
        family="qa",
        summary="questions on Wikipedia in 7 languages; trained on SQuAD",
        languages=languages.MLQA,
        metric="mlqa",
        reader=read_squad,
        parser=parse_squad,
        files=MappingProxyType(
            {
                "train": SQUAD_FILES["train"],
                "dev": "mlqa/MLQA_V1/dev/dev-context-{lang}-question-{lang}.json",
                "test": "mlqa/MLQA_V1/test/test-context-{lang}-question-{lang}.json",
            }
        ),
        hub=HubDataset(XTREME_ON_HUB, "MLQA.{lang}.{lang}", splits={"dev": "validation", "test": "test"}),
        trained_on=SQUAD,
        fields=QA_FIELDS,
        max_length=384,
        answers_at="https://github.com/facebookresearch/MLQA",
        licence="CC-BY-SA-3.0",
        citation="Lewis et al. 2020, arXiv:1910.07475",
    ),
    Task(
        name="tydiqa",
        family="qa",
        summary="TyDi QA, gold passage; its public dev set is the test set of XTREME",
        languages=languages.TYDIQA,
        metric="squad",
        reader=read_squad,
        parser=parse_squad,
        files=MappingProxyType(
            {
                "train": "tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{lang}.train.json",
                "test": "tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{lang}.dev.json",
            }
        ),
        hub=HubDataset(
            "khalidalt/tydiqa-goldp",
            "{lang}",
            splits={"train": "train", "test": "validation"},
            languages=languages.TYDIQA_NAMES,
            fields={"context": "passage_text", "question": "question_text"},
            revision=PARQUET,
        ),
        fields=QA_FIELDS,
        max_length=384,
        answers_at="https://github.com/google-research-datasets/tydiqa",
        licence="Apache-2.0",
        citation="Clark et al. 2020, arXiv:2003.05002",
    ),
    Task(
        name="bucc2018",
        family="retrieval",
        summary="mining of translated sentences",
        languages=languages.BUCC,
        metric="pair_f1",
        pool=read_mining,
        search="mine",
        files=MappingProxyType({"dev": "bucc2018/{lang}-en.dev.{lang}", "test": "bucc2018/{lang}-en.test.{lang}"}),
        fields=("source", "english"),
        public_labels=False,
        answers_at="https://comparable.limsi.fr/bucc2018",
        licence="free for research",
        citation="Zweigenbaum et al. 2018",
    ),
    Task(
        name="tatoeba",
        family="retrieval",
        summary="sentences find their English translation",
        languages=languages.TATOEBA,
        metric="accuracy",
        pool=read_parallel,
        files=MappingProxyType({"test": "tatoeba/{lang}-en.{lang}"}),
        hub=HubDataset(
            XTREME_ON_HUB,
            "tatoeba.{lang}",
            splits={"test": "validation"},
            languages=languages.TATOEBA_NAMES,
            lacks=frozenset({*languages.TATOEBA} - {*languages.TATOEBA_NAMES}),
            fields={"source": "source_sentence", "english": "target_sentence"},
        ),
        fields=("source", "english"),
        answers_at="https://github.com/facebookresearch/LASER/tree/main/data/tatoeba/v1",
        licence="CC-BY-2.0-FR",
        citation="Artetxe and Schwenk 2019, arXiv:1812.10464",
    ),
)
