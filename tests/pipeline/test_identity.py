"""Keys of phases: what may be shared between runs, and what may not."""

import pytest

from lowres_stilts.pipeline.identity import arm_key, phase_keys
from lowres_stilts.recipe.schema import Recipe

TICKET = {"family": "classification", "languages": ["sw"], "labels": ["a", "b"]}


@pytest.fixture
def keys(tmp_path):
    (tmp_path / "x.csv").write_text("text,label,mood\nx,a,b\n")

    def keys(**task):
        recipe = Recipe.model_validate(
            {
                "name": "x",
                "model": {"id": "starter:multilingual-minilm-1-layers"},
                "data": {
                    "source": "files",
                    "dir": str(tmp_path),
                    "files": {"t": {"train": "x.csv", "dev": "x.csv", "test": "x.csv"}},
                },
                "tasks": {"t": TICKET | task},
                "target": {"task": "t", "transfer": "none"},
            }
        )
        phases = phase_keys(recipe)
        return {**phases, "arm": arm_key(recipe, dict.fromkeys(phases, "same"))}

    return keys


@pytest.mark.parametrize(
    "task",
    [
        {"columns": {"label": "mood"}},
        {"label_names": {"x": "a"}},
        {"header": False},
        {"quoting": "none"},
        {"delimiter": ";"},
    ],
    ids=lambda task: next(iter(task)),
)
def test_the_same_file_read_in_another_way_is_other_data(task, keys):
    plain, other = keys(), keys(**task)
    assert plain.keys() == other.keys() == {"2-target", "arm"}
    assert all(plain[name] != other[name] for name in plain)


def test_what_a_recipe_does_not_say_of_its_files_changes_no_key(keys):
    assert keys() == keys(columns={}, header=None, quoting="auto", licence="CC0-1.0")
