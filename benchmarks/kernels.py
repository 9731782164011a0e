"""The kernels alone, on one core: values a second, beside the library that does one value at a time.

Run as a program (`python -m benchmarks.kernels`) it pins itself to one core and prints its figures as JSON.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import jdatetime
import numpy as np
import pandas as pd
import persiantools
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from persiantools.characters import ar_to_fa
from persiantools.jdatetime import JalaliDate

from amoot_etl.transformers.jalali import to_gregorian, to_jalali
from amoot_etl.transformers.mobile import normalise_mobile, read_mobile
from amoot_etl.transformers.stamps import read_stamps
from amoot_etl.transformers.text import clean_array
from benchmarks.world import World, invent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KERNELS", "Kernel", "Speed", "measure"]

_TEHRAN: Final = ZoneInfo("Asia/Tehran")
_BEST_OF: Final = 7
_FIRST: Final = np.datetime64("1940-01-01")
_DAYS: Final = 31_000


@dataclass(frozen=True)
class Speed:
    """What one kernel does.

    Args:
        name: The kernel.
        target: Values a second that it is held to, 0 for none.
        rate: Values a second.
        library: Who does one value at a time.
        library_rate: Values a second of that.
    """

    name: str
    target: float
    rate: float
    library: str
    library_rate: float

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.rate / self.library_rate


@dataclass(frozen=True)
class Kernel:
    """One kernel and the library it stands beside.

    Args:
        name: What it does.
        target: Values a second that it is held to.
        values: Gives that many values, as both sides want them.
        ours: The kernel.
        library: Who does one value at a time.
        theirs: How.
    """

    name: str
    target: float
    values: Callable[[int], Any]
    ours: Callable[[Any], Any]
    library: str
    theirs: Callable[[Any], Any]


def measure(kernel: Kernel, rows: int, sample: int) -> Speed:
    """Measure one kernel.

    Args:
        kernel: Which.
        rows: Values for ours.
        sample: Values for the library, the first ones.

    Raises:
        AssertionError: The two do not agree about the sample.
    """
    values = kernel.values(rows)
    few = _listed(values[:sample])
    ours = _listed(kernel.ours(values[:sample]))
    theirs = [kernel.theirs(value) for value in few]
    if ours != theirs:
        place = next(n for n, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
        raise AssertionError(
            f"{kernel.name}: {few[place]!r} is {ours[place]!r} to us, {theirs[place]!r} to {kernel.library}"
        )
    rate = rows / _best(lambda: kernel.ours(values))
    library_rate = sample / _best(lambda: [kernel.theirs(value) for value in few], 3)
    return Speed(kernel.name, kernel.target, rate, kernel.library, library_rate)


def _best(action: Callable[[], Any], times: int = _BEST_OF) -> float:
    action()
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        action()
        best = min(best, time.process_time() - started)
    return best


def _listed(values: Any) -> list[Any]:
    if isinstance(values, pd.Series):
        return [None if value is pd.NA else value for value in values.tolist()]
    return list(values.to_pylist())


# Values


def _column(name: str, rows: int, dirty: float = 0.0) -> pa.Array:
    """Give the values of a field that are there, as the extractors do: as text."""
    texts: list[str] = []
    chunk = 0
    while len(texts) < rows:
        values = invent(World(dirty=dirty), chunk).columns[name].to_pylist()
        texts += [str(value) for value in map(json.loads, values) if value not in {None, ""}]
        chunk += 1
    return pa.array(texts[:rows], pa.string())


def _typed(rows: int) -> pa.Array:
    """Give numbers as people type them, no two alike."""
    plain = _column("Mobile", rows).to_pylist()
    persian = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
    ways: list[Callable[[str], str]] = [
        lambda n: f"0{n[:3]} {n[3:6]} {n[6:]}",
        lambda n: f"+98-{n[:3]}-{n[3:]}",
        lambda n: f"0{n}".translate(persian),
        lambda n: f"(0{n[:3]}) {n[3:]}",
    ]
    return pa.array([ways[place % 4](number[-10:]) for place, number in enumerate(plain)], pa.string())


def _days(rows: int) -> pd.Series:
    days = _FIRST + np.random.default_rng(1).integers(0, _DAYS, rows)
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(days).cast(pa.date32())))


def _dirty_texts(rows: int) -> pa.Array:
    names = pc.replace_substring(pc.replace_substring(_column("LName", rows), "ی", "ي"), "ک", "ك")
    numbers = pa.array(np.arange(rows)).cast(pa.string())
    return pc.binary_join_element_wise(" ", names, numbers, " ")


# One value at a time


def _phonenumbers(text: str) -> str | None:
    try:
        number = phonenumbers.parse(str(text), "IR")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _jdatetime_day(day: dt.date) -> str:
    date = jdatetime.date.fromgregorian(date=day)
    return f"{date.year:04d}/{date.month:02d}/{date.day:02d}"


def _persiantools_day(day: dt.date) -> str:
    date = JalaliDate(day)  # type: ignore[no-untyped-call]
    return f"{date.year:04d}/{date.month:02d}/{date.day:02d}"


def _parts(text: str) -> list[int]:
    return [int(part) for part in text.split("/")]


def _stamp(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=_TEHRAN)


def _text(text: str) -> str | None:
    return " ".join(ar_to_fa(text).split()) or None


KERNELS: Final = (
    Kernel("mobiles, integers", 10e6, lambda n: _column("Mobile", n), lambda a: read_mobile(a).mobile,
           "phonenumbers", _phonenumbers),
    Kernel("mobiles, integers in a Series", 0, lambda n: pd.Series(_column("Mobile", n).cast(pa.int64()).to_numpy()),
           normalise_mobile, "phonenumbers", _phonenumbers),
    Kernel("mobiles, free text, all distinct", 1.5e6, _typed, lambda a: read_mobile(a).mobile,
           "phonenumbers", _phonenumbers),
    Kernel("Gregorian to Jalali", 20e6, _days, to_jalali, "jdatetime", _jdatetime_day),
    Kernel("Gregorian to Jalali", 20e6, _days, to_jalali, "persiantools", _persiantools_day),
    Kernel("Jalali to Gregorian", 20e6, lambda n: to_jalali(_days(n)), to_gregorian,
           "jdatetime", lambda text: jdatetime.date(*_parts(text)).togregorian()),
    Kernel("Jalali to Gregorian", 20e6, lambda n: to_jalali(_days(n)), to_gregorian,
           "persiantools", lambda text: JalaliDate(*_parts(text)).to_gregorian()),
    Kernel("ISO stamps", 10e6, lambda n: _column("UpdateDateTime", n), lambda a: read_stamps(a).updated_at,
           "datetime and zoneinfo", _stamp),
    Kernel("text, typical first names", 3e6, lambda n: _column("FName", n).dictionary_encode(),
           lambda a: clean_array(a).cast(pa.string()), "persiantools", _text),
    Kernel("text, typical last names", 3e6, lambda n: _column("LName", n).dictionary_encode(),
           lambda a: clean_array(a).cast(pa.string()), "persiantools", _text),
    Kernel("text, addresses that hardly repeat", 0.3e6, lambda n: _column("AddressText", n), clean_array,
           "persiantools", _text),
    Kernel("text, every one distinct and dirty", 0.3e6, _dirty_texts, clean_array,
           "persiantools", _text),
)  # fmt: skip
"""What is measured."""


def versions() -> dict[str, str]:
    """Tell the libraries' versions."""
    return {
        "phonenumbers": phonenumbers.__version__,
        "jdatetime": jdatetime.__VERSION__,
        "persiantools": persiantools.__version__,
        "pyarrow": pa.__version__,
        "numpy": np.__version__,
        "pandas": pd.__version__,
    }


def _main(rows: int, sample: int) -> None:
    pa.set_cpu_count(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    speeds = [asdict(measure(kernel, rows, sample)) for kernel in KERNELS]
    print(json.dumps({"speeds": speeds, "versions": versions()}))


if __name__ == "__main__":
    _main(*(int(argument) for argument in sys.argv[1:]))
