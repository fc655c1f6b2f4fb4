"""Scores that one answer for all could have."""

import pytest

from lowres_stilts.hub.doubts import doubts_of, doubts_of_bundle
from lowres_stilts.hub.manifest import read_manifest
from lowres_stilts.runtime.manifest import read_manifest as read_bundle
from tests.conftest import ROOT


def collected(name, **changes):
    return read_manifest(ROOT / "adapters" / name).model_copy(update=changes)


def test_the_collection_has_two_packages_of_which_it_is_known():
    assert doubts_of(collected("panx-small")) == []
    (first,) = doubts_of(collected("multitask-small-intermediate"))
    assert first == "mnli scores 30.0 on the English dev set, where one answer for all gets 33.3"
    (second,) = doubts_of(collected("xnli-small"))
    assert second.startswith("xnli is no better than one answer for all in ")


@pytest.mark.parametrize(("chance", "expected"), [(48.0, 0), (52.0, 1)])
def test_what_one_answer_for_all_scores_counts_where_it_is_known(chance, expected):
    manifest = collected("panx-small")
    one = {"panx": {"en": manifest.scores["panx"]["en"]}}
    changed = manifest.model_copy(update={"scores": one, "chance": {"panx": {"en": chance}}})
    assert len(doubts_of(changed)) == expected


@pytest.mark.parametrize(("examples", "expected"), [(1000, 0), (20, 1)])
def test_few_dev_examples_leave_more_to_chance(examples, expected):
    manifest = collected("panx-small", scores={})
    (task,) = manifest.tasks
    known = task.model_copy(update={"dev_score": 60.0, "dev_chance": 50.0, "dev_examples": examples})
    assert len(doubts_of(manifest.model_copy(update={"tasks": [known]}))) == expected


def test_a_bundle_tells_of_its_classifiers(zoo):
    manifest = read_bundle(zoo.bundle)
    part = next(part for part in manifest.adapters if part.family == "classification")
    share = 100 / len(part.labels)
    scores = {part.name: {"en": share + 1, "sw": share, "ur": 0.0}}
    (doubt,) = doubts_of_bundle(manifest.model_copy(update={"parity": {"scores": {"bundle": scores}}}))
    assert doubt == f"{part.name} is no better than one answer for all in sw, ur"
