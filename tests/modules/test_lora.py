import json
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.lora import ModuleStack
from tests.modules.states import IDS, MASK, randomize, states

LAYERS, LINEAR_PER_LAYER = 2, 6


@pytest.fixture(params=["none", "int8", "nf4"])
def encoder(request, tiny_model):
    return load_encoder(str(tiny_model), quantize=request.param, compute="float32", device="cpu")


def test_a_new_module_changes_nothing(encoder):
    before = states(encoder.model)
    stack = ModuleStack(encoder)
    stack.add_lora("new", rank=4, alpha=8, targets="all-linear")
    stack.activate(["new"])
    torch.testing.assert_close(states(stack.model), before, atol=1e-5, rtol=1e-5)


def test_stacked_modules_are_summed_and_none_is_the_bare_encoder(encoder):
    bare = states(encoder.model)
    stack = ModuleStack(encoder)
    for seed, name in enumerate(["first", "second"]):
        stack.add_lora(name, rank=4, alpha=8, targets="all-linear")
        randomize(stack, name, seed)
    outputs = {}
    for names in ([], ["first"], ["second"], ["first", "second"]):
        stack.activate(names)
        outputs[tuple(names)] = states(stack.model)
    torch.testing.assert_close(outputs[()], bare, atol=1e-5, rtol=1e-5)
    distinct = [outputs[key] for key in outputs]
    assert all(not torch.allclose(a, b, atol=1e-3) for i, a in enumerate(distinct) for b in distinct[:i])


@pytest.mark.parametrize(("targets", "per_layer"), [("all-linear", 6), ("attention", 4), (["query", "value"], 2)])
def test_only_the_module_to_train_learns(encoder, targets, per_layer):
    stack = ModuleStack(encoder)
    stack.add_lora("below", rank=2, alpha=4, targets="all-linear")
    stack.add_lora("above", rank=4, alpha=8, targets=targets)
    stack.activate(["below", "above"], train="above")
    learning = {name for name, p in stack.model.named_parameters() if p.requires_grad}
    assert learning == set(stack.trainable("above"))
    assert len(learning) == 2 * per_layer * LAYERS
    stack.model(input_ids=IDS, attention_mask=MASK).last_hidden_state.sum().backward()
    assert all(p.grad is not None for p in stack.trainable("above").values())
    assert all(p.grad is None for name, p in stack.model.named_parameters() if name not in learning)


def test_what_is_written_loads_in_plain_peft_with_the_same_outputs(tiny_model, tmp_path):
    encoder = load_encoder(str(tiny_model), quantize="nf4", compute="float32", device="cpu")
    stack = ModuleStack(encoder)
    stack.add_lora("mine", rank=4, alpha=8, targets="all-linear")
    randomize(stack, "mine", 3)
    stack.activate(["mine"])
    stack.write("mine", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"]) == (str(tiny_model), 4)
    assert len(load_file(tmp_path / "adapter_model.safetensors")) == 2 * LINEAR_PER_LAYER * LAYERS
    plain_base = load_encoder(str(tiny_model), quantize="nf4", compute="float32", device="cpu")
    plain = PeftModel.from_pretrained(plain_base.model, tmp_path).eval()
    torch.testing.assert_close(states(plain), states(stack.model))


def test_what_plain_peft_wrote_loads_with_the_same_outputs(encoder, tmp_path):
    config = LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", init_lora_weights=False, use_rslora=True)
    plain = get_peft_model(encoder.model, config, autocast_adapter_dtype=False)
    expected = states(plain.eval())
    plain.save_pretrained(tmp_path)
    bare = plain.unload()
    stack = ModuleStack(replace(encoder, model=bare))
    before = states(stack.model)
    stack.load("theirs", tmp_path)
    stack.activate(["theirs"])
    torch.testing.assert_close(states(stack.model), expected, atol=1e-5, rtol=1e-5)
    assert (before - expected).abs().max() > 1e-3


@pytest.mark.parametrize("others", [[], ["other"]])
def test_what_is_written_loads_again(encoder, others, tmp_path):
    stack = ModuleStack(encoder)
    stack.add_lora("mine", rank=4, alpha=8, targets="attention")
    randomize(stack, "mine", 3)
    stack.write("mine", tmp_path)
    expected = {name: value.clone() for name, value in stack.state("mine").items()}
    fresh = stack
    if not others:
        config = encoder.model.config
        again = load_encoder(config.name_or_path, quantize="none", compute="float32", device="cpu")
        fresh = ModuleStack(again)
    fresh.load("again", tmp_path)
    found = fresh.state("again")
    assert len(found) == len(expected)
    for name, value in expected.items():
        assert torch.equal(found[name.replace("mine.", "again.")], value)


def test_a_module_may_be_called_like_a_layer(encoder, tmp_path):
    stack = ModuleStack(encoder)
    for name in ("intermediate", "dense", "query"):
        stack.add_lora(name, rank=4, alpha=8, targets="all-linear")
    for name in ("intermediate", "dense", "query"):
        assert len(stack.state(name)) == 2 * LAYERS * LINEAR_PER_LAYER
        (tmp_path / name).mkdir()
        stack.write(name, tmp_path / name)
        assert len(load_file(tmp_path / name / "adapter_model.safetensors")) == 2 * LAYERS * LINEAR_PER_LAYER


def test_loftq_starts_nearer_to_the_unquantized_encoder(tiny_model):
    exact = states(load_encoder(str(tiny_model), quantize="none", compute="float32", device="cpu").model)
    encoder = load_encoder(str(tiny_model), quantize="nf4", compute="float32", device="cpu")
    before = (states(encoder.model) - exact).norm()
    stack = ModuleStack(encoder)
    stack.add_lora("new", rank=16, alpha=8, targets="all-linear", init="loftq")
    stack.activate(["new"])
    assert (states(stack.model) - exact).norm() < 0.8 * before
    with pytest.raises(TrainingError, match="loftq makes up for NF4"):
        ModuleStack(load_encoder(str(tiny_model), quantize="int8", device="cpu")).add_lora(
            "new", rank=2, alpha=4, targets="all-linear", init="loftq"
        )


def test_unknown_targets_and_damaged_files_are_refused(encoder, tmp_path):
    stack = ModuleStack(encoder)
    with pytest.raises(TrainingError, match=r"module\.targets: .*nothing_like_this"):
        stack.add_lora("bad", rank=2, alpha=4, targets=["nothing_like_this"])
    with pytest.raises(TrainingError, match="cannot be loaded"):
        stack.load("missing", tmp_path)
