import json
import logging

import adapters
import pytest
import torch
from adapters.composition import Fuse, Stack
from safetensors.torch import load_file, save_file
from transformers import AutoModel, BitsAndBytesConfig

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.encoder.quantize import keep_weights_unpacked
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.bottleneck import AdapterStack
from lowres_stilts.training.optimizer import MasterAdamW
from tests.models import write_tiny_model
from tests.modules.states import IDS, MASK, randomize, states

LAYERS, HIDDEN = 2, 64
NARROW = 2 * HIDDEN * 16 + 16 + HIDDEN
COUPLING = 2 * (32 * 16 + 16 + 16 * 32 + 32)
FUSION = LAYERS * (3 * HIDDEN * HIDDEN + 2 * HIDDEN)
BASES = ["none", "int8", "nf4"]
EXACT = {"atol": 1e-5, "rtol": 1e-5}


def _load(folder, quantize, compute="float32", embeddings="int8"):
    return load_encoder(str(folder), quantize=quantize, compute=compute, embeddings=embeddings, device="cpu")


def _plain(folder, quantize):
    """What a user of AdapterHub has, but for bitsandbytes' repacking, which computes NF4 layers in bfloat16."""
    model = _load(folder, quantize).model
    adapters.init(model)
    keep_weights_unpacked(model)
    return model.eval()


def _filled(folder, quantize="nf4", **languages):
    """A stack with a task adapter and language adapters by seed."""
    stack = AdapterStack(_load(folder, quantize))
    stack.add_bottleneck("task", kind="seq_bn", reduction=4)
    randomize(stack, "task", 9)
    for name, seed in languages.items():
        stack.add_language(name, reduction=4)
        randomize(stack, name, seed)
    return stack


def _written(stack, name, folder):
    (folder / name).mkdir()
    stack.write(name, folder / name)
    return folder / name


@pytest.fixture(params=BASES)
def encoder(request, tiny_model):
    return _load(tiny_model, request.param)


@pytest.mark.parametrize("compute", ["float32", "bf16"])
@pytest.mark.parametrize("quantize", BASES)
def test_nothing_active_is_the_bare_encoder(tiny_model, quantize, compute, caplog):
    encoder = _load(tiny_model, quantize, compute)
    bare = states(encoder.model)
    stack = AdapterStack(encoder)
    torch.testing.assert_close(states(stack.model), bare, **EXACT)
    stack.add_language("xx", reduction=4)
    randomize(stack, "xx", 0)
    stack.activate(["xx"])
    assert not torch.allclose(states(stack.model), bare, atol=1e-2)
    stack.activate([])
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(states(stack.model), bare, **EXACT)
    assert not [record for record in caplog.records if record.name.startswith("adapters")]


@pytest.mark.parametrize(("kind", "most"), [("par_bn", 1e-5), ("seq_bn", 0.05), ("double_seq_bn", 0.05)])
def test_a_new_module_changes_little(encoder, kind, most):
    bare = states(encoder.model)
    stack = AdapterStack(encoder)
    stack.add_bottleneck("new", kind=kind, reduction=4)
    stack.activate(["new"])
    change = (states(stack.model) - bare).abs().max()
    assert change < most
    assert (change > 1e-5) == (kind != "par_bn")


@pytest.mark.parametrize("compute", ["float32", "bf16"])
@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("seq_bn", LAYERS * NARROW),
        ("double_seq_bn", 2 * LAYERS * NARROW),
        ("par_bn", LAYERS * NARROW),
        ("language", LAYERS * NARROW + COUPLING),
    ],
)
@pytest.mark.parametrize("quantize", BASES)
def test_exactly_the_module_to_train_learns(tiny_model, quantize, kind, size, compute):
    stack = AdapterStack(_load(tiny_model, quantize, compute))
    if kind == "language":
        stack.add_language("mine", reduction=4)
        names = ["mine", "other"]
    else:
        stack.add_bottleneck("mine", kind=kind, reduction=4)
        names = ["other", "mine"]
    stack.add_bottleneck("other", kind="seq_bn", reduction=8)
    randomize(stack, "mine", 1)  # with zeros in the way, some gradients would be zero
    stack.activate(names, train="mine")
    mine = stack.trainable("mine")
    learning = {name for name, p in stack.model.named_parameters() if p.requires_grad}
    assert learning == set(mine) == set(stack.state("mine"))
    assert sum(p.numel() for p in mine.values()) == size
    assert {p.dtype for p in mine.values()} == {torch.float32 if compute == "float32" else torch.bfloat16}
    states = stack.model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    states.float()[:, :, :9].pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in mine.values())
    assert all(p.grad is None for name, p in stack.model.named_parameters() if name not in learning)
    stack.activate(names)
    assert not any(p.requires_grad for p in stack.model.parameters())


def test_gradient_checkpointing_gives_the_same_gradients(encoder):
    stack = AdapterStack(encoder)
    stack.add_language("xx", reduction=4)
    stack.add_bottleneck("task", kind="double_seq_bn", reduction=4)
    gradients, calls = [], []
    stack.model.encoder.layer[0].register_forward_pre_hook(lambda *_: calls.append(len(gradients)))
    for checkpointing in (False, True):
        if checkpointing:
            stack.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        stack.activate(["xx", "task"], train="xx")
        stack.model.train()
        stack.model(input_ids=IDS, attention_mask=MASK).last_hidden_state[:, :, :9].pow(2).sum().backward()
        gradients.append({name: p.grad.clone() for name, p in stack.trainable("xx").items()})
        stack.model.zero_grad()
    for name, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], value)
    assert calls == [0, 1, 1]
    stack.model.gradient_checkpointing_disable()
    stack.model.eval()
    assert torch.equal(states(stack.model), states(stack.model))


def _train(stack, name, steps):
    optimizer = MasterAdamW(
        [(1e-2, stack.trainable(name))], weight_decay=0.0, clip_norm=1.0, updates=steps, warmup=0.1
    )
    target = torch.linspace(-1, 1, IDS.numel()).reshape(IDS.shape)
    losses = []
    for step in range(steps):
        stack.model.train()
        first = stack.model(input_ids=IDS, attention_mask=MASK).last_hidden_state[:, :, 0].float()
        loss = (first - target).pow(2).mean()
        loss.backward()
        optimizer.accumulate()
        optimizer.step(step)
        losses.append(loss.item())
        stack.model.eval()
        states(stack.model)  # as a look at the dev set between epochs
    return losses


@pytest.mark.parametrize("quantize", BASES)
def test_a_task_is_learned_over_one_language_and_tested_with_another(tiny_model, quantize, tmp_path):
    stack = _filled(tiny_model, quantize, xx=1, yy=2)
    stack.activate(["xx", "task"], train="task")
    below = {name: value.clone() for name, value in stack.state("xx").items()}
    losses = _train(stack, "task", 40)
    assert losses[-1] < 0.5 * losses[0]
    assert all(torch.equal(value, below[name]) for name, value in stack.state("xx").items())
    stack.activate(["xx", "task"])
    outputs = {"xx": states(stack.model)}
    stack.activate(["yy", "task"])
    outputs["yy"] = states(stack.model)
    assert not torch.allclose(outputs["xx"], outputs["yy"], atol=1e-2)
    folders = {name: _written(stack, name, tmp_path) for name in ("xx", "yy", "task")}
    plain = _plain(tiny_model, quantize)
    again = AdapterStack(_load(tiny_model, quantize))
    for name, folder in folders.items():
        assert plain.load_adapter(str(folder), use_safetensors=True) == name
        again.load(name, folder)
    for language, expected in outputs.items():
        plain.set_active_adapters(Stack(language, "task"))
        torch.testing.assert_close(states(plain), expected, **EXACT)
        again.activate([language, "task"])
        assert torch.equal(states(again.model), expected)


@pytest.mark.parametrize("compute", ["float32", "bf16"])
def test_training_goes_on_after_loading(tiny_model, compute, tmp_path):
    stack = AdapterStack(_load(tiny_model, "nf4", compute))
    stack.add_language("task", reduction=4)
    stack.activate(["task"], train="task")
    stack.add_bottleneck("later", kind="par_bn", reduction=4)
    _train(stack, "task", 5)
    folder = _written(stack, "task", tmp_path)
    again = AdapterStack(_load(tiny_model, "nf4", compute))
    again.load("task", folder)
    again.activate(["task"], train="task")
    losses = _train(stack, "task", 20)
    assert losses == _train(again, "task", 20)
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("quantize", ["none", "nf4"])
@pytest.mark.parametrize("kind", ["seq_bn", "double_seq_bn", "par_bn", "language"])
def test_files_are_adapterhubs_in_both_directions(tiny_model, quantize, kind, tmp_path):
    stack = AdapterStack(_load(tiny_model, quantize, embeddings="none"))
    add = {"kind": kind} if kind != "language" else {}
    (stack.add_bottleneck if add else stack.add_language)("mine", reduction=4, **add)
    randomize(stack, "mine", 3)
    stack.activate(["mine"])
    expected = states(stack.model)
    folder = _written(stack, "mine", tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["adapter.safetensors", "adapter_config.json"]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["model_name"], config["name"]) == (str(tiny_model), "mine")
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    settings = {"quantization_config": nf4} if quantize == "nf4" else {}
    plain = AutoModel.from_pretrained(tiny_model, add_pooling_layer=False, dtype=torch.float32, **settings)
    adapters.init(plain)
    keep_weights_unpacked(plain)
    plain.load_adapter(str(folder), use_safetensors=True, set_active=True)
    plain.eval()
    torch.testing.assert_close(states(plain), expected, **EXACT)
    plain.save_adapter(str(tmp_path / "plain"), "mine", use_safetensors=True)
    stack.load("again", tmp_path / "plain")
    stack.activate(["again"])
    assert torch.equal(states(stack.model), expected)


@pytest.mark.parametrize("family", ["bert", "xlm-roberta-xl"])
def test_other_families(family, tmp_path):
    folder = write_tiny_model(tmp_path / "model", family)
    encoder = _load(folder, "nf4")
    bare = states(encoder.model)
    stack = AdapterStack(encoder)
    torch.testing.assert_close(states(stack.model), bare, **EXACT)
    stack.add_language("xx", reduction=4)
    outputs = []
    for kind in ("seq_bn", "double_seq_bn", "par_bn"):
        stack.add_bottleneck(kind, kind=kind, reduction=4)
        randomize(stack, kind, 5)
        stack.activate(["xx", kind], train=kind)
        losses = _train(stack, kind, 20)
        assert losses[-1] < losses[0]
        stack.activate(["xx", kind])
        outputs.append(states(stack.model))
        again = AdapterStack(_load(folder, "nf4"))
        for name in ("xx", kind):
            target = tmp_path / f"{kind}-of-{name}"
            target.mkdir()
            stack.write(name, target)
            again.load(name, target)
        again.activate(["xx", kind])
        assert torch.equal(states(again.model), outputs[-1])
    assert not torch.allclose(outputs[0], outputs[2], atol=1e-3)
    stack.average("mean", ["xx"])
    assert set(stack.state("mean")) == {key.replace(".xx.", ".mean.") for key in stack.state("xx")}
    stack.activate([])
    torch.testing.assert_close(states(stack.model), bare, **EXACT)


def test_modules_may_be_called_like_layers(tiny_model, tmp_path):
    names = ["intermediate", "dense", "query", "output", "encoder", "adapter_up", "x", "xx"]
    stack = AdapterStack(_load(tiny_model, "nf4"))
    for seed, name in enumerate(names):
        stack.add_bottleneck(name, kind="double_seq_bn", reduction=4)
        randomize(stack, name, seed)
    for name in names:
        folder = _written(stack, name, tmp_path)
        stack.activate([name], train=name)
        assert len(load_file(folder / "adapter.safetensors")) == len(stack.trainable(name)) == 2 * LAYERS * 4
        plain = _plain(tiny_model, "nf4")
        plain.load_adapter(str(folder), use_safetensors=True, set_active=True)
        torch.testing.assert_close(states(plain), states(stack.model), **EXACT)


@pytest.mark.parametrize("name", ["", "a.b", "a,b", "train", "keys", "adapters", "layer_text_task_adapters"])
def test_names_that_adapterhub_cannot_keep_are_refused(tiny_model, name):
    with pytest.raises(TrainingError, match="cannot be called"):
        AdapterStack(_load(tiny_model, "none")).add_bottleneck(name, kind="seq_bn", reduction=4)


def test_averages(encoder):
    stack = AdapterStack(encoder)
    for seed, name in enumerate(["a", "b"]):
        stack.add_language(name, reduction=4)
        randomize(stack, name, seed)
    stack.average("mean", ["a", "b"])
    stack.average("more", ["a", "b"], [3, 1])
    for key, value in stack.state("a").items():
        other = stack.state("b")[key.replace(".a.", ".b.")]
        mean, more = (stack.state(name)[key.replace(".a.", f".{name}.")] for name in ("mean", "more"))
        torch.testing.assert_close(mean, (value + other) / 2)
        torch.testing.assert_close(more, 0.75 * value + 0.25 * other)
    stack.add_bottleneck("c", kind="seq_bn", reduction=4)
    for names, weights, message in [
        (["a", "c"], None, "different configurations"),
        (["a", "z"], None, "no module z"),
        (["a", "a"], None, "each module once"),
        (["a", "b"], [1], "2 weights"),
        (["a", "b"], [1, -1], "sum to 0"),
    ]:
        with pytest.raises(TrainingError, match=message):
            stack.average("bad", names, weights)


@pytest.mark.parametrize("quantize", BASES)
def test_a_fusion_learns_is_written_and_is_adapterhubs(tiny_model, quantize, tmp_path):
    stack = _filled(tiny_model, quantize, xx=1)
    for seed, name in enumerate(["a", "b", "c"]):
        stack.add_bottleneck(name, kind="seq_bn", reduction=2 + seed)
        randomize(stack, name, seed)
    stack.add_fusion("fused", ["a", "b"])
    stack.add_fusion("fused_more", ["a", "b", "c"])  # AdapterHub took it for a part of the other
    stack.activate(["xx", "fused", "task"], train="fused")
    learning = {name for name, p in stack.model.named_parameters() if p.requires_grad}
    assert learning == set(stack.trainable("fused"))
    assert sum(p.numel() for p in stack.trainable("fused").values()) == FUSION
    losses = _train(stack, "fused", 30)
    assert losses[-1] < 0.8 * losses[0]
    assert all(p.grad is None for p in stack.trainable("fused").values())
    stack.activate(["xx", "fused", "task"])
    expected = states(stack.model)
    folders = {name: _written(stack, name, tmp_path) for name in ("xx", "task", "a", "b", "fused")}
    files = ["adapter_fusion_config.json", "model_adapter_fusion.safetensors"]
    assert sorted(path.name for path in folders["fused"].iterdir()) == files
    plain = _plain(tiny_model, quantize)
    again = AdapterStack(_load(tiny_model, quantize))
    with pytest.raises(TrainingError, match="no module a"):
        again.load("fused", folders["fused"])
    for name, folder in folders.items():
        again.load(name, folder)
        if name != "fused":
            plain.load_adapter(str(folder), use_safetensors=True)
    plain.load_adapter_fusion(str(folders["fused"]), use_safetensors=True)
    plain.set_active_adapters(Stack("xx", Fuse("a", "b", name="fused"), "task"))
    torch.testing.assert_close(states(plain), expected, **EXACT)
    again.activate(["xx", "fused", "task"])
    assert torch.equal(states(again.model), expected)
    plain.save_adapter_fusion(str(tmp_path / "plain"), "fused", use_safetensors=True)
    again.load("other", tmp_path / "plain")
    again.activate(["xx", "other", "task"])
    assert torch.equal(states(again.model), expected)


def test_what_cannot_be_fused_is_refused(tiny_model):
    stack = _filled(tiny_model, xx=1)
    stack.add_bottleneck("twice", kind="double_seq_bn", reduction=4)
    for names, message in [
        (["task", "xx"], "language adapter"),
        (["task", "twice"], "same value"),
        (["task", "z"], "no module z"),
    ]:
        with pytest.raises(TrainingError, match=message):
            stack.add_fusion("fused", names)
    stack.activate(["xx", "task"])
    states(stack.model)


def test_the_coupling_is_inverted(tiny_model):
    stack = _filled(tiny_model, xx=1)
    states = torch.randn(3, 5, HIDDEN)
    assert torch.equal(stack.invert(states), states)
    stack.activate(["xx", "task"])
    forward = stack.model.invertible_adapters_forward(states)
    assert not torch.allclose(forward, states, atol=1e-2)
    torch.testing.assert_close(stack.invert(forward), states)
    torch.testing.assert_close(stack.invert(forward[1, 2]), states[1, 2])


def test_stacks_that_would_not_do_what_they_say_are_refused(tiny_model):
    stack = _filled(tiny_model, xx=1, yy=2)
    with pytest.raises(TrainingError, match="no module zz"):
        stack.activate(["zz"])
    with pytest.raises(TrainingError, match="bottom of the stack"):
        stack.activate(["task", "xx"])
    with pytest.raises(TrainingError, match="not active"):
        stack.activate(["xx"], train="task")
    with pytest.raises(TrainingError, match="already is"):
        stack.add_language("xx", reduction=4)
    with pytest.raises(TrainingError, match=r"module\.reduction: 65"):
        stack.add_language("zz", reduction=65)
    with pytest.raises(TrainingError, match="no module zz to save"):
        stack.write("zz", tiny_model)


def _damage(folder, **changes):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _config(folder):
    return json.loads((folder / "adapter_config.json").read_text())["config"]


def _add_weight(folder, name, shape):
    weights = load_file(folder / "adapter.safetensors") | {name: torch.zeros(shape)}
    save_file(weights, folder / "adapter.safetensors")


UP = "encoder.layer.{}.output.adapters.task.adapter_up.weight"
DAMAGES = {
    "may run code": lambda folder: (folder / "pytorch_adapter.bin").write_bytes(b"x"),
    "adapter.safetensors": lambda folder: (folder / "adapter.safetensors").unlink(),
    "header": lambda folder: (folder / "adapter.safetensors").write_bytes(b"nonsense"),
    "adapter_config": lambda folder: (folder / "adapter_config.json").unlink(),
    "hidden_size of 32": lambda folder: _damage(folder, hidden_size=32),
    "model_type of bert": lambda folder: _damage(folder, model_type="bert"),
    "spelled out": lambda folder: _damage(folder, config="seq_bn"),
    "division": lambda folder: _damage(folder, config=_config(folder) | {"reduction_factor": 0}),
    "but lora": lambda folder: _damage(folder, config={"architecture": "lora"}),
    "none of module task": lambda folder: _add_weight(folder, "encoder.layer.0.output.dense.weight", (64, 128)),
    "1 weights do not fit": lambda folder: _add_weight(folder, UP.format(7), (64, 16)),
    "size mismatch": lambda folder: _add_weight(folder, UP.format(0), (64, 3)),
}


@pytest.mark.parametrize("problem", DAMAGES)
def test_what_cannot_be_loaded_is_refused_and_leaves_no_trace(tiny_model, problem, tmp_path):
    stack = _filled(tiny_model)
    before = states(stack.model)
    folder = _written(stack, "task", tmp_path)
    DAMAGES[problem](folder)
    with pytest.raises(TrainingError, match=f"cannot be loaded: .*{problem}") as caught:
        stack.load("again", folder)
    assert "\n" not in str(caught.value)
    assert not stack.state("again")
    torch.testing.assert_close(states(stack.model), before)
    stack.add_bottleneck("again", kind="par_bn", reduction=4)


def test_missing_weights_are_refused(tiny_model, tmp_path):
    stack = _filled(tiny_model)
    folder = _written(stack, "task", tmp_path)
    weights = load_file(folder / "adapter.safetensors")
    weights.pop(UP.format(1))
    save_file(weights, folder / "adapter.safetensors")
    with pytest.raises(TrainingError, match="1 weights do not fit"):
        stack.load("again", folder)
