import copy

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT
from tests.docs.pages import agrees
from tests.docs.shown import shown

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def printed(cell):
    return "".join(output["text"] for output in cell["outputs"] if output.get("name") == "stdout")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Jupyter's own libraries warn of each other
def test_the_notebook_runs_and_prints_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with shown(NOTEBOOK, "whole"):
        before = nbformat.read(NOTEBOOK, as_version=4)
        now = copy.deepcopy(before)
        NotebookClient(
            now, timeout=1500, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
        for printing, printed_now in zip(before.cells, now.cells, strict=True):
            if printing.cell_type == "code":
                assert agrees(printed(printing), printed(printed_now)), printed(printed_now)


def test_what_the_notebook_shows_is_of_no_one_machine():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    assert {output.get("name") for output in outputs} == {"stdout"}
    assert not any("/tmp" in output["text"] or "/home" in output["text"] for output in outputs)
