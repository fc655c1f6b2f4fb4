"""Claims on results that are made up to be clear, in a real store."""

import json

import numpy as np
import pytest

from lowres_stilts.study.claims import judge
from lowres_stilts.study.evidence import evidence, group_mean
from lowres_stilts.study.load import Setting
from lowres_stilts.study.plan import Cell
from lowres_stilts.study.schema import Claim, Group
from lowres_stilts.study.store import Store

EXAMPLES = 400
GAINS = {("squad", "tydiqa"): 20, ("squad", "xnli"): 0, ("mnli", "tydiqa"): 10, ("mnli", "xnli"): 0}
"""Points over a baseline of 40."""
LANGUAGES = ("en", "sw", "de")


def _arm(store, folder, key, target, points, seed):
    """An arm whose first examples are right; seeds differ in one of a hundred."""
    rng = np.random.default_rng([seed, len(key)])
    order = np.random.default_rng(7).permutation(EXAMPLES)
    tables = {}
    for language in LANGUAGES:
        right = np.zeros(EXAMPLES)
        right[order[: round(EXAMPLES * points / 100) + int(rng.integers(-2, 3))]] = 1
        tables[f"of {language}"] = np.stack([right, np.ones(EXAMPLES)], axis=1)
    result = folder / key
    result.mkdir()
    np.savez(result / "counts.npz", **tables)
    cost = {"training_seconds": 1.0, "seconds": 2.0, "peak_memory_bytes": 3}
    about = {"target": target, "metric": "accuracy", "parameters": {"without_embeddings": 10}, "phases": [],
             "weights_sha256": "x", "cost": cost}  # fmt: skip
    (result / "arm.json").write_text(json.dumps(about))
    (result / "samples.json").write_text("{}")
    store.add_arm(key, result)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims")
    cells = []
    with Store(folder / "study.duckdb") as store:
        for seed in (1, 2, 3):
            for target in ("tydiqa", "xnli"):
                _arm(store, folder, f"{target}-{seed}", target, 40, seed)
            for (intermediate, target), gain in GAINS.items():
                key = f"{intermediate}-{target}-{seed}"
                _arm(store, folder, key, target, 40 + gain, seed)
                setting = Setting("m", intermediate, target, None, "stack", "default", seed)
                cells.append(Cell(setting, key, f"{target}-{seed}"))
        store.set_cells(cells)
        return evidence(store, samples=500, seed=0)


def _verdict(rows, **claim):
    (judged,) = judge([Claim(text="x", **claim)], rows, seed=0, alpha=0.05)
    return judged


def test_rows_have_all_seeds_and_english_first(rows):
    assert len(rows) == 4
    assert {row.seeds for row in rows} == {(1, 2, 3)}
    assert all(list(row.system) == ["en", "de", "sw"] and row.others == ["de", "sw"] for row in rows)


def test_a_mean_weighs_targets_the_same(rows):
    found = group_mean(rows, Group(intermediate=["squad"]), "gain")
    assert found.sample.values.mean() == pytest.approx(10, abs=1)
    assert found.examples == 2 * 2 * EXAMPLES


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ({"kind": "gain", "of": {"target": "tydiqa"}}, "supported"),
        ({"kind": "gain", "of": {"target": "xnli"}, "margin": 3}, "not supported"),
        ({"kind": "no_gain", "of": {"target": "xnli"}, "margin": 3}, "supported"),
        ({"kind": "no_gain", "of": {"target": "tydiqa"}}, "not supported"),
        ({"kind": "more", "of": {"intermediate": "squad"}, "than": {"intermediate": "mnli"}}, "supported"),
        ({"kind": "more", "of": {"intermediate": "mnli"}, "than": {"intermediate": "squad"}}, "not supported"),
        ({"kind": "more", "of": {"language": "sw"}, "than": {"language": "de"}, "margin": 5}, "not supported"),
        ({"kind": "most", "of": {"intermediate": "squad"}, "over": "intermediate"}, "supported"),
        ({"kind": "most", "of": {"target": "xnli"}, "over": "target"}, "not supported"),
        ({"kind": "correlation", "over": "model_size"}, "not measured"),
        ({"kind": "diminishing"}, "not measured"),
        ({"kind": "gain", "of": {"resource": ["medium"]}}, "not measured"),
        ({"kind": "absent", "note": "no data"}, "not measured"),
    ],
)
def test_verdicts(rows, claim, verdict):
    assert _verdict(rows, **claim).verdict == verdict


def test_many_claims_ask_more_of_each(rows):
    doubtful = Claim(text="x", kind="gain", of={"target": "xnli"})
    alone = judge([doubtful], rows, seed=0, alpha=0.05)[0]
    crowd = judge([doubtful] * 30, rows, seed=0, alpha=0.05)[0]
    assert crowd.adjusted >= alone.adjusted


def test_one_seed_decides_nothing(rows):
    from dataclasses import replace

    single = [
        replace(
            row,
            seeds=row.seeds[:1],
            system={language: sample.of([0]) for language, sample in row.system.items()},
            baseline={language: sample.of([0]) for language, sample in row.baseline.items()},
        )
        for row in rows
    ]
    assert _verdict(single, kind="gain", of={"target": "tydiqa"}).verdict == "undecided"
