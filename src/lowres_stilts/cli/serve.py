"""`lowres-stilts serve` and `lowres-stilts key`: the inference service, and keys for its clients."""

from pathlib import Path
from typing import Annotated

import typer

from lowres_stilts.cli.help import example


@example("lowres-stilts serve bundle --port 8000 --workers 2 --keys keys.yaml")
def serve_command(
    bundles: Annotated[
        list[Path], typer.Argument(help="Folders written by export; each is named after its folder.")
    ],
    config: Annotated[Path | None, typer.Option(help="Settings in YAML; options here go before them.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(help="8000 by default; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes, each with the model of its own.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of a run; all cores by default.")] = None,
    adapters: Annotated[Path | None, typer.Option(help="Load adapters as they appear in this folder.")] = None,
    keys: Annotated[Path | None, typer.Option(help="Answer only those who have a key of this file.")] = None,
    admin_keys: Annotated[
        Path | None, typer.Option("--admin-keys", "--admin-key-file", help="Open the admin routes to these keys.")
    ] = None,
    hub: Annotated[
        bool | None, typer.Option("--hub", help="Let the admin route fetch adapters from the Hugging Face Hub.")
    ] = None,
) -> None:
    """Serves bundles over HTTP until SIGTERM or Ctrl-C; settings and limits are described in docs/serving.md."""
    from lowres_stilts.home import settle

    settle()
    from lowres_stilts.serving.server import serve
    from lowres_stilts.serving.settings import read_settings

    given = {
        "bundles": bundles,
        "host": host,
        "port": port,
        "workers": workers,
        "threads": threads,
        "adapters": adapters,
        "keys": keys,
        "admin_keys": admin_keys,
        "hub": hub,
    }
    serve(read_settings(config, {key: value for key, value in given.items() if value is not None}))


@example("lowres-stilts key alice --file keys.yaml --requests-per-minute 600")
def key_command(
    name: Annotated[str, typer.Argument(help="Who it is for; a key of the same name is replaced.")],
    file: Annotated[Path, typer.Option(help="The file of keys; only hashes are written to it.")] = Path(
        "keys.yaml"
    ),
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="For each worker.")] = None,
    concurrent: Annotated[int | None, typer.Option(min=1, help="Requests at a time, for each worker.")] = None,
) -> None:
    """Makes an API key for the service, and prints it once."""
    from lowres_stilts.serving.keys import add_key

    typer.echo(add_key(file, name, requests_per_minute=requests_per_minute, concurrent=concurrent))
