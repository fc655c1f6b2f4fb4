"""The command line: one thin file per command."""

from lowres_stilts.cli.app import main

__all__ = ["main"]
