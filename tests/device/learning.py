"""Small training of every kind, to be done on the CPU and on a disguised card alike."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lowres_stilts.data.examples import Answer, ChoiceExample, Question, TaggedSentence, TextExample
from lowres_stilts.encoder.load import Encoder, load_encoder
from lowres_stilts.evaluation.predict import hidden_token_accuracy, predict
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.pipeline.kinds import KINDS
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.task import Task
from lowres_stilts.training.loop import Schedule, train
from lowres_stilts.training.plan import Job
from tests.tiny import WORDS
from tests.training.bench import SCHEDULE

LORA: Mapping[str, Any] = {"rank": 4, "alpha": 8, "dropout": 0.0}
BOTTLENECK: Mapping[str, Any] = {"kind": "bottleneck", "reduction": 4, "dropout": 0.0}
NF4, INT8 = {"quantize": "nf4", "embeddings": "int8"}, {"quantize": "int8", "embeddings": "int8"}
PLAIN = {"quantize": "none", "embeddings": "none"}


@dataclass(frozen=True)
class Way:
    """What is trained, and how."""

    family: str = "classification"
    load: Mapping[str, Any] = field(default_factory=lambda: NF4)
    module: Mapping[str, Any] = field(default_factory=lambda: LORA)
    schedule: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Learned:
    """What came of it."""

    losses: list[float]
    weights: dict[str, Tensor]
    predictions: Any
    parts: list[int | None]
    """Tokens at once, after each update."""


def examples_of(family: str, count: int = 14) -> list[Any]:
    """Examples of all lengths, whose words tell the labels."""
    rng, words = random.Random(0), WORDS.split()
    made: list[Any] = []
    for number in range(count):
        chosen = rng.choices(words, k=rng.randint(2, 10))
        whole = " ".join(chosen)
        if family == "tagging":
            made.append(TaggedSentence(tuple(chosen), tuple("ab"[len(word) % 2] for word in chosen)))
        elif family == "multiple_choice":
            made.append(ChoiceExample(whole, tuple(rng.sample(words, k=2 + number % 2)), number % 2))
        elif family == "qa":
            answer = Answer(chosen[-1], len(whole) - len(chosen[-1]))
            made.append(Question(str(number), f"good {chosen[-1]}", whole, (answer,)))
        else:
            label = None if family == "mlm" else "ab"[len(chosen[0]) % 2]
            made.append(TextExample(whole, None, label))
    return made


def task_of(family: str) -> Task:
    """A task of a family."""
    labels = ("a", "b") if family in {"classification", "tagging"} else ()
    return Task(family, family, "words", ("en",), "accuracy", labels=labels, max_length=48)


class Learner:
    """An encoder with a module and a head, and what they are to learn."""

    def __init__(self, model: Path, way: Way, device: str = "cuda") -> None:
        torch.manual_seed(1)
        self.way = way
        self.encoder: Encoder = load_encoder(str(model), device=device, **{"compute": "float32", **way.load})
        settings = ModuleSettings.model_validate(way.module)
        self.stack: Any = KINDS[settings.kind].stack(self.encoder)
        KINDS[settings.kind].add(self.stack, "m", settings, None)
        self.stack.activate(["m"], train="m")
        self.task, family = task_of(way.family), FAMILIES[way.family]
        head: Any = make_head(self.encoder, family.head, family.outputs(self.task), layout="mean")
        if way.family in {"multiple_choice", "qa"}:
            # The same number for all that competes: its gradient is nothing but rounding.
            head.projection.bias.requires_grad_(False)
        self.network = Network(self.stack.model, {self.task.name: head})
        self.examples = examples_of(way.family)
        self.features = family.encode(self.task, self.examples, self.encoder.tokenizer, 48)

    def without_dropout(self) -> "Learner":
        """Dropout would differ between batches of other sizes."""
        for module in self.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return self

    def learn(self, checkpoint: Path, *, after: Callable[[Any], None] = lambda _: None, **changes: Any) -> Learned:
        """Trains and predicts."""
        losses: list[float] = []
        parts: list[int | None] = []

        def report(now: Any) -> None:
            losses.append(now.loss)
            parts.append(now.tokens_at_once)
            after(now)

        torch.manual_seed(2)
        windows = self.features if self.way.family != "qa" else self.features.by_sequence()
        schedule = SCHEDULE | {"epochs": 2, "tokens_per_batch": 120} | dict(self.way.schedule) | changes
        train(
            self.network,
            self.encoder,
            [(3e-3, self.stack.trainable("m"))],
            {self.task.name: Job(self.task, windows, len(windows))},
            Schedule(**schedule),
            dev_score=lambda: 0.0,
            checkpoint=checkpoint,
            seed=5,
            report=report,
        )
        return Learned(losses, self.weights(), self.answers(), parts)

    def weights(self) -> dict[str, Tensor]:
        """Of all that learns, on the CPU."""
        learned = {**self.stack.trainable("m"), **self.network.head_weights()}
        return {name: value.detach().cpu().clone() for name, value in learned.items()}

    def answers(self) -> Any:
        """Scores of every example, or how many hidden tokens are restored."""
        if self.way.family == "mlm":
            return hidden_token_accuracy(self.network, self.encoder, self.task, self.features, 200)
        scores: dict[int, Any] = {}
        predict(self.network, self.encoder, self.task, self.examples, self.features, 200, keep=scores.__setitem__)
        return [scores[index].tolist() for index in range(len(scores))]
