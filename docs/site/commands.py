"""Writes the reference of the commands from their own help."""

from collections.abc import Iterator

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.main import get_command

from lowres_stilts.cli.app import app

PAGE = "reference/commands.md"
WIDTH = 100
HEAD = """# Commands

What `--help` says, command by command. Exit codes are 0 for done, 1 for failed and 2 for wrong usage; with
`--json` nothing but JSON goes to standard output.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the page."""
    files.append(File.generated(config, PAGE, content=commands_page()))
    return files


def commands_page() -> str:
    """A section for each command, with its help as a terminal of 100 columns shows it."""
    sections = [f"## `{name}`\n\n```text\n{text.rstrip()}\n```\n" for name, text in helps("lowres-stilts")]
    return "\n".join([HEAD, *sections])


def helps(program: str) -> Iterator[tuple[str, str]]:
    """Names and help of all commands, those of groups among them."""
    command = get_command(app)
    names = command.context_settings.get("help_option_names")
    yield from helps_below(
        typer.Context(
            command, info_name=program, terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=names
        )
    )


def helps_below(context: typer.Context) -> Iterator[tuple[str, str]]:
    """Of a command and of those in it."""
    yield context.command_path, context.command.get_help(context)
    for name, below in getattr(context.command, "commands", {}).items():
        yield from helps_below(
            typer.Context(below, info_name=name, parent=context, terminal_width=WIDTH, max_content_width=WIDTH)
        )
