"""Small submissions to XTREME and XTREME-R, built by code, in the layout of XTREME's label folder."""

import json
import random
from pathlib import Path
from typing import Any

from lowres_stilts.evaluation.benchmark import BENCHMARKS, Benchmark
from lowres_stilts.tasks.catalog.labels import NER, UPOS

LABELS = {
    "xnli": ("contradiction", "entailment", "neutral"),
    "pawsx": ("0", "1"),
    "xcopa": ("0", "1"),
    "tatoeba": tuple("01234"),
}
TAGS = {"panx": NER, "udpos": UPOS}
WORDS = "the an a el las der die của ال البيت cat, Haus ¿qué? 猫 我们 2019 «x» !".split()


def submission_languages(benchmark: Benchmark, task: str) -> tuple[str, ...]:
    """As the benchmark has them, or two; MLQA has no Swahili."""
    return benchmark.languages.get(task) or (("en", "zh") if task == "mlqa" else ("sw", "zh"))


def write_submission(folder: Path, name: str, *, seed: int = 0, right: float = 0.6) -> tuple[Path, Path]:
    """Predictions and references of every file of a benchmark; about so many predictions are `right`."""
    rng = random.Random(seed)
    benchmark = BENCHMARKS[name]
    predictions, references = folder / "predictions", folder / "references"
    for task in benchmark.tasks:
        for language in submission_languages(benchmark, task):
            gold, answers, suffix = _files(rng, task, right)
            for root, content in ((references, gold), (predictions, answers)):
                path = root / task / f"test-{language}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
    return predictions, references


def _files(rng: random.Random, task: str, right: float) -> tuple[str, str, str]:
    if task in LABELS:
        gold = rng.choices(LABELS[task], k=rng.randint(5, 30))
        return _lines(gold), _lines(_noisy(rng, gold, LABELS[task], right)), "tsv"
    if task in TAGS:
        sentences = [rng.choices(TAGS[task], k=rng.randint(1, 9)) for _ in range(rng.randint(2, 8))]
        guesses = [_noisy(rng, tags, TAGS[task], right) for tags in sentences]
        return "\n".join(map(_lines, sentences)), "\n".join(map(_lines, guesses)) + "\n", "tsv"
    if task == "bucc2018":
        pairs = [f"xx-{number}\ten-{rng.randint(0, 9)}" for number in rng.choices(range(30), k=20)]
        return _lines(pairs), _lines([pair for pair in pairs if rng.random() < right] + ["xx-99\ten-1"]), "tsv"
    if task in {"lareqa", "mewslix"}:
        return *_ranking_files(rng, task), "json"
    return *_answer_files(rng, right), "json"


def _ranking_files(rng: random.Random, task: str) -> tuple[str, str]:
    entities = [f"Q{number}" for number in range(40)]
    gold = {str(query): rng.sample(entities, 1 if task == "mewslix" else 3) for query in range(rng.randint(3, 9))}
    ranked = {query: rng.choices(entities, k=25) for query in gold if query != "0"}
    return json.dumps(gold), json.dumps(ranked)


def _answer_files(rng: random.Random, right: float) -> tuple[str, str]:
    questions = [
        {
            "id": str(number),
            "question": "?",
            "answers": [{"text": _text(rng), "answer_start": 0} for _ in range(3)],
        }
        for number in range(rng.randint(4, 20))
    ]
    answers = {
        question["id"]: question["answers"][1]["text"] if rng.random() < right / 2 else _text(rng)
        for question in questions[1:]
    }
    data = [{"title": "", "paragraphs": [{"context": "", "qas": questions}]}]
    under_data = rng.random() < 0.5
    return json.dumps({"version": "1.1", "data": data}), json.dumps({"data": answers} if under_data else answers)


def _text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))


def _noisy(rng: random.Random, gold: list[str], labels: tuple[str, ...], right: float) -> list[str]:
    return [label if rng.random() < right else rng.choice(labels) for label in gold]


def _lines(lines: Any) -> str:
    return "".join(f"{line}\n" for line in lines)
