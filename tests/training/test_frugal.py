"""What saves memory and time must not change what is learned."""

import pytest
import torch
from safetensors.torch import load_file

from lowres_stilts.modules.split import lower_states, lowest_trained_layer, upper_states
from lowres_stilts.training.loop import LOWER_STATES
from lowres_stilts.training.optimizer import MasterAdamW
from tests.models import write_tiny_model
from tests.training.bench import Bench, Killed

EXACT = {"quantize": "none", "compute": "float32", "embeddings": "none"}


def _same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def _close(first, second):
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("layers", [None, [1]])
def test_what_is_frozen_has_neither_gradient_nor_moments_nor_graph(tiny_model, tmp_path, layers):
    bench = Bench(tiny_model, layers=layers)
    below = []
    bench.encoder.model.encoder.layer[1].register_forward_pre_hook(
        lambda _module, inputs: below.append(inputs[0].grad_fn)
    )
    kept = []
    bench.train(tmp_path / "c", epochs=1, dev_score=lambda: kept.append(load_file(tmp_path / "c")) or 0.0)
    learned = set(map(id, bench.stack.trainable("m").values())) | set(
        map(id, bench.network.head_weights().values())
    )
    others = [p for p in bench.network.parameters() if id(p) not in learned]
    assert others
    assert all(p.grad is None and not p.requires_grad for p in others)
    moments = {
        name.removeprefix("moments/").rpartition(".")[0]
        for name in load_file(tmp_path / "c")
        if "moments/" in name
    }
    assert moments == {*bench.stack.trainable("m"), *(f"head.{name}" for name in bench.network.head_weights())}
    # Nothing is remembered for a backward pass below the lowest layer that learns.
    assert all((graph is None) == (layers is not None) for graph in below[:5])


@pytest.mark.parametrize("family", ["xlm-roberta", "xlm-roberta-xl", "bert"])
@pytest.mark.parametrize("layers", [1, 2])
def test_lower_and_upper_layers_are_the_whole_encoder(tmp_path, family, layers):
    bench = Bench(write_tiny_model(tmp_path / "m", family), **EXACT)
    model, run = bench.encoder.model, bench.network.encoder.eval()
    ids = torch.randint(5, 40, (3, 7)).to(bench.encoder.device)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    whole = run(input_ids=ids, attention_mask=mask).last_hidden_state
    below = lower_states(run, model, ids, mask, layers)
    assert not below.requires_grad
    assert torch.equal(upper_states(run, model, ids, mask, layers, below), whole)
    assert torch.equal(run(input_ids=ids, attention_mask=mask).last_hidden_state, whole)


def test_states_of_lower_layers_are_computed_once_and_change_nothing(tiny_model, tmp_path):
    plain, reusing = (Bench(tiny_model, layers=[1], dropout=0.0, **EXACT) for _ in range(2))
    assert lowest_trained_layer(plain.network.encoder) == 1
    calls = []
    reusing.encoder.model.encoder.layer[0].register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    plain.train(tmp_path / "a" / "c", dev_score=lambda: 0.0)
    reusing.train(tmp_path / "b" / "c", dev_score=lambda: 0.0, reuse_lower_layers=True)
    assert reusing.losses == pytest.approx(plain.losses, abs=1e-5)
    _close(plain.weights(), reusing.weights())
    updates = len(reusing.losses)
    assert len(calls) == updates // 4  # of four epochs
    assert list((tmp_path / "b").glob(f"*{LOWER_STATES}"))
    assert not list((tmp_path / "a").glob(f"*{LOWER_STATES}"))


@pytest.mark.parametrize("kill_after", [2, 7])
def test_a_phase_that_reuses_lower_layers_resumes_with_the_same_weights(tiny_model, tmp_path, kill_after):
    settings = {"reuse_lower_layers": True, "checkpoint_every": 1}
    whole, killed, resumed = (Bench(tiny_model, layers=[1], dropout=0.0) for _ in range(3))
    whole.train(tmp_path / "a" / "c", **settings)
    with pytest.raises(Killed):
        killed.train(tmp_path / "b" / "c", kill_after=kill_after, **settings)
    resumed.train(tmp_path / "b" / "c", **settings)
    assert _same(whole.weights(), resumed.weights())


@pytest.mark.parametrize("reason", ["no lower layer", "dropout below"])
def test_lower_layers_are_not_reused_where_they_learn_or_are_random(tiny_model, tmp_path, reason):
    bench = Bench(tiny_model, layers=None if reason == "no lower layer" else [1], dropout=0.0)
    if reason == "dropout below":
        bench.stack.add_lora("below", rank=2, alpha=2, targets="all-linear", dropout=0.1)
        bench.stack.activate(["below", "m"], train="m")
    bench.train(tmp_path / "c", epochs=2, reuse_lower_layers=True)
    assert not list(tmp_path.glob(f"*{LOWER_STATES}"))


class Full:
    """A memory that holds so many tokens of one pass, and raises a real error beyond."""

    def __init__(self, bench, tokens, error):
        self.tokens, self.error, self.raised, self.largest = tokens, error, 0, 0
        bench.encoder.model.encoder.layer[1].register_forward_hook(self.check)

    def check(self, _module, _inputs, output):
        states = output[0] if isinstance(output, tuple) else output
        size = states.shape[0] * states.shape[1]
        if size > self.tokens:
            self.raised += 1
            if self.error is None:
                torch.empty(1 << 55, dtype=torch.uint8)  # more than there is: the allocator of the CPU refuses
            raise self.error("CUDA out of memory. Tried to allocate")
        self.largest = max(self.largest, size)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, None])
def test_without_memory_for_a_batch_the_same_updates_are_made_in_parts(tiny_model, tmp_path, error):
    roomy, tight = (Bench(tiny_model, **EXACT).without_dropout() for _ in range(2))
    memory = Full(tight, 60, error)
    roomy.train(tmp_path / "a", tokens_per_batch=240)
    progress = tight.train(tmp_path / "b", tokens_per_batch=240)
    assert memory.raised >= 2
    assert memory.largest <= 60
    assert progress.tokens_at_once <= 60
    assert len(tight.losses) == len(roomy.losses)
    assert tight.losses == pytest.approx(roomy.losses, rel=1e-4, abs=1e-5)
    _close(roomy.weights(), tight.weights())


def test_what_memory_was_found_to_hold_is_kept_when_a_phase_resumes(tiny_model, tmp_path):
    killed, resumed = (Bench(tiny_model) for _ in range(2))
    first, second = (Full(bench, 60, torch.OutOfMemoryError) for bench in (killed, resumed))
    with pytest.raises(Killed):
        killed.train(tmp_path / "c", kill_after=2, checkpoint_every=1, dev_score=lambda: 0.0)
    resumed.train(tmp_path / "c", checkpoint_every=1, dev_score=lambda: 0.0)
    assert first.raised > 0
    assert second.raised == 0


def test_without_memory_for_one_example_the_error_is_torchs(tiny_model, tmp_path):
    bench = Bench(tiny_model)
    Full(bench, 1, torch.OutOfMemoryError)
    with pytest.raises(torch.OutOfMemoryError):
        bench.train(tmp_path / "c")


def test_other_errors_are_not_taken_for_a_lack_of_memory(tiny_model, tmp_path):
    bench = Bench(tiny_model)
    memory = Full(bench, 1, RuntimeError)
    with pytest.raises(RuntimeError, match="Tried to allocate"):
        bench.train(tmp_path / "c")
    assert memory.raised == 1


@pytest.mark.parametrize("kill_after", [2, 6])
def test_moments_in_8_bits_learn_and_resume_with_the_same_weights(tiny_model, tmp_path, kill_after):
    settings = {"eight_bit": True, "epochs": 8, "checkpoint_every": 1}
    whole, killed, resumed = (Bench(tiny_model, rank=64) for _ in range(3))  # smaller ones stay in 32 bits
    whole.train(tmp_path / "a", **settings)
    with pytest.raises(Killed):
        killed.train(tmp_path / "b", kill_after=kill_after, **settings)
    kept = load_file(tmp_path / "b")
    assert any(value.dtype == torch.uint8 for name, value in kept.items() if name.startswith("moments/"))
    resumed.train(tmp_path / "b", **settings)
    assert whole.score() > 90
    assert _same(whole.weights(), resumed.weights())


def test_8_bit_moments_take_a_quarter_of_the_memory():
    weight = torch.nn.Parameter(torch.randn(256, 64))
    sizes = {}
    for eight_bit in (False, True):
        optimizer = MasterAdamW(
            [(1e-3, {"w": weight})], weight_decay=0.0, clip_norm=1.0, updates=2, warmup=0.0, eight_bit=eight_bit
        )
        weight.grad = torch.randn_like(weight)
        optimizer.accumulate()
        optimizer.step(0)
        moments = optimizer.moments()
        sizes[eight_bit] = sum(value.nbytes for name, value in moments.items() if "qmap" not in name)
    assert sizes[True] < 0.27 * sizes[False]
