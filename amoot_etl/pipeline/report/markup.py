"""HTML made as a tree and written once, so that no text from an address book can become markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Child", "Element", "h", "page_text"]

Element: TypeAlias = ET.Element
Child: TypeAlias = "Element | str | int | Iterable[Child] | None"

_BLOCKS: Final = frozenset(
    (
        *("html", "head", "body", "meta", "title", "style", "header", "main", "footer", "nav", "section"),
        *("div", "p", "h1", "h2", "ul", "li", "dl", "dt", "dd"),
        *("table", "caption", "thead", "tbody", "tr"),
    )
)
"""Elements after which a new line changes nothing that is seen."""


def h(tag: str, *children: Child, **attributes: str | None) -> Element:
    r"""Give one element.

    Args:
        tag: Its name.
        children: Text, elements, or iterables of them; None is nothing.
        attributes: By name, `class_` for `class` and `_` for `-`; None is left out.

    >>> page_text(h("p", "a < b ", h("bdi", "<script>"), class_="note")).split("\n")[1]
    '<p class="note">a &lt; b <bdi>&lt;script&gt;</bdi></p>'
    """
    element = ET.Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): value
            for name, value in attributes.items()
            if value is not None
        },
    )
    if tag in _BLOCKS:
        element.tail = "\n"
    _fill(element, children)
    return element


def page_text(root: Element) -> str:
    """Give a whole page as text."""
    return f"<!doctype html>\n{ET.tostring(root, encoding='unicode', method='html')}"


def _fill(element: Element, children: Iterable[Child]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, ET.Element):
            element.append(child)
        elif isinstance(child, str | int):
            _write(element, str(child))
        else:
            _fill(element, child)


def _write(element: Element, text: str) -> None:
    """Put text behind whatever the element holds already."""
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text
