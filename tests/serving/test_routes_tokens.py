import numpy as np
import pytest

from tests.serving.service import service

CLASSIFY = "first"


def test_a_vector_for_each_token_is_what_embed_pools(served, bundle):
    texts = ["glad sun", "sad rain grey tea", "sea"]
    found = [np.array(own) for own in served.post("/embed_all", {"inputs": texts}).json()]
    lengths = [len(row.ids) for row in bundle.prepare_texts(texts)]
    assert [own.shape for own in found] == [(length, bundle.manifest.base.hidden) for length in lengths]
    assert bundle.manifest.embedding.pooling == "cls"
    pooled = served.post("/embed", {"inputs": texts, "normalize": False}).json()
    assert np.allclose([own[0] for own in found], pooled, atol=1e-5)
    alone = [served.post("/embed_all", {"inputs": text}).json()[0] for text in texts]
    for together, own in zip(found, alone, strict=True):
        assert np.allclose(together, own, atol=1e-4)


def test_token_vectors_of_an_adapter(served):
    bare, adapted = (
        np.array(served.post("/embed_all", {"inputs": "glad", **named}).json())
        for named in ({}, {"adapter": CLASSIFY})
    )
    assert bare.shape == adapted.shape
    assert not np.allclose(bare, adapted, atol=1e-2)


def test_token_vectors_of_texts_that_are_too_long(served, bundle):
    long = "glad " * 200
    assert served.post("/embed_all", {"inputs": long}).status_code == 413
    (cut,) = served.post("/embed_all", {"inputs": long, "truncate": True}).json()
    assert len(cut) == bundle.manifest.embedding.max_length


def test_tokens_are_those_of_embed(served, bundle):
    texts = ["glad sun", "東京 é"]
    found = served.post("/tokenize", {"inputs": texts}).json()
    assert [[token["id"] for token in own] for own in found] == [
        list(row.ids) for row in bundle.prepare_texts(texts)
    ]
    for text, own in zip(texts, found, strict=True):
        read = (bundle.manifest.embedding.prefix + text).encode()
        assert {own[0]["special"], own[-1]["special"]} == {True}
        for token in own:
            if token["special"]:
                assert (token["start"], token["stop"]) == (None, None)
            else:
                assert read[token["start"] : token["stop"]].decode() == token["text"]
    plain = served.post("/tokenize", {"inputs": texts, "add_special_tokens": False}).json()
    assert plain == [[token for token in own if not token["special"]] for own in found]


def test_tokens_come_back_as_texts(served, bundle):
    prefix = bundle.manifest.embedding.prefix
    texts = ["glad sun", "sad rain"]
    ids = [[token["id"] for token in own] for own in served.post("/tokenize", {"inputs": texts}).json()]
    found = served.post("/decode", {"ids": ids}).json()
    assert [own.replace("▁", "") for own in found] == [prefix + text for text in texts]
    assert served.post("/decode", {"ids": ids[0]}).json() == found[:1]
    special = served.post("/decode", {"ids": ids[0], "skip_special_tokens": False}).json()[0]
    assert special != found[0]
    assert found[0] in special
    assert served.post("/decode", {"ids": [2**32 - 1]}).json() == [""]


def test_similarity_is_a_cosine(served, bundle):
    sentences = ["glad happy", "sea quiet", "rain grey"]
    asked = {"inputs": {"source_sentence": "sad rain", "sentences": sentences}}
    vectors = bundle.embed(["sad rain", *sentences])
    for more in ({}, {"parameters": None}, {"parameters": {"truncate": True, "truncation_direction": "Right"}}):
        found = served.post("/similarity", {**asked, **more}).json()
        assert np.allclose(found, vectors[1:] @ vectors[0], atol=1e-5)
    long = {"source_sentence": "sad " * 200, "sentences": ["sad"]}
    assert served.post("/similarity", {"inputs": long}).status_code == 413
    assert served.post("/similarity", {"inputs": long, "parameters": {"truncate": True}}).status_code == 200


def test_a_width_can_be_asked_for_if_it_is_the_only_one(served, bundle):
    width = bundle.manifest.base.hidden
    asked = {"inputs": "glad", "dimensions": width}
    assert len(served.post("/embed", asked).json()[0]) == width
    refused = served.post("/embed", {**asked, "dimensions": 7})
    assert (refused.status_code, refused.json()["error"].split(":")[0]) == (422, "dimensions")


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/tokenize", {"inputs": ""}, 422, "inputs: "),
        ("/tokenize", {"inputs": ["a"] * 257}, 413, "257 texts"),
        ("/tokenize", {"inputs": "a" * 50_001}, 413, "50001 characters"),
        ("/tokenize", {"inputs": ["glad " * 9000] * 8}, 413, "more than 65536 tokens"),
        ("/tokenize", {"inputs": "a", "prompt_name": "query"}, 422, "prompt_name: "),
        ("/decode", {"ids": []}, 422, "ids: "),
        ("/decode", {"ids": [[1], []]}, 422, "ids.1: "),
        ("/decode", {"ids": [-1]}, 422, "ids: token ids are whole numbers"),
        ("/decode", {"ids": [1.5]}, 422, "ids: token ids are whole numbers"),
        ("/decode", {"ids": [2**32]}, 422, "ids: token ids are whole numbers"),
        ("/decode", {"ids": [True]}, 422, "ids.0: "),
        ("/decode", {"ids": ["1"]}, 422, "ids.0: "),
        ("/decode", {"ids": 1}, 422, "ids: "),
        ("/decode", {"ids": [1] * 50_001}, 413, "a text of 50001 ids"),
        ("/decode", {"ids": [[1]] * 257}, 413, "257 texts"),
        ("/embed_all", {"inputs": ["glad " * 60] * 90}, 413, "tokens in one request for their vectors"),
        ("/embed_all", {"inputs": "a", "normalize": True}, 422, "'normalize': there is no such key"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, 422, "inputs.sentences: "),
        ("/similarity", {"inputs": "a"}, 422, "inputs: "),
        ("/tokenize", {"inputs": "a", "model": "nobody"}, 404, "no model or adapter"),
        ("/embed_sparse", {"inputs": "a"}, 404, "no such page"),
    ],
)  # fmt: skip
def test_wrong_requests_are_told_why(served, path, body, status, message):
    refused = served.post(path, body)
    assert (refused.status_code, list(refused.json())) == (status, ["error", "error_type"])
    assert message in refused.json()["error"]
    assert "\n" not in refused.json()["error"]


def test_token_vectors_under_way_are_bounded(zoo):
    """One request at a time goes through whatever it asks for; beside it there is room for little."""
    body = {"inputs": ["glad " * 60] * 40}
    with service(zoo.bundle, queue={"token_vectors": 10, "tokens_per_run": 64, "runs": 1}) as running:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(6) as pool:
            statuses = sorted(pool.map(lambda _: running.post("/embed_all", body).status_code, range(6)))
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert set(statuses) == {200, 429}
        assert running.post("/embed_all", body).status_code == 200


def test_these_routes_are_counted_and_logged(served, bundle):
    served.post("/tokenize", {"inputs": "glad sun"}, headers={"x-request-id": "tokens-1"})
    served.post("/decode", {"ids": [1, 2, 3]}, headers={"x-request-id": "tokens-2"})
    lines = {line.get("request_id"): line for line in served.lines()}
    tokens = len(bundle.prepare_texts(["glad sun"])[0].ids)
    assert (lines["tokens-1"]["route"], lines["tokens-1"]["tokens"]) == ("/tokenize", tokens)
    assert (lines["tokens-2"]["route"], lines["tokens-2"]["tokens"]) == ("/decode", 3)
    assert 'route="/tokenize",status="200"' in served.get("/metrics").text
