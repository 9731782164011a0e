"""The bar in a real kernel, told by the threads of a real export."""

from __future__ import annotations

import nbclient
import nbformat
import pytest

CELL = """
from amoot_etl import ProgressBar, export
from amoot_etl.notebook import connect

account = connect(demo=True, contacts=300)
with ProgressBar() as bar:
    result = export(account.settings, portal="demo", watch=bar.watch, on_retry=bar.retry)
    bar.retry("ContactList", 1.0, "ContactList: HTTP 503")
result
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what Jupyter says of itself
def test_a_cell_that_exports(tmp_path, monkeypatch):
    """A cell's output is one line of the bar, the retry above it, and a result that fits on a screen; no warnings."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    bar, result = notebook.cells[0].outputs
    assert bar.output_type == "display_data"
    said, told = bar.data["text/plain"].split("\n")
    assert said == "amoot-etl: ContactList: HTTP 503; trying again in 1.0 s"
    assert "13 of 13 listings" in told
    assert "<progress" not in bar.data["text/html"]
    assert len(result.data["text/plain"]) < 400
