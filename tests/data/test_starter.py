import json

import pytest

from lowres_stilts.data import starter
from lowres_stilts.data.starter import LANGUAGE_FOLDERS, TOPICS, starter_data_dir
from lowres_stilts.tasks.load import Source
from lowres_stilts.tasks.registry import REGISTRY

TOPIC, PARALLEL = REGISTRY["starter-topic"], REGISTRY["starter-parallel"]
OTHERS = [language for language in LANGUAGE_FOLDERS if language != "en"]


@pytest.fixture(scope="module")
def source():
    return Source(starter_data_dir())


def _prompts(source, split):
    lines = (source.folder / "starter" / "reply" / f"{split}-en.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_there_are_enough_languages_and_examples(source):
    assert len(OTHERS) >= 8
    assert "zh-TW" in OTHERS
    assert all(len(source.load(TOPIC, "test", language)) >= 200 for language in OTHERS)
    assert len(source.load(TOPIC, "train", "en")) >= 300


def test_english_splits_share_no_text(source):
    texts = {
        split: {starter._normalized(example.text) for example in source.load(TOPIC, split, "en")}
        for split in ("train", "dev", "test")
    }
    assert not texts["train"] & texts["dev"]
    assert not texts["train"] & texts["test"]
    assert not texts["dev"] & texts["test"]
    assert {example.label for example in source.load(TOPIC, "train", "en")} == set(TOPICS)


def test_english_splits_share_no_prompt(source):
    corpus = source.folder / "starter" / "topic"
    assert corpus.is_dir()
    import importlib.metadata

    folder = importlib.metadata.distribution("chatterbot-corpus").locate_file("chatterbot_corpus/data/english")
    english = starter._read_language(type(corpus)(str(folder)))
    split_of = starter._split_by_prompt(english)
    training = {e.text: split_of[starter._key(e)] for e in english if e.topic in TOPICS}
    for split in ("train", "dev", "test"):
        for example in source.load(TOPIC, split, "en"):
            assert training[example.text] == split


@pytest.mark.parametrize("language", OTHERS)
def test_no_test_text_is_a_training_text_and_no_topic_file_repeats_itself(source, language):
    training = {starter._normalized(example.text) for example in source.load(TOPIC, "train", "en")}
    texts = [starter._normalized(example.text) for example in source.load(TOPIC, "test", language)]
    assert not training & set(texts)
    assert len(texts) == len(set(texts))


def test_translations_of_training_entries_are_left_out_where_files_are_aligned(source):
    """The Italian history file follows the English one entry by entry."""
    english = {split: source.load(TOPIC, split, "en") for split in ("train", "dev", "test")}
    held_out = sum(example.label == "history" for example in english["test"])
    italian = sum(example.label == "history" for example in source.load(TOPIC, "test", "it"))
    assert 0 < italian == held_out < 8


def test_replies_have_four_choices_and_the_right_one_is_right(source):
    for split in ("train", "dev"):
        for row in _prompts(source, split):
            assert len(set(row["choices"])) == len(row["choices"]) == 4
            assert 0 <= row["label"] < 4


def test_no_prompt_of_reply_selection_is_held_out_anywhere(source):
    prompts = {
        split: {starter._normalized(row["prompt"]) for row in _prompts(source, split)}
        for split in ("train", "dev")
    }
    assert not prompts["train"] & prompts["dev"]
    tested = [starter._normalized(example.text) for example in source.load(TOPIC, "test", "en")]
    seen = {f"{row['prompt']} {row['choices'][row['label']]}" for row in _prompts(source, "train")}
    assert not {starter._normalized(text) for text in seen} & set(tested)


def test_parallel_sentences_occur_once_on_either_side(source):
    for language in PARALLEL.languages:
        pairs = source.load(PARALLEL, "test", language)
        assert len(pairs) > 60
        assert len({pair.source.casefold() for pair in pairs}) == len(pairs)
        assert len({pair.english.casefold() for pair in pairs}) == len(pairs)


def test_building_twice_gives_the_same_bytes(source, private_cache):
    again = starter_data_dir()
    assert again.is_relative_to(private_cache)
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(files) > 15
    for path in files:
        assert (again / path).read_bytes() == (source.folder / path).read_bytes()
