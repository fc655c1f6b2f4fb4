"""What an installed extra promises, in an environment of its own: `python tests/smoke.py EXTRA [BUNDLE]`.

`noxfile.py` calls it with the lowest and with the newest versions that are allowed. `bundle FOLDER` writes the
small bundle that `core` and `serve`, which have no torch, answer from.
"""

import importlib
import importlib.util
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lowres_stilts

ROOMS = {
    "core": ("recipe", "runtime", "text"),
    "train": ("data", "encoder", "evaluation", "hub", "modules", "pipeline", "tasks", "training"),
    "export": ("export",),
    "serve": ("serving",),
    "study": ("study",),
    "starter": (),
}
TRACKERS = ("tensorboard", "mlflow", "wandb")
"""Extras that bring a tracker over those of `train`; `all` is without them."""
HEAVY = ("torch", "transformers", "datasets", "peft")
PATIENCE = 120


def main(extra: str, place: Path | None = None) -> None:
    if extra == "bundle":
        _write_bundle(place)
        return
    if extra in TRACKERS:
        _followed(extra)
        print(f"{extra}: ok")
        return
    for name in ROOMS if extra == "all" else ("core", extra):
        for room in ROOMS[name]:
            _import_all(f"lowres_stilts.{room}")
    for name in CHECKS if extra == "all" else dict.fromkeys(("core", extra)):
        CHECKS[name](place)
        print(f"{name}: ok")
    if extra in {"core", "serve"}:
        assert not [name for name in HEAVY if importlib.util.find_spec(name)]


def _core(bundle: Path | None) -> None:
    assert "Example" in _call("run", "--help")
    assert _call("--version").strip() == lowres_stilts.__version__
    if bundle is None:
        return
    opened = lowres_stilts.Bundle.load(bundle)
    assert opened.predict(["glad happy smile"], "first")[0].label in {"glad", "sad", "calm"}
    assert opened.embed(["the cat sat"]).shape == (1, 64)


def _train(_: Path | None) -> None:
    with _run_of_a_tiny_model() as run:
        assert set(run.scores) == {"en", "sw", "ur"}
    assert len(json.loads(_call("tasks", "--json"))) > 30


def _followed(tracker: str) -> None:
    os.environ["WANDB_MODE"] = "offline"
    with _run_of_a_tiny_model(trackers=[tracker]) as run:
        assert any((run.folder / tracker).iterdir())


def _export(_: Path | None) -> None:
    with _run_of_a_tiny_model() as run:
        bundle = run.export(run.folder.parent / "bundle")
        assert bundle.predict(["glad happy smile"], bundle.adapters[0])[0].label in {"glad", "sad", "calm"}


def _serve(bundle: Path | None) -> None:
    if bundle is None:
        return
    command = [sys.executable, "-m", "lowres_stilts", "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = process.stderr or ()
            url = next(json.loads(line)["url"] for line in lines if '"listening"' in line)
            _wait_until_healthy(url)
            body = json.dumps({"inputs": "glad happy smile"}).encode()
            request = urllib.request.Request(f"{url}/embed", body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                assert len(json.load(reply)[0]) == 64
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _wait_until_healthy(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=PATIENCE).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(url)


def _study(_: Path | None) -> None:
    study = Path(__file__).parent.parent / "configs" / "studies" / "model-scale-small.yaml"
    assert json.loads(_call("study", str(study), "--dry-run", "--json"))


def _starter(_: Path | None) -> None:
    from lowres_stilts.data.starter import starter_data_dir
    from lowres_stilts.encoder.load import load_tokenizer

    assert any(starter_data_dir().iterdir())
    assert load_tokenizer("starter:multilingual-minilm").get_vocab_size() > 250_000


CHECKS: dict[str, Callable[[Path | None], None]] = {
    "core": _core,
    "train": _train,
    "export": _export,
    "serve": _serve,
    "study": _study,
    "starter": _starter,
}


def _call(*arguments: str) -> str:
    command = [sys.executable, "-m", "lowres_stilts", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _import_all(package: str) -> None:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, f"{package}."):
        importlib.import_module(found.name)


@contextmanager
def _run_of_a_tiny_model(trackers: Sequence[str] = ()) -> Iterator[lowres_stilts.Run]:
    from tests.models import write_tiny_model
    from tests.project import write_project

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        recipe = write_project(place / "project", write_tiny_model(place / "model"))
        yield lowres_stilts.run(recipe, place / "run", quiet=True, trackers=trackers)


def _write_bundle(folder: Path | None) -> None:
    from tests.bundles import make_zoo
    from tests.once import Once

    if folder is None:
        sys.exit("say where to write the bundle")
    os.environ.setdefault("LOWRES_STILTS_CACHE", str(folder / "cache"))
    make_zoo(Once(folder))


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
