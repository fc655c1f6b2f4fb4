"""The bodies of requests about tokens, as the OpenAPI document shows them."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from lowres_stilts.serving.schemas import Asked, Flag, Texts, shown

LARGEST_ID = 2**32 - 1


def _ids(lists: list[float] | list[list[float]]) -> list[list[int]]:
    """Checks all at once, as a request may have hundreds of thousands; one list is a batch of one."""
    batch: Any = lists if isinstance(lists[0], list) else [lists]
    if not all(0 <= value <= LARGEST_ID and value == int(value) for values in batch for value in values):
        raise ValueError(f"token ids are whole numbers from 0 to {LARGEST_ID}")
    return [[int(value) for value in values] for values in batch]


IDS = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": LARGEST_ID}}
Values = Annotated[list[float], Field(min_length=1)]
Ids = Annotated[
    Values | Annotated[list[Values], Field(min_length=1)],
    AfterValidator(_ids),
    WithJsonSchema({"anyOf": [IDS, {"type": "array", "minItems": 1, "items": IDS}]}),
]


class TokenizeRequest(Asked):
    """Texts to cut into tokens."""

    model_config = shown({"inputs": "Habari za asubuhi"})

    inputs: Texts
    add_special_tokens: Flag = True
    """Whether those at the start and end are among them."""
    prompt_name: None = None


class DecodeRequest(Asked):
    """Token ids to make texts of."""

    model_config = shown({"ids": [0, 28017, 2]}, {"ids": [[0, 28017, 2], [0, 22888, 2]]})

    ids: Ids
    skip_special_tokens: Flag = True
