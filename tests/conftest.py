"""Fixtures that several rooms share."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests import forks
from tests.models import tiny_base
from tests.once import Once

if TYPE_CHECKING:
    from tests.bundles import Zoo

ROOT = Path(__file__).parent.parent

# Properties are tried four times as often with `--hypothesis-profile thorough`, as `make test-all` has it.
# The machine may be busy with training: time is no sign of a fault here.
for name, examples in (("quick", 25), ("thorough", 100)):
    settings.register_profile(
        name, max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile("quick")


def pytest_configure(config: pytest.Config) -> None:
    """One server of forks for all processes of a test run."""
    if forks.ADDRESS not in os.environ:
        server = contextlib.ExitStack()
        os.environ[forks.ADDRESS] = server.enter_context(forks.serving())
        config.add_cleanup(server.close)


@pytest.fixture(autouse=True)
def same_seed() -> None:
    """New weights are the same whichever tests ran before."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    folder = Path(os.environ.get("LOWRES_STILTS_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no benchmark data: set LOWRES_STILTS_DATA to an XTREME download folder")
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Once:
    """Makes folders that all processes of the session share."""
    base = tmp_path_factory.getbasetemp()
    return Once((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once")


@pytest.fixture(scope="session")
def tiny_model(once) -> Path:
    return tiny_base(once)


@pytest.fixture
def private_cache(tmp_path, monkeypatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("LOWRES_STILTS_CACHE", str(cache))
    return cache


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Writes text or bytes into a new file."""

    def write(content: str | bytes, name: str = "x.tsv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(scope="session")
def zoo(once) -> "Zoo":
    """A bundle of tiny adapters of every family."""
    from tests.bundles import make_zoo

    return make_zoo(once)


@pytest.fixture(scope="session")
def exported(zoo, once) -> Path:
    """The adapter `first` of that bundle in a folder of its own."""
    from lowres_stilts.export.onto import export_adapter

    def make(folder: Path) -> None:
        export_adapter(zoo.packages["first"], zoo.bundle, folder / "first")

    return once("exported", make) / "first"
