"""Writes report, figures and tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowres_stilts.storage import write_file, write_text
from lowres_stilts.study.figures import drawings
from lowres_stilts.study.report import report_html
from lowres_stilts.study.tables import tables
from lowres_stilts.study.training import training_drawings


def write_report_files(results: Mapping[str, Any], folder: Path, *, apart: bool = True) -> None:
    """Writes `report.html`, and figures and tables in folders of their names.

    Args:
        results: what was found.
        folder: where to.
        apart: whether to write figures and tables as files of their own too.

    Raises:
        RunError: something cannot be written.
    """
    drawn, made = [*drawings(results), *training_drawings(results.get("training", []))], tables(results)
    write_text(folder / "report.html", report_html(results, drawn, made))
    if not apart:
        return
    for drawing in drawn:
        write_text(folder / "figures" / f"{drawing.name}.svg", drawing.svg)
        png = drawing.png
        write_file(folder / "figures" / f"{drawing.name}.png", lambda path, png=png: path.write_bytes(png))  # type: ignore[misc]
    for table in made:
        write_text(folder / "tables" / f"{table.name}.csv", table.csv())
        write_text(folder / "tables" / f"{table.name}.md", table.markdown())
        write_text(folder / "tables" / f"{table.name}.tex", table.latex())
