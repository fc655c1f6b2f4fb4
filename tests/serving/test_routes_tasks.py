from itertools import pairwise

import pytest

CLASSIFY, PAIRS, TAG = "first", "second-intermediate", "first-intermediate-tags"
CHOOSE, ASK, MAYBE = "first-intermediate-choice", "second", "first-intermediate-squad_v2"


def test_words_and_their_tags(served, bundle):
    text = "glad  sun, (sad) rain"
    expected = bundle.predict([["glad", "sun", ",", "(", "sad", ")", "rain"]], TAG)[0]
    body = {"inputs": text, "parameters": {"aggregation_strategy": "none", "ignore_labels": []}}
    found = served.post("/token-classification", {**body, "adapter": TAG}).json()
    assert [own["entity"] for own in found] == list(expected.tags)
    assert [own["word"] for own in found] == list(expected.words)
    assert [own["score"] for own in found] == pytest.approx(expected.scores, abs=1e-4)
    assert all(text[own["start"] : own["end"]] == own["word"] for own in found)
    some = {**body["parameters"], "ignore_labels": [expected.tags[0]]}
    left = served.post("/token-classification", {"inputs": text, "parameters": some, "adapter": TAG}).json()
    assert [own["entity"] for own in left] == [tag for tag in expected.tags if tag != expected.tags[0]]


def test_entities_cover_their_words(served):
    text = "glad happy smile rain cry tea"
    found = served.post("/token-classification", {"inputs": text, "adapter": TAG}).json()
    assert all(text[own["start"] : own["end"]] == own["word"] for own in found)
    assert " ".join(own["word"] for own in found) == text
    assert all(a["entity_group"] != b["entity_group"] for a, b in pairwise(found))


def test_a_batch_of_texts_with_an_empty_one(served):
    texts = ["glad sun", " \n", "sad"]
    found = served.post("/token-classification", {"inputs": texts, "adapter": TAG}).json()
    assert [bool(own) for own in found] == [True, False, True]
    assert served.post("/token-classification", {"inputs": " ", "adapter": TAG}).json() == []
    (alone,) = served.post("/token-classification", {"inputs": "sad", "adapter": TAG}).json()
    assert found[2] == [{**alone, "score": pytest.approx(alone["score"], abs=1e-4)}]


def test_a_long_text_is_tagged_to_its_end(served):
    text = " ".join(["glad", "sad"] * 100)
    body = {"inputs": text, "parameters": {"aggregation_strategy": "none"}, "adapter": TAG}
    found = served.post("/token-classification", body).json()
    assert len(found) == 200
    assert found[-1]["end"] == len(text)


def test_an_answer_of_one_and_of_several_questions(served, bundle):
    pairs = [("good bad", "calm tea sea"), ("good", "rain " * 60 + "sun")]
    inputs = [{"question": question, "context": context} for question, context in pairs]
    found = served.post("/question-answering", {"inputs": inputs, "adapter": ASK}).json()
    for own, expected, (_, context) in zip(found, bundle.predict(pairs, ASK), pairs, strict=True):
        assert (own["answer"], own["start"], own["end"]) == (expected.text, expected.start, expected.end)
        assert context[own["start"] : own["end"]] == own["answer"]
        assert own["score"] == pytest.approx(expected.score, abs=1e-4)
    one = served.post("/question-answering", {"inputs": inputs[0], "adapter": ASK}).json()
    assert one["answer"] == found[0]["answer"]


def test_several_answers(served):
    inputs = {"question": "good bad", "context": "calm tea sea"}
    body = {"inputs": inputs, "adapter": MAYBE, "parameters": {"top_k": 4}}
    found = served.post("/question-answering", body).json()
    assert len(found) == 4
    assert [own["score"] for own in found] == sorted((own["score"] for own in found), reverse=True)
    best = served.post("/question-answering", {"inputs": inputs, "adapter": MAYBE}).json()
    assert best["answer"] == found[0]["answer"]
    assert served.post("/question-answering", {**body, "parameters": {"top_k": 21}}).status_code == 422


def test_labels_as_the_hub_gives_them(served, bundle):
    pair = {"text": "sad", "text_pair": "rain"}
    paired = served.post("/text-classification", {"inputs": [pair, pair], "adapter": PAIRS}).json()
    assert [own[0]["label"] for own in paired] == [bundle.predict([("sad", "rain")], PAIRS)[0].label] * 2
    inputs = ["glad sun", {"text": "sad"}]
    found = served.post("/text-classification", {"inputs": inputs, "adapter": CLASSIFY}).json()
    wanted = bundle.predict(["glad sun", "sad"], CLASSIFY)
    assert [own[0]["label"] for own in found] == [one.label for one in wanted]
    one = served.post("/text-classification", {"inputs": "glad sun", "adapter": CLASSIFY}).json()
    assert [[own["label"] for own in labels] for labels in one] == [[own["label"] for own in found[0]]]
    top = served.post(
        "/text-classification", {"inputs": "glad", "adapter": CLASSIFY, "parameters": {"top_k": 2}}
    ).json()
    assert [len(labels) for labels in top] == [2]


def test_texts_to_classify_are_cut_as_in_training(served, bundle):
    long = "glad " * 300
    found = served.post("/text-classification", {"inputs": long, "adapter": CLASSIFY}).json()
    assert found[0][0]["label"] == bundle.predict([long], CLASSIFY)[0].label


def test_choices(served, bundle):
    asked = [("quiet", ["tea", "sea sun"]), ("rain", ["glad", "sad", "grey"])]
    inputs = [{"prompt": prompt, "choices": choices} for prompt, choices in asked]
    found = served.post("/multiple-choice", {"inputs": inputs, "adapter": CHOOSE}).json()
    for own, expected, (_, choices) in zip(found, bundle.predict(asked, CHOOSE), asked, strict=True):
        assert (own["index"], own["choice"]) == (expected.index, choices[expected.index])
        assert own["scores"] == pytest.approx(expected.scores, abs=1e-4)
    one = served.post("/multiple-choice", {"inputs": inputs[0], "adapter": CHOOSE}).json()
    assert one["index"] == found[0]["index"]


@pytest.mark.parametrize(
    ("path", "inputs"),
    [
        ("/question-answering", {"question": "a"}),
        ("/question-answering", {"question": "a", "context": ""}),
        ("/question-answering", []),
        ("/question-answering", "a"),
        ("/multiple-choice", {"prompt": "a", "choices": []}),
        ("/multiple-choice", {"prompt": "a", "choices": "b"}),
        ("/token-classification", ["a", ["b"]]),
        ("/text-classification", {"text": "a", "pair": "b"}),
        ("/text-classification", [["a", "b"]]),
    ],
)
def test_wrong_inputs(served, path, inputs):
    refused = served.post(path, {"inputs": inputs})
    assert refused.status_code == 422
    assert "inputs" in refused.json()["error"] or "key" in refused.json()["error"]


@pytest.mark.parametrize(
    ("adapter", "inputs", "message"),
    [
        (CLASSIFY, {"text": "a", "text_pair": "b"}, "adapter first takes one text, found a pair"),
        (PAIRS, "a", 'takes a pair of texts, found one text: write both, ["text", "text_pair"], or {"text": '),
        (PAIRS, [{"text": "a", "text_pair": "b"}, {"text": "a"}], "takes a pair of texts, found one text"),
    ],
)
def test_pairs_are_for_adapters_of_pairs(served, adapter, inputs, message):
    refused = served.post("/text-classification", {"inputs": inputs, "adapter": adapter})
    assert (refused.status_code, refused.json()["error_type"]) == (422, "Validation")
    assert message in refused.json()["error"]


def test_a_control_token_in_a_text_is_characters(served, bundle):
    text = "<s>glad</s> sun"
    body = {"inputs": text, "parameters": {"aggregation_strategy": "none", "ignore_labels": []}}
    found = served.post("/token-classification", {**body, "adapter": TAG}).json()
    expected = bundle.predict([text], TAG)[0]
    assert [own["word"] for own in found] == ["<s>", "glad", "</s>", "sun"]
    assert [own["entity"] for own in found] == list(expected.tags)


def test_an_adapter_of_another_family(served):
    for path, adapter, right in [
        ("/token-classification", CLASSIFY, "/predict"),
        ("/multiple-choice", TAG, "/token-classification"),
        ("/text-classification", CHOOSE, "/multiple-choice"),
    ]:
        inputs = {"prompt": "a", "choices": ["b"]} if path == "/multiple-choice" else "a"
        refused = served.post(path, {"inputs": inputs, "adapter": adapter})
        assert refused.status_code == 422
        assert f"ask POST {right}" in refused.json()["error"]


def test_the_only_adapter_of_a_family_need_not_be_named(plain, served):
    assert plain.post("/token-classification", {"inputs": "glad"}).status_code == 200
    assert served.post("/token-classification", {"inputs": "glad"}).status_code == 200
    assert served.post("/question-answering", {"inputs": {"question": "a", "context": "b"}}).status_code == 422
