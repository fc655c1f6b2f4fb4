"""What a phase takes, from the model's configuration alone: bytes held throughout, and bytes of a step."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import nn
from transformers import PretrainedConfig

from lowres_stilts.encoder.build import weightless_model
from lowres_stilts.encoder.load import DTYPES, Encoder, attention_of, compute_on
from lowres_stilts.encoder.quantize import stored_bytes
from lowres_stilts.modules.heads import SequenceHead, TokenHead
from lowres_stilts.modules.network import Head, Network
from lowres_stilts.modules.vocabulary import VocabularyHead
from lowres_stilts.pipeline.kinds import KINDS
from lowres_stilts.pipeline.phase import Phase, add_module
from lowres_stilts.recipe.model import ModelSettings
from lowres_stilts.tasks.batches import Batch
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.tasks.task import Task
from lowres_stilts.training.loop import checkpoint_layers
from lowres_stilts.training.optimizer import MasterAdamW
from lowres_stilts.training.plan import Job
from lowres_stilts.training.simulate import META, Cost, cost_of
from lowres_stilts.training.update import Updater

CHOICES, TAGS, HIDDEN_SHARE = 4, 17, 0.15
"""Sequences of an example of multiple choice, tags where a data set would tell, and tokens that are hidden."""
MOMENT_BYTES = MappingProxyType({False: 8, True: 2})
"""Of AdamW for each parameter, in 32 and in 8 bits."""


@dataclass(frozen=True)
class PlannedPhase:
    """A phase without its data."""

    section: str
    """Of the recipe."""
    phases: tuple[Phase, ...]
    """The one that is trained, behind those whose modules it stands on."""
    tasks: tuple[Task, ...]
    beside: tuple[Phase, ...] = ()
    """Those whose modules are there too, without taking part."""


@dataclass(frozen=True)
class Held:
    """Bytes that are there throughout a phase."""

    weights: int
    """The frozen encoder."""
    modules: int
    """Modules and heads, the optimizer's float32 originals and moments, and the best weights so far."""
    trainable: int
    """Parameters that learn."""

    @property
    def checkpoint(self) -> int:
        """Bytes that come and go as a checkpoint is written: weights, moments and best weights, twice."""
        return 2 * 16 * self.trainable


class Thought:
    """A phase on the meta device, ready to be costed."""

    def __init__(
        self, config: PretrainedConfig, model: ModelSettings, planned: PlannedPhase, *, cuda: bool
    ) -> None:
        """Builds encoder, modules and heads without weights."""
        self._cuda, self._planned, self._head = cuda, planned, model.head
        device = torch.device("cuda" if cuda else "cpu")
        dtype, attention = DTYPES[compute_on(device.type, model.compute)], attention_of(device)
        bare = weightless_model(
            config, quantize=model.quantize, embeddings=model.embeddings, dtype=dtype, attention=attention
        )
        self._bare = stored_bytes(bare)
        self._offloaded = stored_bytes(bare.get_input_embeddings()) if cuda and model.offload_embeddings else 0
        self._encoder = Encoder(bare, None, model.id, int(config.pad_token_id), META, dtype, model.id)
        self._phase = planned.phases[-1]
        with META:
            self._stack = KINDS[self._phase.settings.kind].stack(self._encoder)
            for phase in (*planned.beside, *planned.phases):
                add_module(phase, self._stack)
            heads = {task.name: self._new_head(task) for task in planned.tasks}
            self._network = Network(self._stack.model, heads)
        self._stack.activate(self._phase.active, train=self._phase.name)
        self._optimizer = self._new_optimizer()

    @property
    def held(self) -> Held:
        """Bytes that are there throughout."""
        count = sum(master.numel() for master in self._optimizer.masters.values())
        moments = MOMENT_BYTES[self._phase.train.optimizer == "adamw8bit"]
        masters_and_best = 2 * 4
        modules = stored_bytes(self._network) - self._bare
        return Held(self._bare - self._offloaded, modules + count * (masters_and_best + moments), count)

    @property
    def stored_bytes(self) -> int:
        """Of encoder, modules and heads."""
        return stored_bytes(self._network)

    def step(self, sequences: int, length: int, checkpointing: bool | int) -> Cost:
        """Forward and backward pass of a batch of each task; the dearest counts.

        Args:
            sequences: in the batch.
            length: tokens of each.
            checkpointing: layers whose activations are computed twice.
        """
        costs = [self._step(task, sequences, length, checkpointing) for task in self._planned.tasks]
        return max(costs, key=lambda cost: cost.bytes)

    def look(self, sequences: int, length: int, *, every_layer: bool = False) -> Cost:
        """A forward pass without gradients, which keeps the states of the last layer or of all."""
        self._network.eval()
        ids = torch.ones(sequences, length, dtype=torch.long, device=META)

        def work() -> None:
            with torch.no_grad():
                self._network.encoder(
                    input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=every_layer
                )

        return cost_of(work, self._known(), cuda=self._cuda)

    def _step(self, task: Task, sequences: int, length: int, checkpointing: bool | int) -> Cost:
        batch = batch_of(task, sequences, length)
        jobs = {task.name: Job(task, None, 0)}  # type: ignore[arg-type] # it is never batched
        updater = Updater(self._network, self._encoder, jobs, self._optimizer)
        self._network.train()
        checkpoint_layers(self._encoder, checkpointing)

        def work() -> None:
            updater.loss(task.name, batch).backward()  # type: ignore[no-untyped-call]
            self._optimizer.accumulate()

        cost = cost_of(work, self._known(), cuda=self._cuda)
        self._optimizer.forget_gradients()
        checkpoint_layers(self._encoder, wanted=False)
        return cost

    def _known(self) -> list[torch.Tensor]:
        return [*self._network.parameters(), *self._network.buffers(), *self._optimizer.masters.values()]

    def _new_head(self, task: Task) -> Head:
        family, hidden = FAMILIES[task.family], self._encoder.hidden_size
        if family.head == "vocabulary":
            config = self._encoder.model.config
            words: nn.Module = self._encoder.model.get_input_embeddings()
            return VocabularyHead(hidden, int(config.vocab_size), words, float(config.layer_norm_eps))
        outputs = family.outputs(task) or TAGS
        return TokenHead(hidden, outputs) if family.head == "token" else SequenceHead(hidden, outputs, self._head)

    def _new_optimizer(self) -> MasterAdamW:
        named = {**self._stack.trainable(self._phase.name), **self._network.head_weights()}
        return MasterAdamW([(1.0, named)], weight_decay=0.0, clip_norm=1.0, updates=1, warmup=0.0)


def batch_of(task: Task, sequences: int, length: int) -> Batch:
    """Sequences of equal length, with labels where the family has them."""
    width = CHOICES if task.family == "multiple_choice" else 1
    examples = max(1, sequences // width)
    rows = examples * width
    ids = np.ones((rows, length), np.int64)
    by_head: dict[str, tuple[int, ...]] = {"sequence": (examples,), "token": ids.shape, "vocabulary": ids.shape}
    shape = (rows, 2) if task.family == "qa" else by_head[FAMILIES[task.family].head]
    labels = np.zeros(shape, np.int64)
    if task.family == "mlm":
        labels[:, round(HIDDEN_SHARE * length) :] = UNLABELLED
    return Batch(np.arange(examples), np.arange(rows), np.full(examples, width), ids, np.ones_like(ids), labels)
