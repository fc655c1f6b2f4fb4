"""Whether a device learns and predicts what the CPU does: twenty updates of small encoders, in every way."""

import pickle
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gpu_models import FAMILIES, random_examples, task_of
from lowres_stilts.encoder.load import Encoder, load_encoder
from lowres_stilts.encoder.quantize import stored_bytes
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.pipeline.kinds import KINDS
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.families import FAMILIES as BY_NAME
from lowres_stilts.training.loop import checkpoint_layers
from lowres_stilts.training.optimizer import MasterAdamW
from lowres_stilts.training.plan import Job, make_plan
from lowres_stilts.training.update import Updater
from memory_recipes import write_model

LENGTH, TOKENS, UPDATES = 64, 512, 20
TOLERANCE = {"float32": 0.002, "bf16": 0.06, "int8": 0.15}
"""Most that the loss of an update may differ from the CPU's; int8 products are rounded in another order."""
AGREEING = {"float32": 0.99, "bf16": 0.9, "int8": 0.85}
"""Share of predictions after training that are the CPU's."""


@dataclass(frozen=True)
class Way:
    """A way to train."""

    family: str = "classification"
    model: str = "small"
    load: Mapping[str, Any] = field(default_factory=dict)
    module: Mapping[str, Any] = field(default_factory=lambda: {"rank": 8, "alpha": 16})
    packed: bool = True
    checkpointing: bool = False
    eight_bit: bool = False
    drifts: float = 1.0
    """How much further apart its losses may be than those of the others."""

    @property
    def strictness(self) -> str:
        """A key of `TOLERANCE`."""
        return "int8" if self.load.get("quantize") == "int8" else self.load.get("compute", "bf16")


EXACT = {"quantize": "none", "embeddings": "none", "compute": "float32"}
NF4, NF4_EXACT = {"compute": "bf16"}, {"compute": "float32"}


def ways(*, quick: bool) -> dict[str, Way]:
    """By name."""
    found = {
        "exact": Way(load=EXACT),
        "NF4, float32": Way(load=NF4_EXACT),
        "NF4, bf16": Way(load=NF4),
        "NF4, bf16, padded": Way(load=NF4, packed=False),
        "NF4, 4-bit embeddings, float32": Way(load={"embeddings": "nf4", "compute": "float32"}),
        "NF4, bottleneck": Way(load=NF4, module={"kind": "bottleneck", "reduction": 4}),
    }
    found |= {f"NF4, float32, {family}": Way(family, load=NF4_EXACT) for family in FAMILIES[1:]}
    if quick:
        return found
    return found | {
        "exact, padded": Way(load=EXACT, packed=False),
        "not quantized, bf16": Way(load={"quantize": "none", "embeddings": "none", "compute": "bf16"}),
        "int8, bf16": Way(load={"quantize": "int8", "compute": "bf16"}),
        "int8, float32": Way(load={"quantize": "int8", "compute": "float32"}),
        "NF4, offloaded embeddings": Way(load={**NF4, "offload_embeddings": True}),
        "NF4, checkpointing": Way(load=NF4_EXACT, checkpointing=True),
        "NF4, 8-bit optimizer": Way(load=NF4_EXACT, eight_bit=True),
        "NF4, DoRA": Way(load=NF4_EXACT, module={"rank": 8, "alpha": 16, "dora": True}),
        "NF4, LoftQ": Way(load=NF4_EXACT, module={"rank": 8, "alpha": 16, "init": "loftq"}),
        "NF4, upper layers": Way(load=NF4_EXACT, module={"rank": 8, "alpha": 16, "layers": "2-3"}),
        # On a CPU too, a change of the first loss by 7e-7 grows a thousandfold here in twenty updates.
        "XL's architecture": Way(model="xl-small", load=NF4_EXACT, drifts=20.0),
        "double bottleneck": Way(
            load=NF4_EXACT, module={"kind": "bottleneck", "adapter": "double_seq_bn", "reduction": 4}
        ),
        **{f"NF4, bf16, {family}": Way(family, load=NF4) for family in FAMILIES[1:]},
        **{
            f"NF4, bottleneck, {family}": Way(family, load=NF4, module={"kind": "bottleneck"})
            for family in FAMILIES[1:]
        },
    }


def truths(device: torch.device, scratch: Path, *, quick: bool) -> Iterator[dict[str, Any]]:
    """For each way, how far apart losses and predictions of the device and the CPU are."""
    torch.backends.cuda.matmul.allow_tf32 = False
    for name, way in ways(quick=quick).items():
        folder = write_model(way.model, scratch)
        try:
            here, there = _reference(name, way, folder, scratch), _trained(way, folder, device.type)
            yield {"way": name, **_compared(way, here, there)}
        except Exception as error:
            yield {
                "way": name,
                "ok": False,
                "error": f"{type(error).__name__}: {error}"[:2000],
                "at": _place(error),
            }


def references(scratch: Path, *, quick: bool) -> None:
    """What the CPU learns and predicts, for `truths` to find while the device has other work."""
    for name, way in ways(quick=quick).items():
        _reference(name, way, write_model(way.model, scratch), scratch)


def _reference(name: str, way: Way, folder: Path, scratch: Path) -> "_Outcome":
    kept = scratch / f"{name}.pickle"
    if not kept.exists():
        found = _trained(way, folder, "cpu")
        kept.with_suffix(".part").write_bytes(pickle.dumps(found))
        kept.with_suffix(".part").rename(kept)
    outcome: _Outcome = pickle.loads(kept.read_bytes())  # noqa: S301 - our own
    return outcome


def _place(error: Exception) -> list[str]:
    return [f"{Path(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)[-8:]]


@dataclass(frozen=True)
class _Outcome:
    losses: list[float]
    predictions: list[Any]
    stored: int
    all_there: bool
    """Whether everything that is not meant to be elsewhere is on the device."""


def _trained(way: Way, folder: Path, device: str) -> _Outcome:
    torch.manual_seed(1)
    encoder = load_encoder(str(folder), device=device, **way.load)  # type: ignore[arg-type]
    if not way.packed:
        pad_sequences(encoder)
    settings = ModuleSettings.model_validate(way.module)
    stack = KINDS[settings.kind].stack(encoder)
    KINDS[settings.kind].add(stack, "m", settings, None)
    stack.activate(["m"], train="m")
    task = task_of(way.family, LENGTH)
    examples = random_examples(way.family, 240, longest=30)
    family = BY_NAME[way.family]
    network = Network(
        stack.model, {task.name: make_head(encoder, family.head, family.outputs(task), layout="mean")}
    )
    _without_dropout(network)
    features = family.encode(task, examples, encoder.tokenizer, LENGTH)
    optimizer = MasterAdamW(
        [(2e-3, {**stack.trainable("m"), **{f"head.{k}": v for k, v in network.head_weights().items()}})],
        weight_decay=0.01,
        clip_norm=1.0,
        updates=UPDATES,
        warmup=0.1,
        eight_bit=way.eight_bit,
    )
    windows = features if family.head == "sequence" else features.by_sequence()
    jobs = {task.name: Job(task, windows, len(windows))}
    plan = make_plan(jobs, epochs=9, tokens_per_batch=TOKENS, accumulate=1, evaluate_every=None, seed=3)
    checkpoint_layers(encoder, way.checkpointing)
    updater = Updater(network, encoder, jobs, optimizer)
    losses = [updater.update(plan.updates[number], number)[0] for number in range(UPDATES)]
    checkpoint_layers(encoder, wanted=False)
    predictions = []
    if way.family in DECODERS:
        predictions = predict(network, encoder, task, examples, features, 2048)
    everything = [*network.parameters(), *network.buffers()]
    elsewhere = [tensor for tensor in everything if tensor.device.type != device]
    offloaded = bool(way.load.get("offload_embeddings"))
    return _Outcome(losses, predictions, stored_bytes(network), offloaded or not elsewhere)


def pad_sequences(encoder: Encoder) -> None:
    """Takes back what `pack_sequences` did."""
    layers: Any = encoder.model.encoder
    del layers.forward
    for layer in layers.layer:
        del layer.attention.self.forward


def _without_dropout(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def _compared(way: Way, here: _Outcome, there: _Outcome) -> dict[str, Any]:
    apart = max(abs(a - b) for a, b in zip(here.losses, there.losses, strict=True))
    flat = [(a, b) for a, b in zip(_flat(here.predictions), _flat(there.predictions), strict=True)]
    same = sum(a == b for a, b in flat) / len(flat) if flat else 1.0
    good = apart <= way.drifts * TOLERANCE[way.strictness] and same >= min(
        AGREEING[way.strictness], 1 - 0.02 * (way.drifts > 1)
    )
    return {
        "ok": good and there.all_there and here.stored == there.stored,
        "loss_first": here.losses[0],
        "loss_last": here.losses[-1],
        "loss_apart": apart,
        "first_loss_apart": abs(here.losses[0] - there.losses[0]),
        "same_predictions": same,
        "all_on_device": there.all_there,
        "stored_bytes_equal": here.stored == there.stored,
    }


def _flat(predictions: list[Any]) -> list[Any]:
    return [item for each in predictions for item in (each if isinstance(each, list | tuple) else [each])]
