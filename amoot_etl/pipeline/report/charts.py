"""Charts as tables: the page's style sheet (Charts.css) draws them, and without it they are tables still.

A bar follows the direction of the text. Time runs from left to right in both languages, as Persian press prints it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from amoot_etl.pipeline.report.markup import h

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amoot_etl.pipeline.report.markup import Child, Element

__all__ = ["Heads", "Mark", "area", "bars", "columns"]


class Mark(NamedTuple):
    """One bar, column or point."""

    label: Child
    size: float
    """Its length, 0 to 1 of the axis."""
    value: str
    """What stands beside it."""


class Heads(NamedTuple):
    """What a chart says of itself: to a screen reader, and wherever it is shown as the table that it is."""

    caption: str
    label: str
    """Heading of the labels."""
    value: str
    """Heading of the values."""


def bars(heads: Heads, marks: Sequence[Mark]) -> Element:
    """Give a chart of horizontal bars, from top to bottom."""
    rows = [_row(mark, f"--size: {mark.size:.4f}") for mark in marks]
    return _chart("bar show-labels data-outside", heads, rows)


def columns(heads: Heads, marks: Sequence[Mark]) -> Element:
    """Give a chart of columns, from left to right."""
    rows = [_row(mark, f"--size: {mark.size:.4f}") for mark in marks]
    return _chart("column show-labels data-outside", heads, rows, direction="ltr")


def area(heads: Heads, marks: Sequence[Mark]) -> Element:
    """Give a chart of one line with the area beneath it, from left to right."""
    starts = [mark.size for mark in (marks[0], *marks)]
    rows = [
        _row(mark, f"--start: {start:.4f}; --end: {mark.size:.4f}")
        for mark, start in zip(marks, starts, strict=False)
    ]
    return _chart("area show-labels show-primary-axis", heads, rows, direction="ltr")


def _row(mark: Mark, style: str) -> Element:
    return h(
        "tr",
        h("th", h("span", mark.label, class_="label"), scope="row", role="rowheader"),
        h("td", h("span", mark.value, class_="data"), style=style, role="cell"),
        role="row",
    )


def _chart(kind: str, heads: Heads, rows: Sequence[Element], direction: str | None = None) -> Element:
    # Drawn as blocks, a table is no table to a screen reader: the roles say that it is.
    head = h(
        "tr",
        h("th", heads.label, scope="col", role="columnheader"),
        h("th", heads.value, scope="col", role="columnheader"),
        role="row",
    )
    return h(
        "table",
        h("caption", heads.caption),
        h("thead", head, role="rowgroup"),
        h("tbody", rows, role="rowgroup"),
        class_=f"charts-css {kind}",
        role="table",
        dir=direction,
    )
