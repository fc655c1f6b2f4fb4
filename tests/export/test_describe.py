"""How many texts an adapter takes, from the task to the bundle's manifest."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from lowres_stilts.export.describe import adapter_part
from lowres_stilts.export.sources import items_of
from lowres_stilts.hub.verify import open_package
from lowres_stilts.tasks.catalog import REGISTRY

ENCODER = SimpleNamespace(
    pad_id=1, model=SimpleNamespace(config=SimpleNamespace(model_type="xlm-roberta", max_position_embeddings=130))
)
TEXTS = {"first": 1, "second-intermediate": 2, "first-intermediate-tags": None, "second": None}


@pytest.fixture(params=TEXTS)
def named(request, zoo):
    """An adapter's name, its package, and the part of its task."""
    package = open_package(zoo.packages[request.param])
    task = zoo.tasks[request.param]
    return request.param, package, next(part for part in package.manifest.tasks if part.name == task)


def test_packages_say_how_many_texts_an_example_has(named):
    name, _, part = named
    assert part.texts == TEXTS[name]
    assert ("texts" in part.model_fields_set) == (part.family == "classification")


def test_bundles_know_it_of_packages_that_do_not_say(named):
    name, package, part = named
    silent = [own.model_copy(update={"texts": None}) for own in package.manifest.tasks]
    old = replace(package, manifest=package.manifest.model_copy(update={"tasks": silent}))
    for each in (package, old):
        (item,) = [item for item in items_of([each]) if item.part.name == part.name]
        assert adapter_part(item, ENCODER).texts == TEXTS[name]


def test_tasks_of_the_catalog_have_one_text_or_two():
    found = {name: task.texts for name, task in REGISTRY.items()}
    assert (found["xnli"], found["anli+"], found["sib200"], found["panx"], found["xquad"]) == (2, 2, 1, None, None)
    assert all(found[name] for name, task in REGISTRY.items() if task.family == "classification")
