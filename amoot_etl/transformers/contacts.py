"""The chain: a chunk of raw contacts in, clean contacts and their issues out.

Each column is read by the module that knows it; this one only says which field goes where. Nothing here looks at
more than one chunk, so what depends on all contacts (a contact's groups, numbers that several share) is added by
the pipeline.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.ids import usable_ids
from amoot_etl.schema import CONTACT_FIELDS
from amoot_etl.shape import Shape
from amoot_etl.transformers._arrow import DICTIONARY, Finding, decoded, encoded, strings
from amoot_etl.transformers.custom import read_custom
from amoot_etl.transformers.dates import DateFields, read_date_pairs
from amoot_etl.transformers.email import read_email
from amoot_etl.transformers.gender import read_gender
from amoot_etl.transformers.issues import issue_table, wanted_issues
from amoot_etl.transformers.mobile import read_mobile
from amoot_etl.transformers.stamps import read_stamps
from amoot_etl.transformers.text import clean_arrays, join_names

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    import numpy.typing as npt
    import pandas as pd

__all__ = ["Cleaned", "CleanedTable", "clean_contacts", "clean_table"]

_LITERALS: Final = "_literals"
_TEXT: Final = {
    "FName": "first_name",
    "LName": "last_name",
    "CompanyTitle": "company",
    "JobTitle": "job_title",
    "CityName": "city",
    "AddressText": "address",
    **{f"CustomText{n}": f"custom_text_{n}" for n in range(1, 7)},
}
_DATES: Final = {
    "BornDate": "birth_date",
    "AnniversaryDate": "anniversary_date",
    **{f"CustomDate{n}": f"custom_date_{n}" for n in range(1, 4)},
}
_COLUMN_OF: Final = {
    "ID": "contact_id",
    "Active": "active",
    "Deleted": "deleted",
    "Mobile": "mobile",
    "Email": "email",
    "GenderType": "gender",
    "GenderTypeStr": "gender",
    "UpdateDateTime": "updated_at",
    **_TEXT,
    **_DATES,
    **{f"{field}Per": column for field, column in _DATES.items()},
}
_BOOLS: Final = {"true": True, "1": True, "false": False, "0": False}


class CleanedTable(NamedTuple):
    """A clean chunk as Arrow tables."""

    contacts: pa.Table
    """Every column of `contacts`; strings that repeat are `dictionary<int32, string>`; `groups` is null."""
    issues: pa.Table
    """The columns of `issues`, by row of the chunk."""
    mobiles: npt.NDArray[np.int64]
    """Each row's number as digits, 0 where it has none: for finding the ones that several contacts share."""


class Cleaned(NamedTuple):
    """A clean chunk as DataFrames."""

    contacts: pd.DataFrame
    issues: pd.DataFrame


def clean_contacts(frame: pd.DataFrame, *, today: dt.date, shape: Shape | None = None) -> Cleaned:
    """Clean a chunk of contacts.

    Args:
        frame: Raw contacts as the extractors give them: the portal's fields as columns, every value as text. A
            field that is missing counts as null. It is left as it is.
        today: The run's date in Tehran: it settles centuries and what is in the future.
        shape: A mapping of the custom fields, and the columns that are wanted; without it the table as documented.

    Returns:
        `contacts` with the columns of the table of that name, Arrow-backed, on the index of `frame`; and `issues`,
        one row for each value that broke a rule. What depends on other contacts is not in them: `groups` is null
        and nothing is a duplicate.

    Raises:
        ValueError: A row has no usable ID.

    >>> import datetime as dt
    >>> import pandas as pd
    >>> raw = pd.DataFrame({"ID": ["7"], "Mobile": ["9121234567"], "BornDatePer": ["۱۳۷۰/۰۵/۱۲"]})
    >>> clean = clean_contacts(raw, today=dt.date(2026, 11, 21))
    >>> clean.contacts[["contact_id", "mobile", "birth_date"]].to_dict("records")
    [{'contact_id': 7, 'mobile': '+989121234567', 'birth_date': datetime.date(1991, 8, 3)}]
    >>> len(clean.issues)
    0
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    raw = pa.table({str(name): strings(frame[name]) for name in frame.columns if name != "_unreadable"})
    if "_unreadable" in frame:
        readable = frame["_unreadable"].isna().to_numpy(dtype=bool)
        raw, frame = raw.filter(pa.array(readable)), frame[readable]
    shape = shape or Shape()
    clean = clean_table(raw, today=today, shape=shape)
    wanted = clean.contacts.select(list(shape.tables["contacts"].names))
    contacts = pa.table([decoded(column) for column in _whole(wanted)], names=wanted.column_names)
    issues = wanted_issues(clean.issues, shape)
    frames = [table.to_pandas(types_mapper=pd.ArrowDtype) for table in (contacts, issues)]
    return Cleaned(frames[0].set_axis(frame.index), frames[1])


def clean_table(raw: pa.Table, *, today: dt.date, shape: Shape | None = None) -> CleanedTable:
    """Clean a chunk of contacts, Arrow in and out: what `clean_contacts` and the pipeline stand on.

    Args:
        raw: Raw contacts, `string` columns.
        today: The run's date in Tehran.
        shape: A mapping of the custom fields; which columns are wanted is for whoever writes them.

    Raises:
        ValueError: A row has no usable ID.
    """
    chain = _Chain(raw, today, shape or Shape())
    return chain.run()


class _Chain:
    """One chunk on its way through the chain."""

    def __init__(self, raw: pa.Table, today: dt.date, shape: Shape) -> None:
        self.size = raw.num_rows
        self.today = today
        self.shape = shape
        self.findings: list[Finding] = []
        self.raw = dict(zip(raw.column_names, _whole(raw), strict=True))
        self.columns: dict[str, pa.Array] = {}
        self.literals = self._literals()

    def run(self) -> CleanedTable:
        """Read every column."""
        numbers = usable_ids(self.field("ID"))
        if numbers is None:
            raise ValueError("a row has no usable ID: a whole number from 1 up")
        ids = self.columns["contact_id"] = pa.array(numbers)
        for field, column in (("Active", "active"), ("Deleted", "deleted")):
            self.columns[column] = self._bool(field, column)
        mobiles = self._mobile()
        self._texts()
        self.columns["full_name"] = join_names(self.columns["first_name"], self.columns["last_name"])
        self._take("gender", read_gender(self.field("GenderType"), self.field("GenderTypeStr")))
        self._take("email", read_email(self.field("Email")))
        self._dates()
        stamps = read_stamps(self.field("UpdateDateTime"), column="updated_at", today=self.today)
        self.columns["updated_at"] = stamps.updated_at
        self.columns["updated_date"] = stamps.updated_date
        self.columns["updated_date_jalali"] = stamps.updated_date_jalali
        self.findings += stamps.findings
        self.columns["groups"] = pa.nulls(self.size, DICTIONARY)
        self.columns["extra"] = self._extra()
        names = list(self.shape.contacts.names)
        contacts = pa.table([self.columns[name] for name in names], names=names)
        return CleanedTable(contacts, issue_table(ids, self.findings, names), mobiles)

    def field(self, name: str) -> pa.Array:
        """Give a field's texts; nulls where the chunk does not have it."""
        array = self.raw.get(name)
        return pa.nulls(self.size, pa.string()) if array is None else array

    def _literals(self) -> dict[str, set[int]]:
        """Say which rows of which field hold JSON; set aside what stands so in a documented field."""
        marks = self.raw.pop(_LITERALS, None)
        if marks is None:
            return {}
        literals: dict[str, set[int]] = {}
        for row in np.flatnonzero(pc.is_valid(marks).to_numpy(zero_copy_only=False)).tolist():
            for field in json.loads(marks[row].as_py()):
                literals.setdefault(field, set()).add(row)
        for field, column in _COLUMN_OF.items():
            if field in literals:
                self._set_aside(field, self.shape.name(column), sorted(literals[field]))
        return literals

    def _set_aside(self, field: str, column: str, rows: list[int]) -> None:
        """Report nested values of a documented field, and let the chain see a null there."""
        where = np.array(rows, np.int64)
        array = self.raw[field]
        detail = f"{field} holds a nested value"
        self.findings.append(Finding(column, "type_mismatch", where, array.take(pa.array(where)), detail))
        if field == "Mobile":
            # The column that keeps it raw keeps it, and it reads as no number; it is told once.
            return
        mask = np.zeros(self.size, bool)
        mask[where] = True
        self.raw[field] = pc.if_else(pa.array(mask), pa.scalar(None, pa.string()), array)

    def _take(self, column: str, read: tuple[pa.Array, Iterable[Finding]]) -> None:
        self.columns[column], findings = read
        self.findings += findings

    def _bool(self, field: str, column: str) -> pa.Array:
        array = encoded(self.field(field))
        words = [None if text is None else text.strip().lower() for text in array.dictionary.to_pylist()]
        values = pa.array([_BOOLS.get(word) if word else None for word in words], pa.bool_())
        odd = np.array([bool(word) and word not in _BOOLS for word in words], bool)
        self._report_odd(array, odd, column, f"{field} is not a boolean")
        return values.take(array.indices)

    def _report_odd(
        self, array: pa.DictionaryArray, odd: npt.NDArray[np.bool_], column: str, detail: str
    ) -> None:
        if not odd.any():
            return
        rows = np.flatnonzero(pc.fill_null(pa.array(odd).take(array.indices), fill_value=False))
        values = decoded(array.take(pa.array(rows)))
        self.findings.append(Finding(column, "type_mismatch", rows.astype(np.int64), values, detail))

    def _mobile(self) -> npt.NDArray[np.int64]:
        raw = self.field("Mobile")
        read = read_mobile(raw)
        for name in read._fields:
            if name not in {"keys", "findings"}:
                self.columns[name] = getattr(read, name)
        self.columns["mobile_raw"] = raw
        nested = self.literals.get("Mobile")
        self.findings += [_without(finding, nested) for finding in read.findings] if nested else read.findings
        return read.keys

    def _texts(self) -> None:
        plain: dict[str, pa.Array] = {}
        for field, column in _TEXT.items():
            mapped = self.shape.field(column)
            if mapped is None or mapped.type == "text":
                plain[self.shape.name(column)] = encoded(self.field(field))
                continue
            read = read_custom(self.field(field), mapped, today=self.today)
            names = [one.name for one in mapped.columns()]
            self.columns.update(zip(names, read.arrays, strict=True))
            self.findings += read.findings
        self.columns.update(zip(plain, clean_arrays([*plain.values()]), strict=True))

    def _dates(self) -> None:
        columns = [self.shape.name(column) for column in _DATES.values()]
        pairs = [
            DateFields(
                self.field(field),
                self.field(f"{field}Per"),
                column,
                (field, f"{field}Per"),
                birth=column == "birth_date",
            )
            for field, column in zip(_DATES, columns, strict=True)
        ]
        for column, read in zip(columns, read_date_pairs(pairs, today=self.today), strict=True):
            self.columns[column] = read.date
            self.columns[f"{column}_jalali"] = read.jalali
            self.findings += read.findings

    def _extra(self) -> pa.Array:
        """Collect the fields that the portal does not document into one JSON object a row."""
        unknown = sorted(set(self.raw) - set(CONTACT_FIELDS))
        if not unknown:
            return pa.nulls(self.size, pa.string())
        columns = [
            (json.dumps(name, ensure_ascii=False), self.literals.get(name, ()), self.raw[name])
            for name in unknown
        ]
        texts: list[list[str]] = [[] for _ in range(self.size)]
        for key, literal, array in columns:
            for row in np.flatnonzero(pc.is_valid(array).to_numpy(zero_copy_only=False)).tolist():
                text = array[row].as_py()
                value = text if row in literal and _is_json(text) else json.dumps(text, ensure_ascii=False)
                texts[row].append(f"{key}:{value}")
        return pa.array(["{" + ",".join(parts) + "}" if parts else None for parts in texts], pa.string())


def _is_json(text: str) -> bool:
    """Say whether a bare value is JSON for every reader; what is nested deeper than Python goes was read as such."""
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    """Refuse `NaN` and `Infinity`, which are Python's own."""
    raise ValueError(constant)


def _without(finding: Finding, rows: set[int]) -> Finding:
    kept = ~np.isin(finding.rows, list(rows))
    mask = pa.array(kept)
    detail = finding.detail if isinstance(finding.detail, str) else finding.detail.filter(mask)
    return Finding(finding.column, finding.rule, finding.rows[kept], finding.values.filter(mask), detail)


def _whole(table: pa.Table) -> list[pa.Array]:
    """Give each column of a table as one array."""
    return [
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks)
        if column.num_chunks
        else pa.nulls(0, column.type)
        for column in table.columns
    ]
