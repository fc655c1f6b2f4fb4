"""A whole small project: a task of every family in files, a tiny encoder, and its recipe."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.where import DEVICE

MOODS = {"glad": "glad happy smile sun", "sad": "sad cry rain grey", "calm": "calm tea sea quiet"}
LANGUAGES = ("en", "sw", "ur")


def _sentence(rng: random.Random, words: str) -> str:
    return " ".join(rng.choices(words.split(), k=rng.randint(2, 8)))


def _questions(texts: Iterable[str]) -> dict[str, Any]:
    """Each asks for the last word of its context."""
    paragraphs = []
    for number, text in enumerate(texts):
        word = text.split()[-1]
        answers = [{"text": word, "answer_start": len(text) - len(word)}]
        paragraphs.append(
            {"context": text, "qas": [{"id": f"q{number}", "question": "good bad", "answers": answers}]}
        )
    return {"data": [{"title": "", "paragraphs": paragraphs}]}


def write_project(folder: Path, model: Path, /, *, examples: int = 24, fit: bool = False, **changes: Any) -> Path:
    """Writes data files and a recipe; returns the recipe's path.

    Its phases are short, and by themselves not fitted to memory; one of 60 examples and three epochs learns.
    """
    rng = random.Random(0)
    data = folder / "data"
    data.mkdir(parents=True)
    for split, languages in {"train": ("en",), "dev": ("en",), "test": LANGUAGES}.items():
        for language in languages:
            rows = [(_sentence(rng, MOODS[mood]), mood) for mood in MOODS for _ in range(examples // 3)]
            rng.shuffle(rows)
            (data / f"mood-{split}-{language}.tsv").write_text("".join(f"{t}\t{m}\n" for t, m in rows))
            tagged = "\n".join("".join(f"{word}\t{m}\n" for word in t.split()) for t, m in rows)
            (data / f"tags-{split}-{language}.tsv").write_text(tagged)
            pairs = "".join(f"{t}\t{' '.join(reversed(t.split()))}\n" for t, _ in rows)
            (data / f"pairs-{split}-{language}.tsv").write_text(pairs)
            (data / f"asked-{split}-{language}.json").write_text(json.dumps(_questions(t for t, _ in rows)))
            (data / f"text-{split}-{language}.txt").write_text("".join(f"{t}\n" for t, _ in rows))
    for split in ("train", "dev"):
        rows = [(_sentence(rng, MOODS[mood]), mood) for mood in MOODS for _ in range(examples // 3)]
        lines = [
            {
                "prompt": text,
                "choices": [_sentence(rng, MOODS[other]) for other in MOODS][: rng.randint(2, 3)],
                "label": min(1, list(MOODS).index(mood)),
            }
            for text, mood in rows
        ]
        (data / f"choice-{split}-en.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    train = {"epochs": 1, "lr": 2e-3, "tokens_per_batch": 128, "checkpoint_every": 4}
    recipe: dict[str, Any] = {
        "name": "small",
        "model": {"id": str(model), "device": DEVICE, "head": "mean"},
        "data": {
            "source": "files",
            "dir": str(data),
            "files": {
                "mood": {split: f"mood-{split}-{{lang}}.tsv" for split in ("train", "dev", "test")},
                "tags": {split: f"tags-{split}-{{lang}}.tsv" for split in ("train", "dev", "test")},
                "choice": {split: f"choice-{split}-{{lang}}.jsonl" for split in ("train", "dev")},
                "pairs": {"test": "pairs-test-{lang}.tsv"},
                "asked": {split: f"asked-{split}-{{lang}}.json" for split in ("train", "dev", "test")},
                "mlm": {"train": "text-train-en.txt"},
            },
        },
        "tasks": {
            "mood": {"family": "classification", "languages": list(LANGUAGES), "labels": list(MOODS)},
            "tags": {"family": "tagging", "languages": list(LANGUAGES), "labels": list(MOODS)},
            "choice": {"family": "multiple_choice", "languages": ["en"]},
            "pairs": {"family": "retrieval", "languages": list(LANGUAGES)},
            "asked": {"family": "qa", "languages": list(LANGUAGES)},
        },
        "intermediate": {"tasks": ["choice"], "module": {"rank": 4, "alpha": 8}, "train": train},
        "target": {"task": "mood", "transfer": "stack", "module": {"rank": 4, "alpha": 8}, "train": train},
        "evaluate": {"bootstrap": 200},
    }
    for key, value in changes.items():
        place = recipe
        *path, last = key.split("__")
        for part in path:
            place = place[part]
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    for section in ("intermediate", "target", "languages"):
        if settings := (recipe.get(section) or {}).get("train"):
            recipe[section]["train"] = {"fit": fit, **settings}  # the caller's own stays as it is
    path_of_recipe = folder / "recipe.yaml"
    path_of_recipe.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path_of_recipe
