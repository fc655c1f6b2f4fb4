import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.encoder.packing import attend, layout_of
from lowres_stilts.modules.bottleneck import AdapterStack
from lowres_stilts.modules.lora import ModuleStack
from tests.models import write_tiny_model
from tests.modules.states import randomize

LENGTHS = [9, 3, 1, 6]
MASK = (torch.arange(9) < torch.tensor(LENGTHS)[:, None]).long()
TOKENS = MASK == 1
CLOSE = {"atol": 2e-5, "rtol": 1e-4}


def _ids(encoder):
    ids = torch.randint(4, encoder.model.config.vocab_size, MASK.shape, generator=torch.Generator().manual_seed(0))
    return torch.where(TOKENS, ids, encoder.pad_id)


def _unpacked(model):
    """As the library computes it."""
    for module in model.modules():
        vars(module).pop("forward", None)


def _stack(folder, kind):
    encoder = load_encoder(str(folder), quantize="none", embeddings="none", compute="float32", device="cpu")
    stack: ModuleStack | AdapterStack
    if kind == "lora":
        stack = ModuleStack(encoder)
        stack.add_lora("m", rank=4, alpha=8, targets="all-linear")
    else:
        stack = AdapterStack(encoder)
        stack.add_bottleneck("m", kind=kind, reduction=4)
    randomize(stack, "m", 5)
    stack.activate(["m"], train="m")
    return encoder, stack


def _states_and_gradients(encoder, stack):
    states = stack.model(input_ids=_ids(encoder), attention_mask=MASK).last_hidden_state
    states[TOKENS].square().sum().backward()
    return states, {name: weight.grad for name, weight in stack.trainable("m").items()}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["lora", "seq_bn"])
@pytest.mark.parametrize("family", ["xlm-roberta", "xlm-roberta-xl", "bert"])
def test_states_and_gradients_are_those_of_padded_batches(tmp_path, family, kind, attention, monkeypatch):
    monkeypatch.setattr("lowres_stilts.encoder.load.attention_of", lambda device: attention)
    folder = write_tiny_model(tmp_path, family)
    widths = []
    encoder, stack = _stack(folder, kind)
    encoder.model.encoder.layer[0].intermediate.dense.register_forward_hook(
        lambda _module, inputs, _output: widths.append(inputs[0].shape[:2])
    )
    found, gradients = _states_and_gradients(encoder, stack)
    assert widths == [(1, sum(LENGTHS))]
    assert not found[~TOKENS].any()
    encoder, stack = _stack(folder, kind)
    _unpacked(encoder.model)
    expected, plain = _states_and_gradients(encoder, stack)
    torch.testing.assert_close(found[TOKENS], expected[TOKENS], **CLOSE)
    assert any(gradient.any() for gradient in plain.values())
    for name, gradient in plain.items():
        torch.testing.assert_close(gradients[name], gradient, atol=2e-4, rtol=2e-3)


def test_layers_that_run_again_in_the_backward_pass_find_the_same_row(tiny_model):
    expected = _states_and_gradients(*_stack(tiny_model, "lora"))[1]
    encoder, stack = _stack(tiny_model, "lora")
    stack.model.train()
    encoder.model.gradient_checkpointing_enable({"use_reentrant": False})
    for name, gradient in _states_and_gradients(encoder, stack)[1].items():
        torch.testing.assert_close(gradient, expected[name])


def test_batches_without_padding_and_copies_are_computed_too(tiny_model):
    encoder = load_encoder(str(tiny_model), device="cpu")
    model, ids = encoder.model, _ids(encoder)
    with torch.no_grad():
        packed = model(input_ids=ids, attention_mask=MASK).last_hidden_state
        again = copy.deepcopy(model)(input_ids=ids, attention_mask=MASK).last_hidden_state
        alone = model(input_ids=ids[1:2, :3], attention_mask=MASK[1:2, :3]).last_hidden_state
        every = model(input_ids=ids, attention_mask=MASK, output_hidden_states=True)
    assert torch.equal(packed, again)
    torch.testing.assert_close(packed[1, :3], alone[0], atol=0.05, rtol=0.05)
    assert all(states.shape[:2] == MASK.shape for states in every.hidden_states)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_rows_and_padded_batches_are_each_other(lengths, seed):
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    layout = layout_of(mask)
    row = torch.randn(sum(lengths), 2, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(layout.pack(layout.unpack(row)), row)
    assert layout.starts.tolist() == [sum(lengths[:number]) for number in range(len(lengths) + 1)]
    for number, own in enumerate(row.split(lengths)):
        assert torch.equal(layout.unpack(row)[number, : len(own)], own)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_attention_is_that_of_each_sentence_alone(lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    query, key, value = (torch.randn(sum(lengths), 2, 8, generator=generator) for _ in range(3))
    layout = layout_of(torch.arange(max(lengths)) < torch.tensor(lengths)[:, None])
    found = attend(query, key, value, layout)
    alone = [
        torch.nn.functional.scaled_dot_product_attention(*(part.transpose(0, 1) for part in parts)).transpose(0, 1)
        for parts in zip(query.split(lengths), key.split(lengths), value.split(lengths), strict=True)
    ]
    torch.testing.assert_close(found, torch.cat(alone), **CLOSE)
