"""Services over the real tiny bundle."""

import json
import shutil
from functools import partial

import pytest

from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.sums import write_sums
from tests.serving.service import service


@pytest.fixture(scope="session")
def served(zoo):
    """A service over every family, two adapters of some."""
    with service(zoo.bundle) as running:
        yield running


@pytest.fixture(scope="session")
def bundle(zoo):
    """The same bundle, to know what the service should say."""
    return Bundle.load(zoo.bundle, threads=1)


@pytest.fixture(scope="session")
def plain_bundle(zoo, once):
    """A bundle with one adapter of each family, so that none has to be named."""
    return once("plain", partial(write_plain, zoo.bundle)) / "plain"


def write_plain(bundle, made):
    folder = shutil.copytree(bundle, made / "plain")
    manifest = json.loads((folder / "bundle.json").read_text())
    for name in ("second-intermediate", "first-intermediate-squad_v2"):
        (folder / "adapters" / f"{name}.onnx_adapter").unlink()
        manifest["adapters"] = [part for part in manifest["adapters"] if part["name"] != name]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    write_sums(folder)


@pytest.fixture(scope="session")
def plain(plain_bundle):
    with service(plain_bundle) as running:
        yield running


@pytest.fixture
def anyio_backend():
    return "asyncio"
