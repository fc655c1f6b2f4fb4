"""Packages of bottleneck and language adapters, and plain AdapterHub with them, by the code of their cards too."""

import json
import re
import shutil
from functools import partial

import adapters
import pytest
import torch
import transformers
import yaml
from adapters import AutoAdapterModel
from adapters.composition import Fuse, Stack

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.encoder.quantize import keep_weights_unpacked
from lowres_stilts.errors import PackageError
from lowres_stilts.hub.card import model_card
from lowres_stilts.hub.pack import pack_run
from lowres_stilts.hub.verify import open_package
from lowres_stilts.modules.bottleneck import AdapterStack
from tests.hub.adapter_runs import IDS, MASK, MODES, finished_adapters, own_scores, without_padding

EXACT = {"atol": 1e-5, "rtol": 1e-5}
TARGETS = {"mood": "classification", "tags": "tagging", "asked": "question_answering"}


@pytest.fixture
def runs(once, private_cache):
    """Runs by mode."""
    return partial(finished_adapters, once)


def plain_model(recipe, quantize="none"):
    """What a user of AdapterHub has, but for bitsandbytes' repacking."""
    settings = {}
    if quantize == "nf4":
        settings["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
            llm_int8_skip_modules=["pooler"],  # a checkpoint of the encoder has none to quantize
        )
    model = AutoAdapterModel.from_pretrained(recipe.model.id, dtype=torch.float32, **settings)
    keep_weights_unpacked(model)
    return model


def plain_scores(model):
    with torch.no_grad():
        return without_padding(scores_of(model.eval()(input_ids=IDS, attention_mask=MASK)), MASK)


def scores_of(output):
    if "start_logits" in output:
        return torch.stack([output.start_logits, output.end_logits], dim=-1)
    return output.logits if "logits" in output else output.last_hidden_state


def card_scores(package, *, language=None):
    """Inputs and outputs of the lines on the card."""
    card = (package / "README.md").read_text()
    name = json.loads((package / "stilts.json").read_text())["name"]
    first, *others = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    found = {}
    exec(first.replace(f"path/to/{name}", str(package)), found)
    model = found["model"]
    if language:
        exec(others[0].replace(f"path/to/{name}", str(package)), found)
        return IDS, MASK, plain_scores(model)
    inputs = found["inputs"]
    scores = found.get("scores", found.get("states"))
    mask = inputs["attention_mask"]
    return inputs["input_ids"], mask, without_padding(scores.detach(), mask)


@pytest.mark.parametrize("quantize", ["none", "nf4"])
@pytest.mark.parametrize("family", ["xlm-roberta", "bert"])
@pytest.mark.parametrize("target", TARGETS)
def test_plain_adapterhub_gives_the_same_scores(runs, target, family, quantize):
    recipe, packages = runs("stack", family=family, target__task=target, evaluate__languages=["en"])
    folder = packages["2-target"]
    model = plain_model(recipe, quantize)
    model.load_adapter(str(folder / "below" / "1-intermediate"), use_safetensors=True)
    model.load_adapter(str(folder), use_safetensors=True)
    model.set_active_adapters(Stack("1-intermediate", "2-target"))
    assert model.active_head == "2-target"
    assert model.heads["2-target"].config["head_type"] == TARGETS[target]
    labels = open_package(folder).manifest.tasks[0].labels or ["LABEL_0", "LABEL_1"]
    assert model.get_labels("2-target") == labels
    found = plain_scores(model)
    torch.testing.assert_close(found, own_scores(recipe, folder, quantize=quantize), **EXACT)
    model.set_active_adapters("2-target")
    assert not torch.allclose(plain_scores(model), found, atol=1e-3)


@pytest.mark.parametrize("quantize", ["none", "nf4"])
@pytest.mark.parametrize("family", ["xlm-roberta", "bert"])
def test_each_choice_is_scored_by_itself(runs, family, quantize):
    recipe, packages = runs("stack", family=family, target__task="mood", evaluate__languages=["en"])
    model = plain_model(recipe, quantize)
    model.load_adapter(str(packages["1-intermediate"]), use_safetensors=True, set_active=True)
    expected = own_scores(recipe, packages["1-intermediate"], quantize=quantize)
    assert expected.shape == (2, 1)
    torch.testing.assert_close(plain_scores(model), expected, **EXACT)


@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_a_fusion_with_what_it_fuses(runs, quantize):
    recipe, packages = runs("fuse")
    folder = packages["2-target"]
    members = sorted(path.name for path in (folder / "below").iterdir())
    assert members == ["1-intermediate-1-choice", "1-intermediate-2-tags"]
    model = plain_model(recipe, quantize)
    for member in members:
        model.load_adapter(str(folder / "below" / member), use_safetensors=True)
    model.load_adapter_fusion(str(folder), use_safetensors=True)
    model.set_active_adapters(Fuse(*members, name="2-target"))
    model.active_head = "2-target"
    torch.testing.assert_close(plain_scores(model), own_scores(recipe, folder, quantize=quantize), **EXACT)


@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_languages_are_swapped_under_a_task(runs, quantize):
    recipe, packages = runs("languages")
    folder = packages["2-target"]
    model = plain_model(recipe, quantize)
    for part in ("languages/en", "languages/sw", "below/1-intermediate", "."):
        model.load_adapter(str(folder / part), use_safetensors=True)
    scores = {}
    for language in ("en", "sw"):
        model.set_active_adapters(Stack(f"0-language-{language}", "1-intermediate", "2-target"))
        expected = own_scores(recipe, folder, language=language, quantize=quantize)
        torch.testing.assert_close(plain_scores(model), expected, **EXACT)
        scores[language] = expected
    assert not torch.equal(scores["en"], scores["sw"])
    assert torch.equal(own_scores(recipe, folder, language="ur", quantize=quantize), scores["en"])


def test_a_language_adapter_is_a_package_of_its_own(runs):
    recipe, packages = runs("languages")
    folder = packages["0-language-sw"]
    manifest = open_package(folder).manifest
    assert (manifest.kind, manifest.name, manifest.composition.language) == ("language", "small-language-sw", "sw")
    assert yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])["language"] == ["sw"]
    model = transformers.AutoModel.from_pretrained(recipe.model.id, add_pooling_layer=False)
    adapters.init(model)
    model.load_adapter(str(folder), use_safetensors=True, set_active=True)
    assert "0-language-sw" in model.invertible_adapters
    torch.testing.assert_close(plain_scores(model), own_scores(recipe, folder), **EXACT)
    inner = packages["2-target"] / "languages" / "sw" / "adapter.safetensors"
    assert inner.read_bytes() == (folder / "adapter.safetensors").read_bytes()


@pytest.mark.parametrize("mode", MODES)
def test_the_lines_of_the_card_do_what_they_say(runs, mode):
    recipe, packages = runs(mode, trained=True)
    for folder in packages.values():
        ids, mask, found = card_scores(folder)
        expected = own_scores(recipe, folder, ids=ids, mask=mask)
        torch.testing.assert_close(found, expected, **EXACT)
    manifest = open_package(packages["2-target"]).manifest
    matter = yaml.safe_load((packages["2-target"] / "README.md").read_text().split("---\n")[1])
    assert matter["library_name"] == "adapter-transformers"
    assert {"lowres-stilts", "adapters", "bottleneck", "xlm-roberta"} <= set(matter["tags"])
    if mode == "languages":
        _, _, found = card_scores(packages["2-target"], language="sw")
        torch.testing.assert_close(found, own_scores(recipe, packages["2-target"], language="sw"), **EXACT)
    assert manifest.auto_class == "AutoAdapterModel"


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("bert", {"head": "mean"}),
        ("xlm-roberta", {"intermediate__tasks": ["tags", "choice"]}),
        ("xlm-roberta", {"intermediate__tasks": ["choice", "tags"]}),
        ("xlm-roberta-xl", {}),
        ("xlm-roberta-xl", {"target__task": "tags"}),
    ],
)
def test_heads_that_adapterhub_has_not_lie_beside(runs, family, changes):
    recipe, packages = runs("stack", family=family, **changes, evaluate__languages=["en"])
    phase = "1-intermediate" if "intermediate__tasks" in changes else "2-target"
    folder = packages[phase]
    assert (folder / "head.safetensors").exists()
    assert not (folder / "head_config.json").exists()
    ids, mask, found = card_scores(folder)
    torch.testing.assert_close(found, own_scores(recipe, folder, ids=ids, mask=mask), **EXACT)


def test_kinds_of_adapters_are_known_again(runs):
    for kind in ("double_seq_bn", "par_bn"):
        module = {"kind": "bottleneck", "reduction": 8, "adapter": kind, "dropout": 0.1}
        recipe, packages = runs("none", target__module=module, evaluate__languages=["en"])
        top = open_package(packages["2-target"]).manifest.composition.top
        assert (top.adapter, top.reduction, top.dropout) == (kind, 8, 0.1)
        ids, mask, found = card_scores(packages["2-target"])
        torch.testing.assert_close(found, own_scores(recipe, packages["2-target"], ids=ids, mask=mask), **EXACT)


def test_provenance(runs):
    for mode, made_of in {
        "stack": ["1-intermediate"],
        "continue": [],
        "fuse": ["1-intermediate-1-choice", "1-intermediate-2-tags"],
        "languages": ["0-language-en", "1-intermediate"],
    }.items():
        manifest = open_package(runs(mode)[1]["2-target"]).manifest
        assert [part.phase for part in manifest.stack] == made_of
    merged = open_package(runs("merge")[1]["2-target"]).manifest
    assert "2-target-baseline" in [part.phase for part in merged.stack]
    assert merged.composition.below == []
    assert "averaged from `2-target-baseline`" in model_card(merged)
    unchecked = merged.model_copy(update={"composition": manifest.composition, "stack": []})
    assert "stacked on" not in model_card(unchecked)


@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_what_plain_adapterhub_saves_is_ours(runs, quantize, tmp_path):
    recipe, packages = runs("stack", target__task="mood", family="bert", evaluate__languages=["en"])
    model = plain_model(recipe, quantize)
    model.load_adapter(str(packages["1-intermediate"]), use_safetensors=True, set_active=True)
    model.save_adapter(str(tmp_path / "plain"), "1-intermediate", use_safetensors=True)
    with torch.no_grad():
        expected = model.eval().bert(input_ids=IDS, attention_mask=MASK).last_hidden_state
    encoder = load_encoder(recipe.model.id, quantize=quantize, embeddings="none", compute="float32", device="cpu")
    stack = AdapterStack(encoder)
    stack.load("mine", tmp_path / "plain")
    stack.activate(["mine"])
    with torch.no_grad():
        states = stack.model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    torch.testing.assert_close(states[MASK == 1], expected[MASK == 1], **EXACT)
    for file in ("adapter_config.json", "head_config.json"):  # as plain AdapterHub writes them, but for the place
        theirs, own = (
            json.loads((place / file).read_text()) for place in (tmp_path / "plain", packages["1-intermediate"])
        )
        assert theirs == own


def test_what_packages_cannot_say_is_refused(runs, tmp_path):
    _, packages = runs("none")
    folder = packages["2-target"].parent.parent.parent
    copy = shutil.copytree(folder, tmp_path / "run")
    shutil.rmtree(copy / "phases" / "2-target" / "package")
    assert [path.parent.name for path in pack_run(copy)] == ["2-target"]  # anew, as of an older run
    config = copy / "phases" / "2-target" / "module" / "adapter_config.json"
    saved = json.loads(config.read_text())
    for own, message in {
        "non_linearity": "a configuration that packages do not know",
        "reduction_factor": "no package can hold this: reduction",
    }.items():
        shutil.rmtree(copy / "phases" / "2-target" / "package", ignore_errors=True)
        value = "swish" if own == "non_linearity" else 0.5
        config.write_text(json.dumps(saved | {"config": saved["config"] | {own: value}}))
        with pytest.raises(PackageError, match=message) as caught:
            pack_run(copy)
        assert "\n" not in str(caught.value)
        assert not (copy / "phases" / "2-target" / "package").exists()
