"""How the report speaks: its texts in one language, and numbers, shares and days as that language writes them."""

from __future__ import annotations

import tomllib
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from amoot_etl.errors import SettingsError
from amoot_etl.pipeline.report.fold import SMALLEST, is_small

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["LANGUAGES", "Language", "Words"]

Language: TypeAlias = Literal["en", "fa"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "fa")

_DIGITS: Final = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


class Words:
    """One language.

    Args:
        language: `en` or `fa`.

    Raises:
        SettingsError: It is neither.

    >>> Words("fa").number(1234567)
    '۱٬۲۳۴٬۵۶۷'
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise SettingsError(
                f"the report speaks {' and '.join(LANGUAGES)}, not {language!r}", subject="lang"
            )
        self.language = language
        self.direction = "rtl" if language == "fa" else "ltr"

    @cached_property
    def texts(self) -> dict[str, Any]:
        """Every text, in tables by what it is for."""
        name = f"texts/{self.language}.toml"
        return tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))

    def __call__(self, key: str, /, **values: str | int) -> str:
        """Give a text by its path, such as `updates.title`, with values in their places.

        Numbers among the values are written as the language writes them.

        Raises:
            KeyError: There is no such text.
        """
        found = self.texts
        for step in key.split("."):
            found = found[step]
        return str(found).format(
            **{
                name: self.number(value) if isinstance(value, int) else value
                for name, value in values.items()
            }
        )

    def find(self, table: str, name: str) -> str | None:
        """Give a text of a table, or None where it has none of that name."""
        found: str | None = self.texts[table].get(name)
        return found

    def digits(self, text: str) -> str:
        """Give a text whose digits are the language's.

        >>> Words("fa").digits("1404/07")
        '۱۴۰۴/۰۷'
        """
        return text.translate(_DIGITS) if self.language == "fa" else text

    def number(self, number: int) -> str:
        """Give a whole number."""
        return self.digits(f"{number:,}".replace(",", self("number.thousands")))

    def count(self, count: int, of: int | None = None) -> str:
        """Give how many contacts, unless they, or all the others, are too few to be told of.

        >>> words = Words("en")
        >>> words.count(1200), words.count(3), words.count(997, of=1000)
        ('1,200', 'under 5', 'nearly all')
        """
        if is_small(count):
            return self("small.few", few=SMALLEST)
        if of is not None and is_small(of - count):
            return self("small.nearly_all")
        return self.number(count)

    def percent(self, count: int, of: int) -> str:
        """Give a share in whole percent; what is neither nothing nor everything never shows as that.

        >>> words = Words("en")
        >>> words.percent(1, 3), words.percent(1, 1000), words.percent(999, 1000), words.percent(0, 0)
        ('33%', '<1%', '>99%', '0%')
        """
        share = round(100 * count / of) if of else 0
        if count and not share:
            return self("number.under", share=self._share(1))
        if share == 100 and count != of:
            return self("number.over", share=self._share(99))
        return self._share(share)

    def _share(self, percent: int) -> str:
        return self("number.percent", number=percent)

    def day(self, jalali: str) -> str:
        """Give a Jalali day, `1405/09/01`, in words.

        >>> Words("fa").day("1405/09/01"), Words("en").day("1405/09/01")
        ('۱ آذر ۱۴۰۵', '1 Azar 1405')
        """
        year, month, day = jalali.split("/")
        return f"{self.digits(str(int(day)))} {self.texts['months'][int(month) - 1]} {self.digits(year)}"

    def moment(self, at: dt.datetime, jalali: str) -> str:
        """Give a moment of Tehran in both calendars."""
        return self(
            "moment",
            day=self.day(jalali),
            time=self.digits(f"{at:%H:%M}"),
            # Isolated, or text from right to left would show the year last.
            gregorian=f"\N{LEFT-TO-RIGHT ISOLATE}{at:%Y-%m-%d}\N{POP DIRECTIONAL ISOLATE}",
        )
