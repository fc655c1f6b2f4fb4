"""The `lowres-stilts` command and how its errors look."""

import sys

import typer

from lowres_stilts import __version__
from lowres_stilts.cli.cache import app as cache_app
from lowres_stilts.cli.data import app as data_app
from lowres_stilts.cli.doctor import doctor_command
from lowres_stilts.cli.evaluate import evaluate_command
from lowres_stilts.cli.export import export_command
from lowres_stilts.cli.hub import app as hub_app
from lowres_stilts.cli.new import new_command
from lowres_stilts.cli.plan import plan_command
from lowres_stilts.cli.predict import predict_command
from lowres_stilts.cli.report import report_command
from lowres_stilts.cli.run import run_command
from lowres_stilts.cli.score import score_command
from lowres_stilts.cli.serve import key_command, serve_command
from lowres_stilts.cli.study import study_command
from lowres_stilts.cli.tasks import tasks_command
from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.extras import naming_extras
from lowres_stilts.names import require_utf8

NAME = "lowres-stilts"
FIRST_STEPS = f"""lowres-stilts {__version__}: named entities, inference, questions or retrieval in Swahili, Urdu \
or Quechua, from English labels.

First steps:
  lowres-stilts doctor                   whether this machine can do it, and what to install
  lowres-stilts new quickstart.yaml      a recipe that needs no data and no GPU: minutes on two CPU cores
  lowres-stilts run quickstart.yaml      trains, evaluates in ten languages, writes a report
  lowres-stilts export runs/quickstart -o bundle
  lowres-stilts serve bundle             answers over HTTP, with a page to try it at /

lowres-stilts --help lists all commands, and COMMAND --help shows an example of each."""

app = typer.Typer(
    name=NAME,
    help="English intermediate-task training for low-resource languages on one consumer GPU.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("doctor")(doctor_command)
app.command("evaluate")(evaluate_command)
app.command("export")(export_command)
app.command("key")(key_command)
app.command("new")(new_command)
app.command("plan")(plan_command)
app.command("predict")(predict_command)
app.command("report")(report_command)
app.command("run")(run_command)
app.command("score")(score_command)
app.command("serve")(serve_command)
app.command("study")(study_command)
app.command("tasks")(tasks_command)
app.add_typer(cache_app, name="cache")
app.add_typer(data_app, name="data")
app.add_typer(hub_app, name="hub")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show it."),
) -> None:
    """English intermediate-task training for low-resource languages on one consumer GPU."""
    if context.invoked_subcommand is None:
        typer.echo(FIRST_STEPS)


def _require_utf8(arguments: list[str]) -> None:
    """Refuses a path before anything is done for it; what else commands take is no bytes either."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            require_utf8(argument)


def main() -> None:
    """Entry point; a user's mistake is one line on standard error and exit code 1 or 2."""
    try:
        _require_utf8(sys.argv[1:])
        with naming_extras():
            app(prog_name=NAME)
    except LowresStiltsError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
