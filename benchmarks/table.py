"""Show the lines: on the screen, and in the README between its marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.targets import Line

__all__ = ["HEADINGS", "PERSIAN_HEADINGS", "between_marks", "markdown", "on_screen"]

HEADINGS: Final = ("measured", "ours", "beside", "figure", "target", "met")
PERSIAN_HEADINGS: Final = ("آنچه سنجیده شد", "ما", "در کنار", "رقم", "هدف", "رسید؟")


def on_screen(line: Line) -> str:
    """Give a line for the terminal.

    >>> from benchmarks.targets import at_most
    >>> on_screen(at_most("start", "90 ms", "20 ms", 70, 150, "ms")).split()
    ['start', '90', 'ms', '20', 'ms', '70', 'ms', '≤', '150', 'ms', 'yes']
    """
    about, ours, beside, figure, target, met = line.cells
    return (
        f"{about.replace('`', ''):<86} {ours:>10} {beside:>10} {figure:>14} {target:>17} {met.strip('*'):>8}"
    )


def markdown(lines: Iterable[Sequence[str]], headings: Sequence[str] = HEADINGS) -> str:
    """Give rows of cells as a Markdown table."""
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def between_marks(path: Path, parts: Mapping[str, str]) -> None:
    """Put texts into a file, each between its two marks.

    Args:
        path: The file.
        parts: Mark to text: `<!-- mark -->` begins it, `<!-- end -->` ends it.

    Raises:
        ValueError: A mark is not there.
    """
    text = path.read_text("utf-8")
    for mark, part in parts.items():
        before, begin, rest = text.partition(f"<!-- {mark} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not begin or not end:
            raise ValueError(f"{path.name} has no place for {mark}")
        text = f"{before}{begin}\n{part}\n\n{end}{after}"
    path.write_text(text, "utf-8")
