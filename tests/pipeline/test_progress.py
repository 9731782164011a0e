"""The bar: text on a terminal, one piece of HTML in a notebook's cell."""

from __future__ import annotations

import io
import sys
import types

import pytest

from amoot_etl import ProgressBar
from amoot_etl.pipeline import progress
from amoot_etl.pipeline.progress import Progress

HALF = Progress(listings=13, listings_landed=4, records=2000, bytes=3_000_000, expected=4000)


@pytest.fixture
def cell(monkeypatch):
    """Stand in for a notebook's kernel, and give what its cell shows, the latest last."""
    shown = []

    class Handle:
        def update(self, bundle, *, raw) -> None:
            shown.append(bundle if raw else None)

    def display(bundle, *, raw, display_id):
        Handle().update(bundle, raw=raw and display_id)
        return Handle()

    kernel = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    return shown


def test_in_a_notebook(cell, capsys):
    """A cell shows a bar that needs no widget, then one line and what was said; nothing goes to stderr."""
    with ProgressBar() as bar:
        bar.watch(HALF)
        assert '<progress value="2000" max="4000">' in cell[-1]["text/html"]
        assert "2,000 of 4,000 records, 4 of 13 listings, 3 MB" in cell[-1]["text/plain"]
        bar.retry("ContactList", 1.5, "ContactList: <b>503</b>")
        assert "&lt;b&gt;503" in cell[-1]["text/html"]
        bar.watch(HALF._replace(listings_landed=13, records=4100))
    assert "<progress" not in cell[-1]["text/html"]
    said, told = cell[-1]["text/plain"].split("\n")
    assert said == "amoot-etl: ContactList: <b>503</b>; trying again in 1.5 s"
    assert told.startswith("4,100 records, 13 of 13 listings, 3 MB")
    assert capsys.readouterr() == ("", "")


def test_a_notebook_is_told_now_and_then(cell, monkeypatch):
    """However often a run tells of itself, a browser gets a few messages a second, and the last state at the end."""
    monkeypatch.setattr(progress, "_REDRAWN", 60.0)
    with ProgressBar() as bar:
        for records in range(500):
            bar.watch(HALF._replace(records=records))
        drawn = len(cell)
    assert drawn == 2
    assert cell[-1]["text/plain"].startswith("499 records")


def test_time_left_in_a_notebook(cell, monkeypatch):
    """Half of it read in 90 seconds leaves another 90."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with ProgressBar() as bar:
        clock[0] = 90.0
        bar.watch(HALF)
        assert "1:30 left" in cell[-1]["text/plain"]


def test_on_a_terminal(monkeypatch):
    """Text goes to the file that was named, a retry stands on a line of its own, and the bar goes at the end."""
    screen = io.StringIO()
    with ProgressBar(screen) as bar:
        bar.watch(HALF)
        bar.retry("ContactList", 1.5, "ContactList: HTTP 503")
    assert "2.00k/4.00k contacts" in screen.getvalue()
    assert "4 of 13 listings, 3 MB" in screen.getvalue()
    assert "amoot-etl: ContactList: HTTP 503; trying again in 1.5 s\n" in screen.getvalue()
    assert screen.getvalue().split("\r")[-1].strip() == ""


def test_a_file_is_drawn_to_even_in_a_notebook(cell):
    """Who names a file gets text in it."""
    screen = io.StringIO()
    with ProgressBar(screen) as bar:
        bar.watch(HALF)
    assert screen.getvalue()
    assert cell == []
