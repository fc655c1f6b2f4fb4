"""Ten own files as a new user would bring them: nothing but family, labels and files in the recipe.

Files are cut from the benchmark data, of different size, family and format, and trained with what the data
chooses. Beside the scores stand those of one answer for all and of a linear probe: logistic regression on the
frozen encoder's mean states (of words, for tagging). Where the probe is above chance, training should be.
"""

import argparse
import csv
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from lowres_stilts.display import Display
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.encoder.send import send_batch
from lowres_stilts.evaluation.chance import score_of_one_answer
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.modules.heads import mean_pool
from lowres_stilts.pipeline import run
from lowres_stilts.pipeline.arms import load_model
from lowres_stilts.pipeline.material import Material
from lowres_stilts.pipeline.training_set import TrainingSet
from lowres_stilts.recipe import Recipe
from lowres_stilts.recipe.data import DataSettings
from lowres_stilts.tasks.batches import make_batch, plan_batches
from lowres_stilts.tasks.families import DECODERS, FAMILIES
from lowres_stilts.tasks.load import find_task, open_source
from report import Result, data_dir, print_results, write_report

MODEL = "starter:multilingual-minilm"
DEV, TEST, PROBED = 200, 100, 3000
SIZES = (30, 300, 3000, 20000)
"""Where a file has fewer examples than the last, all of them."""
TYPES = ("PER", "ORG", "LOC")
NAMES = ["O", *(f"{part}-{kind}" for kind in TYPES for part in "BI")]
TAGS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
INFERENCE = ["entailment", "neutral", "contradiction"]


@dataclass(frozen=True)
class Own:
    """A user's file."""

    kind: str
    size: int
    suffix: str
    language: str
    """Of the test set."""
    task: dict[str, Any]

    @property
    def name(self) -> str:
        """Of its recipe."""
        return f"{self.kind}-{self.size}"


def own_files(*, grid: bool = False) -> list[Own]:
    """What is tried: ten, or every family at every size."""
    names = {"family": "tagging", "labels": NAMES}
    pairs = {"family": "classification", "pair": True, "labels": INFERENCE}
    if grid:
        kinds = {
            "names": ("conll", "sw", names),
            "tags": ("tsv", "tr", {"family": "tagging", "labels": TAGS}),
            "pairs": ("jsonl", "sw", pairs),
            "choices": ("jsonl", "en", {"family": "multiple_choice"}),
            "questions": ("jsonl", "vi", {"family": "qa"}),
        }
        return [Own(kind, size, *how) for size in SIZES for kind, how in kinds.items()]
    topics = sorted({row["label"] for row in topics_in("en", "train")})
    return [
        *(Own("names", size, "conll", "sw", names) for size in SIZES),
        Own("tags", 300, "tsv", "tr", {"family": "tagging", "labels": TAGS}),
        Own("topics", 350, "csv", "it", {"family": "classification", "labels": topics}),
        Own("pairs", 300, "jsonl", "sw", pairs),
        Own("pairs", 3000, "jsonl", "sw", pairs),
        Own("choices", 3000, "jsonl", "en", {"family": "multiple_choice"}),
        Own("questions", 300, "jsonl", "vi", {"family": "qa"}),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the two smallest files only")
    parser.add_argument("--grid", action="store_true", help="every family at every size")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="such as names-30, of the ten or the grid")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    arguments = parser.parse_args()
    tried = [own for own in own_files(grid=arguments.grid) if not arguments.only or own.name in arguments.only]
    tried = [own for own in tried if own.size <= 300][:2] if arguments.quick else tried
    raw = []
    with tempfile.TemporaryDirectory() as scratch:
        for own in tried:
            raw.append(measure(own, Path(scratch) / own.name))
            print(json.dumps(raw[-1]), flush=True)
    results = [
        Result(f"{each['name']}_{key}", each[key], "points", each["n"][key])
        for each in raw
        for key in ("dev", "test", "probe", "chance")
        if each[key] is not None
    ]
    print_results("own files, trained with what the data chooses", results)
    if arguments.json:
        write_report(arguments.json, results, setup={"about": __doc__, "model": MODEL}, raw=raw)


def measure(own: Own, folder: Path) -> dict[str, Any]:
    """Writes the files, trains, and asks the probe."""
    recipe = _recipe(own, _write(own, folder))
    results = run(recipe, folder / "run", display=Display(quiet=True))
    material = Material.of(recipe)
    data = _trained_on(material)
    (phase,) = results["phases"]
    (score,) = results["scores"][own.kind].values()
    dev = data.dev
    return {
        "name": own.name,
        "settings": {key: phase[key] for key in ("epochs", "tokens_per_batch", "lr", "head_lr", "updates")},
        "dev": round(phase["dev_score"], 1),
        "test": round(score["value"], 1),
        "probe": _probe(recipe, data),
        "chance": round(score_of_one_answer(data.task, dev, data.task.english), 1),
        "remarks": phase["remarks"],
        "seconds": phase["seconds"],
        "n": {"dev": len(dev), "test": score["n"], "probe": len(dev), "chance": len(dev)},
    }


def _trained_on(material: Material) -> TrainingSet:
    if material.target_set is None:
        raise TypeError("a task that is not trained")
    return material.target_set


def _recipe(own: Own, folder: Path) -> Recipe:
    test = "dev" if own.language == "en" else "test-{lang}"
    files = {"train": "train", "dev": "dev", "test": test}
    return Recipe.model_validate(
        {
            "name": own.name,
            "model": {"id": MODEL},
            "data": {
                "source": "files",
                "dir": str(folder),
                "files": {own.kind: {split: f"{name}.{own.suffix}" for split, name in files.items()}},
            },
            "tasks": {own.kind: {**own.task, "languages": [own.language]}},
            "target": {"task": own.kind, "transfer": "none"},
            "evaluate": {"languages": [own.language]},
        }
    )


def _write(own: Own, folder: Path) -> Path:
    folder.mkdir(parents=True)
    read = READERS[own.kind]
    train = read("en", "train")
    np.random.default_rng(1).shuffle(train)
    parts = {"train": train[: own.size], "dev": read("en", "dev")[:DEV]}
    if own.language != "en":
        parts[f"test-{own.language}"] = read(own.language, "test")[:TEST]
    for name, rows in parts.items():
        WRITERS[own.suffix](folder / f"{name}.{own.suffix}", rows)
    return folder


def _sentences(path: Path) -> list[str]:
    return [block for block in path.read_text(encoding="utf-8").strip().split("\n\n") if block.strip()]


def _names(language: str, split: str) -> list[str]:
    return _sentences(data_dir() / "panx" / f"{'train' if split == 'train' else 'dev'}-{language}.tsv")


def _tags(language: str, split: str) -> list[str]:
    return _sentences(data_dir() / "udpos" / f"{split}-{language}.tsv")


def topics_in(language: str, split: str) -> list[dict[str, str]]:
    """Exchanges with their topics, from the starter's data."""
    task, source = find_task("starter-topic", {}, "topics"), open_source(DataSettings(source="starter"))
    found = source.examples(task, split, language)
    return [{"text": example.text, "label": example.label} for example in found]


def _pairs(language: str, split: str) -> list[dict[str, Any]]:
    folder = data_dir()
    english = [folder / "english/nli/multinli/taxinli10k.tsv", folder / "english/nli/snli/dev.tsv"]
    paths = english if split == "train" else [folder / "xnli" / f"{split}-{language}.tsv"]
    rows = [line.split("\t") for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    keys = ("text", "text_pair", "label")
    return [dict(zip(keys, row, strict=True)) for row in rows if len(row) == 3 and row[2] in INFERENCE]


def _choices(_: str, split: str) -> list[dict[str, Any]]:
    path = data_dir() / "english/mc/commonsenseqa" / f"{split}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        {
            "prompt": row["question"]["stem"],
            "choices": [choice["text"] for choice in row["question"]["choices"]],
            "label": "ABCDE".index(row["answerKey"]),
        }
        for row in rows
    ]


def _questions(language: str, split: str) -> list[dict[str, Any]]:
    squad = data_dir() / "english/qa/squad/dev-v1.1-minus-xquad.json"
    path = squad if split == "train" else data_dir() / "xquad" / f"xquad.{language}.json"
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [
        {key: asked[key] for key in ("id", "question", "answers")} | {"context": paragraph["context"]}
        for article in articles
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]


READERS: dict[str, Callable[[str, str], list[Any]]] = {
    "names": _names,
    "tags": _tags,
    "topics": topics_in,
    "pairs": _pairs,
    "choices": _choices,
    "questions": _questions,
}


def _write_sentences(path: Path, rows: Sequence[str]) -> None:
    path.write_text("\n\n".join(rows) + "\n", encoding="utf-8")


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _write_table(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        table = csv.DictWriter(handle, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


WRITERS: dict[str, Callable[[Path, Any], None]] = {
    "conll": _write_sentences,
    "tsv": _write_sentences,
    "jsonl": _write_lines,
    "csv": _write_table,
}


def _probe(recipe: Recipe, data: TrainingSet) -> float | None:
    """Points of logistic regression on the dev set; None for answers in a context."""
    task = data.task
    if task.family == "qa":
        return None
    encoder = load_model(recipe.model)
    train = list(data.train)[:PROBED]
    x, y, _ = _vectors(encoder, data, train)
    fitted = LogisticRegression(max_iter=500, C=1.0).fit(x, y)
    found, _, widths = _vectors(encoder, data, data.dev)
    if task.family == "multiple_choice":
        points = np.split(fitted.decision_function(found), np.cumsum(widths)[:-1])
        answers: list[Any] = [int(each.argmax()) for each in points]
    else:
        labels = [task.labels[each] for each in fitted.predict(found)]
        ends = np.cumsum(widths).tolist()
        answers = [tuple(labels[end - width : end]) for end, width in zip(ends, widths, strict=True)]
        answers = answers if task.family == "tagging" else [each for (each,) in answers]
    metric = METRICS[task.metric]
    gold = [DECODERS[task.family].gold(example) for example in data.dev]
    return round(metric.score(metric.table(gold, answers, task.english)), 1)


def _vectors(
    encoder: Encoder, data: TrainingSet, examples: Sequence[Any]
) -> tuple[NDArray[np.float32], NDArray[np.int64], list[int]]:
    """Vectors, their labels, and how many vectors each example has."""
    task = data.task
    features = FAMILIES[task.family].encode(task, examples, encoder.tokenizer, task.max_length)
    found: dict[int, tuple[NDArray[np.float32], NDArray[np.int64]]] = {}
    with torch.inference_mode():
        for chosen in plan_batches(features, 4096):
            batch = make_batch(features, chosen, encoder.pad_id)
            ids, mask = send_batch(encoder, batch.ids, batch.mask)
            states = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            for index, rows in zip(chosen.tolist(), _rows(batch.widths), strict=True):
                label = batch.labels[rows if task.family == "tagging" else chosen.tolist().index(index)]
                found[index] = _of_example(task.family, states[rows], mask[rows], label)
    ordered = [found[index] for index in range(len(features))]
    vectors, labels = (np.concatenate(part) for part in zip(*ordered, strict=True))
    return vectors, labels, [len(each) for _, each in ordered]


def _rows(widths: NDArray[np.int64]) -> Iterator[slice]:
    start = 0
    for width in widths.tolist():
        yield slice(start, start + width)
        start += width


def _of_example(
    family: str, states: torch.Tensor, mask: torch.Tensor, label: Any
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors of an example and their labels: of its words, its choices, or itself."""
    if family == "tagging":
        return states.numpy()[label >= 0], label[label >= 0]
    pooled = mean_pool(states, mask).numpy()
    if family == "multiple_choice":
        return pooled, (np.arange(len(pooled)) == label).astype(np.int64)
    return pooled, np.array([label])


if __name__ == "__main__":
    main()
