import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.data.examples import Passage, Pool, Query, Question
from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.submission import prediction_file, read_predictions, write_predictions
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.task import Task

LABEL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8) | st.sampled_from(
    ["two words", "line\u2028separator", "next\x85line", "\x0c"]
)
PREDICTIONS = {
    "classification": st.sampled_from(REGISTRY["xnli"].labels) | LABEL,
    "tagging": st.lists(st.sampled_from(REGISTRY["panx"].labels) | LABEL, min_size=1, max_size=5).map(tuple),
    "multiple_choice": st.integers(0, 9),
    "retrieval": st.integers(0, 100_000).map(str) | LABEL,
    "qa": st.just("") | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
}

OTHER = "a family that XTREME does not have"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("predictions") / "test-sw.tsv"


def mine(family):
    return Task("mine", family, "", ("sw",), "accuracy", labels=("a", "b"))


def asked(number):
    """So many questions or queries; other families need no examples, only their number."""
    return [Question(str(index), "?", "", None) for index in range(number)]


def test_every_family_has_a_format_here():
    assert set(PREDICTIONS) == {*DECODERS, "retrieval"} - {"mlm"}


@pytest.mark.parametrize("family", PREDICTIONS)
@given(data=st.data())
def test_what_is_written_is_read_back(family, data, path):
    predictions = data.draw(st.lists(PREDICTIONS[family], min_size=1, max_size=8))
    examples = asked(len(predictions))
    write_predictions(path, mine(family), examples, predictions)
    assert read_predictions(path, mine(family), examples) == predictions


@pytest.mark.parametrize("family", [family for family in PREDICTIONS if family != "qa"])
@settings(max_examples=20)
@given(data=st.data())
def test_another_number_of_predictions_is_refused(family, data, path):
    predictions = data.draw(st.lists(PREDICTIONS[family], min_size=1, max_size=5))
    write_predictions(path, mine(family), asked(len(predictions)), predictions)
    for other in (len(predictions) - 1, len(predictions) + 1):
        with pytest.raises(DataError) as caught:
            read_predictions(path, mine(family), asked(other))
        assert str(caught.value) == f"{path}: {len(predictions)} predictions for {other} examples"


@pytest.mark.parametrize(
    ("name", "predictions", "text"),
    [
        ("panx", [("B-PER", "I-PER"), ("O",)], "B-PER\nI-PER\n\nO\n\n"),
        ("xnli", ["neutral", "entailment"], "neutral\nentailment\n"),
        ("pawsx", ["1", "0"], "1\n0\n"),
        ("xcopa", [1, 0], "1\n0\n"),
        ("tatoeba", ["3", "0"], "3\n0\n"),
        ("tydiqa", ["猫 é", ""], '{\n "0": "猫 é",\n "1": ""\n}\n'),
        (OTHER, [{"猫": 1}, ("a", 2)], '{"猫": 1}\n["a", 2]\n'),
    ],
)
def test_the_format_is_xtremes_or_for_other_families_json_in_lines(name, predictions, text, path):
    task = mine(name) if name == OTHER else REGISTRY[name]
    write_predictions(path, task, asked(len(predictions)), predictions)
    assert path.read_bytes() == text.encode()
    assert read_predictions(path, task, asked(len(predictions))) == predictions


@pytest.mark.parametrize("ending", ["", "\n", "\n\n"])
def test_files_of_others_may_end_as_they_like(ending, path):
    path.write_text("B-PER\nI-PER\n\nO" + ending)
    assert read_predictions(path, REGISTRY["panx"], asked(2)) == [("B-PER", "I-PER"), ("O",)]
    path.write_text("B-PER\r\nI-PER\r\n\r\nO\r\n")
    assert read_predictions(path, REGISTRY["panx"], asked(2)) == [("B-PER", "I-PER"), ("O",)]
    path.write_text("NOUN\n\nX" + ending)
    assert read_predictions(path, REGISTRY["udpos"], asked(2)) == [("NOUN",), ("X",)]


@pytest.mark.parametrize("content", [b"0\none\n", b"0\n\n", b"1.5\n", b"\xff\n"])
def test_what_is_no_index_is_refused(content, path):
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_predictions(path, REGISTRY["xcopa"], asked(2))
    assert str(caught.value).startswith(f"{path}: cannot be read as predictions of xcopa: ")


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"none\.tsv: cannot be read as predictions of xnli"):
        read_predictions(tmp_path / "none.tsv", REGISTRY["xnli"], asked(1))


POOL = Pool(tuple(Query(Passage(name, "?"), None) for name in ("zh-1", "zh-2", "zh-3")), (Passage("en-1", "!"),))


@pytest.mark.parametrize(
    ("name", "predictions", "text"),
    [
        ("bucc2018", ["en-7", None, "en-1"], "zh-1\ten-7\nzh-3\ten-1\n"),
        ("bucc2018", [None, None, None], ""),
        ("mewslix", [("a", "b"), (), ("c",)], None),
        ("tatoeba", ["2", "0", "0"], "2\n0\n0\n"),
    ],
)
def test_what_a_pool_is_searched_for_is_written_and_read_back(name, predictions, text, path):
    write_predictions(path, REGISTRY[name], POOL, predictions)
    assert text is None or path.read_text() == text
    assert read_predictions(path, REGISTRY[name], POOL) == predictions


@pytest.mark.parametrize("content", ['{"0": "x"}', "[]", "{", '"0"', "3", "null"])
def test_answers_that_are_not_for_these_questions_are_refused(content, path):
    path.write_text(content)
    with pytest.raises(DataError, match="cannot be read as predictions of tydiqa"):
        read_predictions(path, REGISTRY["tydiqa"], asked(2))


@pytest.mark.parametrize("name", ["tydiqa", "bucc2018", "mewslix"])
@pytest.mark.parametrize("predictions", [["a", "b"], ["a", "b", "c", "d"]], ids=["fewer", "more"])
def test_answers_are_written_for_as_many_questions_alone(name, predictions, tmp_path):
    with pytest.raises(ValueError, match=r"shorter|longer"):
        write_predictions(tmp_path / "new", REGISTRY[name], POOL, predictions)
    assert not (tmp_path / "new").exists()


def test_a_pair_needs_its_tab(path):
    path.write_text("zh-1\ten-7\nzh-2 en-1\n")
    with pytest.raises(DataError, match="cannot be read as predictions of bucc2018"):
        read_predictions(path, REGISTRY["bucc2018"], POOL)


def test_the_file_is_named_after_split_and_language_with_the_formats_suffix():
    assert prediction_file(REGISTRY["tydiqa"], "test", "sw") == "test-sw.json"
    assert prediction_file(REGISTRY["xnli"], "dev", "sw") == "dev-sw.tsv"
    assert prediction_file(REGISTRY["bucc2018"], "test", "zh") == "test-zh.tsv"
    assert prediction_file(REGISTRY["mewslix"], "test", "tr") == "test-tr.json"
    assert prediction_file(mine(OTHER), "test", "tr") == "test-tr.jsonl"
