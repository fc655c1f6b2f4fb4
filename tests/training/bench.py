"""A tiny quantized encoder with one module and a head, ready to train."""

import torch

from lowres_stilts.data.examples import TextExample
from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.training.loop import Schedule, train
from lowres_stilts.training.plan import Job
from lowres_stilts.training.team import ALONE
from tests.where import DEVICE

TASK = REGISTRY["pawsx"]
EXAMPLES = [
    TextExample("the cat sat " * (1 + i % 3), "the dog ran" if i % 2 else "the cat sat", str(i % 2))
    for i in range(40)
]
SCHEDULE = {
    "epochs": 4,
    "head_lr": 1e-2,
    "tokens_per_batch": 200,
    "accumulate": 1,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "evaluate_every": None,
    "patience": None,
    "checkpoint_every": 3,
    "gradient_checkpointing": False,
}


class Killed(BaseException):
    """Stands for the end of the process."""


class Bench:
    """Trains in one line, and remembers the losses."""

    def __init__(self, model, *, dropout=0.1, layers=None, rank=4, **load):
        torch.manual_seed(1)
        self.encoder = load_encoder(str(model), device=DEVICE, **load)
        self.stack = ModuleStack(self.encoder)
        self.stack.add_lora("m", rank=rank, alpha=8, targets="all-linear", dropout=dropout, layers=layers)
        self.stack.activate(["m"], train="m")
        head = make_head(self.encoder, "sequence", 2, layout="mean")
        self.network = Network(self.stack.model, {TASK.name: head})
        self.features = FAMILIES[TASK.family].encode(TASK, EXAMPLES, self.encoder.tokenizer, 64)
        self.jobs = {TASK.name: Job(TASK, self.features, len(self.features))}
        self.losses = []
        self.reports = []

    def without_dropout(self):
        """Dropout would differ between batches of other sizes."""
        for module in self.network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        return self

    def score(self):
        answers = predict(self.network, self.encoder, TASK, EXAMPLES, self.features, 400)
        table = METRICS["accuracy"].table([example.label for example in EXAMPLES], answers, "en")
        return METRICS["accuracy"].score(table)

    def train(self, checkpoint, *, kill_after=None, dev_score=None, team=ALONE, **changes):
        def report(now):
            self.losses.append(now.loss)
            self.reports.append(now)
            if now.update == kill_after:
                raise Killed

        torch.manual_seed(2)
        return train(
            self.network,
            self.encoder,
            [(3e-3, self.stack.trainable("m"))],
            self.jobs,
            Schedule(**SCHEDULE | changes),
            dev_score=dev_score or self.score,
            checkpoint=checkpoint,
            seed=5,
            report=report,
            team=team,
        )

    def weights(self):
        learned = {**self.stack.state("m"), **self.network.head_weights()}
        return {name: value.detach().clone() for name, value in learned.items()}
