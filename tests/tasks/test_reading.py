"""Known defects of published sets are left out and counted; files of one's own stay strict."""

import json
from collections import Counter

import pytest

from lowres_stilts.data.examples import TaggedSentence, TextExample
from lowres_stilts.errors import DataError
from lowres_stilts.recipe.data import CustomTask
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.load import custom_task
from lowres_stilts.tasks.reading import nested, told_of
from lowres_stilts.tasks.source import FolderSource
from tests.official import OFFICIAL

QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
QUESTION = {"id": "1", "question": "q", "context": "c d", "answers": [{"text": "c", "answer_start": 0}]}


@pytest.fixture
def read(tmp_path):
    """Examples of a split, and what was left out, after writing its file."""

    def examples(task, split, content, language="en", name=None):
        source = FolderSource(tmp_path, {} if name is None else {task.name: {split: name}})
        (path,) = source.paths(task, split, language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        left_out = Counter()
        return list(source.examples(task, split, language, left_out=left_out)), left_out

    return examples


def own(family, **settings):
    return custom_task("own", CustomTask(family=family, languages=["sw"], **settings))


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize("mark", ["-", "-1"])
def test_undecided_labels_of_snli_are_left_out_everywhere(split, mark, read):
    found, left_out = read(REGISTRY["snli"], split, f"a\tb\tneutral\nc\td\t{mark}\ne\tf\tentailment\n")
    assert [example.label for example in found] == ["neutral", "entailment"]
    assert left_out == {("snli", split, "en", "undecided label"): 1}


def test_official_json_lines_of_snli_and_null_labels(read):
    rows = [{"sentence1": "a", "sentence2": "b", "gold_label": label} for label in ("neutral", "-", None)]
    for split in ("train", "test"):
        found, left_out = read(
            REGISTRY["snli"], split, "".join(f"{json.dumps(row)}\n" for row in rows), name=f"{split}.jsonl"
        )
        assert [example.label for example in found] == ["neutral"]
        assert left_out.total() == 2


def test_without_any_label_nothing_is_undecided(read):
    found, left_out = read(REGISTRY["snli"], "test", "a\tb\nc\td\n")
    assert [example.label for example in found] == [None, None]
    assert not left_out


def test_the_papers_nli_leaves_out_what_its_parts_leave_out(tmp_path, read):
    for name in ("anli", "mnli"):
        for path in FolderSource(tmp_path).paths(REGISTRY[name], "train", "en"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(OFFICIAL[name])
    read(REGISTRY["snli"], "train", "a\tb\tneutral\nc\td\t-\n")
    left_out = Counter()
    found = list(FolderSource(tmp_path).examples(REGISTRY["anli+"], "train", "en", left_out=left_out))
    assert len(found) == 4 * 2 + 1  # three rounds and MultiNLI, then SNLI
    assert left_out == {("snli", "train", "en", "undecided label"): 1}


def test_rows_that_a_line_end_cut_in_two_and_blank_questions_of_qqp(read):
    rows = "1\t1\t2\twho\twhy\t1\n2\t3\t4\tcut\nhere\twhy\t0\n3\t5\t6\twhat\t\t0\n4\t7\t8\twhen\thow\t0\n5\t9"
    found, left_out = read(REGISTRY["qqp"], "train", QQP + rows)
    assert [(example.text, example.label) for example in found] == [("who", "1"), ("when", "0")]
    assert nested(left_out) == {"qqp": {"train": {"en": {"blank text": 1, "row cut in two": 2}}}}
    with pytest.raises(DataError, match="expected 6 tab-separated columns, found 7"):
        read(REGISTRY["qqp"], "train", f"{QQP}1\t1\t2\ta\tb\t1\tc\n")


def test_blank_texts_are_left_out_of_training_and_kept_in_tests(read):
    content = "a\tb\t1\n \tc\t0\n"
    for split in ("train", "dev"):
        found, left_out = read(REGISTRY["pawsx"], split, content)
        assert (len(found), left_out) == (1, {("pawsx", split, "en", "blank text"): 1})
        assert told_of(left_out) == [f"left out: 1 of pawsx {split} in en: blank text"]
    found, left_out = read(REGISTRY["pawsx"], "test", content)
    assert found[1] == TextExample(" ", "c", "0")
    assert not left_out
    found, _ = read(REGISTRY["americasnli"], "test", "a\t\tneutral\n", "nah")
    assert found == [TextExample("a", "", "neutral")]


def test_translated_rows_that_are_blank_are_left_out(tmp_path):
    path = tmp_path / "PAWSX" / "translate-train" / "en-de-translated.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("a\tb\tc\td\t1\na\tb\t\td\t0\n")
    left_out = Counter()
    found = FolderSource(tmp_path).examples(REGISTRY["pawsx"], "train", "de", translated=True, left_out=left_out)
    assert [example.text for example in found] == ["c"]
    assert left_out == {("pawsx", "train", "de", "blank text"): 1}


def test_a_token_that_was_white_space_keeps_its_place_in_tests(read):
    content = "cat\tNOUN\n\u00a0\tX\n\nsat\tVERB\n"
    found, left_out = read(REGISTRY["udpos"], "test", content)
    assert found == [TaggedSentence(("cat", "_"), ("NOUN", "X")), TaggedSentence(("sat",), ("VERB",))]
    assert not left_out
    found, left_out = read(REGISTRY["udpos"], "train", content.replace("\u00a0", ""))
    assert found == [TaggedSentence(("sat",), ("VERB",))]
    assert left_out == {("udpos", "train", "en", "blank token"): 1}


@pytest.mark.parametrize(
    ("task", "content", "problem"),
    [
        (own("classification", labels=["a", "b"]), "x\ta\n \tb\n", ":2: field 'text' is empty"),
        (own("classification", labels=["a", "b"]), "x\ta\ny\t-\n", ":2: label '-' is not one of a, b"),
        (own("classification", labels=["a", "b"]), "x\ta\ny\t\n", ":2: label '' is not one of a, b"),
        (own("tagging", labels=["a", "b"]), "x\ta\n \tb\n", ":2: token ' ' is blank"),
    ],
)
def test_files_of_ones_own_stay_strict(task, content, problem, read):
    with pytest.raises(DataError, match=problem):
        read(task, "train", content, name="x.tsv")


def test_a_label_that_is_spelled_as_a_dash_is_one_where_it_is_listed(read):
    found, left_out = read(own("classification", labels=["+", "-"]), "test", "x\t+\ny\t-\n", name="x.tsv")
    assert [example.label for example in found] == ["+", "-"]
    assert not left_out


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ({"label": "a"}, {}, ":2: this example has no answer, but those before it have one; give all or none"),
        ({}, {"label": "a"}, ":2: this example has an answer, but those before it have none"),
    ],
)
def test_a_test_file_has_all_labels_or_none(first, second, problem, read):
    content = "".join(f"{json.dumps({'text': 'x'} | labels)}\n" for labels in (first, second))
    with pytest.raises(DataError, match=problem):
        read(own("classification", labels=["a", "b"]), "test", content, name="x.jsonl")


@pytest.mark.parametrize("task", [own("qa"), REGISTRY["xquad"]], ids=["own", "published"])
def test_questions_of_a_test_have_ids_of_their_own(task, read):
    content = "".join(f"{json.dumps(QUESTION | {'id': name})}\n" for name in ("1", "2", 1))
    for split in ("test", "dev"):
        with pytest.raises(
            DataError, match=r"x\.jsonl:3: id '1' is also that of the question at 1; give each its own"
        ):
            read(task, split, content, name="x.jsonl")
    found, _ = read(task, "train", content, name="x.jsonl")
    assert len(found) == 3
