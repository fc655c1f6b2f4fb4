"""Test sets of languages that few others have."""

from types import MappingProxyType

from lowres_stilts.data.formats import read_json
from lowres_stilts.data.hub import HubDataset
from lowres_stilts.data.tables import read_table
from lowres_stilts.tasks.catalog import labels, languages
from lowres_stilts.tasks.catalog.english import MNLI
from lowres_stilts.tasks.catalog.layouts import (
    BLANK_TEXTS,
    BLANK_TOKENS,
    NLI_FIELDS,
    PARQUET,
    XNLI_TRAINING,
    read_nli,
)
from lowres_stilts.tasks.catalog.xtreme import PANX, UDPOS
from lowres_stilts.tasks.choices import parse_belebele
from lowres_stilts.tasks.classification import parse_text
from lowres_stilts.tasks.tagging import parse_tagged, read_tagged
from lowres_stilts.tasks.task import Task

LOW_RESOURCE = (
    Task(
        name="sib200",
        family="classification",
        summary="topic of a sentence, 7 topics, in the languages of FLORES-200",
        languages=languages.SIB,
        english="eng_Latn",
        metric="accuracy",
        reader=read_table,
        parser=parse_text,
        files=MappingProxyType(
            {
                "train": "sib200/{lang}/train.tsv",
                "dev": "sib200/{lang}/dev.tsv",
                "test": "sib200/{lang}/test.tsv",
            }
        ),
        hub=HubDataset("Davlan/sib200"),
        fields=("text",),
        label_field="category",
        labels=labels.SIB_TOPICS,
        licence="CC-BY-SA-4.0",
        citation="Adelani et al. 2024, arXiv:2309.07445",
    ),
    Task(
        name="masakhaner",
        family="tagging",
        summary="named entities in 20 African languages (MasakhaNER 2.0); English training is PAN-X's",
        languages=languages.MASAKHA,
        metric="span_f1",
        reader=read_tagged,
        parser=parse_tagged,
        files=MappingProxyType(
            {"train": "panx/train-en.tsv", "dev": "panx/dev-en.tsv", "test": "masakhaner/{lang}/test.txt"}
        ),
        hub=HubDataset(
            "masakhane/masakhaner2", splits={"test": "test"}, fields={"tags": "ner_tags"}, revision=PARQUET
        ),
        trained_on=PANX,
        fields=("tokens",),
        labels=labels.NER_WITH_DATES,
        tolerates=BLANK_TOKENS,
        licence="AFL-3.0",
        citation="Adelani et al. 2022, arXiv:2210.12391",
    ),
    Task(
        name="masakhapos",
        family="tagging",
        summary="parts of speech in 20 African languages; English training is UD-POS's",
        languages=languages.MASAKHA,
        metric="span_f1",
        reader=read_tagged,
        parser=parse_tagged,
        files=MappingProxyType(
            {"train": "udpos/train-en.tsv", "dev": "udpos/dev-en.tsv", "test": "masakhapos/{lang}/test.txt"}
        ),
        hub=HubDataset("masakhane/masakhapos", splits={"test": "test"}, fields={"tags": "upos"}, revision=PARQUET),
        trained_on=UDPOS,
        fields=("tokens",),
        labels=labels.UPOS,
        label_names={"_": "X"},
        tolerates=BLANK_TOKENS,
        licence="AFL-3.0",
        citation="Dione et al. 2023, arXiv:2305.13989",
    ),
    Task(
        name="americasnli",
        family="classification",
        summary="natural language inference in 10 indigenous languages of the Americas; trained on MultiNLI",
        languages=languages.AMERICASNLI,
        metric="accuracy",
        reader=read_nli,
        parser=parse_text,
        files=MappingProxyType({**XNLI_TRAINING, "test": "americasnli/test/{lang}.tsv"}),
        hub=HubDataset("nala-cub/americas_nli", splits={"test": "test"}),
        trained_on=MNLI,
        fields=NLI_FIELDS,
        labels=labels.NLI,
        label_names=labels.NLI_NAMES,
        tolerates=BLANK_TEXTS,
        licence="CC-BY-NC-SA-4.0",
        citation="Ebrahimi et al. 2022, arXiv:2104.08726",
    ),
    Task(
        name="belebele",
        family="multiple_choice",
        summary="reading comprehension, 4 choices; it has no training set of its own",
        languages=languages.BELEBELE,
        english="eng_Latn",
        metric="accuracy",
        reader=read_json,
        parser=parse_belebele,
        files=MappingProxyType({"test": "belebele/{lang}.jsonl"}),
        hub=HubDataset("facebook/belebele", splits={"test": "test"}),
        fields=("flores_passage", "question"),
        max_length=384,
        licence="CC-BY-SA-4.0",
        citation="Bandarkar et al. 2024, arXiv:2308.16884",
    ),
)
