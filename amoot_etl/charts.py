"""Draw small charts that set Persian right: shaped letters, right to left, Persian digits.

Each function takes a Series or a table and gives a matplotlib figure, which a notebook shows and `savefig` writes.
This module needs the extra `notebooks`. matplotlib shapes and orders Persian by itself from 3.11 on, and brings a
font that has every Persian letter, so that a chart looks the same on every machine.

```
bars(cities.head(10), title="مخاطبین به تفکیک شهر")
```

With `lang="en"` the chart reads from left to right and has European digits.
"""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

try:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.text import Text
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise ImportError(
        "charts need the extra notebooks: pip install '.[notebooks]' in the checkout"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

__all__ = ["Chart", "bars", "columns", "fa_number", "fa_text", "grid", "lines"]

_DIGITS: Final = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
# An isolate: what stands in it is laid out from right to left, though it begins with a digit or a Latin letter.
_RIGHT_TO_LEFT: Final = ("\N{RIGHT-TO-LEFT ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}")
_INK: Final = "#2f3b45"
_SOFT: Final = "#d9dee2"
_COLOURS: Final = ("#2a78b5", "#e08a2e", "#3f9b6c", "#b04a5a")
_WIDTH: Final = 7.0
_MOST_DECIMALS: Final = 6
_LINE: Final = 80  # letters that stand beside each other below a chart, the marks of isolates among them

Lang = Literal["fa", "en"]


class Chart(Figure):
    """A matplotlib figure that a notebook shows as a picture, whatever is set up there."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw what was set: a name with two dollar signs is a name, not a formula."""
        for text in self.findobj(Text):
            text.set_parse_math(False)
        super().draw(renderer)

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        # No version is written into the picture, so that the same chart is the same bytes.
        self.savefig(picture, format="png", metadata={"Software": None})
        return picture.getvalue()


def fa_number(value: float, decimals: int = 0) -> str:
    """Give a number as Persian text, with its own separators.

    >>> fa_number(12345), fa_number(-0.5, 1)
    ('۱۲٬۳۴۵', '-۰٫۵')
    """
    text = f"{value:,.{decimals}f}"
    return text.replace(",", "٬").replace(".", "٫").translate(_DIGITS)


def fa_text(text: str) -> str:
    """Give a text with Persian digits, to be laid out from right to left whatever it begins with.

    >>> fa_text("1404/07").strip("\N{RIGHT-TO-LEFT ISOLATE}\N{POP DIRECTIONAL ISOLATE}")
    '۱۴۰۴/۰۷'
    """
    begin, end = _RIGHT_TO_LEFT
    return f"{begin}{text.translate(_DIGITS)}{end}"


def bars(
    values: pd.Series, *, title: str = "", lang: Lang = "fa", share: bool = False, width: float = _WIDTH
) -> Chart:
    """Draw a bar for each row, the first at the top, each with its number at its end.

    Args:
        values: Numbers; the index names the bars.
        title: Stands above.
        lang: `fa`: bars grow from the right; `en`: from the left.
        share: The numbers are shares of 1 and shown as percent.
        width: In inches.

    >>> figure = bars(pd.Series([3, 2], index=["تهران", "یزد"]), title="شهرها")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['۳', '۲']
    """
    figure, axes = _begin(title, lang, width, height=0.7 + 0.32 * max(len(values), 1))
    numbers = _numbers(values)
    places = np.arange(len(numbers))
    axes.barh(places, numbers, color=_COLOURS[0], height=0.68)
    axes.set_yticks(places, [_text(name, lang) for name in values.index])
    axes.set_ylim(len(numbers) - 0.4, -0.6)
    longest = max(numbers.max(initial=0), 0) or 1
    axes.set_xlim(0, longest * 1.14)
    axes.set_xticks([])
    for place, number in zip(places, numbers, strict=True):
        axes.annotate(
            _number(number, lang, share=share),
            (number, place),
            xytext=(-4 if lang == "fa" else 4, 0),
            textcoords="offset points",
            ha="right" if lang == "fa" else "left",
            va="center",
            color=_INK,
            fontsize=9,
        )
    _frame(axes, "right" if lang == "fa" else "left")
    if lang == "fa":
        axes.invert_xaxis()
        axes.yaxis.tick_right()
    axes.tick_params(axis="y", length=0)
    return figure


def columns(
    values: pd.Series | pd.DataFrame, *, title: str = "", lang: Lang = "fa", width: float = _WIDTH
) -> Chart:
    """Draw a column for each row, such as a month; a table's columns are stacked.

    Time runs from left to right in both languages, as charts of time do in Iran.

    Args:
        values: Numbers; the index names the columns. A table needs names for its columns, which the legend shows.
        title: Stands above.
        lang: `fa` or `en`.
        width: In inches.

    >>> figure = columns(pd.Series([3, 2], index=["1404/06", "1404/07"]))
    >>> len(figure.axes[0].patches)
    2
    """
    table = values.to_frame() if isinstance(values, pd.Series) else values
    figure, axes = _begin(title, lang, width, height=2.8)
    places = np.arange(len(table))
    base = np.zeros(len(table))
    for number, name in enumerate(table.columns):
        heights = _numbers(table[name])
        axes.bar(
            places,
            heights,
            0.72,
            bottom=base,
            color=_COLOURS[number % len(_COLOURS)],
            label=_text(name, lang),
        )
        base = base + heights
    axes.set_ylim(0, max(base.max(initial=0), 1) * 1.05)
    _finish(axes, table.index, lang, legend=isinstance(values, pd.DataFrame))
    return figure


def lines(
    values: pd.Series | pd.DataFrame, *, title: str = "", lang: Lang = "fa", width: float = _WIDTH
) -> Chart:
    """Draw how numbers went, a line a column; the number at the end is written.

    The axis shows the stretch that the numbers moved in, so that growth by a hundredth can be seen; the lengths of
    `columns` compare, the heights of lines do not.

    Args:
        values: Numbers in the order of time; the index names the points.
        title: Stands above.
        lang: `fa` or `en`.
        width: In inches.

    >>> figure = lines(pd.Series([3, 5], index=["1404/06", "1404/07"]))
    >>> figure.axes[0].texts[0].get_text()
    '۵'
    """
    table = values.to_frame() if isinstance(values, pd.Series) else values
    figure, axes = _begin(title, lang, width, height=2.8)
    places = np.arange(len(table))
    lowest, highest = math.inf, -math.inf
    for number, name in enumerate(table.columns):
        colour = _COLOURS[number % len(_COLOURS)]
        heights = _numbers(table[name])
        axes.plot(places, heights, color=colour, marker="o", markersize=4, label=_text(name, lang))
        if len(heights):
            lowest, highest = min(lowest, heights.min()), max(highest, heights.max())
            axes.annotate(
                _number(heights[-1], lang),
                (places[-1], heights[-1]),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                color=colour,
                fontsize=9,
            )
    if lowest <= highest:
        room = max(highest - lowest, 1)
        axes.set_ylim(lowest - room * 0.15, highest + room * 0.25)
    _finish(axes, table.index, lang, legend=isinstance(values, pd.DataFrame))
    return figure


def grid(values: pd.DataFrame, *, title: str = "", lang: Lang = "fa", width: float = _WIDTH) -> Chart:
    """Draw a table as coloured squares with their numbers, such as how far groups overlap.

    Args:
        values: Numbers; a missing one is left white. Rows run down; in `fa` columns run from right to left.
        title: Stands above.
        lang: `fa` or `en`.
        width: In inches.

    >>> figure = grid(pd.DataFrame([[1, 2], [2, 4]], index=["الف", "ب"], columns=["الف", "ب"]))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['۱', '۲', '۲', '۴']
    """
    figure, axes = _begin(title, lang, width, height=1.6 + 0.36 * max(len(values), 1))
    numbers = values.astype(float).to_numpy(na_value=np.nan)
    there = np.where(np.isnan(numbers), 0, numbers)
    most = there.max(initial=0) or 1
    axes.imshow(np.ma.masked_invalid(numbers), cmap="Blues", vmin=0, vmax=most * 1.25, aspect="auto")
    for row, column in np.ndindex(numbers.shape):
        if not math.isnan(numbers[row, column]):
            axes.text(
                column,
                row,
                _number(float(numbers[row, column]), lang),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if there[row, column] > most * 0.7 else _INK,
            )
    axes.set_yticks(range(len(values)), [_text(name, lang) for name in values.index])
    axes.set_xticks(
        range(values.shape[1]),
        [_text(name, lang) for name in values.columns],
        rotation=40,
        ha="right",
        rotation_mode="anchor",
    )
    if lang == "fa":
        axes.invert_xaxis()
        axes.yaxis.tick_right()
    axes.tick_params(length=0)
    _frame(axes)
    return figure


def _begin(title: str, lang: Lang, width: float, height: float) -> tuple[Chart, Axes]:
    """Give an empty figure with one chart, made without pyplot, which would keep every figure open."""
    figure = Chart(
        figsize=(width, height + (0.35 if title else 0)),
        dpi=110,
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08),
    )
    axes = figure.subplots()
    if title:
        axes.set_title(
            _text(title, lang), loc="right" if lang == "fa" else "left", fontsize=11, color=_INK, pad=10
        )
    axes.tick_params(colors=_INK, labelsize=9)
    return figure, axes


def _finish(axes: Axes, names: Iterable[object], lang: Lang, *, legend: bool) -> None:
    """Name the points of time, no more of them than can be read, and number the other axis."""
    labels = [_text(name, lang) for name in names]
    step = max(1, math.ceil(len(labels) / 12))
    shown = range((len(labels) - 1) % step, len(labels), step)
    crowded = sum(len(labels[place]) for place in shown) > _LINE
    axes.set_xticks(
        list(shown),
        [labels[place] for place in shown],
        rotation=40 if crowded else 0,
        ha="right" if crowded else "center",
        rotation_mode="anchor",
    )
    axes.yaxis.set_major_formatter(lambda value, _: _number(value, lang))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(axis="y", color=_SOFT, linewidth=0.8)
    axes.set_axisbelow(True)
    if lang == "fa":
        axes.yaxis.tick_right()
    axes.tick_params(length=0)
    _frame(axes, "bottom")
    if legend:
        # Above the chart, on the side that the title leaves free, where no column can be behind it.
        axes.legend(
            frameon=False,
            fontsize=9,
            loc="lower left" if lang == "fa" else "lower right",
            bbox_to_anchor=(0 if lang == "fa" else 1, 1),
            borderaxespad=0.2,
            markerfirst=lang != "fa",
            ncols=4,
            labelcolor=_INK,
        )


def _frame(axes: Axes, *kept: str) -> None:
    for name, spine in axes.spines.items():
        spine.set_visible(name in kept)
        spine.set_color(_SOFT)


def _numbers(values: pd.Series) -> npt.NDArray[np.float64]:
    return np.asarray(values.astype(float).fillna(0), dtype=np.float64)


def _text(name: object, lang: Lang) -> str:
    return fa_text(str(name)) if lang == "fa" else str(name)


def _number(value: float, lang: Lang, *, share: bool = False) -> str:
    number = value * 100 if share else value
    whole = float(value).is_integer()
    decimals = 0 if share or whole else 1
    # A share is not called 0 or 100 percent unless it is.
    while share and not whole and decimals < _MOST_DECIMALS and round(number, decimals) in {0, 100}:
        decimals += 1
    if lang == "fa":
        return fa_number(number, decimals) + ("٪" if share else "")
    return f"{number:,.{decimals}f}" + ("%" if share else "")
