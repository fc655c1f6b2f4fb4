"""What `--help` says at its end."""

from collections.abc import Callable
from inspect import cleandoc
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])


def example(line: str) -> Callable[[Command], Command]:
    """Ends a command's help with an example that is too long for a docstring."""

    def add(command: Command) -> Command:
        command.__doc__ = f"{cleandoc(command.__doc__ or '')}\n\nExample: {line}"
        return command

    return add
