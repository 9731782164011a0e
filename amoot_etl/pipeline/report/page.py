"""The page: one section a subject, in the order in which a reader asks."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from amoot_etl.pipeline.report.charts import Heads, Mark, area, bars, columns
from amoot_etl.pipeline.report.feed import jalali_day
from amoot_etl.pipeline.report.fold import is_small
from amoot_etl.pipeline.report.markup import h, page_text
from amoot_etl.pipeline.report.tables import (
    about_section,
    changes_section,
    complete_section,
    issues_section,
    twice_section,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amoot_etl.pipeline.report.figures import Figures
    from amoot_etl.pipeline.report.fold import Folded
    from amoot_etl.pipeline.report.markup import Child, Element
    from amoot_etl.pipeline.report.words import Words

__all__ = ["page"]

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser may do for this page: apply its own style, and nothing else."""

_STYLES: Final = ("vendor/charts.css.LICENSE.txt", "vendor/charts.min.css", "report.css")


_TWO: Final = 2
"""A line has two ends."""


def page(figures: Figures, words: Words) -> str:
    """Give the whole page.

    Args:
        figures: What it tells.
        words: The language that it speaks.
    """
    sections = list(_sections(figures, words))
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("meta", name="referrer", content="no-referrer"),
        h("meta", name="robots", content="noindex"),
        h("title", words("title")),
        h("style", _style()),
    )
    links = [h("li", h("a", title, href=f"#{name}")) for name, title, _ in sections]
    body = h(
        "body",
        _header(figures, words),
        h("nav", h("ul", links), aria_label=words("skip")),
        h(
            "main",
            (
                h(
                    "section",
                    h("h2", title, id=f"{name}-title"),
                    content,
                    id=name,
                    aria_labelledby=f"{name}-title",
                )
                for name, title, content in sections
            ),
        ),
        h("footer", about_section(figures, words)),
    )
    return page_text(h("html", head, body, lang=words.language, dir=words.direction))


def _style() -> str:
    home = resources.files(__package__)
    license_text, *sheets = (home.joinpath(name).read_text(encoding="utf-8") for name in _STYLES)
    return "\n".join([f"/* Charts.css\n{license_text}*/", *sheets])


def _header(figures: Figures, words: Words) -> Element:
    if figures.as_of is None:
        as_of = words("head.unknown_time")
    else:
        as_of = words("head.as_of", moment=words.moment(figures.as_of, jalali_day(figures.as_of.date())))
    facts = [("portal", figures.base_url), ("account", figures.account), ("run", figures.run_id)]
    return h(
        "header",
        h("h1", words("title")),
        h("p", as_of, class_="as-of"),
        h("dl", ((h("dt", words(f"head.{name}")), h("dd", h("bdi", text))) for name, text in facts if text)),
        None if figures.whole else h("p", words("head.some"), class_="warning"),
    )


def _sections(figures: Figures, words: Words) -> Iterator[tuple[str, str, Child]]:
    """Give the sections that there are figures for: name, title, content."""
    made: dict[str, Callable[[Figures, Words], Child]] = {
        "totals": _totals,
        "complete": complete_section,
        "updates": _updates,
        "growth": _growth,
        "changes": changes_section,
        "groups": _groups,
        "overlap": _overlap,
        "operators": _operators,
        "genders": _genders,
        "cities": _cities,
        "fields": _fields,
        "issues": issues_section,
        "twice": twice_section,
    }
    for name, make in made.items():
        content = make(figures, words)
        if content is not None:
            yield name, words(f"{name}.title"), content


def _totals(figures: Figures, words: Words) -> Child:
    numbers = [
        ("contacts", words.number(figures.contacts)),
        ("alive", words.count(figures.alive, of=figures.contacts)),
        ("active", None if figures.active is None else words.count(figures.active, of=figures.alive)),
        (
            "reachable",
            None if figures.reachable is None else words.count(figures.reachable, of=figures.alive),
        ),
        ("groups", words.number(figures.groups)),
        ("memberships", words.count(figures.memberships)),
    ]
    tiles = [
        h("li", h("b", number), h("span", words(f"totals.{name}")))
        for name, number in numbers
        if number is not None
    ]
    return [h("ul", tiles, class_="tiles"), h("p", words("totals.note"), class_="note")]


def _updates(figures: Figures, words: Words) -> Child:
    if not figures.months:
        return h("p", words("updates.none"))
    top = max((count or 0 for _, count in figures.months), default=0) or 1
    marks = [
        Mark(
            words.digits(month),
            (count or 0) / top,
            words("updates.folded") if count is None else words.count(count, of=figures.alive),
        )
        for month, count in figures.months
    ]
    rest = figures.other_months
    return [
        _caption(words("updates.what")),
        columns(_heads("updates", words), marks),
        h("p", words("updates.rest", count=words.count(rest)), class_="note") if rest else None,
    ]


def _growth(figures: Figures, words: Words) -> Child:
    sizes = figures.sizes
    if len(sizes) < _TWO:
        return h("p", words("growth.none"))
    counts = [size.contacts for size in sizes]
    low, high = min(counts), max(counts)
    if low == high:
        return h("p", words("growth.same", count=high, since=words.digits(sizes[0].period)))
    # The line should show the change: the axis begins a little below the lowest point.
    floor = max(0, low - max(1, (high - low) // 3))
    marks = [
        Mark(words.digits(size.period), (size.contacts - floor) / (high - floor), words.number(size.contacts))
        for size in sizes
    ]
    return [
        _caption(words("growth.what")),
        area(_heads("growth", words), marks),
        h("p", words("growth.floor", floor=floor), class_="note") if floor else None,
    ]


def _groups(figures: Figures, words: Words) -> Child:
    if not figures.group_sizes.total:
        return h("p", words("groups.none"))
    return _folded("groups", figures.group_sizes, words, of=figures.alive)


def _overlap(figures: Figures, words: Words) -> Child:
    if not figures.groups:
        return None
    pairs = [
        Mark(
            [h("bdi", pair.larger), " ∩ ", h("bdi", pair.smaller)],
            pair.shared / figures.pairs[0].shared,
            words("number.share", count=pair.shared, share=words.percent(pair.shared, pair.of)),
        )
        for pair in figures.pairs
    ]
    heads = _heads("overlap", words, "pairs")
    return [
        _folded("overlap", figures.group_numbers, words, label=_number_of_groups(words)),
        [_caption(heads.caption), bars(heads, pairs)] if pairs else h("p", words("overlap.none")),
    ]


def _number_of_groups(words: Words) -> Callable[[str], Child]:
    def label(number: str) -> Child:
        return (
            words(f"overlap.number_{number}")
            if number in "01"
            else words("overlap.number", number=int(number))
        )

    return label


def _operators(figures: Figures, words: Words) -> Child:
    return _named("operators", figures.operators, words)


def _genders(figures: Figures, words: Words) -> Child:
    return _named("genders", figures.genders, words)


def _cities(figures: Figures, words: Words) -> Child:
    return None if figures.cities is None else _folded("cities", figures.cities, words)


def _named(section: str, folded: Folded | None, words: Words) -> Child:
    """Give the bars of a list whose names the language may have its own words for."""
    if folded is None:
        return None
    names = words.texts[section]["names"]
    return _folded(section, folded, words, label=lambda name: names.get(name) or h("bdi", name))


def _folded(
    section: str,
    folded: Folded,
    words: Words,
    label: Callable[[str], Child] = lambda name: h("bdi", name),
    *,
    of: int | None = None,
) -> Child:
    """Give the bars of a list that parts all contacts, and a line about the rest; shares are of its total, or `of`."""
    top = folded.parts[0].size if folded.parts else 1
    marks = [
        Mark(
            words(f"{section}.missing") if part.name is None else label(part.name),
            part.size / top,
            _counted(part.size, folded.total, words, share_of=folded.total if of is None else of),
        )
        for part in folded.parts
    ]
    rest = words(f"{section}.rest", count=words.count(folded.rest), names=folded.rest_names)
    heads = _heads(section, words)
    return [
        _caption(heads.caption),
        bars(heads, marks) if marks else None,
        h("p", rest, class_="note") if folded.rest else None,
    ]


def _fields(figures: Figures, words: Words) -> Child:
    if not figures.alive:
        return h("p", words("fields.none"))

    def named(column: str, heading: str) -> Child:
        return h("bdi", words.digits(heading) if words.language == "fa" else column.replace("_", " "))

    marks = [
        Mark(
            named(field.column, field.label),
            field.filled / figures.alive,
            _counted(field.filled, figures.alive, words, text="fields.share"),
        )
        for field in figures.fields
        if field.filled
    ]
    empty = [named(field.column, field.label) for field in figures.fields if not field.filled]
    heads = _heads("fields", words)
    return [
        _caption(heads.caption),
        bars(heads, marks),
        h("p", words("fields.empty"), " ", _listed(empty, words), class_="note") if empty else None,
    ]


def _counted(
    count: int, of: int, words: Words, *, share_of: int | None = None, text: str = "number.share"
) -> str:
    """Give a count with its share, unless it, or all the others, are too few to be told of."""
    if is_small(count) or is_small(of - count):
        return words.count(count, of=of)
    share = words.percent(count, of if share_of is None else share_of)
    return words(text, share=share, count=count)


def _listed(items: list[Child], words: Words) -> list[Child]:
    """Give items one after the other, with the language's comma between them."""
    return [part for item in items for part in (words("comma"), item)][1:]


def _heads(section: str, words: Words, what: str = "what") -> Heads:
    return Heads(words(f"{section}.{what}"), words(f"{section}.name"), words(f"{section}.value"))


def _caption(text: str) -> Element:
    # The chart's own caption says the same to a screen reader.
    return h("p", text, class_="caption", aria_hidden="true")
