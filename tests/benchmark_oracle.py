"""XTREME's figures a second time, plainly, from the label folder's layout."""

import collections
import json
import re
import string
import unicodedata
import warnings

from seqeval.metrics import f1_score, precision_score, recall_score
from transformers.data.metrics.squad_metrics import normalize_answer

from lowres_stilts.evaluation.benchmark import BENCHMARKS
from tests.submissions import LABELS, TAGS, submission_languages

ARTICLES = {
    "en": "a an the",
    "es": "un una unos unas el la los las",
    "vi": "của là cái chiếc những",
    "de": "ein eine einen einem eines einer der die das den dem des",
}


def benchmark_scores(name, predictions, references):
    """All figures of a complete submission."""
    benchmark = BENCHMARKS[name]
    details = {}
    for task in benchmark.tasks:
        figures = collections.defaultdict(dict)
        for language in submission_languages(benchmark, task):
            (file,) = (references / task).glob(f"test-{language}.*")
            scores = _scores(task, language, file.read_text(), (predictions / task / file.name).read_text())
            for figure, value in scores.items():
                figures[figure][language] = value
        averages = {f"avg_{figure}": sum(values.values()) / len(values) for figure, values in figures.items()}
        if task in benchmark.groups["qa"]:
            average = (averages["avg_exact_match"] + averages["avg_f1"]) / 2
        else:
            average = averages.get("avg_f1", averages.get("avg_accuracy", averages.get("avg_map_at_20")))
        details[task] = {**figures, **averages, "avg_metric": average}
    groups = {"all_task": benchmark.tasks, **benchmark.groups}
    return {
        group: sum(details[task]["avg_metric"] for task in tasks) / len(tasks) for group, tasks in groups.items()
    } | details


def _scores(task, language, gold, predicted):
    if task in LABELS:
        labels, guesses = gold.split("\n")[:-1], predicted.split("\n")[:-1]
        return {
            "accuracy": len([1 for pair in zip(labels, guesses, strict=True) if len({*pair}) == 1])
            / len(labels)
            * 100
        }
    if task in TAGS:
        sides = [[block.split("\n") for block in side.strip().split("\n\n")] for side in (gold, predicted)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {
                "f1": f1_score(*sides) * 100,
                "precision": precision_score(*sides) * 100,
                "recall": recall_score(*sides) * 100,
            }
    if task == "bucc2018":
        true, found = ({*side.splitlines()} for side in (gold, predicted))
        precision, recall = len(true & found) / len(found), len(true & found) / len(true)
        f1 = 2 * precision * recall / (precision + recall) if true & found else 0
        return {"f1": f1 * 100, "precision": precision * 100, "recall": recall * 100}
    gold, predicted = json.loads(gold), json.loads(predicted)
    if task in {"lareqa", "mewslix"}:
        return {
            "map_at_20": sum(_average_precision(ids, predicted.get(query, [])) for query, ids in gold.items())
            / len(gold)
            * 100
        }
    return _answer_scores(gold, predicted.get("data", predicted), language if task == "mlqa" else None)


def _average_precision(right, ranked):
    first = {candidate: rank for rank, candidate in reversed([*enumerate(ranked[:20], 1)])}
    ranks = sorted(first[candidate] for candidate in right if candidate in first)
    return sum((hit / rank for hit, rank in enumerate(ranks, 1)), 0.0) / min(len(right), 20)


def _answer_scores(gold, predicted, language):
    exact = f1 = 0
    questions = gold["data"][0]["paragraphs"][0]["qas"]
    for question in questions:
        if question["id"] in predicted:
            ours = _tokens(predicted[question["id"]], language)
            theirs = [_tokens(answer["text"], language) for answer in question["answers"]]
            exact += ours in theirs
            f1 += max(_overlap(ours, tokens) for tokens in theirs)
    return {"exact_match": 100 * exact / len(questions), "f1": 100 * f1 / len(questions)}


def _tokens(text, language):
    if language is None:
        return normalize_answer(text).split()
    text = "".join(c for c in text.lower() if unicodedata.category(c)[0] != "P" and c not in string.punctuation)
    if language == "ar":
        text = text.replace("ال", " ")
    if language == "zh":
        return re.findall(r"[一-龥]|[^\s一-龥]+", text)
    return [token for token in text.split() if token not in ARTICLES.get(language, "").split()]


def _overlap(ours, theirs):
    left = list(theirs)
    common = 0
    for token in ours:
        if token in left:
            left.remove(token)
            common += 1
    if not common:
        return 0
    precision, recall = common / len(ours), common / len(theirs)
    return 2 * precision * recall / (precision + recall)
