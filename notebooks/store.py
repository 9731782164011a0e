"""Run the notebooks from a clean state and store what they show: `python notebooks/store.py [NAME ...]`.

What is stored is what readers see on a code host. It holds no time, no run and no path, so that a second run
stores the same. A notebook that asks for a token, writes to stderr or fails is not stored.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
KEPT = ("text/plain", "text/html", "image/png")


def notebooks() -> list[Path]:
    """Give the notebooks, in the order in which they are read."""
    return sorted(HERE.glob("[0-9]*.ipynb"))


def run(path: Path, folder: Path) -> Any:
    """Give a notebook as it looks after a run in a folder, from an empty state.

    Raises:
        CellExecutionError: A cell fails.
        ValueError: A cell writes to stderr: a reader would see a warning.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                raise ValueError(f"{path.name}: a cell writes to stderr: {output.text}")
            if "data" in output:
                output.data = {kind: output.data[kind] for kind in KEPT if kind in output.data}
                output.metadata = {}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main(names: list[str]) -> None:
    """Run and store the notebooks named, or all."""
    for path in notebooks():
        if not names or any(name in path.name for name in names):
            with tempfile.TemporaryDirectory() as folder:
                nbformat.write(run(path, Path(folder)), path)
            print(f"{path.name} is stored")


if __name__ == "__main__":
    main(sys.argv[1:])
