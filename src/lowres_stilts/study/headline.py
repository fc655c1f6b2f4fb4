"""The findings in words, with their numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from lowres_stilts.data.withheld import answers_unknown


def study_headline(results: Mapping[str, Any]) -> list[str]:
    """A few sentences; nothing is called a gain that could be noise."""
    cells, rows = results["cells"], [row for row in results["rows"] if row["gain"]]
    lines = []
    if results["overall"]:
        whole = results["overall"]
        lines.append(
            f"Over all {len(rows)} combinations, the intermediate phase changes the {_kind_of_score(rows)} by "
            f"{signed(whole)} points on the mean{_noise(whole)}."
        )
    calls = [row["gain"]["call"] for row in rows]
    if "one seed" in calls:
        lines.append("With one seed, no single difference is called a gain: another seed might turn it around.")
    elif rows:
        lines.append(
            f"{calls.count('gain')} of {len(rows)} combinations gain, {calls.count('loss')} lose, and "
            f"{calls.count('undecided')} could be noise (level {results['alpha']:g} over the whole grid, Holm)."
        )
    gains = [row for row in rows if row["gain"]["call"] == "gain"]
    if gains:
        best = max(gains, key=lambda row: float(row["gain"]["value"]))
        lines.append(f"The largest gain: {best['target']} after {best['intermediate']}, {signed(best['gain'])}.")
    if claims := results["claims"]:
        verdicts = [claim["verdict"] for claim in claims]
        counted = [f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts)]
        lines.append(f"Of {len(claims)} claims: {', '.join(counted)}, at this scale.")
    lines += _unscored(results)
    if cells["finished"] < cells["planned"]:
        lines.append(f"{cells['planned'] - cells['finished']} of {cells['planned']} cells are not finished.")
    return lines or ["Nothing is finished yet."]


def _kind_of_score(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row whose languages all had labels is a mean over those."""
    with_labels = any(row.get("labelled") and {*row["languages"]} <= {*row["labelled"]} for row in rows)
    return "score" if with_labels else "zero-shot score"


def run_headline(results: Mapping[str, Any]) -> list[str]:
    """The same for runs, each of one seed."""
    lines = []
    for row in results["rows"]:
        where = f"{row['target']} with {row['model']}"
        if row["gain"] is None:
            lines.append(f"{where}: {plain(row['score'])} points on the mean over languages.")
        else:
            lines.append(
                f"{where}, after {row['intermediate']}: {plain(row['baseline'])} without the intermediate phase, "
                f"{plain(row['score'])} with it, {signed(row['gain'])} points{_noise(row['gain'])}."
            )
        if row.get("labelled"):
            lines.append(_with_labels(row))
    if any(row["gain"] for row in results["rows"]):
        lines.append("Intervals are over examples only: another seed might turn a difference around.")
    lines += _unscored(results)
    lines += [f"Warning: {line}." for line in results.get("worries", [])]
    targets = list(dict.fromkeys(row["target"] for row in results["rows"]))
    if len(targets) > 1:
        lines.append(f"{' and '.join(targets)} are different tasks: gains compare, scores do not.")
    return lines


def _with_labels(row: Mapping[str, Any]) -> str:
    """Where a score is not zero-shot."""
    said = f"Labels of {row['target']} in {', '.join(row['labelled'])} were learned"
    others = [code for code in row["languages"] if code not in row["labelled"]]
    mean = f"; the mean is over {', '.join(others)}, zero-shot" if others else ""
    return f"{said}: no score there is zero-shot{mean}."


def _unscored(results: Mapping[str, Any]) -> list[str]:
    """Targets with predictions and no score."""
    return [
        f"Predictions written, answers not known: {answers_unknown(**told)}."
        for told in results.get("without_answers", [])
    ]


def signed(found: Mapping[str, Any]) -> str:
    """A difference with its interval."""
    low, high = found["ci95"]
    return f"{found['value']:+.1f} [{low:+.1f}, {high:+.1f}]"


def plain(found: Mapping[str, Any]) -> str:
    """A score with its interval."""
    low, high = found["ci95"]
    return f"{found['value']:.1f} [{low:.1f}, {high:.1f}]"


def _noise(found: Mapping[str, Any]) -> str:
    low, high = found["ci95"]
    return ", which could be noise" if low <= 0 <= high else ""
