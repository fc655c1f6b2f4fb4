"""What the parts of a manifest are made of."""

from typing import Annotated

from pydantic import Field

from lowres_stilts.hub.checksums import NAME

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModuleName = Annotated[str, Field(pattern=rf"^{NAME}$")]
Size = Annotated[int, Field(gt=0)]
