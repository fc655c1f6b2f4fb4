"""What the parts of a manifest have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lowres_stilts.hub.checksums import NAME

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModuleName = Annotated[str, Field(pattern=rf"^{NAME}$")]
Size = Annotated[int, Field(gt=0)]


class Part(BaseModel):
    """A part of the manifest: unknown keys are errors and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
