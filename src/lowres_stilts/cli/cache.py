"""`lowres-stilts cache`: what lies in the caches, and its removal."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lowres_stilts.errors import UsageError

if TYPE_CHECKING:
    from lowres_stilts.caches import Part

app = typer.Typer(help="The caches: what lies there, and its removal.", no_args_is_help=True)
UNITS = ("B", "kB", "MB", "GB", "TB")


@app.command("list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Lists what lies in the caches, with sizes.

    Example: lowres-stilts cache list --json
    """
    from lowres_stilts.caches import hub_parts, own_parts
    from lowres_stilts.storage import cache_dir

    parts = [*own_parts(), *hub_parts()]
    if as_json:
        typer.echo(json.dumps({"folder": str(cache_dir()), "parts": _rows(parts)}, indent=2))
        return
    typer.echo(f"{cache_dir()}")
    for part in parts:
        typer.echo(f"  {part.kind:14} {_size(part.bytes):>9}  {part.about}")


@app.command("clean")
def clean_command(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(help="starter-model, starter-data, features, packages, leftovers; all by default."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Removes what lies in the cache; it is made again when it is needed. Nothing that a process works with.

    Example: lowres-stilts cache clean features --dry-run
    """
    from lowres_stilts.caches import OURS, clean, own_parts

    if unknown := [kind for kind in kinds or [] if kind not in OURS]:
        raise UsageError(f"{unknown[0]!r} is none of {', '.join(OURS)}; for the Hub's, use `hf cache`")
    chosen = list(dict.fromkeys(kinds or OURS))
    parts = own_parts(chosen)
    if not dry_run:
        if not yes:
            _ask(parts)
        parts = clean(chosen)
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "parts": _rows(parts)}, indent=2))
        return
    for part in parts:
        typer.echo(
            f"{part.kind:14} {_size(part.bytes):>9}  {len(part.paths)} {'to remove' if dry_run else 'removed'}"
        )


def _ask(parts: "list[Part]") -> None:
    if not sys.stdin.isatty():
        raise UsageError("say with --yes that it may be removed, or look with --dry-run")
    total = _size(sum(part.bytes for part in parts))
    typer.confirm(f"Remove {', '.join(part.kind for part in parts)}, {total}?", abort=True, err=True)


def _rows(parts: "list[Part]") -> list[dict[str, object]]:
    return [
        {"kind": part.kind, "about": part.about, "bytes": part.bytes, "paths": [str(path) for path in part.paths]}
        for part in parts
    ]


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 else f"{size:.1f} {UNITS[unit]}"
