"""Charts say what the table says, in Persian from right to left."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import get_data_path
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.text import Text
from matplotlib.textpath import TextToPath

from amoot_etl.charts import bars, columns, fa_number, fa_text, grid, lines
from amoot_etl.transformers.calendar import calendar

CITIES = pd.Series([1200, 30], index=["تهران", "MCI (همراه اول)"])


def plain(text: str) -> str:
    """Give a text without the isolate around it."""
    return text.strip("\u2067\u2069")


def test_numbers_and_texts_are_persian():
    """Digits and separators are Persian; letters and signs stay as they are."""
    assert fa_number(1234567) == "۱٬۲۳۴٬۵۶۷"
    assert fa_number(-1234.56, 1) == "-۱٬۲۳۴٫۶"
    assert plain(fa_text("گروه 12 VIP")) == "گروه ۱۲ VIP"


def test_persian_bars_grow_from_the_right():
    """The axis is turned, names stand at the right in the order given, numbers are Persian."""
    axes = bars(CITIES, title="شهرها").axes[0]
    right, left = axes.get_xlim()
    assert right > left == 0
    assert [plain(label.get_text()) for label in axes.get_yticklabels()] == list(CITIES.index)
    assert axes.yaxis.get_ticks_position() == "right"
    assert axes.yaxis_inverted()
    assert [text.get_text() for text in axes.texts] == ["۱٬۲۰۰", "۳۰"]
    assert [patch.get_width() for patch in axes.patches] == [1200, 30]


def test_english_bars_grow_from_the_left():
    """With `lang="en"` nothing is turned and digits are European; shares are percent."""
    axes = bars(pd.Series([0.256, 1.0], index=["email", "mobile"]), lang="en", share=True).axes[0]
    assert axes.get_xlim()[0] == 0
    assert [text.get_text() for text in axes.texts] == ["26%", "100%"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["email", "mobile"]


def test_a_share_is_not_rounded_to_all_or_nothing():
    """Only none is 0 percent and only all is 100."""
    axes = bars(
        pd.Series([0.9999, 0.996, 0.0004, 0.5, 0.0], index=list("abcde")), lang="en", share=True
    ).axes[0]
    assert [text.get_text() for text in axes.texts] == ["99.99%", "99.6%", "0.04%", "50%", "0%"]


def test_columns_stack_and_name_what_fits():
    """Columns of a table stand on each other; of many months a dozen at most are named, the last one always."""
    months = [f"{year}/{month:02}" for year in (1403, 1404, 1405) for month in range(1, 13)]
    table = pd.DataFrame({"زن": range(36), "مرد": 1}, index=months)
    axes = columns(table).axes[0]
    assert [patch.get_y() for patch in axes.patches[36:]] == list(range(36))
    names = [plain(label.get_text()) for label in axes.get_xticklabels()]
    assert len(names) <= 12
    assert names[-1] == "۱۴۰۵/۱۲"
    assert [plain(text.get_text()) for text in axes.get_legend().get_texts()] == ["زن", "مرد"]


def test_lines_say_where_they_end():
    """The last number of each line is written, inside the chart, and the axis shows the stretch they moved in."""
    axes = lines(pd.DataFrame({"a": [5000, 5042], "b": [5000, 5100]}, index=["1", "2"]), lang="en").axes[0]
    assert [text.get_text() for text in axes.texts] == ["5,042", "5,100"]
    low, high = axes.get_ylim()
    assert 4900 < low < 5000
    assert 5110 < high < 5200


def test_columns_stand_on_zero():
    """The lengths of columns can be compared."""
    assert columns(pd.Series([5000, 5042], index=["1", "2"])).axes[0].get_ylim()[0] == 0


def test_a_grid_leaves_missing_numbers_white():
    """A missing number has neither text nor colour; the columns run from right to left in Persian."""
    axes = grid(pd.DataFrame([[4, np.nan], [1.5, 2]], index=["الف", "ب"], columns=["الف", "ب"])).axes[0]
    assert [text.get_text() for text in axes.texts] == ["۴", "۱٫۵", "۲"]
    assert axes.images[0].get_array().mask.tolist() == [[False, True], [False, False]]
    assert axes.xaxis_inverted()


@pytest.mark.parametrize("chart", [bars, columns, lines])
def test_nothing_can_be_drawn(chart):
    """An empty Series is an empty chart, not an error."""
    assert chart(pd.Series([], dtype=float))._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "chart", [bars, columns, lines, lambda values, **rest: grid(values.to_frame(), **rest)]
)
def test_a_name_with_dollar_signs_is_no_formula(chart):
    """What matplotlib would read as mathematics is drawn as it stands, and what is none there can be drawn."""
    names = [r"$\frac$", "100$ تا 200$"]
    figure = chart(pd.Series([1.0, 2.0], index=names, name="$x$"), title="$a$ و $b$")
    assert figure._repr_png_().startswith(b"\x89PNG")
    labels = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert len(labels) >= 3
    assert not any(text.get_parse_math() for text in labels)


def test_a_picture_is_the_same_bytes_each_time():
    """A notebook that is run again stores the same picture, and no version in it."""
    first, second = (columns(CITIES, title="x")._repr_png_() for _ in range(2))
    assert first == second
    assert b"Matplotlib" not in first


def test_the_font_is_matplotlibs_own_and_has_every_name_of_the_calendar():
    """No letter of a month, a weekday or a digit is missing, whatever fonts the machine has."""
    font = FontProperties(family=bars(CITIES).axes[0].texts[0].get_fontfamily())
    assert findfont(font).startswith(get_data_path())
    known = set(TextToPath()._get_font(font).get_charmap())
    days = calendar()
    names = set("".join(days["jalali_month_name"].unique()) + "".join(days["weekday_name"].unique()))
    assert {ord(letter) for letter in names | set("۰۱۲۳۴۵۶۷۸۹٬٫٪گچپژکی\u200c")} <= known


def test_persian_is_shaped_and_ordered():
    """Joined letters are narrower than the same letters apart, and an isolate puts Latin to the left of Persian."""
    path = TextToPath()
    font = FontProperties(size=100)
    joined, apart = (
        path.get_text_width_height_descent(text, font, ismath=False)[0] for text in ("سلام", "س ل ا م")
    )
    space = path.get_text_width_height_descent(" ", font, ismath=False)[0]
    assert joined < apart - 3 * space
    first, second = (path.get_text_path(font, text)[0] for text in (fa_text("MCI سلام"), "MCI سلام"))
    assert np.asarray(first).shape == np.asarray(second).shape
    assert not np.allclose(first, second)


def test_without_matplotlib_the_message_names_the_extra():
    """Who has not installed the extra is told how to."""
    code = "import sys; sys.modules['matplotlib'] = None\nimport amoot_etl.charts"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install '.[notebooks]' in the checkout" in done.stderr
