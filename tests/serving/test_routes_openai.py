import base64

import numpy as np


def test_vectors_as_numbers_and_as_base64(served, bundle):
    texts = ["glad sun", "sad"]
    found = served.post("/v1/embeddings", {"input": texts, "model": "bundle"}).json()
    assert [own["index"] for own in found["data"]] == [0, 1]
    assert np.allclose([own["embedding"] for own in found["data"]], bundle.embed(texts), atol=1e-5)
    tokens = sum(len(row.ids) for row in bundle.prepare_texts(texts))
    assert found["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert found["model"] == "bundle"
    packed = served.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"}).json()
    vectors = [np.frombuffer(base64.b64decode(own["embedding"]), "<f4") for own in packed["data"]]
    assert np.allclose(vectors, bundle.embed(texts), atol=1e-5)


def test_no_width_but_the_models_own(served, bundle):
    width = bundle.manifest.base.hidden
    assert served.post("/v1/embeddings", {"input": "a", "dimensions": width}).status_code == 200
    refused = served.post("/v1/embeddings", {"input": "a", "dimensions": width - 1})
    assert refused.status_code == 422
    assert str(width) in refused.json()["error"]


def test_token_ids_are_refused(served):
    assert served.post("/v1/embeddings", {"input": [1, 2, 3]}).status_code == 422


def test_the_first_model_can_embed(served):
    models = [own["id"] for own in served.get("/v1/models").json()["data"]]
    assert models[0] == "bundle"
    assert "first" in models
    assert served.post("/v1/embeddings", {"input": "a", "model": models[0]}).status_code == 200
