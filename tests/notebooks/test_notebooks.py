"""The notebooks run from a clean state, and what is stored in them is what a run gives."""

from __future__ import annotations

import base64
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]


def _store():
    """Give the script that runs and stores notebooks, which stands beside them."""
    spec = importlib.util.spec_from_file_location("store", ROOT / "notebooks" / "store.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STORE = _store()
NOTEBOOKS = STORE.notebooks()
PERSONAL = re.compile(r"token-|/root|/home/\w|/tmp/|AMOOT_TOKEN=\S")


def outputs(notebook):
    """Give the outputs of each cell; of a picture only that it is one, for its bytes hang on the library."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                found.append(output.text)
            elif "image/png" in output.data:
                assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
                found.append("a picture")
            else:
                found.append(output.data["text/plain"])
    return found


def test_there_are_five():
    """The five notebooks are there, in the order in which they are read."""
    assert [path.stem for path in NOTEBOOKS] == [
        "01-first-export",
        "02-explore-contacts",
        "03-data-quality",
        "04-birthdays-and-occasions",
        "05-changes-over-time",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_stored_can_be_read_on_a_code_host(path):
    """Every cell of code has run, in order; there is a picture; nothing of the machine that stored it is in it."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert "a picture" in outputs(notebook)
    assert not PERSONAL.search(text)
    assert notebook.cells[0].source.startswith("# ")
    # A reader's own account is one word away, and its token is asked for, not typed into a cell.
    assert any("connect(demo=True)  # your own: connect()" in cell.source for cell in code)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_runs_from_a_clean_state(path, tmp_path, monkeypatch):
    """In an empty folder, without token or settings, it runs without a warning to the outputs that are stored."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    folder = tmp_path / "empty"
    folder.mkdir()
    stored = nbformat.read(path, as_version=4)
    assert outputs(STORE.run(path, folder)) == outputs(stored)
    assert not list(folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "what"),
    [("import sys; print('look out', file=sys.stderr)", "stderr"), ("1 / 0", "ZeroDivisionError")],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_that_warns_or_fails_is_seen(source, what, tmp_path):
    """A warning in a cell, or an error, does not pass."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    path = tmp_path / "bad.ipynb"
    nbformat.write(notebook, path)
    with pytest.raises(Exception, match=what):
        STORE.run(path, tmp_path)
