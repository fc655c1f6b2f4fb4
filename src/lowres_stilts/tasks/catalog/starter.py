"""The starter's tasks, from a package that comes with the project's extra `starter`."""

from types import MappingProxyType

from lowres_stilts.data.formats import read_json
from lowres_stilts.data.starter import LANGUAGE_FOLDERS, PARALLEL_LANGUAGES, TOPICS
from lowres_stilts.data.tables import tsv
from lowres_stilts.tasks.catalog.languages import ENGLISH
from lowres_stilts.tasks.catalog.layouts import files
from lowres_stilts.tasks.choices import parse_plain
from lowres_stilts.tasks.classification import parse_text
from lowres_stilts.tasks.retrieval import read_parallel
from lowres_stilts.tasks.task import Task

STARTER = (
    Task(
        name="starter-reply",
        family="multiple_choice",
        summary="which of 4 replies answers the prompt: the starter's English intermediate task",
        languages=ENGLISH,
        metric="accuracy",
        reader=read_json,
        parser=parse_plain,
        files=files("starter/reply", "jsonl"),
        fields=("prompt", "choices"),
        licence="BSD-3-Clause",
        citation="chatterbot-corpus",
    ),
    Task(
        name="starter-topic",
        family="classification",
        summary="topic of a short exchange, 16 topics: the starter's target task",
        languages=tuple(LANGUAGE_FOLDERS),
        metric="accuracy",
        reader=tsv("text", "label"),
        parser=parse_text,
        files=files("starter/topic"),
        fields=("text",),
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
        pool=read_parallel,
        files=MappingProxyType({"test": "starter/parallel/{lang}-en.{lang}"}),
        fields=("source", "english"),
        licence="BSD-3-Clause",
        citation="chatterbot-corpus",
    ),
)
