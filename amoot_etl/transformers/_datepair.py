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

from amoot_etl.transformers._arrow import Finding, decoded, encoded
from amoot_etl.transformers._dateforms import LEAP_BY_2820, SENTINEL_DAY, Calendar, Note, State
from amoot_etl.transformers._datescan import NO_TIME, Readings, read_distinct
from amoot_etl.transformers._days import NO_DAY, days_to_text, days_to_ymd, distinct_days

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from amoot_etl.transformers._days import Ints

    Rows = npt.NDArray[np.int64]
    Places = npt.NDArray[np.intp]

__all__ = ["Pair", "Side", "read_sides"]

_EPOCH = dt.date(1970, 1, 1)
_HALF_PAST = 73_800
"""20:30 in UTC, midnight at +03:30, as a second of the day."""


class Side(NamedTuple):
    """One field of a pair: distinct texts, read, and which of them each row holds."""

    calendar: Calendar
    texts: pa.Array
    """The distinct texts of all fields that were read together."""
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


def read_sides(arrays: Sequence[pa.Array], calendar: Calendar, today: dt.date) -> list[Side]:
    """Read fields of a chunk that are meant to hold dates of one calendar.

    Args:
        arrays: What each held: strings, plain or encoded, or all null.
        calendar: What they are meant to hold.
        today: The run's date.

    Returns:
        One for each of `arrays`.
    """
    if not arrays:
        return []
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
    ends = np.cumsum([len(array) for array in arrays])[:-1]
    return [Side(calendar, known, its, with_null) for its in np.split(places, ends)]


class Pair:
    """Both fields of a chunk, and the day of each row.

    Args:
        ours: The Gregorian field.
        twin: The Jalali one.
        column: Our Gregorian column, for the findings.
        fields: The portal's names of the two fields, for the findings.
    """

    def __init__(self, ours: Side, twin: Side, column: str, fields: tuple[str, str]) -> None:
        self.ours, self.twin, self.column, self.fields = ours, twin, column, fields
        self.days, (our_slots, twin_slots) = distinct_days(ours.readings.days, twin.readings.days)
        self.our_slots, self.twin_slots = our_slots[ours.places], twin_slots[twin.places]
        self.slots = np.where(self.our_slots >= 0, self.our_slots, self.twin_slots)
        """The day of each row; right once `settle` has run to its end."""

    def settle(self) -> Iterator[Finding]:
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

    def _tell_shifted(self, rows: Rows) -> Iterator[Finding]:
        """Tell the shifted pairs, which follow their twin."""
        if not len(rows):
            return
        self._follow_twin(rows)
        ours, twin = self.fields
        detail = f"{ours} is Tehran's midnight told in UTC: the day of {twin} is kept"
        yield Finding(self.column, "date_shifted", rows, self._as_json(rows), detail)

    def _tell_mismatch(self, rows: Rows) -> Iterator[Finding]:
        """Tell the pairs that name two days."""
        if not len(rows):
            return
        ours, twin = self.fields
        our_days, twin_days = self.days[self.our_slots[rows]], self.days[self.twin_slots[rows]]
        # Software with the 2820-year rule is one day late, all through the year it wrongly calls leap.
        late = (twin_days - our_days == 1) & np.isin(days_to_ymd(twin_days)[0], LEAP_BY_2820)
        because = pa.array(["", ", one day late as software with the 2820-year rule is"])
        details = pc.binary_join_element_wise(
            f"{ours} names ",
            days_to_text(our_days),
            f", {twin} ",
            days_to_text(twin_days),
            because.take(pa.array(late.astype(np.int8))),
            f": {ours} is kept",
            "",
        )
        yield Finding(self.column, "date_mismatch", rows, self._as_json(rows), details)

    def _as_json(self, rows: Rows) -> pa.Array:
        """Give both fields of these rows, as received, as one JSON object each."""
        parts: list[pa.Array | str] = []
        for opening, side, field in zip(("{", ", "), (self.ours, self.twin), self.fields, strict=True):
            values = side.values(rows).dictionary_encode()
            texts = values.dictionary
            if pc.any(pc.match_substring_regex(texts, r'["\\\x00-\x1f]')).as_py():
                quoted = [json.dumps(text, ensure_ascii=False) for text in texts.to_pylist()]
                texts = pa.array(quoted, pa.string())
            else:
                texts = pc.binary_join_element_wise('"', texts, '"', "")
            parts += [f"{opening}{json.dumps(field)}: ", texts.take(values.indices)]
        return pc.binary_join_element_wise(*parts, "}", "")

    def tell_fields(self) -> Iterator[Finding]:
        """Tell what is wrong with each field for itself."""
        for side, field in zip((self.ours, self.twin), self.fields, strict=True):
            troubled = (side.readings.states > State.DAY) | side.noted(Note.MISPLACED | Note.TWO_DIGIT)
            if troubled.any():
                yield from self._tell_field(side, field)

    def _tell_field(self, side: Side, field: str) -> Iterator[Finding]:
        states = side.readings.states
        guess = (states == State.DAY) & side.noted(Note.TWO_DIGIT)
        misplaced = (states == State.DAY) & side.noted(Note.MISPLACED) & ~guess
        leap_day = side.noted(Note.RULE_2820)
        ours = side.calendar is Calendar.GREGORIAN
        misplaced_rule = "jalali_in_gregorian_field" if ours else "gregorian_in_jalali_field"
        span = "1178-1501 AP (1799-03-21 to 2123-03-20)"
        for rule, chosen, detail in (
            ("date_invalid", (states == State.INVALID) & ~leap_day, f"{field} names no day that exists"),
            ("date_invalid", leap_day, f"{field} names a leap day that only the 2820-year rule knows"),
            ("date_out_of_range", states == State.OUTSIDE, f"{field} names a day outside {span}"),
            ("date_ambiguous", states == State.AMBIGUOUS, f"{field} can mean either of two days"),
            ("date_ambiguous", guess, f"the year in {field} has two digits: read as "),
            (misplaced_rule, misplaced, f"{field} holds a date of the other calendar: read as "),
        ):
            if not chosen.any():
                continue
            rows = np.flatnonzero(chosen[side.places])
            if not len(rows):  # it is another field's, read together with this one
                continue
            told: str | pa.Array = detail
            if detail.endswith(" "):
                days = side.readings.days[side.places[rows]]
                told = pc.binary_join_element_wise(detail, days_to_text(days), "")
            yield Finding(self.column, rule, rows, side.values(rows), told)

    def tell_future(self, today: dt.date) -> Iterator[Finding]:
        """Tell the births after the run's date, by the field that the day came from."""
        # The distinct days rise, and so do their slots: those from `later` on are in the future.
        later = int(np.searchsorted(self.days, (today - _EPOCH).days, side="right"))
        if later == len(self.days):
            return
        late = self.slots >= later
        from_ours = self.slots == self.our_slots
        for side, chosen in ((self.ours, from_ours), (self.twin, ~from_ours)):
            rows = np.flatnonzero(late & chosen)
            if len(rows):
                detail = f"a birth after {today.isoformat()}, the day of the run"
                yield Finding(self.column, "date_in_future", rows, side.values(rows), detail)


def _midnights_in_utc(days: Ints) -> npt.NDArray[np.int64]:
    """Give the second of the day before, on UTC's clock, at which each of some days begins in Tehran."""
    naive = pa.array(days).view(pa.date32()).cast(pa.timestamp("s"))
    instants = pc.assume_timezone(naive, "Asia/Tehran", ambiguous="earliest", nonexistent="latest")
    seconds: npt.NDArray[np.int64] = (
        instants.view(pa.int64()).to_numpy() - (days.astype(np.int64) - 1) * 86_400
    )
    return seconds
