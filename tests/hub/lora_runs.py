"""Tiny finished runs of LoRA, and what their packages score."""

import torch

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.load import find_task
from tests.runs import finished_run

IDS = torch.tensor([[0, 7, 8, 9, 2], [0, 5, 6, 2, 1]])
MASK = (IDS != 1).long()
TRAIN = {"epochs": 1, "lr": 2e-2, "tokens_per_batch": 128}
QUICK = {
    "intermediate__train": TRAIN,
    "target__train": TRAIN,
    "evaluate__baseline": False,
    "evaluate__languages": ["en"],
}


def finished_lora(once, family="xlm-roberta", head="library", target="mood"):
    """The recipe, and the packages of both phases."""
    recipe, packages = finished_run(once, family=family, model__head=head, target__task=target, **QUICK)
    return recipe, [*packages.values()]


def our_scores(recipe, package, quantize="none"):
    """Scores of the stored weights, by our own network on the base with float32 activations."""
    encoder = load_encoder(recipe.model.id, quantize=quantize, embeddings="none", compute="float32", device="cpu")
    manifest = package.manifest
    task = find_task(manifest.tasks[0].name, recipe.tasks, "task")
    stack = ModuleStack(encoder)
    stack.add_collapsed("package", package.layers)
    stack.activate(["package"])
    family = FAMILIES[task.family]
    head = make_head(encoder, family.head, family.outputs(task), layout=manifest.head)
    head.load_state_dict({name: value.float() for name, value in package.heads[task.name].items()})
    network = Network(stack.model, {task.name: head}).eval()
    with torch.no_grad():
        return network(task.name, IDS, MASK)
