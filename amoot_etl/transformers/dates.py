"""A date that comes in two fields: the Gregorian one and its Jalali twin.

The portal sends each birthday, anniversary and custom date as `X` (`1991-08-03T00:00:00`) and `XPer`
(`1370/05/12`). Each field is read for itself; then the two are made one day. A field is *empty* (null, blank,
a sentinel such as 0001-01-01), a *day* (in whatever calendar: its year tells), a *guess* (a day whose year
has two digits) or *unread* (invalid, ambiguous, out of range).

| Gregorian field | Jalali field | the day | issue of the pair |
| --- | --- | --- | --- |
| day | the same day, empty or unread | that day | |
| empty or unread | day or guess | the twin's | |
| day | another day | the Gregorian one | `date_mismatch` |
| day, at Tehran midnight told in UTC | the day after, told or guessed | the twin's | `date_shifted` |
| day | guess that differs | the Gregorian one | `date_mismatch` |
| guess | day that differs | the twin's | |
| guess | guess, empty or unread | the Gregorian one | |
| the sentinel 1900-01-01 | 1278/10/11, the same | null | |
| empty or unread | empty or unread | null | |

Beside the issue of the pair each field has at most one of its own, whose value is that field as received:
`date_invalid`, `date_out_of_range`, `date_ambiguous` (a guess, or unread because two days can be meant), and
`jalali_in_gregorian_field` or `gregorian_in_jalali_field` for a date that was read as what it is.
`date_in_future` (births) is about the day that was kept, so it may stand beside another.

A birthday never passes a time zone: 34 days, the last in 2022, have no midnight in Tehran. The date part counts, as
written, whatever time or offset follows it; `date_shifted` is the one exception, and needs the twin's word.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from amoot_etl.transformers._arrow import DICTIONARY, Finding, strings
from amoot_etl.transformers._dateforms import SENTINEL_DAY, Calendar
from amoot_etl.transformers._datepair import Pair, read_side
from amoot_etl.transformers._daycells import blank, canonical_days
from amoot_etl.transformers._days import NO_DAY, days_to_text, distinct_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

__all__ = ["DateFields", "DatePair", "read_date_pair", "read_date_pairs", "read_dates"]

_EPOCH: Final = dt.date(1970, 1, 1)


class DateFields(NamedTuple):
    """The two fields of a date, as received, and what only the caller knows about them."""

    gregorian: pa.Array
    """What the Gregorian field held: `string`, or encoded strings."""
    jalali: pa.Array
    """What the Jalali field held, as long."""
    column: str
    """Our Gregorian column, for the findings."""
    fields: tuple[str, str] = ("gregorian", "jalali")
    """The portal's names of the two fields, for the findings."""
    birth: bool = False
    """Whether a day after the run's date is an issue."""


class DatePair(NamedTuple):
    """One date column in both calendars, and what was wrong with the fields it came from."""

    date: pa.Array
    """`date32`."""
    jalali: pa.Array
    """The same days as `1370/05/12`, `dictionary<int32, string>`."""
    findings: list[Finding]


def read_date_pair(  # noqa: PLR0913 - two fields, and what only the caller knows about them
    gregorian: pa.Array,
    jalali: pa.Array,
    *,
    column: str,
    today: dt.date,
    birth: bool = False,
    fields: tuple[str, str] = ("gregorian", "jalali"),
) -> DatePair:
    """Read a Gregorian field and its Jalali twin as one day.

    Args:
        gregorian: What the Gregorian field held: `string`, or encoded strings.
        jalali: What the Jalali field held, as long.
        column: Our Gregorian column, for the findings.
        today: The run's date: it gives two-digit years their century and tells what is in the future.
        birth: Whether a day after `today` is an issue.
        fields: The portal's names of the two fields, for the findings.

    Returns:
        The day in both calendars, and the findings, in the order of the module's table.

    >>> import datetime as dt
    >>> read = read_date_pair(
    ...     pa.array(["1991-08-03T00:00:00", None, "1991-08-03T00:00:00"]),
    ...     pa.array(["1370/05/12", "۱۲ مرداد ۱۳۷۰", "1370/05/13"]),
    ...     column="birth_date",
    ...     today=dt.date(2026, 11, 21),
    ... )
    >>> read.jalali.to_pylist()
    ['1370/05/12', '1370/05/12', '1370/05/12']
    >>> [(finding.rule, finding.rows.tolist()) for finding in read.findings]
    [('date_mismatch', [2])]
    """
    [pair] = read_date_pairs([DateFields(gregorian, jalali, column, fields, birth)], today=today)
    return pair


def read_date_pairs(pairs: Sequence[DateFields], *, today: dt.date) -> list[DatePair]:
    """Read all dates of a chunk; as `read_date_pair`, in less time than one by one.

    Args:
        pairs: The fields of each date.
        today: The run's date.

    Returns:
        One for each of `pairs`.
    """
    read = [_agreed(pair, today) for pair in pairs]
    findings: list[list[Finding]] = [[] for _ in pairs]
    doubtful = [number for number, (_, rest) in enumerate(read) if len(rest)]
    if doubtful:
        _settle([(pairs[number], *read[number], findings[number]) for number in doubtful], today)
    return [_dated(days, found) for (days, _), found in zip(read, findings, strict=True)]


def _settle(
    doubtful: Sequence[tuple[DateFields, npt.NDArray[np.int32], npt.NDArray[np.int64], list[Finding]]],
    today: dt.date,
) -> None:
    """Decide the rows that have to be looked at, of all dates together.

    Args:
        doubtful: Of each date the fields, the days of all rows, the rows to look at, and the findings; the days of
            those rows are set, and what is found is added.
        today: The run's date.
    """
    takes = [pa.array(rest) for _, _, rest, _ in doubtful]
    pair = Pair(
        read_side(
            [one[0].gregorian.take(at) for one, at in zip(doubtful, takes, strict=True)],
            Calendar.GREGORIAN,
            today,
        ),
        read_side(
            [one[0].jalali.take(at) for one, at in zip(doubtful, takes, strict=True)], Calendar.JALALI, today
        ),
        [fields.fields for fields, *_ in doubtful],
        [len(at) for at in takes],
    )
    told = [*pair.settle(), *pair.tell_fields(), *pair.tell_future(today, [one[0].birth for one in doubtful])]
    ends = np.cumsum([0, *(len(at) for at in takes)])
    settled = np.append(pair.days, np.int32(NO_DAY))[pair.slots]
    for number, (fields, days, rest, findings) in enumerate(doubtful):
        first, last = ends[number : number + 2]
        days[rest] = settled[first:last]
        ours, twin = fields.fields
        for rule, rows, values, detail in told:
            start, stop = np.searchsorted(rows, (first, last)).tolist()
            if start == stop:
                continue
            words = detail.format(ours=ours, twin=twin) if isinstance(detail, str) else detail[start:stop]
            where = rest[rows[start:stop] - first]
            findings.append(Finding(fields.column, rule, where, values[start:stop], words))


def _dated(days: npt.NDArray[np.int32], findings: list[Finding]) -> DatePair:
    """Give days, int32 with `NO_DAY`, as columns."""
    distinct, [slots] = distinct_days(days)
    if not len(distinct):
        return DatePair(pa.nulls(len(days), pa.date32()), pa.nulls(len(days), DICTIONARY), findings)
    none = slots < 0
    mask = none if none.any() else None
    texts = pa.DictionaryArray.from_arrays(pa.array(slots, mask=mask), days_to_text(distinct), safe=False)
    return DatePair(pa.array(days, mask=mask).view(pa.date32()), texts, findings)


def _agreed(pair: DateFields, today: dt.date) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Read the rows that there is nothing to say about: nearly all, and much faster than one can decide.

    Returns:
        The day of each row, and the rows that have to be looked at.
    """
    gregorian, jalali, size = pair.gregorian, pair.jalali, len(pair.gregorian)
    if gregorian.null_count == jalali.null_count == size:
        return np.full(size, NO_DAY, np.int32), np.empty(0, np.int64)
    if gregorian.type != pa.string() or jalali.type != pa.string():
        return np.full(size, NO_DAY, np.int32), np.arange(size)
    ours = canonical_days(gregorian, Calendar.GREGORIAN)
    twins = canonical_days(jalali, Calendar.JALALI)
    unsaid, untold = blank(gregorian), blank(jalali)
    days = np.where(unsaid, twins, ours)
    fine = (ours == twins) | unsaid | untold
    fine &= ((days != NO_DAY) & (days != SENTINEL_DAY)) | (unsaid & untold)
    if pair.birth:
        fine &= days <= (today - _EPOCH).days
    return days, np.flatnonzero(~fine)


def read_dates(
    gregorian: pd.Series | None,
    jalali: pd.Series | None,
    *,
    today: dt.date,
    birth: bool = False,
) -> pd.DataFrame:
    """Read a Gregorian column and its Jalali twin, either of which may be missing, as one day a row.

    Args:
        gregorian: Gregorian dates as text, or anything whose text is one; None for none.
        jalali: Jalali dates as people type them, or `jdatetime` dates; None for none.
        today: The run's date.
        birth: Whether a day after `today` is an issue.

    Returns:
        A frame with the index of what was given: `date` (`date32`), `jalali` (`string`, `1370/05/12`),
        `issue` (the rules that were broken, joined by ` | `, or null) and `detail` (each in words).

    Raises:
        ValueError: Neither was given, or their indexes differ.

    >>> import datetime as dt
    >>> import pandas as pd
    >>> typed = pd.Series(["29 مهر 1404", "1404/12/30"])
    >>> read_dates(None, typed, today=dt.date(2026, 11, 21)).jalali.tolist()
    ['1404/07/29', <NA>]
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    index = gregorian.index if gregorian is not None else jalali.index if jalali is not None else None
    if index is None:
        raise ValueError("give at least one of the two columns")
    if gregorian is not None and jalali is not None and not gregorian.index.equals(jalali.index):
        raise ValueError("the two columns have different indexes: take both from one frame")
    absent = pa.nulls(len(index), pa.string())
    pair = read_date_pair(
        absent if gregorian is None else strings(gregorian),
        absent if jalali is None else strings(jalali),
        column="date",
        today=today,
        birth=birth,
    )
    rules: list[list[str]] = [[] for _ in range(len(index))]
    details: list[list[str]] = [[] for _ in range(len(index))]
    for finding in pair.findings:
        told = (
            [finding.detail] * len(finding.rows)
            if isinstance(finding.detail, str)
            else finding.detail.to_pylist()
        )
        for row, detail in zip(finding.rows.tolist(), told, strict=True):
            rules[row].append(finding.rule)
            details[row].append(detail)
    columns = {
        "date": pair.date,
        "jalali": pair.jalali.cast(pa.string()),
        "issue": pa.array([" | ".join(rule) or None for rule in rules], pa.string()),
        "detail": pa.array([" | ".join(detail) or None for detail in details], pa.string()),
    }
    frame = {name: pd.Series(pd.arrays.ArrowExtensionArray(array)) for name, array in columns.items()}
    return pd.DataFrame(frame).set_axis(index)
