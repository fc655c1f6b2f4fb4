"""For schemathesis' command line: leaves out what no schema can say."""

from typing import Any

import schemathesis

NAMES = {"plain", "first", "first-intermediate-choice", "first-intermediate-tags", "second"}
"""Of the service under test: schemathesis learns them from answers, and asks the wrong adapter on a route."""


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:
    if not isinstance(body, dict):
        return True
    named = {value for key in ("model", "adapter") if isinstance(value := body.get(key), str)}
    return not NAMES & named and not _has_pair(body.get("inputs"))


@schemathesis.hook
def before_add_examples(context: schemathesis.HookContext, examples: list[schemathesis.Case]) -> None:
    """The document's own examples do not pass through the filter."""
    examples[:] = [case for case in examples if filter_body(context, case.body)]


def _has_pair(inputs: Any) -> bool:
    """The service under test has an adapter of one text."""
    batch = inputs if isinstance(inputs, list) else [inputs]
    return any(
        (isinstance(item, list) and len(item) == 2)
        or (isinstance(item, dict) and item.get("text_pair") is not None)
        for item in batch
    )
