"""`lowres-stilts export`: from runs and packages to a bundle for onnxruntime."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from lowres_stilts.cli.evaluate import data_settings, listed
from lowres_stilts.cli.help import example
from lowres_stilts.errors import PackageError, UsageError
from lowres_stilts.names import require_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lowres_stilts.export.gate import Tests
    from lowres_stilts.export.presets import Storage
    from lowres_stilts.runtime.manifest import Manifest

VOCABULARY, LIMIT, TOLERANCE = 32_000, 100, 0.5
Preset = Annotated[
    str, typer.Option(help="server-cpu (int8), edge-cpu (uint8), small (int4), cuda (float16) or exact (float32).")
]


@example("lowres-stilts export adapters/xnli-small adapters/panx-small -o bundle --languages en,de,ur")
def export_command(
    places: Annotated[list[Path], typer.Argument(help="Finished runs and adapter packages with one base.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle: a folder that is not there yet.")],
    preset: Preset = "server-cpu",
    quantize: Annotated[
        str | None,
        typer.Option(help="static-int8, static-uint8, int8, uint8, int4, float16 or none, not the preset's."),
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(help="int8, int4, float16 or none, instead of the preset's."),
    ] = None,
    languages: Annotated[
        str | None, typer.Option(help="Trim the vocabulary to these, with commas between.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="LANGUAGE=FILE: count words in this text; several may be given.")
    ] = None,
    vocabulary: Annotated[
        int | None, typer.Option(min=1000, help="With --languages: how many pieces stay; 32,000 where not given.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Compare scores too, on this folder: XTREME's, or that of the packages' own files."),
    ] = None,
    score_languages: Annotated[
        str | None, typer.Option(help="With --data: in these, or all; those of --languages by default.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="With --data: the first n examples of each language; 100.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="With --data: points that the mean of all scores may lose; 0.5.")
    ] = None,
    onto: Annotated[
        Path | None,
        typer.Option(help="Instead: a folder with one adapter, for this bundle to load while it runs."),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Instead: one model.onnx with the adapter in it, for optimum.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Exports adapters and their base to ONNX, after comparing them with torch."""
    storage = _storage(preset, quantize, embeddings)
    _require_partners(
        {
            "--vocabulary": (vocabulary, "--languages", languages),
            "--limit": (limit, "--data", data),
            "--score-languages": (score_languages, "--data", data),
            "--tolerance": (tolerance, "--data", data),
        }
    )
    _require_places(places, output)
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()

    def say(step: str) -> None:
        typer.echo(step, err=True)

    if merge:
        if len(places) != 1 or languages or text or data or onto:
            raise UsageError("--merge takes one package or run; not --languages, --text, --data or --onto")
        from lowres_stilts.export.merged import export_merged

        export_merged(places[0], output, storage=storage, say=say)
        written = {"output": str(output), "files": sorted(path.name for path in output.iterdir())}
        typer.echo(json.dumps(written, indent=2) if as_json else f"{output}: load it with optimum.onnxruntime")
        return
    scored = listed(None if score_languages == "all" else score_languages or languages)
    tests = _tests(places, data, limit or LIMIT, scored, say) if data else None
    tolerated = TOLERANCE if tolerance is None else tolerance
    if onto:
        if len(places) != 1 or text or vocabulary or quantize or embeddings or (languages and not data):
            raise UsageError("--onto takes one package or run, and of the other options only --data and its own")
        from lowres_stilts.export.onto import export_adapter

        part = export_adapter(places[0], onto, output, tests=tests, tolerance=tolerated, say=say)
        typer.echo(part.model_dump_json(indent=2) if as_json else f"{output}: adapter {part.name} for {onto}")
        return
    from lowres_stilts.export.bundle import export_bundle

    manifest = export_bundle(
        places,
        output,
        storage=storage,
        words=_words(languages, text or []),
        vocabulary=vocabulary or VOCABULARY,
        tests=tests,
        tolerance=tolerated,
        say=say,
    )
    typer.echo(manifest.model_dump_json(indent=2) if as_json else _summary(output, manifest))


def _storage(preset: str, quantize: str | None, embeddings: str | None) -> "Storage":
    """The preset's, or what was chosen in its place; floating-point types are those of embeddings too."""
    from lowres_stilts.export.presets import PRESETS, Storage
    from lowres_stilts.runtime.manifest import EmbeddingStorage, Quantize

    if preset not in PRESETS:
        raise UsageError(f"--preset: {preset!r} is none of {', '.join(PRESETS)}")
    whole = PRESETS[preset]
    linear = quantize or whole.quantize
    rows = embeddings or (quantize if quantize in {"none", "float16"} else whole.embeddings)
    for option, value, known in (("--quantize", linear, Quantize), ("--embeddings", rows, EmbeddingStorage)):
        if value not in get_args(known):
            raise UsageError(f"{option}: {value!r} is none of {', '.join(get_args(known))}")
    return Storage(preset, linear, rows)  # type: ignore[arg-type]


def _require_partners(options: "Mapping[str, tuple[object, str, object]]") -> None:
    """Whether options that others make sense of come with those."""
    for name, (value, partner, other) in options.items():
        if value is not None and other is None:
            raise UsageError(f"{name} says something about {partner} only, which is not given")


def _require_places(places: list[Path], output: Path) -> None:
    """What can be said before the libraries are loaded."""
    from lowres_stilts.storage import require_new

    for place in places:
        require_folder(place, PackageError, "export takes a finished run or an adapter package")
    require_new(output)


def _summary(output: Path, manifest: "Manifest") -> str:
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    names = ", ".join(part.name for part in manifest.adapters)
    shares = (manifest.languages or {}).items()
    lines = [f"  {code}: {share:.1%} of the pieces of its words stay" for code, share in shares]
    return "\n".join([f"{output}: {size / 1e6:.1f} MB, adapters {names}", *lines])


def _words(languages: str | None, texts: list[str]) -> "Mapping[str, Mapping[str, float]] | None":
    files: dict[str, list[Path]] = {}
    for item in texts:
        language, equals, path = item.partition("=")
        if not equals or not language or not path:
            raise UsageError(f"--text: {item!r} is not of the form LANGUAGE=FILE")
        files.setdefault(language, []).append(Path(path))
    wanted = listed(languages)
    if not wanted:
        if files:
            raise UsageError("--text: say with --languages which languages the vocabulary is for")
        return None
    if unknown := sorted(set(files) - set(wanted)):
        raise UsageError(f"--text: {unknown[0]} is none of --languages {languages}")
    from lowres_stilts.export.words import word_counts

    return word_counts(wanted, files)


def _tests(
    places: list[Path], folder: Path, limit: int, languages: list[str], say: "Callable[[str], object]"
) -> "Tests":
    from lowres_stilts.export.evaluation_data import evaluation_data
    from lowres_stilts.export.sources import package_of
    from lowres_stilts.hub.manifest import read_manifest
    from lowres_stilts.tasks.load import open_source

    settings = data_settings("xtreme", folder)
    recipes = [read_manifest(package_of(place)).recipe for place in places]
    own = {name: files for r in recipes for name, files in r["data"]["files"].items() if name in r["tasks"]}
    source = open_source(settings.model_copy(update={"files": own}), "name it with --data")
    return evaluation_data(source, limit, languages, say)
