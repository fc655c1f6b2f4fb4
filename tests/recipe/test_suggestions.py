import pytest

from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.suggestions import ELSEWHERE, MEANING, _paths, suggestion

KEYS = {".".join(path) for path in _paths(Recipe)}


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("target.train.learning_rate", "'lr'"),
        ("target.train.num_train_epochs", "'epochs'"),
        ("target.train.per_device_train_batch_size", "'tokens_per_batch', counted in tokens, not in examples"),
        ("intermediate.train.gradient_accumulation_steps", "'accumulate'"),
        ("intermediate.train.warmup_ratio", "'warmup', a share of the updates, such as 0.1"),
        ("target.module.lora_alpha", "'alpha'"),
        ("target.module.r", "'rank'"),
        ("target.module.lora_dropout", "'dropout'"),
        ("target.module.target_modules", "'targets'"),
        ("tasks.mine.num_labels", "'labels', their names in a list, under the task"),
        ("target.train.max_seq_length", "'max_length'"),
        ("model.model_name_or_path", "'model.id'"),
        ("model_name_or_path", "'model.id'"),
        ("learning_rate", "'target.train.lr'"),
        ("intermediate.learning_rate", "'intermediate.train.lr'"),
        ("target.rank", "'target.module.rank'"),
        ("target.train.rank", "'target.module.rank'"),
        ("target.tasks", "'task'"),
        ("num_labels", "'tasks.NAME.labels', their names in a list, under the task"),
        ("target.train.lrr", "'lr'"),
    ],
)
def test_a_key_of_other_libraries_is_answered_with_ours(key, meant):
    assert suggestion(Recipe, tuple(key.split("."))) == f"; did you mean {meant}?"


def test_what_is_like_nothing_is_answered_with_all_keys():
    assert suggestion(Recipe, ("model", "qqq")).startswith("; the keys here are id, revision, ")


@pytest.mark.parametrize("key", [*ELSEWHERE.values(), *MEANING])
def test_suggested_keys_are_there(key):
    assert any(known == key or known.endswith(f".{key}") for known in KEYS)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_no_other_name_is_a_key_of_its_own(name):
    assert not any(known.rpartition(".")[2] == name for known in KEYS)
