"""`lowres-stilts hub list`: the packages and bundles of a folder, or of the Hub."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lowres_stilts.errors import LowresStiltsError, PackageError
from lowres_stilts.names import require_folder


def list_command(
    folder: Annotated[Path, typer.Argument(help="A folder of packages and bundles.")] = Path("adapters"),
    on_hub: Annotated[bool, typer.Option("--hub", help="Those on the Hugging Face Hub instead.")] = False,
    author: Annotated[str | None, typer.Option(help="On the Hub: a user's or organization's only.")] = None,
    search: Annotated[str | None, typer.Option(help="On the Hub: with this in their names only.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="On the Hub: at most so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Lists the packages and bundles of a folder, whether they are sound or not, or of the Hugging Face Hub.

    Example: lowres-stilts hub list adapters; lowres-stilts hub list --author me --search xnli
    """
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    wants_hub = on_hub or author is not None or search is not None or limit is not None
    rows = _listed_on_hub(author, search, limit) if wants_hub else _listed_in(folder)
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        what = ", ".join(row.get("tasks") or row.get("families") or [])
        name, kind, base = (row.get(key) or "-" for key in ("repo" if wants_hub else "name", "kind", "base"))
        typer.echo(row.get("error") or f"{name:32} {kind:10} {what:24} {base}")


def _listed_in(folder: Path) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from lowres_stilts.hub.kinds import KINDS

    require_folder(folder, PackageError, "for packages on the Hub, use --hub, --author or --search")
    found = [(file.parent, kind) for kind in KINDS for file in folder.glob(f"*/{kind.manifest}")]
    rows: list[dict[str, Any]] = []
    for path, kind in sorted(found, key=lambda item: item[0]):
        try:
            rows.append({"folder": str(path), **asdict(kind.summary(path))})
        except LowresStiltsError as error:
            rows.append({"folder": str(path), "error": str(error)})
    return rows


def _listed_on_hub(author: str | None, search: str | None, limit: int | None) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from lowres_stilts.hub.search import find_packages

    return [asdict(found) for found in find_packages(author=author, search=search, limit=limit)]
