"""Zero-shot evaluation."""

from typing import Annotated, Literal

from pydantic import Field

from lowres_stilts.recipe.settings import Positive, Settings


class RetrievalSettings(Settings):
    """How a sentence becomes one vector."""

    layer: int = -1
    """Index into `hidden_states`: 0 is the embedding output, -1 the last layer; XTREME's "layer 13" is 14 here."""
    pooling: Literal["mean", "cls"] = "mean"
    """Mean over tokens, or the first token."""
    prefix: str = ""
    """Put before every sentence; E5 models want `"query: "`."""
    similarity: Literal["cosine", "margin"] = "cosine"
    """`margin`: cosine over the mean of the neighbours' cosines (Artetxe and Schwenk 2019, arXiv:1811.01136)."""
    neighbours: Positive = 4
    """How many neighbours the margin looks at."""
    sweep: list[int] = []
    """Further layers to score, for each of both poolings; the results list them under `sweep`."""


class EvaluateSettings(Settings):
    """Zero-shot evaluation in the languages of the target."""

    languages: Literal["all"] | list[str] = "all"
    """`all` takes every language of the task that the data folder has."""
    split: Literal["dev", "test"] = "test"
    limit: Positive | None = None
    """The first n examples of each language; the results say so."""
    baseline: bool = True
    """Also run the target without the intermediate phase, and report the gain over it."""
    nbest: Positive | None = None
    """Question answering: also write that many answers to each question, with their probabilities, to `nbest/`."""
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    """Resamples behind each 95% interval."""
    tokens_per_batch: Positive = 4096
    retrieval: RetrievalSettings = RetrievalSettings()
