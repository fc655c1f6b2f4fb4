import importlib.metadata
import itertools
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from lowres_stilts.data import starter
from lowres_stilts.data.starter import LANGUAGE_FOLDERS, PARALLEL_LANGUAGES, Exchange, starter_data_dir
from lowres_stilts.errors import DataError
from lowres_stilts.extras import install_command
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.source import FolderSource

SPLITS = ("train", "dev", "test")
BUILD = "from lowres_stilts.data.starter import starter_data_dir; print(starter_data_dir())"
OTHERS = [language for language in LANGUAGE_FOLDERS if language != "en"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The starter data as the code of today makes it, not as some cache has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWRES_STILTS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return starter_data_dir()


@pytest.fixture(scope="module")
def topics(built):
    """Split and language to rows of text and topic."""
    return {
        tuple(path.stem.split("-", 1)): [line.split("\t") for line in path.read_text("utf-8").splitlines()]
        for path in (built / "starter" / "topic").iterdir()
    }


@pytest.fixture(scope="module")
def replies(built):
    return {
        split: [
            json.loads(line)
            for line in (built / f"starter/reply/{split}-en.jsonl").read_text("utf-8").splitlines()
        ]
        for split in ("train", "dev")
    }


@pytest.fixture(scope="module")
def conversations():
    """The corpus read plainly: language to file name to pairs of prompt and reply."""
    corpus = Path(str(importlib.metadata.distribution("chatterbot-corpus").locate_file("chatterbot_corpus/data")))
    found = {}
    for language in ("en", *PARALLEL_LANGUAGES):
        folder = corpus / LANGUAGE_FOLDERS[language]
        found[language] = {
            path.stem: [
                [" ".join(str(utterance).split()) for utterance in [*utterances, ""][:2]]
                for utterances in yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)["conversations"]
            ]
            for path in folder.glob("*.yml")
        }
    return found


def normalized(text):
    return re.sub(r"\W+", " ", text.casefold()).strip()


def texts(rows):
    return {normalized(text) for text, _ in rows}


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_building_again_gives_the_same_bytes(built, tmp_path):
    environment = os.environ | {"LOWRES_STILTS_CACHE": str(tmp_path), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", BUILD], env=environment, capture_output=True, text=True, check=True
    )
    again = Path(done.stdout.strip())
    assert again.is_relative_to(tmp_path)
    assert contents(again) == contents(built)


def test_what_is_in_the_cache_is_taken_as_it_is(built, monkeypatch):
    monkeypatch.setenv("LOWRES_STILTS_CACHE", str(built.parent))
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*")}
    assert starter_data_dir() == built
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == before


def test_without_the_package_the_error_says_what_to_install(private_cache, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(DataError, match=re.escape(install_command("starter"))):
        starter_data_dir()
    assert not private_cache.exists()


def test_no_prompt_stands_on_both_sides_of_a_split(topics, conversations):
    splits_of = {text: split for split in SPLITS for text in texts(topics[split, "en"])}
    split_of_prompt = defaultdict(set)
    for prompt, reply in itertools.chain.from_iterable(conversations["en"].values()):
        if split := splits_of.get(normalized(f"{prompt} {reply}")):
            split_of_prompt[normalized(prompt)].add(split)
    assert sum(map(len, split_of_prompt.values())) > 300
    assert all(len(splits) == 1 for splits in split_of_prompt.values())


def test_no_text_for_testing_is_a_training_text(topics):
    training = texts(topics["train", "en"])
    for key, rows in topics.items():
        if key != ("train", "en"):
            assert not texts(rows) & training, key
    assert not texts(topics["dev", "en"]) & texts(topics["test", "en"])


@pytest.mark.parametrize("language", PARALLEL_LANGUAGES)
def test_no_text_for_testing_translates_an_english_one_that_is_trained_on(language, topics, conversations):
    seen = texts(topics["train", "en"]) | texts(topics["dev", "en"])
    held_out, translated = set(), set()
    for name, theirs in conversations[language].items():
        english = conversations["en"].get(name, [])
        if len(english) != len(theirs) or (language, name) == ("ko", "literature"):
            continue
        for ours, other in zip(english, theirs, strict=True):
            side = translated if normalized(" ".join(ours)) in seen else held_out
            side.add(normalized(" ".join(other)))
    assert len(translated) > 50
    assert not (translated - held_out) & texts(topics["test", language])


def test_there_are_enough_languages_and_examples(topics):
    assert {language for split, language in topics if split == "test"} == set(REGISTRY["starter-topic"].languages)
    enough = [language for language in OTHERS if len(topics["test", language]) >= 200]
    assert len(enough) >= 8
    assert len(topics["train", "en"]) >= 300
    assert all(len(topics[split, "en"]) >= 50 for split in ("dev", "test"))


def test_topics_are_the_registrys_and_every_one_is_trained_on(topics):
    labels = set(REGISTRY["starter-topic"].labels)
    assert {topic for rows in topics.values() for _, topic in rows} == labels
    assert {topic for _, topic in topics["train", "en"]} == labels


def test_a_text_of_two_topics_or_of_the_training_set_is_left_out(tmp_path):
    exchanges = [
        Exchange("food", 0, "Do you eat?", "No."),
        Exchange("food", 1, "do you eat", "no"),
        Exchange("food", 2, "Hello", ""),
        Exchange("ai", 0, "hello!", ""),
        Exchange("ai", 1, "Who are you?", ""),
    ]
    starter._write_topics(exchanges, tmp_path / "topic.tsv", without={"who are you"})
    assert (tmp_path / "topic.tsv").read_text() == "Do you eat? No.\tfood\n"


def test_no_text_stands_twice_in_a_file(topics):
    for key, rows in topics.items():
        assert len(texts(rows)) == len(rows), key


def test_replies_have_four_different_choices_and_the_right_label(replies, conversations):
    answers = defaultdict(set)
    for prompt, reply in itertools.chain.from_iterable(conversations["en"].values()):
        answers[normalized(prompt)].add(reply)
    for row in replies["train"] + replies["dev"]:
        assert len(set(row["choices"])) == 4
        right = [reply in answers[normalized(row["prompt"])] for reply in row["choices"]]
        assert [index for index, is_right in enumerate(right) if is_right] == [row["label"]]


def test_labels_of_replies_are_evenly_spread(replies):
    for rows in replies.values():
        counts = [sum(row["label"] == label for row in rows) for label in range(4)]
        assert min(counts) > 0.18 * len(rows)


def test_no_prompt_of_reply_selection_is_in_both_splits_or_held_out_from_the_topic_task(replies, topics):
    prompts = {split: {normalized(row["prompt"]) for row in rows} for split, rows in replies.items()}
    assert not prompts["train"] & prompts["dev"]
    asked = {
        normalized(f"{row['prompt']} {row['choices'][row['label']]}") for rows in replies.values() for row in rows
    }
    assert not asked & (texts(topics["dev", "en"]) | texts(topics["test", "en"]))


def test_a_dev_answer_is_a_training_candidate_only_where_it_answers_a_training_prompt_too(replies):
    answers = {split: {row["choices"][row["label"]] for row in rows} for split, rows in replies.items()}
    candidates = {split: {reply for row in rows for reply in row["choices"]} for split, rows in replies.items()}
    assert candidates == answers
    assert answers["dev"] & candidates["train"] <= answers["train"]


@pytest.mark.parametrize("language", PARALLEL_LANGUAGES)
def test_parallel_files_are_equally_long_and_without_duplicates(language, built):
    folder = built / "starter" / "parallel"
    sides = [
        [normalized(line) for line in (folder / f"{language}-en.{side}").read_text("utf-8").splitlines()]
        for side in (language, "en")
    ]
    assert len(sides[0]) == len(sides[1]) >= 80
    for side in sides:
        assert all(side)
        assert len(set(side)) == len(side)


@pytest.mark.parametrize("name", ["starter-reply", "starter-topic", "starter-parallel"])
def test_the_registrys_readers_read_every_file(name, built):
    task, source = REGISTRY[name], FolderSource(built)
    read = 0
    for split in task.files:
        languages = source.languages(task, split)
        assert languages or (name, split) == ("starter-reply", "test")
        for language in languages:
            retrieval = task.family == "retrieval"
            found = (
                source.pool(task, split, language) if retrieval else list(source.examples(task, split, language))
            )
            read += bool(found)
    assert read == len(list((built / "starter" / name.removeprefix("starter-")).iterdir())) / (
        2 if task.family == "retrieval" else 1
    )
