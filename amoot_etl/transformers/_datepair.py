"""The two fields of a date, settled into one day; `dates` has the table of what is decided here.

A day is carried as a position among the chunk's distinct days (a *slot*, -1 for none): small, quick to
compare, and at once the index of a dictionary column. Nothing on the way looks at a row by itself, except
rows that a rule has already singled out.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import decoded, encoded
from amoot_etl.transformers._dateforms import LEAP_BY_2820, SENTINEL_DAY, Calendar, Note, State
from amoot_etl.transformers._datescan import NO_TIME
from amoot_etl.transformers._datetexts import Readings, read_distinct
from amoot_etl.transformers._days import NO_DAY, days_to_text, days_to_ymd, distinct_days

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from amoot_etl.transformers._days import Ints

    Rows = npt.NDArray[np.int64]
    Places = npt.NDArray[np.intp]

__all__ = ["Pair", "Side", "Told", "read_side"]

_EPOCH = dt.date(1970, 1, 1)
_HALF_PAST = 73_800
"""20:30 in UTC, midnight at +03:30, as a second of the day."""


class Side(NamedTuple):
    """The field of one calendar of some dates: distinct texts, read, and which of them each row holds."""

    calendar: Calendar
    texts: pa.Array
    """The distinct texts."""
    places: Places
    """Position of each row's text, `len(texts)` for null."""
    readings: Readings
    """One longer than `texts`: the last is the null's."""

    def values(self, rows: Rows) -> pa.Array:
        """Give what these rows received, null where the field was null."""
        places = self.places[rows]
        return self.texts.take(pa.array(places, mask=places == len(self.texts)))

    def noted(self, note: Note) -> npt.NDArray[np.bool_]:
        """Tell of each reading whether it bears any of these notes."""
        return (self.readings.notes & np.uint8(note)) > 0


def read_side(arrays: Sequence[pa.Array], calendar: Calendar, today: dt.date) -> Side:
    """Read fields of a chunk that are meant to hold dates of one calendar, laid end to end.

    Args:
        arrays: What each held: strings, plain or encoded, or all null; there is at least one.
        calendar: What they are meant to hold.
        today: The run's date.
    """
    texts, *more = (array if len(arrays) == 1 else decoded(array) for array in arrays)
    if not pa.types.is_dictionary(texts.type):
        texts = pa.concat_arrays([pc.cast(array, pa.string()) for array in (texts, *more)])
    distinct = encoded(texts)
    known = pc.cast(distinct.dictionary, pa.string())
    places = distinct.indices.cast(pa.int64()).fill_null(len(known)).to_numpy()
    read = read_distinct(known, calendar, today)
    with_null = Readings(
        np.append(read.days, np.int32(NO_DAY)),
        np.append(read.states, np.uint8(State.EMPTY)),
        np.append(read.notes, np.uint8(Note.NONE)),
        np.append(read.seconds, np.int32(NO_TIME)),
    )
    return Side(calendar, known, places, with_null)


class Told(NamedTuple):
    """Rows that broke a rule."""

    rule: str
    rows: Rows
    """Rising."""
    values: pa.Array
    detail: str | pa.Array
    """In words, one a row; or for all, with `{ours}` and `{twin}` for the names of the fields."""


class Pair:
    """Both fields of some dates, and the day of each row.

    Dates of several columns are settled together, laid end to end: few rows of each are left to be looked at, and
    looking at a few costs as much as looking at many.

    Args:
        ours: The Gregorian fields.
        twin: The Jalali ones.
        names: The portal's names of the two fields, for each column.
        lengths: How many rows each column has.
    """

    def __init__(
        self, ours: Side, twin: Side, names: Sequence[tuple[str, str]], lengths: Sequence[int]
    ) -> None:
        self.ours, self.twin = ours, twin
        self.days, (our_slots, twin_slots) = distinct_days(ours.readings.days, twin.readings.days)
        self.our_slots, self.twin_slots = our_slots[ours.places], twin_slots[twin.places]
        self.slots = np.where(self.our_slots >= 0, self.our_slots, self.twin_slots)
        """The day of each row; right once `settle` has run to its end."""
        self.column = np.repeat(np.arange(len(names)), lengths)
        """The column of each row, by its number."""
        self._names = [[pair[side] for pair in names] for side in (0, 1)]

    def settle(self) -> Iterator[Told]:
        """Decide the rows whose fields name two days, and tell of them."""
        ours, twin = self.ours, self.twin
        both = (self.our_slots >= 0) & (self.twin_slots >= 0)
        rows = np.flatnonzero(both & (self.our_slots != self.twin_slots))
        if len(rows):
            # A year told in full outdoes a guessed one.
            our_guess = ours.noted(Note.TWO_DIGIT)[ours.places[rows]]
            twin_guess = twin.noted(Note.TWO_DIGIT)[twin.places[rows]]
            self._follow_twin(rows[our_guess & ~twin_guess])
            rows = rows[~our_guess]
            shifted = self._shifted(rows)
            yield from self._tell_shifted(rows[shifted])
            yield from self._tell_mismatch(rows[~shifted])
        sentinel = ours.noted(Note.SENTINEL)
        if sentinel.any():
            rows = np.flatnonzero(sentinel[ours.places] & (self.slots >= 0))
            self.slots[rows[self.days[self.slots[rows]] == SENTINEL_DAY]] = -1

    def _follow_twin(self, rows: Rows) -> None:
        self.slots[rows] = self.twin_slots[rows]

    def _shifted(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Say which pairs are a day apart because of a time part that is Tehran's midnight in UTC."""
        our_days, twin_days = self.days[self.our_slots[rows]], self.days[self.twin_slots[rows]]
        seconds = self.ours.readings.seconds[self.ours.places[rows]]
        shifted: npt.NDArray[np.bool_] = (twin_days - our_days == 1) & (seconds > 0)
        midnights = _midnights_in_utc(twin_days[shifted])
        # Until 1935 the time zone database holds Tehran's mean time (+03:25:44), where other software has +03:30.
        shifted[shifted] = (seconds[shifted] == midnights) | (
            seconds[shifted] == np.minimum(midnights, _HALF_PAST)
        )
        return shifted

    def _tell_shifted(self, rows: Rows) -> Iterator[Told]:
        """Tell the shifted pairs, which follow their twin."""
        if not len(rows):
            return
        self._follow_twin(rows)
        detail = "{ours} is Tehran's midnight told in UTC: the day of {twin} is kept"
        yield Told("date_shifted", rows, self._as_json(rows), detail)

    def _tell_mismatch(self, rows: Rows) -> Iterator[Told]:
        """Tell the pairs that name two days."""
        if not len(rows):
            return
        ours, twin = (self._named(names, rows) for names in self._names)
        our_days, twin_days = self.days[self.our_slots[rows]], self.days[self.twin_slots[rows]]
        # Software with the 2820-year rule is one day late, all through the year it wrongly calls leap.
        late = (twin_days - our_days == 1) & np.isin(days_to_ymd(twin_days)[0], LEAP_BY_2820)
        because = pa.array(["", ", one day late as software with the 2820-year rule is"])
        details = pc.binary_join_element_wise(
            ours,
            " names ",
            days_to_text(our_days),
            ", ",
            twin,
            " ",
            days_to_text(twin_days),
            because.take(pa.array(late.astype(np.int8))),
            ": ",
            ours,
            " is kept",
            "",
        )
        yield Told("date_mismatch", rows, self._as_json(rows), details)

    def _named(self, names: Sequence[str], rows: Rows) -> pa.Array:
        """Give each row the text of its column."""
        return pa.array(names, pa.string()).take(pa.array(self.column[rows]))

    def _as_json(self, rows: Rows) -> pa.Array:
        """Give both fields of these rows, as received, as one JSON object each."""
        parts: list[pa.Array | str] = []
        for opening, side, names in zip(("{", ", "), (self.ours, self.twin), self._names, strict=True):
            values = side.values(rows)
            if pc.any(pc.match_substring_regex(values, r'["\\\x00-\x1f]')).as_py():
                quoted = [json.dumps(text, ensure_ascii=False) for text in values.to_pylist()]
                values = pa.array(quoted, pa.string())
            else:
                values = pc.binary_join_element_wise('"', values, '"', "")
            parts += [self._named([f"{opening}{json.dumps(name)}: " for name in names], rows), values]
        return pc.binary_join_element_wise(*parts, "}", "")

    def tell_fields(self) -> Iterator[Told]:
        """Tell what is wrong with each field for itself."""
        for side, field in ((self.ours, "{ours}"), (self.twin, "{twin}")):
            troubled = (side.readings.states > State.DAY) | side.noted(Note.MISPLACED | Note.TWO_DIGIT)
            if troubled.any():
                yield from self._tell_field(side, field)

    def _tell_field(self, side: Side, field: str) -> Iterator[Told]:
        states = side.readings.states
        guess = (states == State.DAY) & side.noted(Note.TWO_DIGIT)
        misplaced = (states == State.DAY) & side.noted(Note.MISPLACED) & ~guess
        leap_day = side.noted(Note.RULE_2820)
        is_ours = side is self.ours
        misplaced_rule = "jalali_in_gregorian_field" if is_ours else "gregorian_in_jalali_field"
        span = "1178-1501 AP (1799-03-21 to 2123-03-20)"
        for rule, chosen, detail in (
            ("date_invalid", (states == State.INVALID) & ~leap_day, f"{field} names no day that exists"),
            ("date_invalid", leap_day, f"{field} names a leap day that only the 2820-year rule knows"),
            ("date_out_of_range", states == State.OUTSIDE, f"{field} names a day outside {span}"),
            ("date_ambiguous", states == State.AMBIGUOUS, f"{field} can mean either of two days"),
            ("date_ambiguous", guess, ("the year in ", " has two digits: read as ")),
            (misplaced_rule, misplaced, ("", " holds a date of the other calendar: read as ")),
        ):
            if not chosen.any():
                continue
            rows = np.flatnonzero(chosen[side.places])
            told: str | pa.Array
            if isinstance(detail, str):
                told = detail
            else:
                before, after = detail
                days = days_to_text(side.readings.days[side.places[rows]])
                named = self._named(self._names[0 if is_ours else 1], rows)
                told = pc.binary_join_element_wise(before, named, after, days, "")
            yield Told(rule, rows, side.values(rows), told)

    def tell_future(self, today: dt.date, births: Sequence[bool]) -> Iterator[Told]:
        """Tell the births after the run's date, by the field that the day came from.

        Args:
            today: The run's date.
            births: Whether the days of a column are births, for each column.
        """
        # The distinct days rise, and so do their slots: those from `later` on are in the future.
        later = int(np.searchsorted(self.days, (today - _EPOCH).days, side="right"))
        if later == len(self.days):
            return
        late = (self.slots >= later) & np.array(births)[self.column]
        from_ours = self.slots == self.our_slots
        for side, chosen in ((self.ours, from_ours), (self.twin, ~from_ours)):
            rows = np.flatnonzero(late & chosen)
            if len(rows):
                detail = f"a birth after {today.isoformat()}, the day of the run"
                yield Told("date_in_future", rows, side.values(rows), detail)


def _midnights_in_utc(days: Ints) -> npt.NDArray[np.int64]:
    """Give the second of the day before, on UTC's clock, at which each of some days begins in Tehran."""
    naive = pa.array(days).view(pa.date32()).cast(pa.timestamp("s"))
    instants = pc.assume_timezone(naive, "Asia/Tehran", ambiguous="earliest", nonexistent="latest")
    seconds: npt.NDArray[np.int64] = (
        instants.view(pa.int64()).to_numpy() - (days.astype(np.int64) - 1) * 86_400
    )
    return seconds
