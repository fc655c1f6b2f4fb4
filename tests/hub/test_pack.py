"""Packages of LoRA, and plain PEFT with them."""

import json

import pytest
import torch
import transformers
import yaml
from peft import AutoPeftModelForSequenceClassification, PeftModel

from lowres_stilts.encoder.quantize import keep_weights_unpacked
from lowres_stilts.hub.card import model_card
from lowres_stilts.hub.verify import open_package
from tests.hub.lora_runs import IDS, MASK, finished_lora, our_scores

TARGETS = {"mood": "classification", "tags": "tagging", "choice": "multiple_choice"}
FAMILY = ["xlm-roberta", "xlm-roberta-xl", "bert"]


@pytest.mark.parametrize("family", FAMILY)
@pytest.mark.parametrize("target", TARGETS)
def test_plain_peft_gives_the_same_scores(family, target, once, private_cache):
    if target == "choice":
        pytest.importorskip("peft")
    recipe, packages = finished_lora(once, family, "library", "mood" if target == "choice" else target)
    folder = packages[0] if target == "choice" else packages[-1]
    package = open_package(folder)
    auto = getattr(transformers, package.manifest.auto_class)
    arguments = {"num_labels": len(package.manifest.tasks[0].labels)} if package.manifest.tasks[0].labels else {}
    model = PeftModel.from_pretrained(auto.from_pretrained(recipe.model.id, **arguments), folder).eval()
    ids, mask = (IDS[None], MASK[None]) if target == "choice" else (IDS, MASK)
    with torch.no_grad():
        plain = model(input_ids=ids, attention_mask=mask).logits
    expected = our_scores(recipe, package)
    expected = expected[:, 0][None] if target == "choice" else expected
    keep = MASK.bool() if target == "tags" else slice(None)
    torch.testing.assert_close(plain[keep], expected[keep], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["xlm-roberta", "bert"])
def test_plain_peft_gives_the_same_scores_on_an_nf4_base(family, once, private_cache):
    recipe, packages = finished_lora(once, family, "library")
    package = open_package(packages[-1])
    settings = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=["classifier", "pooler"],  # a checkpoint of the encoder has no head to quantize
    )
    base = transformers.AutoModelForSequenceClassification.from_pretrained(
        recipe.model.id, num_labels=3, quantization_config=settings, dtype=torch.float32
    )
    keep_weights_unpacked(base)  # or some CPUs compute in bfloat16 after all
    model = PeftModel.from_pretrained(base, package.folder).eval()
    with torch.no_grad():
        plain = model(input_ids=IDS, attention_mask=MASK).logits
    torch.testing.assert_close(plain, our_scores(recipe, package, "nf4"), atol=1e-5, rtol=1e-5)
    assert (plain - our_scores(recipe, package)).abs().max() > 1e-4


def test_the_auto_class_loads_it_by_the_name_of_the_base(once, private_cache):
    recipe, packages = finished_lora(once, "xlm-roberta", "library")
    package = open_package(packages[-1])
    model = AutoPeftModelForSequenceClassification.from_pretrained(packages[-1], num_labels=3).eval()
    with torch.no_grad():
        plain = model(input_ids=IDS, attention_mask=MASK).logits
    torch.testing.assert_close(plain, our_scores(recipe, package), atol=1e-5, rtol=1e-5)


def test_a_mean_head_lies_beside_the_module(once, private_cache):
    recipe, packages = finished_lora(once, "bert", "mean")
    package = open_package(packages[-1])
    base = transformers.AutoModel.from_pretrained(recipe.model.id, add_pooling_layer=False)
    model = PeftModel.from_pretrained(base, packages[-1]).eval()
    head = package.heads["mood"]
    with torch.no_grad():
        states = model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        pooled = (states * MASK[..., None]).sum(1) / MASK.sum(1, keepdim=True)
        plain = pooled @ head["projection.weight"].float().T + head["projection.bias"].float()
    torch.testing.assert_close(plain, our_scores(recipe, package), atol=1e-5, rtol=1e-5)


def test_a_stack_is_stored_collapsed_with_its_provenance(once, private_cache):
    _, packages = finished_lora(once, "bert", "mean")
    first, second = (json.loads((folder / "stilts.json").read_text()) for folder in packages)
    assert (first["rank"], second["rank"]) == (4, 8)
    assert first["stack"] == []
    assert [part["phase"] for part in second["stack"]] == ["1-intermediate"]
    assert second["scores"]["mood"]["en"]["metric"] == "accuracy"
    assert "library_name: peft" in (packages[1] / "README.md").read_text()


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["CC-BY-SA-4.0"], {"license": "cc-by-sa-4.0"}),
        (["MIT", "mit"], {"license": "mit"}),
        (["MIT", "LDC2005T13"], {"license": "other", "license_name": "mit-ldc2005t13"}),
        (["text: CC-BY-SA"], {"license": "other", "license_name": "text-cc-by-sa"}),
    ],
)
def test_the_front_matter_is_what_the_hub_takes(licences, expected, once, private_cache):
    _, packages = finished_lora(once, "bert", "mean")
    manifest = open_package(packages[-1]).manifest
    (task,) = manifest.tasks
    scores = {"xnli": dict.fromkeys(("sw", "zh-CN", "zh-TW", "sr_Latn"), manifest.scores["mood"]["en"])}
    base = manifest.base.model_copy(update={"id": "intfloat/multilingual-e5-small"})
    tasks = [task.model_copy(update={"name": "xnli", "licence": licence}) for licence in licences]
    changed = manifest.model_copy(
        update={"tasks": tasks, "scores": scores, "baseline": {}, "base": base, "before": []}
    )
    matter = yaml.safe_load(model_card(changed).split("---\n")[1])
    assert {key: matter.get(key) for key in expected} == expected
    assert matter["language"] == ["sr", "sw", "zh"]
    assert (matter["base_model"], matter["datasets"]) == (base.id, ["facebook/xnli"])
    assert "base_model" not in yaml.safe_load(model_card(manifest).split("---\n")[1])
