"""XLM-R XL's architecture, which XXL shares, and modules on chosen layers, from a recipe to packages."""

import json

import pytest
import torch
from transformers import AutoModel

from lowres_stilts.display import Display
from lowres_stilts.hub.pack import pack_run
from lowres_stilts.hub.verify import open_package
from lowres_stilts.pipeline import run
from lowres_stilts.recipe import Recipe
from tests.models import write_tiny_model
from tests.project import write_project

IDS = torch.tensor([[0, 7, 8, 9, 2], [0, 5, 6, 2, 1]])
MASK = (IDS != 1).long()
LORA = {"rank": 4, "alpha": 8, "layers": "1"}
BOTTLENECK = {"kind": "bottleneck", "reduction": 4, "layers": "1"}
TRAIN = {"epochs": 1, "lr": 2e-3, "tokens_per_batch": 128, "fit": True}


def _finished(folder, family="xlm-roberta-xl", *, module, model=None, train=TRAIN):
    base = write_tiny_model(folder / "base", family)
    path = write_project(
        folder,
        base,
        examples=24,
        intermediate__module=module,
        target__module=module,
        intermediate__train=TRAIN,
        target__train=train,
    )
    recipe = Recipe.load(path, [f"model.{key}={value}" for key, value in (model or {}).items()])
    results = run(recipe, folder / "run", display=Display())
    return results, pack_run(folder / "run"), folder / "run"


@pytest.mark.parametrize("module", [{"rank": 4, "alpha": 8}, {"kind": "bottleneck", "reduction": 4}], ids=str)
@pytest.mark.parametrize("quantize", ["nf4", "int8"])
def test_xl_runs_quantized_with_checkpointing_from_recipe_to_packages(tmp_path, private_cache, module, quantize):
    train = TRAIN | {"gradient_checkpointing": True, "tokens_at_once": 64}
    settings = {"quantize": quantize, "head": "library"}
    results, packages, folder = _finished(tmp_path, module=module, model=settings, train=train)
    assert results["model"]["model_type"] == "xlm-roberta-xl"
    assert set(results["scores"]["mood"]) == {"en", "sw", "ur"}
    assert all(open_package(package).manifest.base.model_type == "xlm-roberta-xl" for package in packages)
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    planned = {event["section"]: event for event in events if event["event"] == "plan"}
    assert planned["target"]["gradient_checkpointing"] is True
    assert planned["target"]["tokens_at_once"] == 64
    assert planned["intermediate"]["fits"]


@pytest.mark.parametrize("module", [LORA, BOTTLENECK], ids=["lora", "bottleneck"])
def test_a_module_on_upper_layers_is_trained_and_packed_as_such(tmp_path, private_cache, module):
    exact = {"quantize": "none", "embeddings": "none", "compute": "float32"}
    results, packages, folder = _finished(tmp_path, "xlm-roberta", module=module, model=exact)
    sizes = {phase["phase"]: phase["trainable_parameters"] for phase in results["phases"]}
    # Linear layers of one layer: 4 x 64 to 64, 64 to 128 and 128 to 64; or 64 to 16 and back, with biases.
    assert sizes["2-target"] == (4 * (4 * 128 + 2 * 192) if module is LORA else 2 * 64 * 16 + 16 + 64)
    assert not list(folder.rglob("*.states"))  # what lower layers gave is no longer needed
    package = open_package(packages[-1])
    bare = AutoModel.from_pretrained(tmp_path / "base", add_pooling_layer=False).eval()
    with torch.no_grad():
        before = bare(input_ids=IDS, attention_mask=MASK, output_hidden_states=True).hidden_states
        after = _plain(package, tmp_path / "base")(input_ids=IDS, attention_mask=MASK, output_hidden_states=True)
    torch.testing.assert_close(after.hidden_states[1][MASK == 1], before[1][MASK == 1], atol=1e-5, rtol=1e-5)
    assert (after.hidden_states[2] - before[2]).abs().max() > 1e-4


def _plain(package, base):
    """The package over the base, loaded by plain PEFT or plain AdapterHub."""
    model = AutoModel.from_pretrained(base, add_pooling_layer=False)
    if package.manifest.kind == "lora":
        from peft import PeftModel

        return PeftModel.from_pretrained(model, package.folder).eval()
    import adapters

    adapters.init(model)
    names = [
        model.load_adapter(str(package.folder / place), use_safetensors=True, with_head=False)
        for place in reversed(package.manifest.composition.places)
    ]
    model.set_active_adapters(adapters.composition.Stack(*names))
    return model.eval()


@pytest.mark.parametrize("layers", ["6", "1-0", "x", "0-"])
def test_layers_that_are_not_there_are_named(tmp_path, tiny_model, private_cache, layers):
    from lowres_stilts.errors import LowresStiltsError

    with pytest.raises(LowresStiltsError, match="layers") as caught:
        run(
            Recipe.load(write_project(tmp_path, tiny_model, target__module={**LORA, "layers": layers})),
            tmp_path / "run",
            display=Display(),
        )
    assert "\n" not in str(caught.value)
