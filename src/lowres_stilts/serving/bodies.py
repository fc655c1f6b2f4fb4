"""From the bytes of a body to what a route takes, with one line for what is wrong."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lowres_stilts.serving.problems import BAD, UNPROCESSABLE, Refusal

KEY = re.compile(r"[a-z][a-z_]*")
KINDS = {"str", "constrained-str", "list", "bool", "int"}
"""What pydantic puts among the keys to say which form of a value it tried."""


def parsed(body: bytes, kind: TypeAdapter[Any]) -> Any:
    """The body of a request.

    Raises:
        Refusal: it is no JSON (400), or has a wrong key or value (422).
    """
    try:
        return kind.validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
    first = details[0]
    if first["type"] == "json_invalid":
        raise Refusal(BAD, f"the body is no JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
    raise Refusal(UNPROCESSABLE, described(details))


def described(details: Sequence[Mapping[str, Any]]) -> str:
    """The error that got furthest into the body, in one line."""
    deepest = max(details, key=lambda one: (len(_place(one)), not one["type"].endswith("_type")))
    place, message = _place(deepest), deepest["msg"].removeprefix("Value error, ")
    if deepest["type"] == "extra_forbidden":
        return f"{_shown(str(deepest['loc'][-1]))}: there is no such key"
    return f"{'.'.join(map(str, place))}: {message}" if place else message


def _place(detail: Mapping[str, Any]) -> list[str | int]:
    return [part for part in detail["loc"] if isinstance(part, int) or (KEY.fullmatch(part) and part not in KINDS)]


def _shown(key: str) -> str:
    return repr(key if len(key) <= 60 else f"{key[:57]}...")
