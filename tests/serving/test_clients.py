"""Clients that other people wrote."""

from base64 import b64decode

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from langchain_openai import OpenAIEmbeddings
from openai import NotFoundError, OpenAI, UnprocessableEntityError

TEXTS = ["glad sun", "sad rain grey", "mvua inanyesha"]


@pytest.fixture
def openai(served):
    with OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("settings", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_openai_embeds(openai, bundle, settings):
    found = openai.embeddings.create(model="bundle", input=TEXTS, **settings)
    vectors = [own.embedding for own in found.data]
    if settings.get("encoding_format") == "base64":
        vectors = [np.frombuffer(b64decode(vector), "<f4") for vector in vectors]
    assert np.allclose(vectors, bundle.embed(TEXTS), atol=1e-5)
    assert found.usage.total_tokens > 0


def test_openai_lists_models_and_reads_errors(openai):
    models = [model.id for model in openai.models.list()]
    assert models[0] == "bundle"
    with pytest.raises(NotFoundError) as refused:
        openai.embeddings.create(model="nobody", input="a")
    assert "no model or adapter" in refused.value.response.json()["error"]
    assert refused.value.request_id == refused.value.response.headers["x-request-id"]
    with pytest.raises(UnprocessableEntityError) as refused:
        openai.embeddings.create(model="bundle", input="a", dimensions=7)
    assert "dimensions" in refused.value.response.json()["error"]


def hub(served, path, adapter=None):
    return InferenceClient(model=served.url + path + (f"?adapter={adapter}" if adapter else ""))


@pytest.mark.parametrize("path", ["", "/", "/embed", "/feature-extraction"])
def test_the_hubs_client_extracts_features(served, bundle, path):
    found = hub(served, path).feature_extraction(TEXTS[0])
    assert found.shape == (1, bundle.manifest.base.hidden)
    assert np.allclose(found, bundle.embed(TEXTS[:1]), atol=1e-5)
    raw = hub(served, path).feature_extraction(TEXTS[0], normalize=False, truncate=True)
    assert not np.allclose(raw, found, atol=1e-3)


def test_the_hubs_client_compares(served, bundle):
    found = hub(served, "/similarity").sentence_similarity(TEXTS[0], other_sentences=TEXTS[1:])
    vectors = bundle.embed(TEXTS)
    assert np.allclose(found, vectors[1:] @ vectors[0], atol=1e-5)


def test_the_hubs_client_classifies(served, bundle):
    found = hub(served, "/text-classification", "first").text_classification(TEXTS[0])
    expected = bundle.predict(TEXTS[:1], "first")[0]
    assert found[0].label == expected.label
    assert {own.label: pytest.approx(own.score, abs=1e-4) for own in found} == expected.scores
    assert len(hub(served, "/text-classification", "first").text_classification(TEXTS[0], top_k=1)) == 1


def test_the_hubs_client_tags(served):
    client = hub(served, "/token-classification", "first-intermediate-tags")
    found = client.token_classification("glad happy, rain", aggregation_strategy="simple")
    assert found[0].entity_group in {"glad", "sad", "calm"}
    assert (found[0].start, found[0].word[:4]) == (0, "glad")
    words = client.token_classification("glad happy, rain", aggregation_strategy="none")
    assert [own.word for own in words] == ["glad", "happy", ",", "rain"]
    assert words[0].entity == found[0].entity_group


def test_the_hubs_client_answers(served, bundle):
    client = hub(served, "/question-answering", "second")
    found = client.question_answering(question="good bad", context="calm tea sea")
    expected = bundle.predict([("good bad", "calm tea sea")], "second")[0]
    assert (found.answer, found.start, found.end) == (expected.text, expected.start, expected.end)
    several = client.question_answering(question="good bad", context="calm tea sea", top_k=3)
    assert several[0].answer == expected.text
    assert len(several) == 3


def test_langchain_embeds(served, bundle):
    client = OpenAIEmbeddings(
        model="bundle", base_url=f"{served.url}/v1", api_key="none", check_embedding_ctx_length=False
    )
    assert np.allclose(client.embed_documents(TEXTS), bundle.embed(TEXTS), atol=1e-5)
    assert np.allclose(client.embed_query(TEXTS[0]), bundle.embed(TEXTS[:1])[0], atol=1e-5)
