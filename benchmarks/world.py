"""Invent contacts by the hundred thousand: columns of JSON values, all from one seed.

They are like real ones: thousands of first names, a hundred thousand last names, addresses that hardly repeat,
mobiles of every range, birthdays with their Jalali twins, stamps of three years. Clean values need no repair; of
dirty ones a share of every field is typed as people type, wrong, or a day off.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jdatetime
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.demo import names
from benchmarks.dirt import WAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["CHUNK", "FIRST_ID", "Book", "World", "invent"]

CHUNK: Final = 100_000
"""Contacts invented at a time; a bigger book begins with the smaller one's contacts."""
FIRST_ID: Final = 100_001
_NULL: Final = pa.scalar("null")
_EPOCH: Final = np.datetime64("1970-01-01")
_FIRST_DAY: Final = int((np.datetime64("1940-01-01") - _EPOCH).astype(int))
_LAST_DAY: Final = int((np.datetime64("2028-12-31") - _EPOCH).astype(int))
_LAST_STAMP: Final = int((np.datetime64("2026-06-30") - _EPOCH).astype(int))
_PREFIXES: Final = np.array(
    [
        *range(910, 920),
        *range(990, 995),
        900,
        901,
        902,
        903,
        904,
        905,
        930,
        933,
        *range(935, 940),
        920,
        921,
        922,
    ],
    np.int64,
)


class World(NamedTuple):
    """What a book is made from.

    Args:
        seed: Where chance begins.
        dirty: Share of the values that are dirty.
        edited: Share of the contacts that were edited since: another job, a newer stamp.
    """

    seed: int = 1404
    dirty: float = 0.0
    edited: float = 0.0


class Book(NamedTuple):
    """Contacts in a row."""

    ids: npt.NDArray[np.int64]
    stamps: pa.Array
    """Each contact's stamp, as JSON."""
    columns: dict[str, pa.Array]
    """Field to its values as JSON, in the portal's order."""
    edited: npt.NDArray[np.bool_]
    """The contacts that were edited."""


def invent(
    world: World, chunk: int, size: int | None = None, edited: npt.NDArray[np.bool_] | None = None
) -> Book:
    """Invent one chunk of a world's contacts.

    Args:
        world: Where they live.
        chunk: Which chunk, from 0.
        size: Contacts wanted of it, from its first on; without it all.
        edited: Those of them that were edited since; without it the world's share, here and there.

    >>> book = invent(World(), 0, 3)
    >>> book.ids.tolist()[0], list(book.columns)[:2], len(book.columns)
    (100002, ['ID', 'Active'], 31)
    """
    maker = _Maker(world, chunk)
    if edited is not None:
        maker.edited[:size] = edited
    columns = {name: column.slice(0, size) for name, column in maker.columns().items()}
    return Book(maker.ids[:size], columns["UpdateDateTime"], columns, maker.edited[:size])


class _Maker:
    """One chunk in the making."""

    def __init__(self, world: World, chunk: int) -> None:
        self._chance = np.random.default_rng([world.seed, chunk])
        # Dirt and edits have a chance of their own: what they leave alone is the same in every world of a seed.
        self._mischief = np.random.default_rng([world.seed, chunk, 1])
        self._world = world
        steps = np.where(self._chance.random(CHUNK) < 0.1, 2, 1)
        # No chunk's IDs touch the next one's: 1.1 a contact on average, and room for 2.
        self.ids: npt.NDArray[np.int64] = FIRST_ID + chunk * 2 * CHUNK + np.cumsum(steps)
        self.edited = np.random.default_rng([world.seed, chunk, 2]).random(CHUNK) < world.edited

    def columns(self) -> dict[str, pa.Array]:
        """Give every field."""
        male = self._draw() < 0.54
        first = self._first_names(male)
        last = self._last_names()
        city = self._pick(names.CITIES)
        born = self._days("1940-01-01", "2007-12-31")
        known = self._draw() < 0.86
        gender = pc.if_else(pa.array(known), pc.if_else(pa.array(male), "true", "false"), "null")
        words = pc.if_else(pa.array(known), pc.if_else(pa.array(male), '"آقا"', '"خانم"'), '""')
        columns = {
            "ID": pa.array(self.ids).cast(pa.string()),
            "Active": self._bool(0.94),
            "ContactGroupID": self._some(0.1, pa.scalar("2001"), "0"),
            "Mobile": self._mobiles(),
            "FName": self._text("FName", first, 0.97),
            "LName": self._text("LName", last, 0.98),
            "GenderType": gender,
            "GenderTypeStr": self._soil("GenderTypeStr", words),
            "CompanyTitle": self._text("CompanyTitle", self._companies(), 0.34),
            "JobTitle": self._jobs(),
            "Email": self._emails(),
            "CityName": self._text("CityName", city, 0.72),
            "AddressText": self._text("AddressText", self._addresses(city), 0.46),
            **self._pair("BornDate", born, 0.58),
            **self._pair("AnniversaryDate", self._days("1970-01-01", "2025-12-31"), 0.12),
            "CustomText1": self._text("CustomText1", self._pick(names.CUSTOM_TEXTS[0]), 0.25),
            "CustomText2": self._text("CustomText2", self._pick(names.CUSTOM_TEXTS[1]), 0.20),
            "CustomText3": self._text("CustomText3", self._pick(names.CUSTOM_TEXTS[2]), 0.10),
            "CustomText4": self._text("CustomText4", self._digits(10), 0.15),
            "CustomText5": self._text("CustomText5", _join("PO-", self._digits(6)), 0.08),
            "CustomText6": self._some(0.0, pa.scalar('""'), "null"),
            **self._pair("CustomDate1", self._days("2019-01-01", "2026-12-31"), 0.15),
            **self._pair("CustomDate2", self._days("2023-01-01", "2028-12-31"), 0.06),
            **self._pair("CustomDate3", self._days("2023-01-01", "2028-12-31"), 0.0),
            "Deleted": self._bool(0.004),
            "UpdateDateTime": self._stamps(),
        }
        return {name: _whole(column) for name, column in columns.items()}

    # Chance

    def _draw(self) -> npt.NDArray[np.float64]:
        return self._chance.random(CHUNK)

    def _below(self, limit: int) -> pa.Array:
        return pa.array(self._chance.integers(0, limit, CHUNK))

    def _pick(self, words: Sequence[str], skew: float = 1.5) -> pa.Array:
        """Pick a word a contact; the first words are the common ones."""
        place = (self._draw() ** skew * len(words)).astype(np.int32)
        return pa.array(words, pa.string()).take(pa.array(place))

    def _some(self, share: float, values: Any, other: str) -> pa.Array:
        return pc.if_else(pa.array(self._draw() < share), values, other)

    def _bool(self, share: float) -> pa.Array:
        return self._some(share, pa.scalar("true"), "false")

    def _digits(self, count: int) -> pa.Array:
        return pc.utf8_lpad(self._below(10**count).cast(pa.string()), count, "0")

    # Fields

    def _text(self, field: str, values: pa.Array, share: float) -> pa.Array:
        return self._soil(field, self._some(share, _join('"', values, '"'), "null"))

    def _soil(self, field: str, values: pa.Array) -> pa.Array:
        """Make the world's share of values dirty."""
        mask, new = self._dirty(field, values)
        return values if mask is None else pc.replace_with_mask(values, mask, _json(new))

    def _dirty(self, field: str, values: pa.Array) -> tuple[pa.Array | None, list[Any]]:
        """Choose values that are there, and give what becomes of them."""
        if not self._world.dirty:
            return None, []
        there = pc.invert(pc.is_in(values, pa.array(["null", '""']))).to_numpy(zero_copy_only=False)
        chosen = (self._mischief.random(CHUNK) < self._world.dirty) & there
        ways = WAYS.get(field, WAYS["text"])
        old = [json.loads(value) for value in values.filter(pa.array(chosen)).to_pylist()]
        which = self._mischief.integers(0, len(ways), len(old)).tolist()
        return pa.array(chosen), [ways[way](value) for way, value in zip(which, old, strict=True)]

    def _first_names(self, male: npt.NDArray[np.bool_]) -> pa.Array:
        one, two = (
            pc.if_else(pa.array(male), self._pick(names.MALE), self._pick(names.FEMALE)) for _ in range(2)
        )
        return pc.if_else(pa.array(self._draw() < 0.12), _join(one, " ", two), one)

    def _last_names(self) -> pa.Array:
        one, two = self._pick(names.LAST), self._pick(names.LAST, 1.0)
        return pc.if_else(pa.array(self._draw() < 0.3), _join(one, " ", two), one)

    def _mobiles(self) -> pa.Array:
        number = _PREFIXES[self._chance.integers(0, len(_PREFIXES), CHUNK)] * 10**7
        number += self._chance.integers(0, 10**7, CHUNK)
        draw = self._draw()
        number[draw < 0.03] += 98 * 10**10
        values = pc.if_else(pa.array(draw < 0.004), _NULL, pa.array(number).cast(pa.string()))
        return self._soil("Mobile", values)

    def _companies(self) -> pa.Array:
        place = pc.if_else(pa.array(self._draw() < 0.5), self._pick(names.CITIES), self._pick(names.LAST))
        title = _join(self._pick(names.COMPANY_KINDS), " ", self._pick(names.COMPANY_NAMES))
        return pc.if_else(pa.array(self._draw() < 0.7), _join(title, " ", place), title)

    def _jobs(self) -> pa.Array:
        jobs = self._text("JobTitle", self._pick(names.JOBS), 0.41)
        return pc.if_else(pa.array(self.edited), '"مشاور ارشد"', jobs)

    def _emails(self) -> pa.Array:
        first, last = (self._pick(_latin(group)) for group in (names.MALE + names.FEMALE, names.LAST))
        host = self._pick(names.MAIL_HOSTS)
        number = pc.if_else(pa.array(self._draw() < 0.7), self._below(2000).cast(pa.string()), "")
        return self._text("Email", _join(first, ".", last, number, "@", host), 0.33)

    def _addresses(self, city: pa.Array) -> pa.Array:
        alley = pc.if_else(pa.array(self._draw() < 0.6), _join(" ", self._below(40).cast(pa.string())), "")
        unit = pc.if_else(
            pa.array(self._draw() < 0.5), _join("، واحد ", self._below(20).cast(pa.string())), ""
        )
        post = pc.if_else(pa.array(self._draw() < 0.2), _join("، کد پستی ", self._digits(10)), "")
        street, lane = self._pick(names.STREETS, 1.0), self._pick(names.STREETS, 1.0)
        plate = self._below(400).cast(pa.string())
        return _join(city, "، خیابان ", street, "، کوچه ", lane, alley, "، پلاک ", plate, unit, post)

    def _days(self, first: str, last: str) -> npt.NDArray[np.int64]:
        start, end = (int((np.datetime64(day) - _EPOCH).astype(int)) for day in (first, last))
        return self._chance.integers(start, end + 1, CHUNK)

    def _pair(self, field: str, days: npt.NDArray[np.int64], share: float) -> dict[str, pa.Array]:
        gregorian, jalali = _calendar()
        place = pa.array(days - _FIRST_DAY)
        there = pa.array(self._draw() < share)
        values = pc.if_else(there, _join('"', gregorian.take(place), 'T00:00:00"'), "null")
        twin = pc.if_else(there, _join('"', jalali.take(place), '"'), '""')
        mask, new = self._dirty("date", values)
        if mask is not None:
            values = pc.replace_with_mask(values, mask, _json([one for one, _ in new]))
            twin = pc.replace_with_mask(twin, mask, _json([other for _, other in new]))
        return {field: values, f"{field}Per": twin}

    def _stamps(self) -> pa.Array:
        days = self._chance.integers(_LAST_STAMP - 3 * 365, _LAST_STAMP, CHUNK)
        days[self.edited] = _LAST_STAMP + 1
        gregorian, _ = _calendar()
        clock = _clock().take(self._below(86_400))
        fraction = _fractions().take(self._below(100))
        values = _join('"', gregorian.take(pa.array(days - _FIRST_DAY)), "T", clock, fraction, '"')
        return self._soil("UpdateDateTime", values)


def _join(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _json(values: list[Any]) -> pa.Array:
    return pa.array([json.dumps(value, ensure_ascii=False) for value in values], pa.string())


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


@functools.cache
def _latin(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names.latin(word) for word in words))


@functools.cache
def _calendar() -> tuple[pa.Array, pa.Array]:
    """Give every day as text in both calendars; the Jalali one is `jdatetime`'s, not ours."""
    days = (np.arange(_FIRST_DAY, _LAST_DAY + 1) + _EPOCH).tolist()
    jalali = [jdatetime.date.fromgregorian(date=day) for day in days]
    texts = [f"{day.year:04d}/{day.month:02d}/{day.day:02d}" for day in jalali]
    return pa.array([day.isoformat() for day in days]), pa.array(texts)


@functools.cache
def _clock() -> pa.Array:
    return pa.array([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)])


@functools.cache
def _fractions() -> pa.Array:
    """Give hundredths as the portal writes them: without the zeros at the end, and nothing for none."""
    return pa.array([f".{n:02d}".rstrip("0") if n else "" for n in range(100)])
