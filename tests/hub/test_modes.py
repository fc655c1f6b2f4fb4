"""Packages of every transfer mode and kind of LoRA: what was trained, and what plain PEFT makes of it."""

import json

import pytest
import torch
from peft import AutoPeftModelForSequenceClassification

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.hub.verify import open_package
from lowres_stilts.modules.lora import ModuleStack
from tests.hub.lora_runs import IDS, MASK, QUICK, our_scores
from tests.runs import finished_run

MODES = {
    "stack": [],
    "continue": ["target.transfer=continue"],
    "fuse": ["target.transfer=fuse"],
    "merge": ["target.transfer=merge"],
    "ties": ["target.transfer=merge", "target.merge={method: ties, weights: [1.0]}", "target.module.rank=4"],
    "dare": [
        "target.transfer=merge",
        "target.merge={method: dare_linear, weights: [1.0]}",
        "target.module.rank=4",
    ],
    "rslora": ["intermediate.module.rslora=true", "target.module.rslora=true"],
    "dora": ["target.transfer=none", "target.module.dora=true", "target.module.init=gaussian"],
    "lora+": ["target.train.lr_ratio=4", "target.module.targets='.*attention.*(query|value)'"],
}


def _states(stack):
    with torch.no_grad():
        return stack.model.eval()(input_ids=IDS, attention_mask=MASK).last_hidden_state


@pytest.mark.parametrize("mode", MODES)
def test_the_package_does_what_the_modules_of_the_run_did(mode, once, private_cache):
    changes = QUICK | {"intermediate__tasks": ["choice", "tags"], "model__head": "library"}
    changes |= {"target__module": None} if mode == "continue" else {}
    recipe, packages = finished_run(once, trained=True, settings=MODES[mode], **changes)
    package = open_package(packages["2-target"])
    assert package.manifest.phase == "2-target"

    def encoder():
        return load_encoder(recipe.model.id, quantize="none", embeddings="none", compute="float32", device="cpu")

    phases = package.folder.parents[1]
    below = json.loads((phases / "2-target" / "module" / "phase.json").read_text())["below"]
    trained, packed, bare = ModuleStack(encoder()), ModuleStack(encoder()), ModuleStack(encoder())
    for name in (*below, "2-target"):
        trained.load(name, phases / name / "module")
    trained.activate([*below, "2-target"])
    packed.add_collapsed("package", package.layers)
    packed.activate(["package"])
    moved = (_states(trained) - _states(bare)).norm()
    lost = (_states(trained) - _states(packed)).norm()
    assert lost < 0.03 * moved  # bfloat16 has 8 bits
    names = [phase["phase"] for phase in json.loads((phases.parent / "results.json").read_text())["phases"]]
    assert len(set(names)) == len(names)

    plain = AutoPeftModelForSequenceClassification.from_pretrained(package.folder, num_labels=3).eval()
    with torch.no_grad():
        logits = plain(input_ids=IDS, attention_mask=MASK).logits
    torch.testing.assert_close(logits, our_scores(recipe, package), atol=1e-5, rtol=1e-5)
