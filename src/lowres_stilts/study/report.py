"""The report as one HTML file: no script, nothing fetched, light and dark, for screens and for paper."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from lowres_stilts.study.figures import Drawing, themed
from lowres_stilts.study.headline import signed
from lowres_stilts.study.languages import language_of
from lowres_stilts.study.tables import Table

SHOWN_ROWS = 60
"""Tables longer than this stand folded."""


def report_html(results: Mapping[str, Any], drawings: Sequence[Drawing], tables: Sequence[Table]) -> str:
    """The whole page."""
    style = files("lowres_stilts.study").joinpath("report.css").read_text(encoding="utf-8")
    study = results["study"]
    sections = [
        ("claims", "Claims", _claims(results)),
        ("figures", "Figures", "".join(_figure(drawing) for drawing in drawings)),
        ("tables", "Tables", "".join(_table(table) for table in tables if table.name != "claims")),
        ("samples", "Sample predictions", _samples(results)),
        ("failures", "What failed", _failures(results)),
        ("made", "How it was made", _made(results)),
    ]
    sections = [section for section in sections if section[2]]
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, _ in sections)
    body = "".join(
        f'<section id="{name}"><h2>{title}</h2>{content}</section>' for name, title, content in sections
    )
    headline = "".join(f"<p>{escape(line)}</p>" for line in results["headline"])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(study['title'])}</title><style>{style}</style></head>\n<body><main>"
        f'<header><h1>{escape(study["title"])}</h1><p class="question">{escape(study["question"])}</p>'
        f'<div class="headline">{headline}</div><nav aria-label="Sections"><ul>{links}</ul></nav></header>\n'
        f"{body}\n</main></body></html>\n"
    )


def _claims(results: Mapping[str, Any]) -> str:
    if not results.get("claims"):
        return ""
    rows = "".join(_claim(claim) for claim in results["claims"])
    return (
        "<p>Each claim beside what was measured, with its 95% interval over examples and seeds. A claim is "
        "supported or not supported only where the interval leaves no doubt after Holm's correction over all "
        "claims; what is undecided may be true at a larger scale.</p>"
        '<div class="wide"><table class="claims"><thead><tr><th>claim</th><th>paper</th><th>measured here</th>'
        f"<th>verdict at this scale</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _claim(claim: Mapping[str, Any]) -> str:
    found, verdict = claim["measured"], claim["verdict"]
    if found is None:
        measured = "–"
    elif found["unit"] == "points":
        measured = f"{signed(found)} points, {found['seeds']} seeds"
    else:
        low, high = found["ci95"]
        measured = f"r = {found['value']:.2f} [{low:.2f}, {high:.2f}], {found['n']} points"
    notes = "; ".join(dict.fromkeys(filter(None, (claim["why"], claim["note"]))))
    return (
        f"<tr><td>{escape(claim['claim'])}</td>"
        f'<td data-name="paper">{escape(claim["paper"] or "–")}</td>'
        f'<td data-name="measured" class="figure">{measured}</td>'
        f'<td data-name="verdict"><span class="{verdict.replace(" ", "-")}">{verdict}</span>'
        f'<br><span class="small">{escape(notes)}</span></td></tr>'
    )


def _figure(drawing: Drawing) -> str:
    caption = f"<figcaption>{escape(drawing.caption)}</figcaption>" if drawing.caption else ""
    return (
        f'<figure id="figure-{drawing.name}"><h3>{escape(drawing.title)}</h3>'
        f'<div class="wide">{themed(drawing)}</div>'
        f"{caption}</figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    is_open = " open" if len(table.rows) <= SHOWN_ROWS else ""
    return (
        f"<details{is_open}><summary>{escape(table.title)} ({len(table.rows)})</summary>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def _samples(results: Mapping[str, Any]) -> str:
    return "".join(_of_target(found) for found in results.get("samples", []))


def _of_target(found: Mapping[str, Any]) -> str:
    languages = "".join(
        f"<h4>{escape(language_of(code).name)}</h4>{''.join(_sample(sample, code) for sample in samples)}"
        for code, samples in found["languages"].items()
    )
    source = ", ".join(filter(None, (found["citation"], found["licence"])))
    return (
        f"<details><summary>{escape(found['target'])}, {escape(found['system'])}</summary>"
        f'<p class="small">Text of the data set: {escape(source)}</p>{languages}</details>'
    )


def _sample(sample: Mapping[str, str], code: str) -> str:
    language = language_of(code)
    direction = "rtl" if language.right_to_left else "ltr"

    def line(label: str, key: str) -> str:
        text = f'<bdi lang="{escape(language.tag)}" dir="auto">{escape(sample[key] or "–")}</bdi>'
        return f'<p><span class="label">{label}</span> {text}</p>'

    whole = f'<p lang="{escape(language.tag)}" dir="{direction}">{escape(sample["text"])}</p>'
    mark = "right" if sample["gold"] == sample["predicted"] else "predicted"
    answer = line(mark, "predicted") if mark == "right" else line("gold", "gold") + line(mark, "predicted")
    return f'<div class="sample">{whole}{answer}</div>'


def _failures(results: Mapping[str, Any]) -> str:
    rows = results.get("failures", [])
    items = "".join(f"<li>{escape(row['step'])}: {escape(row['error'])}</li>" for row in rows)
    return f"<ul>{items}</ul>" if rows else ""


def _made(results: Mapping[str, Any]) -> str:
    return "".join(_parts(results))


def _trained_on(results: Mapping[str, Any]) -> str:
    if any(row.get("labelled") for row in results["rows"]):
        return "those whose labels were learned, where there are such"
    return "English, the language of training"


def _parts(results: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"<p>Scores are points from 0 to 100, means over languages without {_trained_on(results)}. "
        "Intervals are 95% percentile bootstraps, paired: systems that are compared share the resampled examples"
        + (" and seeds" if results["kind"] == "study" else "")
        + ".</p>"
    )
    yield f"<p>Resource levels of languages and distances from English: {escape(results['language_source'])}.</p>"
    models = results.get("models", {})
    if models:
        items = "".join(
            f"<li>{escape(name)}: {told['parameters']['all'] / 1e6:.1f}M parameters, "
            f"{told['parameters']['without_embeddings'] / 1e6:.1f}M without embeddings; linear layers "
            f"{escape(told['quantize'])}, embeddings {escape(told['embeddings'])}, {escape(told['compute'])}; "
            f"SHA-256 of the weights {escape(str(told['weights_sha256'])[:16])}…</li>"
            for name, told in models.items()
        )
        yield f"<ul>{items}</ul>"
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    yield f"<p>Versions: {escape(versions)}.</p>"
    for title, key in (("The study", "settings"), ("The recipe of its first cell", "recipe")):
        if results.get(key):
            shown = title if results["kind"] == "study" else "The recipe"
            yield f"<details><summary>{shown}</summary><pre>{escape(results[key])}</pre></details>"
