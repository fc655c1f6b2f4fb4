import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.examples import Passage, Pool, Query, TextExample
from lowres_stilts.data.hub import HubDataset
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.masked import parse_plain_text
from lowres_stilts.tasks.source import Examples, FolderSource, HubSource
from lowres_stilts.tasks.task import Task


@given(count=st.integers(0, 30), data=st.data())
def test_chosen_examples_come_in_their_order_every_time(count, data):
    chosen = data.draw(st.sets(st.integers(0, count - 1)) if count else st.just(set()))
    everything = Examples(lambda: iter(range(count)), count)
    assert (len(everything), list(everything)) == (count, list(range(count)))
    shuffled = data.draw(st.permutations(sorted(chosen)))
    some = everything.select(shuffled)
    for _ in range(2):
        assert list(some) == sorted(chosen)
    assert len(some) == len(chosen)


def test_reading_ends_with_the_last_chosen_example():
    read = []

    def numbers():
        for number in range(100):
            read.append(number)
            yield number

    examples = Examples(numbers, 100).select([3, 1])
    assert read == []
    assert list(examples) == [1, 3]
    assert read == [0, 1, 2, 3]


def test_translated_training_data_is_in_xtremes_format(tmp_path):
    source = FolderSource(tmp_path)
    path = tmp_path / "XNLI" / "translate-train" / "en-sw-translated.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("A man.\tA cat.\tMtu.\tPaka.\tcontradictory\n")
    (example,) = source.examples(REGISTRY["xnli"], "train", "sw", translated=True)
    assert (example.text, example.text_pair, example.label) == ("Mtu.", "Paka.", "contradiction")
    with pytest.raises(DataError) as caught:
        source.examples(REGISTRY["udpos"], "train", "sw", translated=True)
    assert str(caught.value) == (
        "task udpos has no translated training data in XTREME's format; remove it from intermediate.translated"
    )
    with pytest.raises(DataError, match=r"en-de-translated\.tsv: no such file"):
        list(source.examples(REGISTRY["xnli"], "train", "de", translated=True))


def test_a_folder_names_a_split_that_the_task_or_the_recipe_has(tmp_path):
    source = FolderSource(tmp_path, {"tydiqa": {"dev": "mine.json"}})
    assert not FolderSource(tmp_path).names(REGISTRY["tydiqa"], "dev")
    assert source.names(REGISTRY["tydiqa"], "dev")
    assert source.place(REGISTRY["tydiqa"], "dev", "en") == str(tmp_path / "mine.json")
    assert FolderSource(tmp_path).place(REGISTRY["tydiqa"], "dev", "en") == str(tmp_path)


def test_the_hub_has_the_splits_that_its_record_names():
    hub = HubSource()
    assert hub.names(REGISTRY["xquad"], "test")
    assert hub.names(REGISTRY["xquad"], "dev")  # SQuAD's, which it is trained on
    assert not hub.names(REGISTRY["tydiqa"], "dev")
    assert hub.names(REGISTRY["anli+"], "train")
    assert not hub.names(REGISTRY["anli+"], "test")
    assert hub.languages(REGISTRY["xnli"], "test") == REGISTRY["xnli"].languages
    assert hub.place(REGISTRY["xnli"], "test", "sw") == "facebook/xnli"
    with pytest.raises(DataError, match=r"task bucc2018 is not on the Hub as Parquet; use data\.source"):
        list(hub.examples(REGISTRY["bucc2018"], "test", "zh"))
    assert hub.place(REGISTRY["bucc2018"], "test", "zh") == "bucc2018"
    with pytest.raises(DataError) as caught:
        hub.examples(REGISTRY["xnli"], "train", "sw", translated=True)
    assert str(caught.value) == "translated training data is read from XTREME's files; use data.source: xtreme"


TEXTS = Task("mine", "mlm", "", ("sw", "ur"), "accuracy", parser=parse_plain_text, english="eng")


@pytest.fixture
def on_hub(tmp_path):
    """Gives a task of texts a folder with the Hub's layout, whose rows say where they stand."""

    def put(name, *places, splits=("train", "test"), **fields):
        for place in places:
            path = tmp_path / name / f"{place}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [{"text": f"{name} {place} {row}", "gloss": f"English {row}"} for row in (1, 2)]
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        hub = HubDataset(str(tmp_path / name), splits={split: split for split in splits})
        return dataclasses.replace(TEXTS, name=name, hub=hub, **fields)

    return put


def texts(examples):
    return [example.text for example in examples]


def test_rows_of_a_split_in_a_language_become_examples(on_hub):
    task = on_hub("a", "sw/train", "sw/test", "ur/test")
    assert list(HubSource().examples(task, "test", "ur")) == [
        TextExample("a ur/test 1", None, None), TextExample("a ur/test 2", None, None)
    ]  # fmt: skip
    with pytest.raises(DataError, match="there are sw, ur"):
        list(HubSource().examples(task, "test", "yo"))


def test_a_task_of_parts_has_their_rows_one_after_the_other(on_hub):
    parts = on_hub("a", "sw/train", "sw/test"), on_hub("b", "sw/test")
    both = dataclasses.replace(TEXTS, parts=parts)
    assert texts(HubSource().examples(both, "test", "sw")) == [
        "a sw/test 1", "a sw/test 2", "b sw/test 1", "b sw/test 2"
    ]  # fmt: skip


def test_what_a_task_lacks_on_the_hub_is_the_english_of_the_one_it_is_trained_on(on_hub):
    english = on_hub("english", "eng/train", splits=("train",))
    task = on_hub("a", "sw/test", splits=("test",), trained_on=english)
    hub = HubSource()
    assert texts(hub.examples(task, "train", "sw")) == ["english eng/train 1", "english eng/train 2"]
    assert texts(hub.examples(task, "test", "sw")) == ["a sw/test 1", "a sw/test 2"]
    assert [hub.names(task, split) for split in ("train", "dev", "test")] == [True, False, True]


def test_rows_of_pairs_are_a_pool(on_hub):
    task = on_hub("a", "sw/test", "ur/test")
    fields = {"source": "text", "english": "gloss"}
    task = dataclasses.replace(task, hub=dataclasses.replace(task.hub, fields=fields))
    assert HubSource().pool(task, "test", "ur") == Pool(
        (Query(Passage("0", "a ur/test 1"), ("0",)), Query(Passage("1", "a ur/test 2"), ("1",))),
        (Passage("0", "English 1"), Passage("1", "English 2")),
    )


def test_each_data_set_that_a_task_needs_is_pinned_at_its_own_revision(on_hub):
    english = on_hub("english", "eng/train")
    parts = on_hub("a", "sw/test"), on_hub("b", "sw/test")
    both = dataclasses.replace(TEXTS, name="both", parts=parts, trained_on=english)
    for streaming in (False, True):
        pinned = HubSource({"other": "abc", "a": "local"}, streaming).pinned([both])
        # A folder has no commits.
        commits = {"english": "local", "a": "local", "b": "local"}
        assert pinned == HubSource({"other": "abc", **commits}, streaming)
        assert texts(pinned.examples(both, "test", "sw"))[::2] == ["a sw/test 1", "b sw/test 1"]


def test_a_revision_of_the_recipe_is_the_one_that_is_read(on_hub):
    task, hub = on_hub("a", "sw/test"), HubSource({"a": "abc"})
    for ask in (lambda: list(hub.examples(task, "test", "sw")), lambda: hub.pinned([task])):
        with pytest.raises(DataError, match="no revision 'abc'; a folder has no revisions"):
            ask()


WITHOUT_ENGLISH_ON_HUB = {
    "bucc2018": "retrieval, not trained",
    "tatoeba": "retrieval, not trained",
    "lareqa": "retrieval, not trained",
    "mewslix": "retrieval, not trained",
    "starter-parallel": "retrieval, not trained",
    "starter-reply": "of the starter's package",
    "starter-topic": "of the starter's package",
    "belebele": "it has a test split alone; name English files under data.files",
    "ccg": "licensed by LDC, in no public copy",
    "mlm": "text of the user's own",
}


@pytest.mark.parametrize("task", REGISTRY.values(), ids=lambda task: task.name)
def test_every_task_is_trained_on_english_from_the_hub_or_it_is_known_why_not(task):
    hub = HubSource()
    assert hub.names(task, "train") == (task.name not in WITHOUT_ENGLISH_ON_HUB)
    for part in (*task.parts, task.trained_on, task):
        if part is not None and part.hub is not None:
            assert part.hub.lacks <= set(part.languages)
            assert set(part.hub.languages) <= {part.english, *part.languages}


def test_english_xcopa_of_the_hub_is_copa():
    xcopa, hub = REGISTRY["xcopa"], HubSource()
    assert xcopa.trained_on is REGISTRY["copa"]
    assert "en" not in hub.languages(xcopa, "test")
    assert {"sw", "qu"} <= set(hub.languages(xcopa, "test"))
    assert "gu" not in hub.languages(REGISTRY["panx"], "dev")
