"""The sections that are plain tables and sentences: completeness of the set, last changes, issues, doubles, about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from amoot_etl.pipeline.report.feed import jalali_day
from amoot_etl.pipeline.report.fold import SMALLEST
from amoot_etl.pipeline.report.markup import h
from amoot_etl.schema import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from amoot_etl.pipeline.report.figures import Figures
    from amoot_etl.pipeline.report.markup import Child, Element
    from amoot_etl.pipeline.report.reconciled import GroupLine
    from amoot_etl.pipeline.report.words import Words

__all__ = ["about_section", "changes_section", "complete_section", "issues_section", "twice_section"]

_PUBLISHES: Final = 10
_KINDS: Final = ("added", "updated", "removed", "relabelled")


def complete_section(figures: Figures, words: Words) -> Child:
    """Say how far the set is known to be complete, and set the portal's counts beside ours."""
    known = figures.reconciliation
    if known.proved:
        verdict: Child = h("p", words("complete.proved"), class_="good")
    else:
        verdict = h("p", words("complete.not_proved"), " ", _why_not(figures, words), class_="warning")
    counts = {name: words.count(getattr(known, name)) for name in ("received", "repeated", "unreadable")}
    rows: list[list[Child]] = [
        [h("bdi", line.title), words.number(line.portal), words.number(line.ours), _state(line, words)]
        for line in known.lines
    ]
    heads = [words(f"complete.{name}") for name in ("group", "portal", "ours", "state")]
    return [
        verdict,
        h("p", words("complete.received", **counts)),
        h("p", words("complete.agree", agreeing=known.agreeing, groups=known.groups))
        if known.groups
        else None,
        _table(words("complete.what"), heads, rows, numbers=(1, 2)) if rows else None,
        h("p", words("complete.more", count=known.more, few=SMALLEST), class_="note") if known.more else None,
    ]


def _state(line: GroupLine, words: Words) -> Child:
    verdict = ("same", "good") if line.reconciled else ("differs", "warning")
    inferred = None if line.listed else [" ", words("complete.inferred")]
    return [h("span", words(f"complete.{verdict[0]}"), class_=verdict[1]), inferred]


def _why_not(figures: Figures, words: Words) -> Child:
    known = figures.reconciliation
    if not figures.whole:
        return words("complete.some")
    if known.unsettled:
        return words("complete.unsettled", count=words.count(known.unsettled))
    if known.unmentioned:
        return words("complete.unmentioned", count=words.count(known.unmentioned))
    return h("bdi", known.why, lang="en", dir="ltr")


def changes_section(figures: Figures, words: Words) -> Child:
    """Show what the last publishes changed."""
    publishes = figures.feed.publishes
    if not publishes:
        return h("p", words("changes.none"))
    rows = [
        [
            words(
                "run", day=words.day(jalali_day(publish.at.date())), time=words.digits(f"{publish.at:%H:%M}")
            ),
            *(words.count(publish.counts.get(kind, 0)) for kind in _KINDS),
        ]
        for publish in reversed(publishes[-_PUBLISHES:])
    ]
    heads = [words("changes.when"), *(words(f"changes.{kind}") for kind in _KINDS)]
    more = len(publishes) - len(rows)
    return [
        _table(words("changes.what"), heads, rows, numbers=(1, 2, 3, 4)),
        h("p", words("changes.more", count=more), class_="note") if more else None,
    ]


def issues_section(figures: Figures, words: Words) -> Child:
    """Show the issues by rule, what each means, and what to do."""
    if not figures.issues:
        return h("p", words("issues.none"))
    meanings = words.texts["rules"].get("meaning", RULES)
    todo = words.texts["rules"]["todo"]
    rows = [
        [
            h("code", count.rule),
            # This rule counts fields of the portal's, not contacts.
            words.number(count.rows) if count.rule == "unknown_field" else words.count(count.rows),
            meanings.get(count.rule, ""),
            todo.get(count.rule, ""),
        ]
        for count in figures.issues
    ]
    heads = [words(f"issues.{name}") for name in ("rule", "rows", "meaning", "todo")]
    return _table(words("issues.what"), heads, rows, numbers=(1,), narrow="stack")


def twice_section(figures: Figures, words: Words) -> Child:
    """Say how many contacts may be in the book twice."""
    counts = [("mobile", figures.shared_mobile), ("person", figures.same_person)]
    tiles = [
        h("li", h("b", words.count(count)), h("span", words(f"twice.{name}")))
        for name, count in counts
        if count is not None
    ]
    return [h("ul", tiles, class_="tiles"), h("p", words("twice.note"), class_="note")] if tiles else None


def about_section(figures: Figures, words: Words) -> Child:
    """Say what the page leaves out, and where it comes from."""
    return [
        h("h2", words("about.title")),
        h("p", words("about.small", few=SMALLEST)),
        h("p", words("about.offline", run=figures.run_id, version=figures.tool_version)),
    ]


def _table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Iterable[Child]],
    *,
    numbers: tuple[int, ...],
    narrow: str | None = None,
) -> Element:
    """Give a table; where the page is narrow it scrolls inside its own box.

    Args:
        caption: What it shows.
        heads: The columns' headings.
        rows: The first cell of each row is its heading.
        numbers: Which columns hold numbers.
        narrow: `stack` for one whose cells stand below each other where the page is narrow.
    """

    def cell(at: int, content: Child) -> Element:
        kind = "number" if at in numbers else None
        if at == 0:
            return h("th", content, scope="row", role="rowheader", class_=kind)
        return h("td", content, role="cell", class_=kind, data_head=heads[at])

    top = (
        h("th", head, scope="col", role="columnheader", class_="number" if at in numbers else None)
        for at, head in enumerate(heads)
    )
    body = (h("tr", (cell(at, content) for at, content in enumerate(row)), role="row") for row in rows)
    # Stacked, a table is no table to a screen reader: the roles say that it is.
    table = h(
        "table",
        h("caption", caption),
        h("thead", h("tr", top, role="row"), role="rowgroup"),
        h("tbody", body, role="rowgroup"),
        class_=narrow,
        role="table",
    )
    # A box that scrolls can be reached by the keyboard.
    return h("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption)
