"""`lowres-stilts hub`: adapter packages and bundles."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowres_stilts.cli.hub_list import list_command
from lowres_stilts.errors import BundleError, PackageError, UsageError
from lowres_stilts.names import require_folder

if TYPE_CHECKING:
    from lowres_stilts.hub.push import Plan
    from lowres_stilts.hub.verify import Package

app = typer.Typer(
    help="Adapter packages and bundles: list, show, verify, push and pull them.", no_args_is_help=True
)
app.command("list")(list_command)
Folder = Annotated[Path, typer.Argument(help="A package, a bundle, or a finished run with one package.")]
Repo = Annotated[str, typer.Argument(help="A repository on the Hugging Face Hub: owner/name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FolderOrRepo = Annotated[
    Path, typer.Argument(help="A package, a bundle or a finished run: a folder; or owner/name on the Hub.")
]
Revision = Annotated[str, typer.Option(help="On the Hub: a branch, tag or commit.")]


@app.command("show")
def show_command(folder: FolderOrRepo, revision: Revision = "main", as_json: Json = False) -> None:
    """Shows what a package or a bundle is, how to load it, and its scores.

    Example: lowres-stilts hub show adapters/panx-small
    """
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.hub.kinds import kind_of

    with _found(one_package(folder), revision, only_manifest=True) as place:
        kind = kind_of(place)
        typer.echo(kind.json(place) if as_json else kind.card(place), nl=False)


@app.command("verify")
def verify_command(
    folder: FolderOrRepo,
    revision: Revision = "main",
    scores: Annotated[bool, typer.Option("--scores", help="Also measure its scores again and compare.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="With --scores: the data folder, if not that of the run's recipe.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="With --scores: xtreme, starter or hub, if not the source of the recipe.")
    ] = None,
) -> None:
    """Checks every file of a package or a bundle: sums, manifest, tensors or graphs; and a package's scores.

    Example: lowres-stilts hub verify adapters/ner --scores --data data/xtreme
    """
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.hub.kinds import BUNDLES, kind_of

    found = contents(folder)
    for content in found:
        with _found(content, revision) as place:
            kind = kind_of(place)
            if scores and kind is BUNDLES:
                raise UsageError("--scores: a bundle's were compared when it was written; `hub show` has them")
            typer.echo(f"{content}: sound; {kind.check(place)}")
            if scores and content == found[-1]:  # of a run, the target's has them
                from lowres_stilts.hub.verify import open_package

                _verify_scores(open_package(place), source, data)


def contents(folder: Path) -> list[Path]:
    """The packages of a finished run; else the folder itself.

    Raises:
        PackageError: the run is not finished, or has no package.
    """
    from lowres_stilts.pipeline.folder import RunFolder

    if not RunFolder(folder).is_run:
        return [folder]
    from lowres_stilts.hub.pack import packages_of

    return packages_of(folder)


def one_package(folder: Path) -> Path:
    """The package of a run that has one; else the folder itself.

    Raises:
        PackageError: the run has several, or none.
    """
    found = contents(folder)
    if len(found) > 1:
        raise PackageError(f"{folder}: a run with {len(found)} packages; name one: {', '.join(map(str, found))}")
    return found[0]


@contextmanager
def _found(folder: Path, revision: str, *, only_manifest: bool = False) -> Iterator[Path]:
    """The folder; where there is none that could be a repository's name, a temporary copy from the Hub."""
    if folder.exists() or folder.is_absolute() or len(folder.parts) != 2 or ".." in folder.parts:
        yield folder
        return
    manifests = (path for name in ("stilts.json", "bundle.json") for path in folder.parent.glob(f"*/{name}"))
    near = get_close_matches(folder.name, [path.parent.name for path in manifests], n=1)
    if near:
        raise PackageError(f"no folder {folder} here; did you mean {folder.parent / near[0]}?")
    from lowres_stilts.display import tell_waiting
    from lowres_stilts.libraries import quiet_libraries

    tell_waiting(f"no folder {folder} here; asking the Hub")
    quiet_libraries()
    from lowres_stilts.hub.pull import borrowed

    try:
        with borrowed(folder.as_posix(), revision, only_manifest=only_manifest) as place:
            yield place
    except (BundleError, PackageError) as error:
        raise type(error)(f"no folder {folder} here; on the Hub, {error}") from error


def _verify_scores(package: "Package", source: str | None, data: Path | None) -> None:
    from lowres_stilts.cli.evaluate import data_settings, recipe_of
    from lowres_stilts.hub.evaluate import measure_again
    from lowres_stilts.tasks.load import open_source

    found = measure_again(
        package,
        open_source(data_settings(source, data, recipe_of(package).data), "name the data folder with --data"),
        lambda language: typer.echo(f"done: {language}", err=True),
        lambda problem: typer.echo(f"warning: {problem}", err=True),
    )
    for language, (written, now, inside) in found.items():
        verdict = "" if inside else "  outside the interval"
        typer.echo(f"{language:8} card {written:6.1f}  now {now:6.1f}{verdict}")
    if wrong := [language for language, (_, _, inside) in found.items() if not inside]:
        raise PackageError(
            f"{package.folder}: scores outside the card's interval in {', '.join(wrong)}; "
            "compare the versions in stilts.json with those here"
        )


@app.command("push")
def push_command(
    folder: Folder,
    repo: Repo,
    private: Annotated[bool, typer.Option("--private", help="If it is made: only for its owner.")] = False,
    revision: Annotated[str, typer.Option(help="The branch; it is made if need be.")] = "main",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent.")] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Share scores that chance could have, too, unasked."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Puts a package or bundle on the Hugging Face Hub in one commit, by the token of `hf auth login` or HF_TOKEN.

    Example: lowres-stilts hub push adapters/ner me/ner --private --dry-run
    """
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.hub.remote import check_name

    # Both before what takes long to import.
    check_name(repo)
    require_folder(folder, PackageError, "`lowres-stilts hub list` shows what there is")
    from lowres_stilts.hub.push import plan_push, push

    plan = plan_push(one_package(folder), repo, private=private, branch=revision, dry_run=dry_run)
    if plan.not_asked:
        typer.echo(f"warning: {plan.not_asked}; this is what would be sent to a new repository", err=True)
    if not as_json:
        typer.echo(_shown(plan))
    if not (yes or plan.is_done):
        _ask_of_doubts(plan, dry_run=dry_run)
    url = None if dry_run else push(plan)
    if as_json:
        typer.echo(json.dumps(_as_json(plan, url), indent=2))
    else:
        done = "nothing to send" if plan.is_done else "pushed"
        typer.echo("dry run: nothing was sent" if url is None else f"{done}: {url}")


def _ask_of_doubts(plan: "Plan", *, dry_run: bool) -> None:
    """Ends the command unless whoever types it wants scores shared that chance could have."""
    if not plan.doubts:
        return
    told = "; ".join(plan.doubts)
    if dry_run:
        typer.echo(f"warning: {told}", err=True)
    elif not sys.stdin.isatty():
        raise UsageError(f"{plan.folder}: {told}; nothing was sent; add --yes to share it all the same")
    elif not typer.confirm(f"{told}. Share it all the same?", err=True):
        typer.echo("nothing was sent", err=True)
        raise typer.Exit(1)


def _shown(plan: "Plan") -> str:
    made = "" if plan.remote else ", to be made"
    branch = "" if plan.branch_exists or not plan.remote else ", to be made"
    rows = [f"{plan.repo} ({'private' if plan.private else 'public'}{made}), branch {plan.branch}{branch}"]
    for name, change in plan.changes.items():
        size = "" if change == "removed" else f"{(plan.folder / name).stat().st_size:,}"
        rows.append(f"  {change:8} {name:28} {size:>12}".rstrip())
    return "\n".join(rows)


def _as_json(plan: "Plan", url: str | None) -> dict[str, Any]:
    files = {
        name: {"change": change, "bytes": None if change == "removed" else (plan.folder / name).stat().st_size}
        for name, change in plan.changes.items()
    }
    return {
        "repo": plan.repo,
        "branch": plan.branch,
        "private": plan.private,
        "exists": plan.remote is not None,
        "branch_exists": plan.branch_exists,
        "up_to_date": plan.is_done,
        "files": files,
        "commit_url": url,
    }


@app.command("pull")
def pull_command(
    repo: Repo,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="By default adapters/<name>, or bundles/<name>.")
    ] = None,
    revision: Revision = "main",
    as_json: Json = False,
) -> None:
    """Fetches a package or a bundle from the Hugging Face Hub, checks it and puts it into a new folder.

    Example: lowres-stilts hub pull me/ner -o adapters/ner
    """
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.hub.pull import pull_package

    pulled = pull_package(repo, output, revision)
    if as_json:
        row = {"folder": str(pulled.folder), "repo": repo, "commit": pulled.commit, "up_to_date": pulled.was_there}
        typer.echo(json.dumps(row, indent=2))
    else:
        done = "up to date" if pulled.was_there else "pulled and sound"
        typer.echo(f"{pulled.folder}: {done}; {repo} at {pulled.commit}")
