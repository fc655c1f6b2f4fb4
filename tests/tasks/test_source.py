import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.errors import DataError
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.source import Examples, FolderSource, HubSource


@settings(max_examples=100)
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
    with pytest.raises(DataError, match="task udpos has no translated training data"):
        source.examples(REGISTRY["udpos"], "train", "sw", translated=True)
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
    with pytest.raises(DataError, match="translated training data is read from XTREME's files"):
        hub.examples(REGISTRY["xnli"], "train", "sw", translated=True)
