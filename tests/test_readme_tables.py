"""The README's table of contacts is generated from the declarations. Run this file as a program to print it."""

from __future__ import annotations

from pathlib import Path

from amoot_etl.schema import TABLES

_README = Path(__file__).parent.parent / "README.md"
_BEGIN, _END = "<!-- tables -->\n", "<!-- /tables -->\n"


def table() -> str:
    """Give the columns of `contacts` as the README shows them."""
    lines = ["| column of contacts | type | holds |", "| --- | --- | --- |"]
    for column in TABLES["contacts"].columns:
        holds = column.description.replace("|", "\\|")
        lines.append(f"| {column.name} | {column.type} | {holds} |")
    return "\n".join(lines) + "\n"


def test_readme_shows_the_declared_columns():
    """No column is missing, renamed or told of in other words."""
    text = _README.read_text(encoding="utf-8")
    assert text.partition(_BEGIN)[2].partition(_END)[0] == table()


if __name__ == "__main__":
    print(table())  # noqa: T201 - it is what this file does as a program
