"""Tiny finished runs of bottleneck and language modules, and what their packages score."""

import torch

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.hub.verify import open_package
from lowres_stilts.modules.bottleneck import AdapterStack
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.load import find_task
from tests.runs import finished_run

IDS = torch.tensor([[0, 7, 8, 9, 2], [0, 5, 6, 2, 1]])
MASK = (IDS != 1).long()
MODULE = {"kind": "bottleneck", "reduction": 4}
TRAIN = {"epochs": 1, "lr": 2e-2, "tokens_per_batch": 128}
QUICK = {
    "intermediate__module": MODULE,
    "intermediate__train": TRAIN,
    "target__module": MODULE,
    "target__train": TRAIN,
    "evaluate__baseline": False,
}
TEXTS = ["data.files.mlm={train: 'text-test-{lang}.txt'}"]
MODES = {
    "stack": {},
    "continue": {"target__transfer": "continue", "target__module": None},
    "fuse": {"target__transfer": "fuse", "intermediate__tasks": ["choice", "tags"]},
    "merge": {"target__transfer": "merge"},
    "none": {"target__transfer": "none"},
    "languages": {"languages": {"adapters": ["en", "sw"], "train": TRAIN}},
}


def finished_adapters(once, mode="stack", *, family="xlm-roberta", head="library", trained=False, **changes):
    """The recipe, and packages by phase."""
    changes = QUICK | MODES[mode] | {"model__head": head} | changes
    return finished_run(once, family=family, trained=trained, settings=TEXTS, **changes)


def without_padding(scores, mask):
    """Scores or states with zeros for padding, where what is computed means nothing."""
    by_token = scores.ndim == 3 and scores.shape[:2] == mask.shape
    return scores.masked_fill(mask.unsqueeze(-1) == 0, 0) if by_token else scores


def own_scores(recipe, folder, *, ids=IDS, mask=MASK, language="en", quantize="none"):
    """Scores of the stored weights by our own code, or hidden states where there is no head."""
    package = open_package(folder)
    manifest, composition = package.manifest, package.manifest.composition
    encoder = load_encoder(recipe.model.id, quantize=quantize, embeddings="none", compute="float32", device="cpu")
    stack = AdapterStack(encoder)
    for place, module in reversed(composition.places.items()):
        stack.load(module.name, folder / place)
    stack.activate(composition.active(language))
    with torch.no_grad():
        if not package.heads:
            return without_padding(stack.model(input_ids=ids, attention_mask=mask).last_hidden_state, mask)
        task = find_task(manifest.tasks[0].name, recipe.tasks, "task")
        family = FAMILIES[task.family]
        head = make_head(encoder, family.head, family.outputs(task), layout=manifest.head)
        head.load_state_dict({name: value.float() for name, value in package.heads[task.name].items()})
        return without_padding(Network(stack.model, {task.name: head}).eval()(task.name, ids, mask), mask)
