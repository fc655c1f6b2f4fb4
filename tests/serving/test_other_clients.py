"""Clients with too many dependencies for this project's environment, in environments of their own."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

PYTHON = [
    "haystack-ai==3.4.1",
    "huggingface-api-haystack==3.1.0",
    "huggingface_hub==2.4.0",
    "litellm==1.110.2",
    "llama-index-embeddings-text-embeddings-inference==0.6.0",
]
NODE = ["openai@6.49.0", "@huggingface/inference@4.13.30"]
ELSEWHERE = Path(__file__).parent / "elsewhere"
TEXTS = ["glad sun", "sad rain grey", "mvua inanyesha"]
QUERY = "sad rain"


def done(*command: str | Path, cwd: Path) -> str:
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "HAYSTACK_TELEMETRY_ENABLED": "False"}
    environment.pop("PYTHONPATH", None)
    found = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-4000:]
    return found.stdout


@pytest.fixture(scope="module")
def python_clients(served, tmp_path_factory):
    """What Python's clients got."""
    folder = tmp_path_factory.mktemp("python")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    done(python, "-m", "pip", "install", "--quiet", *PYTHON, cwd=folder)
    return json.loads(done(python, ELSEWHERE / "ask.py", served.url, cwd=folder).splitlines()[-1])


@pytest.fixture(scope="module")
def node_clients(served, tmp_path_factory):
    """What npm's clients got."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("no Node.js here")
    folder = tmp_path_factory.mktemp("node")
    done(npm, "install", "--silent", "--no-audit", "--no-fund", *NODE, cwd=folder)
    shutil.copy(ELSEWHERE / "ask.mjs", folder)
    return json.loads(done(node, "ask.mjs", served.url, cwd=folder))


def cosines(bundle):
    vectors = bundle.embed([QUERY, *TEXTS])
    return dict(zip(TEXTS, (vectors[1:] @ vectors[0]).tolist(), strict=True))


def require_labels(found, bundle):
    expected = bundle.predict(TEXTS[:1], "first")[0]
    assert {label: pytest.approx(score, abs=1e-4) for label, score in found} == expected.scores
    assert found[0][0] == expected.label


def test_llama_index_embeds(python_clients, bundle):
    found = python_clients["llama_index"]
    assert np.allclose(found["vectors"], bundle.embed(TEXTS), atol=1e-5)
    assert np.allclose(found["query"], bundle.embed(TEXTS)[0], atol=1e-5)
    assert np.allclose(found["long"], bundle.embed(["glad " * 300])[0], atol=1e-5)
    assert np.allclose(found["adapter"], bundle.embed(TEXTS[:1], "first")[0], atol=1e-5)


def test_haystack_embeds_and_ranks(python_clients, bundle):
    found = python_clients["haystack"]
    assert np.allclose(found["vectors"], bundle.embed(TEXTS), atol=1e-5)
    assert np.allclose(found["query"], bundle.embed(TEXTS)[0], atol=1e-5)
    assert np.allclose(found["long"], bundle.embed(["glad " * 300])[0], atol=1e-5)
    assert dict(found["ranked"]) == pytest.approx(cosines(bundle), abs=1e-5)


def test_litellm_embeds_and_ranks(python_clients, bundle):
    found = python_clients["litellm"]
    assert np.allclose(found["vectors"], bundle.embed(TEXTS), atol=1e-5)
    assert np.allclose(found["hub"], bundle.embed(TEXTS), atol=1e-5)
    assert dict(found["ranked"]) == pytest.approx(cosines(bundle), abs=1e-5)
    assert "Error code: 404" in found["refused"]


@pytest.mark.parametrize("clients", ["python_clients", "node_clients"])
def test_the_hubs_newest_clients(clients, request, bundle):
    found = request.getfixturevalue(clients)["hub"]
    assert np.allclose(found["vectors"], bundle.embed(TEXTS), atol=1e-5)
    assert found["similarity"] == pytest.approx(list(cosines(bundle).values()), abs=1e-5)
    require_labels(found["labels"], bundle)
    assert "".join(found["tags"]).replace(" ", "") == TEXTS[0].replace(" ", "")
    assert found["answer"] == bundle.predict([("good bad", "calm tea sea")], "second")[0].text


def test_the_hubs_client_reads_refusals(python_clients):
    status, message = python_clients["hub"]["refused"]
    assert status == 413
    assert "shorten it, or let it be cut" in message


def test_openai_of_npm(node_clients, bundle):
    found = node_clients["openai"]
    assert np.allclose(found["vectors"], bundle.embed(TEXTS), atol=1e-5)
    assert np.allclose(found["plain"], bundle.embed(TEXTS), atol=1e-5)
    assert found["tokens"] > 0
    assert found["models"][0] == "bundle"
    is_not_found, message = found["refused"]
    assert is_not_found
    assert "no model or adapter 'nobody'" in message
