"""Cards: what the Hub reads of them, and their lines of Python, which are run as they stand there."""

import contextlib
import io
import json
import re
import shutil

import pytest
import torch
import yaml

from lowres_stilts.hub.card import HUB_LICENCES, UNKNOWN, model_card
from lowres_stilts.hub.card_asking import FIRST, SECOND
from lowres_stilts.hub.card_code import peft_code
from lowres_stilts.hub.example import add_example, example_of
from lowres_stilts.hub.verify import Package, open_package
from lowres_stilts.hub.write import describe_package
from lowres_stilts.recipe import Recipe
from lowres_stilts.tasks.load import find_task
from tests.hub.adapter_runs import finished_adapters
from tests.hub.lora_runs import IDS, MASK, QUICK, finished_lora, our_scores
from tests.project import write_project
from tests.runs import finished_run

EXAMPLE = {
    "mood": 'tokenizer("The trains were late again this morning.", return_tensors',
    "tags": "tokenizer(words, is_split_into_words=True, return_tensors",
    "asked": "tokenizer(question, context, return_tensors",
}


def lines_of(card):
    return re.search(r"```python\n(.*?)```", card, flags=re.DOTALL)[1]


def answer_of(card):
    """What the card says that its lines print."""
    return re.search(r"It prints\n\n```text\n(.*?)```", card, flags=re.DOTALL)[1]


def run_lines(folder, card):
    """What the lines on a card define and print, run over a package."""
    name = json.loads((folder / "stilts.json").read_text())["name"]
    found = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(lines_of(card).replace(f"path/to/{name}", str(folder)), found)
    return found, said.getvalue()


def matter_of(card):
    return yaml.safe_load(card.split("---\n")[1])


def computed_in(manifest, compute):
    return manifest.model_copy(update={"base": manifest.base.model_copy(update={"compute": compute})})


@pytest.fixture(scope="session")
def package(once):
    return finished_lora(once, "bert", "mean")[1][-1]


@pytest.fixture
def manifest(package):
    return open_package(package).manifest


@pytest.mark.parametrize("family", ["xlm-roberta", "xlm-roberta-xl", "bert"])
@pytest.mark.parametrize("target", EXAMPLE)
def test_the_lines_of_a_lora_give_our_scores_with_the_attention_and_dtype_that_they_name(
    family, target, once, private_cache
):
    recipe, packages = finished_lora(once, family, "library", target)
    card = (packages[-1] / "README.md").read_text()
    assert EXAMPLE[target] in card
    found, said = run_lines(packages[-1], card)
    assert said == answer_of(card)
    assert (found["model"].config._attn_implementation, found["model"].dtype) == ("sdpa", torch.float32)
    with torch.no_grad():
        plain = found["model"](input_ids=IDS, attention_mask=MASK)
    scores = torch.stack([plain.start_logits, plain.end_logits], -1) if target == "asked" else plain.logits
    keep = slice(None) if target == "mood" else MASK.bool()
    torch.testing.assert_close(
        scores[keep], our_scores(recipe, open_package(packages[-1]))[keep], atol=1e-5, rtol=1e-5
    )
    card = (packages[0] / "README.md").read_text()
    choices, said = run_lines(packages[0], card)
    assert choices["scores"].shape == (1, 2)
    assert said == answer_of(card)
    assert said.strip() in choices["choices"]


def test_the_lines_of_a_mean_head_are_run_in_bf16_where_that_was_meant(package, manifest):
    card = model_card(computed_in(manifest, "bf16"))
    found, _ = run_lines(package, card)
    assert (found["model"].config._attn_implementation, found["model"].dtype) == ("sdpa", torch.bfloat16)
    exact, said = run_lines(package, model_card(manifest))
    assert said == answer_of(model_card(manifest))
    assert said.strip() in manifest.tasks[0].labels
    exact = exact["scores"]
    assert found["scores"].shape == exact.shape == (1, 3)
    torch.testing.assert_close(found["scores"], exact, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("family", "changes"),
    [("xlm-roberta", {}), ("xlm-roberta-xl", {}), ("bert", {"head": "mean"}), ("bert", {"target__task": "tags"})],
)
def test_the_lines_of_a_bottleneck_adapter_are_run_in_bf16_where_that_was_meant(
    family, changes, once, private_cache
):
    _, packages = finished_adapters(once, family=family, evaluate__languages=["en"], **changes)
    folder = packages["2-target"]
    manifest = open_package(folder).manifest
    found, _ = run_lines(folder, model_card(computed_in(manifest, "bf16")))
    assert (found["model"].config._attn_implementation, found["model"].dtype) == ("sdpa", torch.bfloat16)
    exact, said = run_lines(folder, model_card(manifest))
    assert said == answer_of(model_card(manifest))
    assert exact["model"].dtype == torch.float32
    torch.testing.assert_close(found["scores"].float(), exact["scores"], atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("task", "own", "texts"),
    [
        ("xnli", None, 2),
        ("sib200", None, 1),
        ("mood", {"family": "classification", "pair": True}, 2),
        ("mood", {"family": "classification"}, 1),
        ("of a plug-in that is not here", None, 1),
    ],
)
def test_an_example_has_as_many_texts_as_its_task(task, own, texts, manifest):
    (part,) = manifest.tasks
    recipe = {**manifest.recipe, "tasks": {task: own} if own else {}}
    part = part.model_copy(update={"name": task, "texts": None})
    changed = manifest.model_copy(update={"tasks": [part], "recipe": recipe, "example": None})
    shown = ", ".join(f'"{text}"' for text in (FIRST, SECOND)[:texts])
    assert f'({shown}, return_tensors="pt")' in peft_code(changed)
    assert "It prints" not in peft_code(changed)


def test_names_with_quotes_and_bars_stay_whole(manifest):
    name = 'the "big" | one'
    (part,) = manifest.tasks
    changed = manifest.model_copy(
        update={"tasks": [part.model_copy(update={"name": name})], "scores": {name: manifest.scores["mood"]}}
    )
    card = model_card(changed)
    assert f'head["{name}.projection.bias"]'.replace('"big"', r"\"big\"") in card
    compile(lines_of(card), "card", "exec")
    assert r'| the "big" \| one | en |' in card


def blank_fields(value):
    return value in ("", None, [], {}) or (isinstance(value, dict) and any(map(blank_fields, value.values())))


@pytest.mark.parametrize(
    ("licences", "expected", "stated"),
    [
        ([""], {"license": UNKNOWN}, "| not stated |"),
        (["", " "], {"license": UNKNOWN}, "| not stated |"),
        (["", "MIT"], {"license": "other", "license_name": "unknown-mit"}, "| MIT |"),
        (["…"], {"license": "other", "license_name": "see-card"}, "| … |"),
        (["MIT"], {"license": "mit"}, "| MIT |"),
    ],
)
def test_a_licence_that_nobody_stated_is_unknown(licences, expected, stated, manifest):
    (task,) = manifest.tasks
    changed = manifest.model_copy(
        update={"tasks": [task.model_copy(update={"licence": licence}) for licence in licences], "before": []}
    )
    card = model_card(changed)
    matter = matter_of(card)
    assert {key: value for key, value in matter.items() if key.startswith("license")} == expected
    assert matter["license"] in {*HUB_LICENCES, UNKNOWN, "other"}
    assert not any(map(blank_fields, matter.values()))
    assert stated in card


def test_a_recipe_may_state_the_licence_of_its_data(tmp_path):
    recipe = yaml.safe_load(write_project(tmp_path, tmp_path / "model").read_text())
    recipe["tasks"]["mood"]["licence"] = "CC-BY-4.0"
    assert find_task("mood", Recipe.model_validate(recipe).tasks, "tasks").licence == "CC-BY-4.0"


def test_only_codes_of_languages_go_to_the_front_matter(manifest):
    scores = {"mood": dict.fromkeys(("swh_Latn", "Suahili (Kenia)", "zh-CN"), manifest.scores["mood"]["en"])}
    assert matter_of(model_card(manifest.model_copy(update={"scores": scores})))["language"] == ["swh", "zh"]
    scores = {"mood": {"Suahili (Kenia)": manifest.scores["mood"]["en"]}}
    assert "language" not in matter_of(model_card(manifest.model_copy(update={"scores": scores})))


def test_a_card_says_what_was_learned_from_and_what_one_answer_for_all_scores(package, manifest):
    (part,) = manifest.tasks
    assert (part.languages, part.dev_examples, part.dev_chance) == ({"en": 24}, 24, manifest.tasks[0].dev_chance)
    (before,) = manifest.before
    assert (before.phase, before.task, before.languages) == ("1-intermediate", "choice", {"en": 24})
    summary = json.loads((package.parent / "module" / "phase.json").read_text())
    assert (manifest.updates, manifest.best_update) == (summary["updates"], summary["best_update"])
    results = json.loads((package.parents[2] / "results.json").read_text())
    chance = results["chance"]["mood"]["en"]
    assert manifest.chance == results["chance"]
    card = model_card(manifest)
    assert "| 2-target | mood | 24 | en 24 | not stated |" in card
    assert "| 1-intermediate | choice | 24 | en 24 | not stated |" in card
    assert f"{manifest.updates} updates were made, and the weights are those of update" in card
    assert "one training, seed 13" in card
    assert "| task | language | n | metric | one answer for all | score |" in card
    assert f"| mood | en | 24 | accuracy | {chance:.1f} |" in card
    assert f"one answer for all: {part.dev_chance:.1f}, 24 examples" in card


def test_the_data_of_earlier_phases_counts_for_the_licence_unless_the_recipe_states_one(manifest):
    (task,), (before,) = manifest.tasks, manifest.before
    tasks, earlier = (
        [part.model_copy(update={"licence": licence})] for part, licence in ((task, "MIT"), (before, "CC-BY-4.0"))
    )
    both = manifest.model_copy(update={"tasks": tasks, "before": earlier})
    assert matter_of(model_card(both))["license_name"] == "mit-cc-by-4.0"
    stated = both.model_copy(update={"licence": "CC-BY-SA-4.0"})
    assert matter_of(model_card(stated))["license"] == "cc-by-sa-4.0"


def test_the_licence_of_a_recipe_reaches_its_packages(once):
    alone = QUICK | {"intermediate": None, "target__transfer": "none"}
    _, packages = finished_run(once, **alone, settings=["licence=CC-BY-4.0"])
    (package,) = packages.values()
    assert matter_of((package / "README.md").read_text())["license"] == "cc-by-4.0"
    assert open_package(package).manifest.before == []


def test_a_card_stands_without_an_answer_where_memory_or_base_lack(package, manifest, tmp_path, monkeypatch):
    folder = shutil.copytree(package, tmp_path / "package")
    bare = manifest.model_copy(update={"example": None})
    describe_package(folder, bare)
    with monkeypatch.context() as patch:
        patch.setattr("lowres_stilts.hub.example.free_memory", lambda: 0)
        add_example(folder)
    assert open_package(folder).manifest.example is None
    assert "It prints" not in (folder / "README.md").read_text()
    add_example(folder)
    assert open_package(folder).manifest.example == manifest.example
    gone = bare.model_copy(update={"base": bare.base.model_copy(update={"id": str(tmp_path / "gone")})})
    assert example_of(Package(folder, gone, {}, open_package(folder).heads)) is None
