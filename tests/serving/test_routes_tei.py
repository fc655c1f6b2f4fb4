import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bundles import WORDS

CLASSIFY, PAIRS, TAG, QA = "first", "second-intermediate", "first-intermediate-tags", "second"


def test_vectors_are_those_of_the_bundle(served, bundle):
    texts = ["glad sun", "sad rain grey"]
    found = served.post("/embed", {"inputs": texts}).json()
    assert np.allclose(found, bundle.embed(texts), atol=1e-5)
    assert np.allclose(served.post("/embed", {"inputs": texts[0]}).json(), found[:1], atol=1e-5)
    for path in ("/", "/feature-extraction"):
        assert np.allclose(served.post(path, {"inputs": texts}).json(), found, atol=1e-5)


@pytest.mark.parametrize("key", ["model", "adapter"])
def test_vectors_of_an_adapter(served, bundle, key):
    found = served.post("/embed", {"inputs": "glad sun", key: CLASSIFY}).json()
    assert np.allclose(found, bundle.embed(["glad sun"], CLASSIFY), atol=1e-5)
    assert not np.allclose(found, bundle.embed(["glad sun"]), atol=1e-2)


def test_vectors_as_long_as_they_come(served, bundle):
    raw = np.array(served.post("/embed", {"inputs": "glad sun", "normalize": False}).json())
    length = np.linalg.norm(raw)
    assert abs(length - 1) > 0.1
    assert np.allclose(raw / length, bundle.embed(["glad sun"]), atol=1e-5)


@settings(max_examples=15)
@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join), min_size=1, max_size=20))
def test_a_batch_is_its_texts_in_order(served, bundle, texts):
    assert np.allclose(served.post("/embed", {"inputs": texts}).json(), bundle.embed(texts), atol=1e-4)


def test_texts_that_are_too_long(served, bundle):
    long = "glad " * 200
    refused = served.post("/embed", {"inputs": ["a", long]})
    assert refused.status_code == 413
    assert "a text of 2" in refused.json()["error"]
    cut = served.post("/embed", {"inputs": long, "truncate": True})
    assert np.allclose(cut.json(), bundle.embed([long]), atol=1e-5)
    assert served.post("/predict", {"inputs": long, "adapter": CLASSIFY}).status_code == 413
    labels = served.post("/predict", {"inputs": long, "adapter": CLASSIFY, "truncate": True}).json()
    assert labels[0]["label"] == bundle.predict([long], CLASSIFY)[0].label


def test_a_text_that_just_fits_is_not_too_long(served, bundle):
    room = bundle.manifest.embedding.max_length
    prefix = len(bundle.prepare_texts([""])[0].ids)
    fits = " ".join(["glad"] * 200)
    while len(bundle.prepare_texts([fits])[0].ids) >= room:
        fits = fits.removesuffix(" glad")
    assert prefix < len(bundle.prepare_texts([fits])[0].ids) < room
    assert served.post("/embed", {"inputs": fits}).status_code == 200


def test_labels_of_texts_pairs_and_batches(served, bundle):
    one = served.post("/predict", {"inputs": "glad sun", "adapter": CLASSIFY}).json()
    expected = bundle.predict(["glad sun"], CLASSIFY)[0]
    assert {own["label"]: pytest.approx(own["score"], abs=1e-4) for own in one} == expected.scores
    assert [own["score"] for own in one] == sorted((own["score"] for own in one), reverse=True)
    pair = served.post("/predict", {"inputs": ["glad", "sad"], "model": PAIRS}).json()
    assert pair[0]["label"] == bundle.predict([("glad", "sad")], PAIRS)[0].label
    batch = served.post("/predict", {"inputs": [["glad", "sad"], ["tea", "tea"]], "model": PAIRS}).json()
    wanted = bundle.predict([("glad", "sad"), ("tea", "tea")], PAIRS)
    assert [own[0]["label"] for own in batch] == [one.label for one in wanted]
    assert batch[0][0]["score"] == pytest.approx(pair[0]["score"], abs=1e-4)


@pytest.mark.parametrize("texts", [["glad sun"], ["glad sun", "sad"], ["glad sun", "sad", "rain tea"]])
def test_a_flat_list_is_a_batch_for_an_adapter_of_one_text(served, bundle, texts):
    flat = served.post("/predict", {"inputs": texts, "adapter": CLASSIFY}).json()
    nested = served.post("/predict", {"inputs": [[text] for text in texts], "adapter": CLASSIFY}).json()
    wanted = [own.label for own in bundle.predict(texts, CLASSIFY)]
    assert [own[0]["label"] for own in flat] == [own[0]["label"] for own in nested] == wanted


def test_a_flat_list_of_many_texts_is_a_batch_too(served):
    texts = ["glad sun"] * 30
    assert len(served.post("/predict", {"inputs": texts, "adapter": CLASSIFY}).json()) == 30
    assert served.post("/predict", {"inputs": texts * 9, "adapter": CLASSIFY}).status_code == 413


def test_raw_scores_give_the_probabilities(served):
    body = {"inputs": "glad sun", "adapter": CLASSIFY}
    raw = {own["label"]: own["score"] for own in served.post("/predict", {**body, "raw_scores": True}).json()}
    shares = {own["label"]: own["score"] for own in served.post("/predict", body).json()}
    total = sum(np.exp(list(raw.values())))
    assert {key: pytest.approx(np.exp(value) / total, abs=1e-4) for key, value in raw.items()} == shares


def test_reranking_is_by_cosine(served, bundle):
    texts = ["glad happy", "sea quiet", "rain grey"]
    found = served.post("/rerank", {"query": "sad rain", "texts": texts, "return_text": True}).json()
    vectors = bundle.embed(["sad rain", *texts])
    cosines = vectors[1:] @ vectors[0]
    assert [own["index"] for own in found] == np.argsort(-cosines).tolist()
    assert [own["text"] for own in found] == [texts[own["index"]] for own in found]
    assert np.allclose([own["score"] for own in found], np.sort(cosines)[::-1], atol=1e-5)
    assert "text" not in served.post("/rerank", {"query": "a", "texts": ["b"]}).json()[0]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/embed", {"inputs": ""}, 422, "inputs: "),
        ("/embed", {"inputs": []}, 422, "inputs: "),
        ("/embed", {"inputs": ["a", ""]}, 422, "inputs.1: "),
        ("/embed", {"inputs": [1]}, 422, "inputs.0: "),
        ("/embed", {"inputs": {"a": 1}}, 422, "inputs: "),
        ("/embed", {}, 422, "inputs: Field required"),
        ("/embed", {"inputs": "a", "normalise": True}, 422, "'normalise': there is no such key"),
        ("/embed", {"inputs": "a", "normalize": "yes"}, 422, "normalize: "),
        ("/embed", ["a"], 422, "object"),
        ("/embed", {"inputs": "a", "model": "nobody"}, 404, "no model or adapter 'nobody'"),
        ("/embed", {"inputs": "a", "model": "first", "adapter": "second"}, 404, "names several"),
        ("/embed?adapter=second", {"inputs": "a", "model": "first"}, 404, "names several"),
        ("/embed", {"inputs": "a", "model": "bundle/first/x"}, 404, "no model"),
        ("/embed", {"inputs": ["a"] * 257}, 413, "257 texts"),
        ("/embed", {"inputs": "a" * 50_001}, 413, "50001 characters"),
        (
            "/predict",
            {"inputs": ["a", "b", "c"], "model": PAIRS},
            422,
            '[["text", "text_pair"], ["text", "text_pair"]]',
        ),
        ("/predict", {"inputs": [["a", "b", "c"]], "model": CLASSIFY}, 422, "inputs"),
        ("/predict", {"inputs": ["a", ["b"]], "model": CLASSIFY}, 422, "inputs"),
        (
            "/predict",
            {"inputs": [["a"], ["a", "b"]], "model": CLASSIFY},
            422,
            "adapter first takes one text, found a pair",
        ),
        ("/predict", {"inputs": "a", "model": PAIRS}, 422, "takes a pair of texts, found one text: write both, "),
        ("/predict", {"inputs": ["a"], "model": PAIRS}, 422, "takes a pair of texts, found one text"),
        (
            "/predict",
            {"inputs": [["a", "b"], ["a"]], "model": PAIRS},
            422,
            "takes a pair of texts, found one text",
        ),
        ("/predict", {"inputs": "a"}, 422, 'several adapters can answer; name one as "adapter": '),
        ("/predict", {"inputs": "a", "model": "bundle"}, 422, "bare encoder: ask POST /embed"),
        ("/predict", {"inputs": "a", "model": TAG}, 422, "an adapter for tagging: ask POST /token-classification"),
        ("/predict", {"inputs": "a", "model": QA}, 422, "an adapter for qa: ask POST /question-answering"),
        ("/rerank", {"query": "a", "texts": []}, 422, "texts: "),
        ("/rerank", {"query": "", "texts": ["a"]}, 422, "query: "),
    ],
)
def test_wrong_requests_are_told_why(served, path, body, status, message):
    refused = served.post(path, body)
    assert (refused.status_code, list(refused.json())) == (status, ["error", "error_type"])
    assert message in refused.json()["error"]
    assert "\n" not in refused.json()["error"]
    assert refused.json()["error_type"] == ("NotFound" if status == 404 else "Validation")
    assert refused.headers["x-request-id"]


def test_the_query_can_name_the_adapter(served, bundle):
    found = served.post(f"/predict?adapter={CLASSIFY}", {"inputs": "glad sun"}).json()
    assert found[0]["label"] == bundle.predict(["glad sun"], CLASSIFY)[0].label


def test_a_list_of_texts_is_a_batch_for_an_adapter_that_takes_one(served, bundle):
    texts = ["glad sun", "cry", "sea"]
    replies = served.post("/predict", {"inputs": texts, "model": CLASSIFY}).json()
    assert [reply[0]["label"] for reply in replies] == [found.label for found in bundle.predict(texts, CLASSIFY)]
    assert len(served.post("/predict", {"inputs": texts[:2], "model": CLASSIFY}).json()) == 2
