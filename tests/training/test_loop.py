import itertools

import pytest
import torch
from safetensors.torch import load_file

from lowres_stilts.data.examples import TaggedSentence, TextExample
from lowres_stilts.errors import RunError, TrainingError
from lowres_stilts.evaluation.predict import hidden_token_accuracy
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.training.plan import Job
from tests.training.bench import TASK, Bench, Killed

OTHERS = {
    "udpos": [TaggedSentence(("the", "zebra", "ran"), ("DET", "NOUN", "VERB"))] * 20,
    "mlm": [TextExample("the cat sat", None, None), TextExample("calm sea good sun", None, None)] * 10,
}


@pytest.mark.parametrize("quantize", ["nf4", "int8"])
def test_it_learns(tiny_model, tmp_path, quantize):
    bench = Bench(tiny_model, quantize=quantize)
    progress = bench.train(tmp_path / "c.safetensors", epochs=8)
    assert progress.best_score == 100
    assert sum(bench.losses[-5:]) < 0.9 * sum(bench.losses[:5])


def test_same_seed_same_weights(tiny_model, tmp_path):
    first, second = Bench(tiny_model), Bench(tiny_model)
    for name, bench in (("a", first), ("b", second)):
        bench.train(tmp_path / name)
    assert first.losses == second.losses
    assert all(torch.equal(value, second.weights()[name]) for name, value in first.weights().items())


@pytest.mark.parametrize("kill_after", [1, 5, 7])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_resumed_phase_ends_with_the_same_weights(tiny_model, tmp_path, kill_after, accumulate):
    whole = Bench(tiny_model)
    whole.train(tmp_path / "whole", accumulate=accumulate)
    killed = Bench(tiny_model)
    with pytest.raises(Killed):
        killed.train(tmp_path / "part", kill_after=kill_after, accumulate=accumulate)
    resumed = Bench(tiny_model)
    resumed.train(tmp_path / "part", accumulate=accumulate)
    assert all(torch.equal(value, resumed.weights()[name]) for name, value in whole.weights().items())


class Mixed(Bench):
    """The same with tagging and masked language modelling beside it."""

    def __init__(self, tiny_model, **load):
        super().__init__(tiny_model, **load)
        heads = {TASK.name: self.network.head(TASK.name)}
        for name, examples in OTHERS.items():
            task, family = REGISTRY[name], FAMILIES[REGISTRY[name].family]
            outputs = family.outputs(task)
            heads[name] = make_head(self.encoder, family.head, outputs, layout="mean")
            features = family.encode(task, examples, self.encoder.tokenizer, 64)
            self.jobs[name] = Job(task, features, 15)
        self.network = Network(self.stack.model, heads)


@pytest.mark.parametrize("kill_after", [2, 9])
def test_a_mix_of_families_learns_and_resumes_with_the_same_weights(tiny_model, tmp_path, kill_after):
    whole = Mixed(tiny_model)
    before = whole.weights()
    whole.train(tmp_path / "whole", accumulate=2)
    for name in whole.jobs:
        own = [key for key in before if key.startswith(f"{name}.")]
        assert own
        assert all(not torch.equal(before[key], whole.weights()[key]) for key in own)
    killed = Mixed(tiny_model)
    with pytest.raises(Killed):
        killed.train(tmp_path / "part", kill_after=kill_after, accumulate=2)
    resumed = Mixed(tiny_model)
    resumed.train(tmp_path / "part", accumulate=2)
    assert all(torch.equal(value, resumed.weights()[name]) for name, value in whole.weights().items())


@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_hidden_tokens_are_learned_by_the_tied_head(tiny_model, tmp_path, quantize):
    bench = Mixed(tiny_model, quantize=quantize)
    job = bench.jobs["mlm"]
    bench.jobs = {"mlm": Job(job.task, job.features, len(job.features))}

    def score():
        return hidden_token_accuracy(bench.network, bench.encoder, job.task, job.features, 400)

    before = score()
    progress = bench.train(tmp_path / "c", epochs=30, dev_score=score)
    assert progress.best_score > max(30, before + 20)


def test_accumulation_equals_one_large_batch(tiny_model, tmp_path):
    large, small = (Bench(tiny_model, quantize="none", compute="float32") for _ in range(2))
    for bench in (large, small):
        bench.network.eval()
        bench.network.train = lambda mode=True: None  # no dropout: it would differ between the batches
    one = {"epochs": 1, "warmup": 0.0}
    large.train(tmp_path / "large", tokens_per_batch=10**6, **one)
    small.train(tmp_path / "small", tokens_per_batch=200, accumulate=10**6, **one)
    assert large.losses == pytest.approx(small.losses, rel=1e-5)
    for name, value in large.weights().items():
        torch.testing.assert_close(small.weights()[name], value, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("layers", [True, 1, 99])
def test_gradient_checkpointing_gives_the_same_losses(tiny_model, tmp_path, layers):
    plain, frugal = (Bench(tiny_model, compute="float32") for _ in range(2))
    plain.train(tmp_path / "a", epochs=1)
    seen = []

    def report():
        seen.append([layer.gradient_checkpointing for layer in frugal.encoder.model.encoder.layer])
        return 0.0

    frugal.train(tmp_path / "b", epochs=1, gradient_checkpointing=layers, dev_score=report)
    assert seen == [[layers is True or layers > 1, True]]
    assert frugal.losses == pytest.approx(plain.losses, rel=1e-4)


def test_it_stops_when_the_dev_score_no_longer_rises_and_keeps_the_best(tiny_model, tmp_path):
    bench = Bench(tiny_model)
    scores = itertools.chain([10.0, 30.0, 20.0, 30.0], itertools.repeat(0.0))
    seen = []

    def dev_score():
        seen.append(bench.weights())
        return next(scores)

    progress = bench.train(tmp_path / "c", dev_score=dev_score, evaluate_every=1, patience=2)
    assert len(seen) == 4
    assert (progress.best_score, progress.best_update, progress.update) == (30.0, 2, 4)
    assert all(torch.equal(value, seen[1][name]) for name, value in bench.weights().items())
    again = Bench(tiny_model)
    assert again.train(tmp_path / "c", evaluate_every=1, patience=2).update == 4
    assert again.losses == []


def test_a_loss_that_is_no_number_ends_the_phase(tiny_model, tmp_path):
    bench = Bench(tiny_model)
    with torch.no_grad():
        bench.network.head(TASK.name).projection.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"the loss of update 1 is nan; lower train\.lr"):
        bench.train(tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("damage", ["cut", "flip", "other"])
def test_a_damaged_checkpoint_is_named(tiny_model, tmp_path, damage):
    path = tmp_path / "c.safetensors"
    with pytest.raises(Killed):
        Bench(tiny_model).train(path, kill_after=5)
    assert {name.partition("/")[0] for name in load_file(path)} >= {"weights", "moments", "random"}
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        path.write_bytes(b"\xff" * 8 + content[8:])
    else:
        path.write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(RunError, match=r"c\.safetensors: damaged"):
        Bench(tiny_model).train(path)
