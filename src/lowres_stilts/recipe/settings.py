"""What the parts of a recipe are made of."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lowres_stilts.names import problem_of

Split = Literal["train", "dev", "test"]
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def _usable(name: str) -> str:
    if problem := problem_of(name):
        raise ValueError(f"{problem}; use letters and digits, with '-', '_' or '.' between")
    return name


Name = Annotated[str, AfterValidator(_usable)]
"""The name of a task or a language: files are named after it."""


class Settings(BaseModel):
    """A part of a recipe: unknown keys are errors and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
