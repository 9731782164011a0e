"""The portal's update stamps: naive Tehran time as text, made an instant, a day and a sorting key.

`2025-10-21T11:03:41.96` is read at the speed of Arrow's own parser, fractions of any length cut to
microseconds; so is one with an offset or a `Z` (then the instant is what counts, and the day is Tehran's). What
is not of that kind is read one distinct text at a time: a Jalali date, a form that people type. 24:00:00 is the
midnight that ends the day, as ISO 8601 has it.

Tehran changed its clocks 70 times from 1935 to 2022. A time that came twice is taken for the earlier, one
that never came (the hour after midnight when summer time began) for the moment of the change. The day is the
one that was written, also then.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import DICTIONARY, Finding, bytes_of, decoded, series, strings
from amoot_etl.transformers._dateforms import SENTINEL_DAY, Calendar, Note, State, Time, plain, read_plain
from amoot_etl.transformers._datescan import scan
from amoot_etl.transformers._days import FIRST_DAY, LAST_DAY, NO_DAY, days_to_text, distinct_days

if TYPE_CHECKING:
    import datetime as dt

    import numpy.typing as npt
    import pandas as pd

    from amoot_etl.transformers._days import Ints

    Micros = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.int64]

__all__ = [
    "NO_STAMP",
    "STAMP_TYPE",
    "Stamps",
    "read_stamps",
    "read_update_times",
    "stamp_order",
    "usual_times",
]

STAMP_TYPE: Final = pa.timestamp("us", "Asia/Tehran")
NO_STAMP: Final = -(2**63)
"""Stands for "no readable time" in an int64 array of microseconds."""
_DAY: Final = 86_400_000_000
_NAIVE: Final = pa.timestamp("us")
_CHARACTERS: Final = 26
"""Of `yyyy-mm-ddThh:mm:ss.ffffff`."""
_ISO: Final = (
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"(?:[T ](?:[01]\d|2[0-3])(?::[0-5]\d(?::[0-5]\d(?:\.\d+)?)?)?)?"
)
"""What Arrow reads, unless its month lacks that day."""
_USUAL: Final = f"^{_ISO}$"
_ZONED: Final = rf"^(?P<stamp>{_ISO})(?P<zone>Z|[+-](?:0\d|1[0-7]):[0-5]\d)$"

_OUTSIDE: Final = ("date_out_of_range", "outside 1178-1501 AP (1799-03-21 to 2123-03-20)")
_TROUBLES: Final = {
    State.INVALID: ("date_invalid", "no time that exists"),
    State.OUTSIDE: _OUTSIDE,
    State.AMBIGUOUS: ("date_ambiguous", "it can mean either of two days"),
}


class Stamps(NamedTuple):
    """The update stamps of one chunk."""

    updated_at: pa.Array
    """`timestamp[us, Asia/Tehran]`."""
    updated_date: pa.Array
    """`date32`: the Tehran day."""
    updated_date_jalali: pa.Array
    """The same day as `1404/07/29`, `dictionary<int32, string>`."""
    findings: list[Finding]


class _Read(NamedTuple):
    """Stamps, read."""

    naive: Micros
    """Microseconds on Tehran's clock since 1970-01-01, `NO_STAMP` for none."""
    told: Rows
    """Rows that told their offset, and so their very instant."""
    instants: Micros
    """Those instants, microseconds since 1970-01-01 UTC."""
    troubles: list[tuple[str, Rows, str]]
    """Rule, rows and detail."""


def read_stamps(array: pa.Array, *, column: str = "updated_at", today: dt.date | None = None) -> Stamps:
    """Read update stamps.

    Args:
        array: As received: `string`, or encoded strings.
        column: Our column, for the findings.
        today: The run's date, which gives a two-digit year its century; without it such a stamp is invalid.

    Returns:
        The instant and its Tehran day; null where there is none, with a finding unless the field was empty or
        a sentinel.

    >>> stamps = read_stamps(pa.array(["2025-10-21T11:03:41.96", "2022-03-22T00:30:00", "soon"]))
    >>> [str(value) for value in stamps.updated_at.to_pylist()]
    ['2025-10-21 11:03:41.960000+03:30', '2022-03-22 01:00:00+04:30', 'None']
    >>> stamps.updated_date_jalali.to_pylist()
    ['1404/07/29', '1401/01/02', None]
    """
    size = len(array)
    if array.null_count == size:
        return Stamps(pa.nulls(size, STAMP_TYPE), pa.nulls(size, pa.date32()), pa.nulls(size, DICTIONARY), [])
    texts = _texts(array)
    read = _read(texts, today)
    none = read.naive == NO_STAMP
    mask = none if none.any() else None
    days = _days_of(read.naive)
    instants = _to_utc(read.naive, days)
    instants[read.told] = read.instants
    distinct, [slots] = distinct_days(days)
    index = pa.array(slots, mask=mask)
    return Stamps(
        pa.array(instants, mask=mask).view(STAMP_TYPE),
        pa.array(days, mask=mask).view(pa.date32()),
        pa.DictionaryArray.from_arrays(index, days_to_text(distinct), safe=False),
        [Finding(column, rule, rows, texts.take(pa.array(rows)), told) for rule, rows, told in read.troubles],
    )


def stamp_order(array: pa.Array) -> Micros:
    """Give a key by which the newer of two stamps can be told.

    Args:
        array: As received: `string`, or encoded strings.

    Returns:
        int64, microseconds on Tehran's clock; the smallest int64 for what is null or cannot be read.

    >>> keys = stamp_order(pa.array(["2025-10-21T11:03:41.96", "2025-10-21T11:03:41.959", None]))
    >>> keys.argmax(), keys.argmin()
    (np.int64(0), np.int64(2))
    """
    if array.null_count == len(array):
        return np.full(len(array), NO_STAMP, np.int64)
    return _read(_texts(array), None).naive


def usual_times(array: pa.Array) -> tuple[Micros, Micros] | None:
    """Give the order of stamps that are all as the portal writes them, and their instants: both of one reading.

    Args:
        array: As received: `string`, or encoded strings; nulls may be among them.

    Returns:
        int64, as `stamp_order` gives it, and microseconds since 1970-01-01 UTC, `NO_STAMP` for null; None where one
        stamp is written otherwise.

    >>> usual_times(pa.array(["2025-10-21T11:03:41.96", None]))[1].tolist()
    [1761032021960000, -9223372036854775808]
    """
    naive, odd = _parse(_texts(array))
    if len(odd):
        return None
    instants = _to_utc(naive, _days_of(naive))
    instants[naive == NO_STAMP] = NO_STAMP
    return naive, instants


def read_update_times(values: pd.Series) -> pd.Series:
    """Give naive Tehran times, as text, as real times.

    Args:
        values: `2025-10-21T11:03:41.96`, with or without a fraction, an offset, a `Z`; dates alone.

    Returns:
        Arrow `timestamp[us, Asia/Tehran]`; null for what cannot be read or lies outside 1178-1501 AP.

    >>> import pandas as pd
    >>> str(read_update_times(pd.Series(["2021-07-01T12:00:00", "2021-07-01T12:00:00Z"]))[1])
    '2021-07-01 16:30:00+04:30'
    """
    return series(read_stamps(strings(values)).updated_at, values)


def _texts(array: pa.Array) -> pa.Array:
    array = decoded(array)
    return array if array.type == pa.string() else pc.cast(array, pa.string())


def _read(texts: pa.Array, today: dt.date | None) -> _Read:
    """Read the stamps of a chunk: the usual ones all at once, each other text once."""
    naive, odd = _parse(texts)
    if not len(odd):
        return _Read(naive, odd, naive[odd], [])
    zoned, their_instants = _parse_zoned(texts.take(pa.array(odd)))
    told, odd = odd[zoned], odd[~zoned]
    values = texts.take(pa.array(odd)).dictionary_encode()
    ones = [_read_odd(text, today) for text in values.dictionary.to_pylist()]
    places = values.indices.to_numpy()
    naive[odd] = np.array([one.naive for one in ones], np.int64)[places]
    tells = np.array([one.instant is not None for one in ones], bool)[places]
    told = np.concatenate((told, odd[tells]))
    one_by_one = np.array([one.instant or 0 for one in ones], np.int64)[places[tells]]
    instants = np.concatenate((their_instants, one_by_one))
    naive[told] = pc.local_timestamp(pa.array(instants).view(STAMP_TYPE)).view(pa.int64()).to_numpy()
    kinds = list(dict.fromkeys(one.trouble for one in ones if one.trouble is not None))
    kind = np.array([kinds.index(one.trouble) if one.trouble else -1 for one in ones], np.intp)[places]
    troubles = [(rule, odd[kind == number], why) for number, (rule, why) in enumerate(kinds)]
    return _Read(naive, told, instants, troubles)


def _parse(texts: pa.Array) -> tuple[Micros, Rows]:
    """Read the usual stamps; give their times, `NO_STAMP` for the others, and the rows of those.

    A null is no time and no oddity; whatever is out of range is looked at again, since it may be a sentinel.
    """
    naive = _micros(texts)
    lost = (naive < FIRST_DAY * _DAY) | (naive >= (LAST_DAY + 1) * _DAY)
    lost |= (naive >= SENTINEL_DAY * _DAY) & (naive < (SENTINEL_DAY + 1) * _DAY)
    if not lost.any():
        return naive, np.empty(0, np.int64)
    odd = np.flatnonzero(lost & texts.is_valid().to_numpy(zero_copy_only=False))
    naive[lost] = NO_STAMP
    return naive, odd


def _micros(texts: pa.Array) -> Micros:
    """Give the times of the usual stamps, `NO_STAMP` for all others."""
    data, offsets = bytes_of(texts)
    lengths = np.diff(offsets)
    # For one odd stamp Arrow refuses the whole, and with a few in every chunk that would be all: those that it may
    # read end in a digit, and have no more of them than there are microseconds.
    likely = (lengths > 0) & (lengths <= _CHARACTERS)
    if len(data):
        likely &= data[offsets[1:] - 1] - np.uint8(ord("0")) <= 9
    if texts.null_count:
        likely |= texts.is_null().to_numpy(zero_copy_only=False)
    if likely.all():
        return _numbers(_cast(texts))
    micros = np.empty(len(texts), np.int64)
    micros[likely] = _numbers(_cast(texts.filter(pa.array(likely))))
    micros[~likely] = _numbers(_cast_usual(texts.filter(pa.array(~likely))))
    return micros


def _numbers(times: pa.Array) -> Micros:
    micros: Micros = times.view(pa.int64()).fill_null(NO_STAMP).to_numpy(zero_copy_only=False)
    return micros.copy()


def _cast(texts: pa.Array) -> pa.Array:
    """Give stamps as `timestamp[us]`, null for those that are not usual; none has too many digits."""
    with contextlib.suppress(pa.ArrowInvalid):
        return pc.cast(texts, _NAIVE)
    return _cast_usual(texts)


def _cast_usual(texts: pa.Array) -> pa.Array:
    """Give the usual ones among stamps as `timestamp[us]`, null for all others."""
    usual = pc.match_substring_regex(texts, _USUAL)
    known = pc.if_else(usual, texts, None)
    known = pc.binary_slice(known.view(pa.binary()), 0, _CHARACTERS).view(pa.string())
    with contextlib.suppress(pa.ArrowInvalid):
        return pc.cast(known, _NAIVE)
    exists = scan(pc.utf8_slice_codeunits(known, 0, 10), Calendar.GREGORIAN)[0] != NO_DAY
    return pc.cast(pc.if_else(pa.array(exists), known, None), _NAIVE)


def _parse_zoned(texts: pa.Array) -> tuple[npt.NDArray[np.bool_], Micros]:
    """Say which stamps are usual but for a zone at their end, and give the instants of those."""
    parts = pc.extract_regex(texts, _ZONED)
    stamps, zones = parts.flatten()
    naive, _ = _parse(stamps)
    zoned = naive != NO_STAMP
    # Tehran's day may be the one before or after; what that does to the first and last is told by the careful way.
    zoned &= (naive >= (FIRST_DAY + 1) * _DAY) & (naive < LAST_DAY * _DAY)
    zones = zones.filter(pa.array(zoned)).dictionary_encode()
    offsets = np.array([_micros_ahead(zone) for zone in zones.dictionary.to_pylist()], np.int64)
    return zoned, naive[zoned] - offsets[zones.indices.to_numpy()]


def _micros_ahead(zone: str) -> int:
    """Give how far a zone, `Z` or `+03:30`, is ahead of UTC."""
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:])
    return (-minutes if zone[0] == "-" else minutes) * 60_000_000


class _One(NamedTuple):
    """One text, read."""

    naive: int = NO_STAMP
    instant: int | None = None
    trouble: tuple[str, str] | None = None
    """Rule and detail."""


def _read_odd(text: str, today: dt.date | None) -> _One:
    """Read one stamp that has not the usual form."""
    one = _read_one(text, None)
    # The run's date is asked only where it can matter, so that who wants an order and who wants times share the rest.
    return one if today is None or one.trouble != _TROUBLES[State.INVALID] else _read_one(text, today)


@functools.lru_cache(maxsize=4096)
def _read_one(text: str, today: dt.date | None) -> _One:
    reading = read_plain(plain(text), Calendar.GREGORIAN, today)
    if reading.state is not State.DAY or reading.day is None:
        return _One(trouble=_TROUBLES.get(reading.state))
    trouble = None
    if reading.note & Note.TWO_DIGIT:
        trouble = ("date_ambiguous", "the year has two digits: its century is a guess")
    elif reading.note & Note.MISPLACED:
        trouble = ("jalali_in_gregorian_field", "a Jalali date, read as one")
    time = reading.time or Time(0, None)
    naive = reading.day * _DAY + time.micros
    if time.offset is None:
        return _One(naive, None, trouble) if naive < (LAST_DAY + 1) * _DAY else _One(trouble=_OUTSIDE)
    # Tehran's day may be the one before or after: on the very first and last nobody lives.
    inside = FIRST_DAY < reading.day < LAST_DAY
    return _One(naive, naive - time.offset * 60_000_000, trouble) if inside else _One(trouble=_OUTSIDE)


def _days_of(naive: Micros) -> Ints:
    """Give the days of times, `NO_DAY` for none."""
    days = (naive // _DAY).astype(np.int32)
    days[naive == NO_STAMP] = NO_DAY
    return days


def _to_utc(naive: Micros, days: Ints) -> Micros:
    """Give the instants of times on Tehran's clock; of none, anything."""
    offsets, changing = _offsets()
    places = np.clip(days, FIRST_DAY, LAST_DAY) - FIRST_DAY
    instants: Micros = naive - offsets[places]
    rows = np.flatnonzero(changing[places] & (days != NO_DAY))
    if len(rows):
        instants[rows] = _localised(naive[rows])
    return instants


def _localised(naive: Micros) -> Micros:
    times = pa.array(naive).view(_NAIVE)
    local = pc.assume_timezone(times, "Asia/Tehran", ambiguous="earliest", nonexistent="latest")
    instants: Micros = local.view(pa.int64()).to_numpy()
    return instants


@functools.cache
def _offsets() -> tuple[Micros, npt.NDArray[np.bool_]]:
    """Give Tehran's offset on each day from `FIRST_DAY` on, and which days are near a change of the clock.

    Subtracting a number by day is many times faster than asking the time zone database row by row; only the
    days on which, or beside which, the offset changes have to be asked about.
    """
    midnights = np.arange(FIRST_DAY - 1, LAST_DAY + 3, dtype=np.int64) * _DAY
    offsets = midnights - _localised(midnights)
    changes = offsets[1:] != offsets[:-1]
    return offsets[1:-2], changes[:-2] | changes[1:-1]
