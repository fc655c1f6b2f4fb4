"""The page that a bundle has on the Hub."""

import json
import re

import pytest
import yaml

from lowres_stilts.errors import BundleError
from lowres_stilts.hub.bundle_card import bundle_card, bundle_text
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.manifest import read_manifest

POINTS = {"first": {"en": 81.25, "sw": 70.0, "pt-br": 40.04}}
SCORES = {
    "float32_torch": {"first": {"en": 82.0, "sw": 70.5}},
    "bundle": POINTS,
    "mean_loss": 0.1,
    "tolerance": 0.5,
}


@pytest.fixture
def manifest(zoo):
    return read_manifest(zoo.bundle)


def changed(manifest, part=None, base=None, **changes):
    parts = [own.model_copy(update=part) if part else own for own in manifest.adapters]
    own_base = manifest.base.model_copy(update=base or {})
    return manifest.model_copy(update={"adapters": parts, "base": own_base, **changes})


def front_matter(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_the_card_is_the_one_in_the_bundle_and_summed(zoo, manifest):
    assert (zoo.bundle / "README.md").read_text() == bundle_card(manifest)
    assert "  README.md\n" in (zoo.bundle / "SHA256SUMS").read_text()


def test_the_hub_finds_what_it_needs(manifest):
    found = front_matter(
        bundle_card(changed(manifest, {"licence": "MIT"}, {"id": "some/base"}, languages={"ur": 0.9}))
    )
    assert found["base_model"] == "some/base"
    assert (found["library_name"], found["license"], found["language"]) == ("lowres-stilts", "mit", ["ur"])
    assert {"lowres-stilts", "bundle", "onnx", "classification", "tagging"} <= set(found["tags"])


def test_a_base_that_is_a_folder_is_not_named_to_the_hub(manifest):
    assert "base_model" not in front_matter(bundle_card(changed(manifest, base={"id": "/home/me/base"})))


def test_licences_that_differ_are_all_named(manifest):
    first, *others = manifest.adapters
    parts = [first.model_copy(update={"licence": "CC-BY-4.0"}), *others]
    found = front_matter(bundle_card(manifest.model_copy(update={"adapters": parts})))
    assert found["license"] == "other"
    assert "cc-by-4.0" in found["license_name"]


def test_every_adapter_is_in_the_table(manifest):
    text = bundle_text(manifest)
    for part in manifest.adapters:
        assert f"| {part.name} | {part.task} | {part.family} |" in text
    assert "## Scores" not in text


def test_labels_do_not_break_the_table(manifest):
    text = bundle_text(changed(manifest, {"labels": ["a|b", "c"]}))
    assert all(line.count("|") == 6 for line in text.splitlines() if line.startswith("| first"))


def test_scores_stand_beside_those_in_float32(manifest):
    card = bundle_card(manifest.model_copy(update={"parity": {"scores": SCORES}}))
    assert "| first | en | 82.0 | 81.2 |" in card
    assert "| first | pt-br | - | 40.0 |" in card
    assert front_matter(card)["language"] == ["en", "pt", "sw"]


@pytest.mark.parametrize("scores", [5, "text", {"bundle": 3}, {"bundle": {"first": {"en": "many"}}}, [1]])
def test_scores_that_make_no_sense_are_refused(manifest, scores):
    with pytest.raises(BundleError, match=r"bundle\.json: parity\.scores"):
        bundle_card(manifest.model_copy(update={"parity": json.loads(json.dumps({"scores": scores}))}))


def test_the_lines_of_python_run_for_every_family(zoo, manifest):
    for part in manifest.adapters:
        text = bundle_text(manifest.model_copy(update={"adapters": [part]}))
        (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        found = {}
        exec(code.replace('Bundle.load("bundle")', f"Bundle.load({str(zoo.bundle)!r}, threads=1)"), found)
        assert isinstance(found["bundle"], Bundle)


def test_a_bundle_without_adapters_embeds(manifest):
    text = bundle_text(manifest.model_copy(update={"adapters": []}))
    assert 'bundle.embed(["text"])' in text
