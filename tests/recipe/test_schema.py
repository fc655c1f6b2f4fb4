"""Which settings of a recipe go together, and what they become as YAML."""

import pytest
import yaml

from lowres_stilts.errors import RecipeError
from lowres_stilts.recipe import Recipe

RECIPE = Recipe.model_validate(
    {
        "name": "small",
        "model": {"id": "some/model"},
        "data": {"source": "starter"},
        "intermediate": {"tasks": ["starter-reply"]},
        "target": {"task": "starter-topic"},
    }
)
MADX = {
    "languages": {"adapters": ["en", "sw"]},
    "intermediate.module": {"kind": "bottleneck"},
    "target.module": {"kind": "bottleneck"},
}
PACKAGE = {"intermediate": {"package": "adapters/mine"}}
MIX = {"intermediate.tasks": ["a", "b"], "intermediate.mix": {"cap": 9}}


@pytest.mark.parametrize(
    "changes",
    [
        MADX,
        {"languages": {"adapters": ["en"]}, "intermediate.module": {"kind": "bottleneck"}},
        {
            "languages": {"adapters": ["en"]},
            "intermediate.module": {"kind": "bottleneck"},
            "target.transfer": "continue",
        },
        {"target.transfer": "fuse"},
        {"target.transfer": "fuse", "target.module": {"kind": "bottleneck"}},
        {"target.transfer": "merge", "target.module": {"rank": 4}},
        {"target.transfer": "merge", "target.merge": {"method": "ties"}, "target.module": {"rank": 16}},
        {"target.transfer": "merge", "target.module": {"kind": "bottleneck"}},
        {"target.merge": {"method": "linear"}, "target.module": {"rank": 4}},
        {"target.transfer": "none", "target.module": {"dora": True}},
        {"target.transfer": "continue", "intermediate.module": {"dora": True}},
        {"target.transfer": "none", "target.module": {"init": "loftq"}},
        {"intermediate.module": {"init": "loftq"}},
        MIX,
        PACKAGE,
        {**PACKAGE, "target.transfer": "merge", "target.merge": {"method": "ties"}},
        {**PACKAGE, "target.module": {"kind": "bottleneck"}, "target.head": "keep"},
        {"intermediate": {"package": ["a", {"id": "me/b", "revision": "v1"}]}, "target.transfer": "fuse"},
        {"target.head": "keep", "target.transfer": "continue"},
        {"target.train.languages": ["en", "yo"]},
    ],
)
def test_these_go_together(changes):
    assert RECIPE.changed(changes).target.task == "starter-topic"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {**MADX, "target.transfer": "fuse"},
            "target.transfer fuse: AdapterFusion does not stand on language adapters; use stack",
        ),
        (
            {**MADX, "target.transfer": "none", "target.module": {}},
            "target.module.kind must be bottleneck to stand on language adapters",
        ),
        (
            {**MADX, "intermediate.module": {}},
            "intermediate.module.kind must be bottleneck to stand on language adapters",
        ),
        (
            {"target.module": {"kind": "bottleneck"}, "target.merge": {"method": "ties"}},
            "target.merge.method: bottleneck adapters can only be averaged; remove it",
        ),
        *(
            (
                {"target.transfer": mode, f"{phase}.module": {"dora": True}},
                f"module.dora is no sum, so target.transfer {mode} cannot add it up; use continue or none",
            )
            for mode in ("stack", "fuse", "merge")
            for phase in ("intermediate", "target")
        ),
        *(
            (
                {"target.transfer": mode, "target.module": {"init": "loftq"}},
                "target.module.init loftq makes up for NF4 a second time; set intermediate.module.init",
            )
            for mode in ("stack", "fuse")
        ),
        *(
            (
                {**MIX, "target.transfer": mode},
                f"intermediate.mix: each task has a module of its own under target.transfer {mode}",
            )
            for mode in ("fuse", "merge")
        ),
        (
            {**PACKAGE, "languages": {"adapters": ["en"]}},
            "intermediate.package: a package does not stand on language adapters; name tasks",
        ),
        *(
            (
                {"target.head": "keep", "target.transfer": mode},
                (
                    f"target.head keep: target.transfer {mode} trains the target as if there were no intermediate "
                    "phase; use stack, continue or fuse"
                ),
            )
            for mode in ("merge", "none")
        ),
        (
            {"target.transfer": "merge", "target.merge": {"method": "ties"}, "target.module": {"rank": 4}},
            (
                "target.merge.method ties wants equal ranks, but intermediate.module.rank is 16 and "
                "target.module.rank 4; make them equal or use cat"
            ),
        ),
    ],
)
def test_these_do_not_go_together(changes, message):
    with pytest.raises(RecipeError) as caught:
        RECIPE.changed(changes)
    assert str(caught.value) == f"recipe small: {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intermediate.package": "adapters/mine"}, "tasks and package are both given: keep one"),
        ({"intermediate": {}}, "intermediate: name tasks, or a package"),
        *(
            (
                {"intermediate": {"package": "adapters/mine", key: value}},
                f"intermediate: {key} is for tasks, and a package is trained already; remove it",
            )
            for key, value in (("train", {"epochs": 7}), ("mix", {"cap": 9}))
        ),
        (
            {"intermediate": {"package": {"id": "me/mine", "sha256": "abc"}}},
            "String should match pattern '^[0-9a-f]{64}$', found 'abc'",
        ),
        ({"target.train.languages": ["yo", "yo"]}, "target.train.languages: a language is named twice"),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(RecipeError) as caught:
        RECIPE.changed(changes)
    assert str(caught.value).endswith(message)


def test_a_changed_value_is_named_by_its_override():
    with pytest.raises(RecipeError, match=r"^override target\.train\.lr: target\.train\.lr: Input should be"):
        RECIPE.changed({"target.train.lr": "fast"})


def test_what_was_never_set_follows_its_default():
    changed = RECIPE.changed({"target.module.kind": "bottleneck", "target.train.epochs": 5})
    assert changed.target.train.epochs == 5
    assert changed.target.train.model_fields_set == {"epochs"}
    assert "evaluate" not in changed.model_fields_set


def test_yaml_has_the_keys_in_their_order_and_text_as_it_is_written():
    text = RECIPE.changed({"name": "Māori, አማርኛ"}).as_yaml()
    assert "name: Māori, አማርኛ\n" in text
    assert list(yaml.safe_load(text)) == list(Recipe.model_fields)


@pytest.mark.parametrize(
    ("changes", "meant"),
    [
        ({"evaluate.retrieval.layr": 3}, "layer"),  # below a section that may be missing
        ({"languages": {"adapters": ["en"], "modul": {}}}, "module"),
        ({"data.files": {"xnli": {"tran": "x"}}}, None),
    ],
)
def test_the_nearest_key_is_that_of_the_section(changes, meant):
    with pytest.raises(RecipeError) as caught:
        RECIPE.changed(changes)
    said = str(caught.value)
    assert said.endswith(f"unknown key; did you mean {meant!r}?") if meant else "tran" in said


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("mps", "model.device: mps is not supported; use cpu"),
        ("MPS", "model.device: mps is not supported; use cpu"),
        ("cuda:0", "model.device: use cuda, not cuda:0; CUDA_VISIBLE_DEVICES says which GPU that is"),
        ("gpu", "model.device: use cuda, not gpu; CUDA_VISIBLE_DEVICES says which GPU that is"),
        ("tpu", "model.device: Input should be 'auto', 'cpu' or 'cuda', found 'tpu'"),
    ],
)
def test_a_device_of_another_name_is_answered_with_ours(device, message):
    with pytest.raises(RecipeError) as caught:
        RECIPE.changed({"model.device": device})
    assert str(caught.value).endswith(message)
