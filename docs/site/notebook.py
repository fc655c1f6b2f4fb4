"""Shows the notebook as a page: its text, its code, and what it printed."""

import json
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).parents[1] / "notebook.ipynb"
PAGE = "notebook.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the page."""
    cells = json.loads(SOURCE.read_text(encoding="utf-8"))["cells"]
    files.append(File.generated(config, PAGE, content="\n\n".join(map(cell_text, cells))))
    return files


def cell_text(cell: dict[str, Any]) -> str:
    """A cell in Markdown."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    shown = "".join(output_text(output) for output in cell["outputs"]).rstrip()
    code = f"```python\n{source}\n```"
    return f"{code}\n\n```text\n{shown}\n```" if shown else code


def output_text(output: dict[str, Any]) -> str:
    """What a cell printed or gave; progress on standard error is left out."""
    if output["output_type"] == "stream":
        return "".join(output["text"]) if output["name"] == "stdout" else ""
    return "".join(output.get("data", {}).get("text/plain", "")) + "\n"
