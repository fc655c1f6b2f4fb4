"""What is thought must be what is: the same step on real weights, its tensors counted, takes the same bytes."""

import pytest
import torch

from lowres_stilts.encoder.load import read_config
from lowres_stilts.encoder.quantize import stored_bytes
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.pipeline.arms import load_model
from lowres_stilts.pipeline.estimate import Batch, Thought, batch_of
from lowres_stilts.pipeline.kinds import KINDS
from lowres_stilts.pipeline.phase import Phase, add_module
from lowres_stilts.pipeline.planner import PlannedPhase
from lowres_stilts.recipe.model import ModelSettings
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.training.loop import checkpoint_layers
from lowres_stilts.training.optimizer import MasterAdamW
from lowres_stilts.training.plan import Job
from lowres_stilts.training.simulate import Meter
from lowres_stilts.training.update import Updater
from tests.models import write_tiny_model

LORA, BOTTLENECK = ModuleSettings(rank=4, alpha=8), ModuleSettings(kind="bottleneck", reduction=4)
UPPER = ModuleSettings(rank=4, alpha=8, layers="1")


@pytest.fixture(scope="module", params=["xlm-roberta", "xlm-roberta-xl", "bert"])
def folder(request, tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("families") / request.param, request.param)


def _really(model, module, task, batch: Batch, checkpointing):
    """Bytes of the real thing, beside what there was, and of what there was."""
    encoder = load_model(model)
    stack = KINDS[module.kind].stack(encoder)
    add_module(Phase("m", (), None, module, TrainSettings(), ()), stack)
    stack.activate(["m"], train="m")
    family = FAMILIES[task.family]
    network = Network(
        stack.model, {task.name: make_head(encoder, family.head, family.outputs(task), layout="library")}
    )
    named = {**stack.trainable("m"), **network.head_weights()}
    optimizer = MasterAdamW([(1.0, named)], weight_decay=0.0, clip_norm=1.0, updates=1, warmup=0.0)
    updater = Updater(network.train(), encoder, {task.name: Job(task, None, 0)}, optimizer)
    checkpoint_layers(encoder, checkpointing)
    with Meter([*network.parameters(), *network.buffers(), *optimizer.masters.values()]) as meter:
        updater.loss(task.name, batch).backward()
        optimizer.accumulate()
    return meter, stored_bytes(network)


def _own_bytes(batch):
    """On a CPU the batch's tensors are numpy's arrays, which are not made anew."""
    return batch.ids.nbytes + batch.mask.nbytes + batch.labels.nbytes


@pytest.mark.parametrize("module", [LORA, BOTTLENECK, UPPER], ids=["lora", "bottleneck", "upper"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_bytes_of_a_step_are_those_of_a_real_one(folder, module, checkpointing):
    task, model = REGISTRY["xnli"], ModelSettings(id=str(folder), device="cpu")
    planned = PlannedPhase("target", (Phase("m", (), None, module, TrainSettings(), ()),), (task,))
    thought = Thought(read_config(str(folder)), model, planned, cuda=False)
    batch = batch_of(task, 6, 20)
    meter, stored = _really(model, module, task, batch, checkpointing)
    cost = thought.step(6, 20, checkpointing)
    assert abs(cost.bytes - meter.peak) <= _own_bytes(batch)
    assert cost.flops == meter.flops
    assert thought.stored_bytes == stored


@pytest.mark.parametrize("task", ["xcopa", "udpos", "squad", "mlm"])
@pytest.mark.parametrize("compute", ["float32", "bf16"])
def test_so_they_are_for_every_family(tiny_model, task, compute):
    task, model = REGISTRY[task], ModelSettings(id=str(tiny_model), device="cpu", compute=compute)
    planned = PlannedPhase("target", (Phase("m", (), None, LORA, TrainSettings(), ()),), (task,))
    thought = Thought(read_config(str(tiny_model)), model, planned, cuda=False)
    batch = batch_of(task, 8, 20)
    meter, _ = _really(model, LORA, task, batch, checkpointing=False)
    assert abs(thought.step(8, 20, checkpointing=False).bytes - meter.peak) <= _own_bytes(batch)


@pytest.mark.parametrize(("quantize", "embeddings"), [("none", "none"), ("int8", "int8"), ("nf4", "nf4")])
def test_weights_are_counted_without_being_read(folder, quantize, embeddings):
    model = ModelSettings(id=str(folder), device="cpu", quantize=quantize, embeddings=embeddings)
    planned = PlannedPhase("target", (Phase("m", (), None, LORA, TrainSettings(), ()),), (REGISTRY["xnli"],))
    thought = Thought(read_config(str(folder)), model, planned, cuda=False)
    encoder = load_model(model)
    assert thought.held.weights == stored_bytes(encoder.model)


def test_attention_on_cuda_does_not_keep_its_probabilities(tiny_model):
    planned = PlannedPhase("target", (Phase("m", (), None, LORA, TrainSettings(), ()),), (REGISTRY["xnli"],))
    model = ModelSettings(id=str(tiny_model))
    cpu, cuda = (Thought(read_config(str(tiny_model)), model, planned, cuda=cuda) for cuda in (False, True))
    sequences, length, heads = 8, 64, 2
    saved = (
        cpu.step(sequences, length, checkpointing=False).bytes
        - cuda.step(sequences, length, checkpointing=False).bytes
    )
    assert saved > sequences * heads * length**2 * 2
    assert torch.all(torch.ones(2) == 1)  # what stood for CUDA is gone
