"""What XTREME-R adds (Ruder et al. 2021, arXiv:2104.07412), and XStoryCloze."""

from collections.abc import Mapping
from types import MappingProxyType

from lowres_stilts.data.formats import read_json
from lowres_stilts.data.hub import HubDataset
from lowres_stilts.data.tables import read_table
from lowres_stilts.tasks.catalog import languages
from lowres_stilts.tasks.catalog.layouts import PARQUET, files
from lowres_stilts.tasks.choices import parse_copa, parse_storycloze, without_placeholder_labels
from lowres_stilts.tasks.retrieval import read_lareqa, read_mewslix
from lowres_stilts.tasks.task import Split, Task

XCOPA_FIELDS = ("premise", "choice1", "choice2")
XCOPA_FILES = files("xcopa", "jsonl", dev="val")
XCOPA_FILES_OF_SCRIPT: Mapping[Split, str] = MappingProxyType(
    {"train": "xcopa/train.{lang}.jsonl", "dev": "xcopa/val.{lang}.jsonl", "test": "xcopa/test.{lang}.jsonl"}
)
COPA = Task(
    name="copa",
    family="multiple_choice",
    summary="causal commonsense in English, 2 choices: what XCOPA translates",
    languages=languages.ENGLISH,
    metric="accuracy",
    reader=without_placeholder_labels(read_json),
    parser=parse_copa,
    files=XCOPA_FILES,
    also=XCOPA_FILES_OF_SCRIPT,
    hub=HubDataset("aps/super_glue", "copa", splits={"train": "train", "dev": "validation"}, revision=PARQUET),
    fields=XCOPA_FIELDS,
    public_labels=False,
    licence="BSD-2-Clause",
    citation="Roemmele et al. 2011; SuperGLUE, arXiv:1905.00537",
)
XTREME_R = (
    COPA,
    Task(
        name="xcopa",
        family="multiple_choice",
        summary="causal commonsense, 2 choices",
        languages=languages.XCOPA,
        metric="accuracy",
        reader=without_placeholder_labels(read_json),
        parser=parse_copa,
        files=XCOPA_FILES,
        also=XCOPA_FILES_OF_SCRIPT,
        answers_at="https://github.com/cambridgeltl/xcopa",
        hub=HubDataset(
            "cambridgeltl/xcopa", splits={"dev": "validation", "test": "test"}, lacks=frozenset(languages.ENGLISH)
        ),
        trained_on=COPA,
        fields=XCOPA_FIELDS,
        licence="CC-BY-4.0",
        citation="Ponti et al. 2020, arXiv:2005.00333",
    ),
    Task(
        name="lareqa",
        family="retrieval",
        summary="questions find answer sentences in any language: XQuAD-R",
        languages=languages.XQUAD,
        metric="map_at_20",
        pool=read_lareqa,
        search="rank",
        files=MappingProxyType({"test": "lareqa/xquad-r/{lang}.json"}),
        fields=("question", "context"),
        max_length=384,
        licence="CC-BY-SA-4.0",
        citation="Roy et al. 2020, arXiv:2004.05484",
    ),
    Task(
        name="mewslix",
        family="retrieval",
        summary="mentions find the description of their entity, in any language",
        languages=languages.MEWSLIX,
        metric="map_at_20",
        pool=read_mewslix,
        search="rank",
        files=MappingProxyType(
            {"dev": "mewslix/wikinews_mentions-dev.jsonl", "test": "mewslix/wikinews_mentions-test.jsonl"}
        ),
        also=MappingProxyType(
            {
                "dev": "mewslix/wikinews_mentions/dev-{lang}.jsonl",
                "test": "mewslix/wikinews_mentions/test-{lang}.jsonl",
            }
        ),
        answers_at=(
            "https://github.com/google-research/google-research/tree/master/dense_representations_for_entity_retrieval"
        ),
        fields=("context", "description"),
        licence="CC-BY-SA-3.0 and CC-BY-2.5",
        citation="Ruder et al. 2021, arXiv:2104.07412",
    ),
    Task(
        name="xstorycloze",
        family="multiple_choice",
        summary="the right ending of a story, 2 choices",
        languages=languages.XSTORYCLOZE,
        metric="accuracy",
        reader=read_table,
        parser=parse_storycloze,
        files=MappingProxyType(
            {
                "train": "xstorycloze/spring2016.val.{lang}.tsv.split_20_80_train.tsv",
                "test": "xstorycloze/spring2016.val.{lang}.tsv.split_20_80_eval.tsv",
            }
        ),
        hub=HubDataset("juletxara/xstory_cloze", splits={"train": "train", "test": "eval"}),
        fields=("input_sentence_1", "sentence_quiz1", "sentence_quiz2"),
        licence="CC-BY-SA-4.0",
        citation="Lin et al. 2022, arXiv:2112.10668",
    ),
)
