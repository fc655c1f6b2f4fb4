"""A task: one record."""

from lowres_stilts.data.tables import tsv
from lowres_stilts.tasks.classification import parse_text
from lowres_stilts.tasks.task import Task

MOOD_ORDER = Task(
    name="mood-order",
    family="ordinal",
    summary="how good the mood of a sentence is",
    languages=("en", "sw", "ur"),
    metric="closeness",
    reader=tsv("text", "label"),
    parser=parse_text,
    files={split: f"mood-{split}-{{lang}}.tsv" for split in ("train", "dev", "test")},
    fields=("text",),
    labels=("sad", "calm", "glad"),
    licence="Apache-2.0",
)
