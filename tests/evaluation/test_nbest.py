"""The n best answers to a question, with scores that are known."""

import json

import numpy as np
import pytest

from lowres_stilts.data.examples import Question
from lowres_stilts.evaluation.nbest import NBest
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.qa import QuestionAnswering
from tests.tiny import tiny_tokenizer

CONTEXT = "the cat sat calm"
QUESTIONS = [Question("b", "sad", CONTEXT, None), Question("a", "glad", CONTEXT, None)]


def kept(task, n, scores_of):
    """The collector after the scores of both questions, `{word: score}` for a start and end at that word."""
    features = QuestionAnswering().encode(task, QUESTIONS, tiny_tokenizer(), 32)
    found = NBest(task, QUESTIONS, features, n)
    for index in (1, 0):
        start, end = features.sequences[index], features.sequences[index + 1]
        scores = np.full((1, end - start, 2), -50.0, np.float32)
        for token, (first, last) in enumerate(features.offsets[start:end]):
            word = CONTEXT[first:last].strip() if first >= 0 else ""
            scores[0, token] = scores_of[index].get(word, -50.0)
        scores[0, 0] = scores_of[index].get("", -50.0)
        found.keep(index, scores)
    return found


def test_answers_come_best_first_with_their_share_among_the_n(tmp_path):
    scores = [{"cat": 2.0, "calm": 1.5, "sat": 1.0}, {"sat": 3.0}]
    kept(REGISTRY["squad"], 3, scores).write(tmp_path / "nbest.json")
    written = json.loads((tmp_path / "nbest.json").read_text())
    assert list(written) == ["b", "a"]
    best = written["b"]
    assert [(each["text"], each["start"], each["score"]) for each in best] == [
        ("cat", 4, 4.0), ("cat sat calm", 4, 3.5), ("cat sat", 4, 3.0)
    ]  # fmt: skip
    shares = np.exp([4.0, 3.5, 3.0]) / np.exp([4.0, 3.5, 3.0]).sum()
    assert [each["probability"] for each in best] == pytest.approx(shares, abs=1e-6)
    assert written["a"][0] == {"text": "sat", "start": 8, "score": 6.0, "probability": pytest.approx(1, abs=1e-6)}


@pytest.mark.parametrize(("null", "place"), [(9.0, 0), (1.8, 1), (-60.0, None)])
def test_no_answer_is_one_of_them_where_questions_may_have_none(null, place, tmp_path):
    task = REGISTRY["squad_v2"]
    kept(task, 2, [{"cat": 2.0, "calm": 1.5, "": null}, {}]).write(tmp_path / "nbest.json")
    texts = [each["text"] for each in json.loads((tmp_path / "nbest.json").read_text())["b"]]
    assert len(texts) == 2
    assert ("" in texts) == (place is not None)
    if place is not None:
        assert texts.index("") == place


def test_text_is_written_as_it_is(tmp_path):
    questions = [Question("ß", "sad", "Ñandú", None)]
    features = QuestionAnswering().encode(REGISTRY["squad"], questions, tiny_tokenizer(), 32)
    found = NBest(REGISTRY["squad"], questions, features, 1)
    found.keep(0, np.zeros((1, len(features.ids), 2), np.float32))
    found.write(tmp_path / "nbest.json")
    assert '"ß": [' in (tmp_path / "nbest.json").read_text(encoding="utf-8")
    assert (tmp_path / "nbest.json").read_text(encoding="utf-8").endswith("}\n")
