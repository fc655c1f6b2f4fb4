"""Heads of several tasks in one file."""

import pytest
import torch
from safetensors.torch import save_file

from lowres_stilts.hub.heads import HEAD, read_heads, trained_heads, write_heads


class Named:
    def __init__(self, name):
        self.name = name


class Listing:
    """What of a manifest is read here."""

    def __init__(self, *names):
        self.tasks = [Named(name) for name in names]


@pytest.mark.parametrize(
    "names", [("mood", "mood.sw"), ("mood.sw", "mood"), ("anli+", "a b", "mood.dense", "mood")]
)
def test_a_task_whose_name_begins_like_anothers_keeps_its_weights(names, tmp_path):
    keys = ("dense.weight", "projection.weight", "projection.bias")
    heads = {
        name: {key: torch.full((2,), float(10 * number + place)) for place, key in enumerate(keys)}
        for number, name in enumerate(names)
    }
    write_heads(heads, tmp_path)
    (tmp_path / "module").mkdir()
    flat = {f"{name}.{key}": value for name, head in heads.items() for key, value in head.items()}
    save_file(flat, tmp_path / "module" / HEAD)
    for found in (read_heads(tmp_path, Listing(*names)), trained_heads(tmp_path / "module", list(names))):
        assert found.keys() == heads.keys()
        for name, head in heads.items():
            assert found[name].keys() == head.keys()
            assert all(torch.equal(found[name][key].float(), value) for key, value in head.items())
