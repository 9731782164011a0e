"""Read a report back: what a test looks at instead of markup."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta"}
_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٬٪", "0123456789,%")


@dataclass
class Node:
    """One element: its name, attributes, children and text."""

    tag: str
    attributes: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything that it says, blanks as one space."""
        said = "".join(child if isinstance(child, str) else child.text for child in self.children)
        return re.sub(r"\s+", " ", said).strip()

    def all(self, tag: str | None = None, **wanted: str) -> list[Node]:
        """Give the elements inside it of that name and those attributes (`class_` may be one of several)."""
        found = []
        for child in self.children:
            if isinstance(child, Node):
                if child._is(tag, wanted):
                    found.append(child)
                found += child.all(tag, **wanted)
        return found

    def one(self, tag: str | None = None, **wanted: str) -> Node:
        """Give the only such element."""
        [found] = self.all(tag, **wanted)
        return found

    def _is(self, tag: str | None, wanted: dict[str, str]) -> bool:
        return (tag is None or self.tag == tag) and all(
            value in self.attributes.get(name.rstrip("_"), "").split() for name, value in wanted.items()
        )


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag, attrs):
        node = Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_endtag(self, tag):
        assert self._open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self._open[-1].children.append(data)


def read_page(html: str) -> Node:
    """Give the root of a page; every element must be closed by its own end."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert len(parser._open) == 1, f"{parser._open[-1].tag} is never closed"
    return parser.root.one("html")


def charts(section: Node) -> list[dict[str, str]]:
    """Give the charts of a section: the value beside each label."""
    return [
        {row.one(class_="label").text: row.one(class_="data").text for row in chart.one("tbody").all("tr")}
        for chart in section.all("table", class_="charts-css")
    ]


def number(text: str) -> int:
    """Give the first number of a text, written in either language."""
    return int(re.search(r"\d[\d,]*", text.translate(_DIGITS)).group().replace(",", ""))


def rows(section: Node) -> list[list[str]]:
    """Give the rows of a section's only plain table."""
    table = section.one(class_="scroll").one("table")
    return [
        [cell.text for cell in row.children if isinstance(cell, Node)] for row in table.one("tbody").all("tr")
    ]
