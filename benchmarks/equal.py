"""Insist that results agree, value by value, before their times are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.bodies import ids_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from benchmarks.bodies import Workload

__all__ = [
    "Different",
    "same_as_bodies",
    "same_as_pandas",
    "same_as_received",
    "same_csv",
    "same_set",
    "same_workbooks",
]

_DUCKDB: Final = {
    "ID": "contact_id",
    "Active": "active",
    "Deleted": "deleted",
    "Mobile": "mobile_raw",
    "FName": "first_name",
    "LName": "last_name",
    "AddressText": "address",
    "BornDatePer": "birth_date_jalali",
}
_DLT: Final = {
    "id": "contact_id",
    "active": "active",
    "deleted": "deleted",
    "mobile": "mobile_raw",
    "f_name": "first_name",
    "l_name": "last_name",
    "address_text": "address",
    "born_date_per": "birth_date_jalali",
}


class Different(Exception):  # noqa: N818 - it says what it is
    """Two results are not the same, so their times say nothing."""


def same_as_pandas(ours: Path, theirs: Path) -> int:
    """Insist that the plain script made of clean contacts what we made; give the columns compared."""
    left, right = pq.read_table(ours), pq.read_table(theirs)
    return _same(left, right, {name: name for name in right.column_names}, "the pandas script")


def same_as_received(ours: Path, theirs: Sequence[Path], *, dlt: bool = False) -> int:
    """Insist that another tool holds the contacts that we hold, as received; give the columns compared.

    Clean contacts only: then what was received and what is cleaned are the same.
    """
    names = _DLT if dlt else _DUCKDB
    right = pa.concat_tables([pq.read_table(path, columns=list(names)) for path in theirs])
    return _same(pq.read_table(ours), right, names, "dlt" if dlt else "DuckDB")


def ids_in(folder: Path) -> npt.NDArray[np.int64]:
    """Give the contacts that an exported folder holds, rising."""
    ids = pq.read_table(folder / "contacts.parquet", columns=["contact_id"]).column(0).to_numpy()
    return np.sort(ids)


def same_as_bodies(folder: Path, workload: Workload) -> int:
    """Insist that an export holds every contact and every membership of a workload; give the contacts."""
    ids = ids_in(folder)
    if not np.array_equal(ids, ids_of(workload)):
        raise Different(f"the export holds other contacts than {workload.folder.name}")
    pairs = pq.ParquetFile(folder / "contact_groups.parquet").metadata.num_rows
    if pairs != workload.records:
        raise Different(f"the export has {pairs} memberships, {workload.folder.name} has {workload.records}")
    return len(ids)


def same_set(one: Path, other: Path) -> int:
    """Insist that two exported folders hold the same contacts and memberships; give the contacts."""
    left, right = (pq.read_table(folder / "contacts.parquet") for folder in (one, other))
    _same(left, right, {name: name for name in left.column_names}, other.name)
    keys = [("contact_id", "ascending"), ("group_id", "ascending")]
    pairs = [pq.read_table(folder / "contact_groups.parquet").sort_by(keys) for folder in (one, other)]
    if not pairs[0].equals(pairs[1]):
        raise Different(f"{other.name}: the memberships differ")
    return int(left.num_rows)


def same_csv(parquet: Path, csv: Path) -> int:
    """Insist that our own reader finds in a CSV file what Parquet holds; give the rows."""
    from amoot_etl.loaders.csv_reader import read_csv  # noqa: PLC0415 - it brings pandas
    from amoot_etl.schema import TABLES  # noqa: PLC0415

    left = pq.read_table(parquet)
    right = pa.Table.from_pandas(read_csv(csv, TABLES["contacts"]), preserve_index=False)
    _same(left, right, {name: name for name in left.column_names}, "the CSV file")
    return int(left.num_rows)


def same_workbooks(ours: Path, theirs: Path) -> int:
    """Insist that two workbooks' first sheets hold the same IDs, mobiles and names; give the rows."""
    import python_calamine  # noqa: PLC0415 - only this needs it

    sheets = []
    for path in (ours, theirs):
        rows = python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()
        places = [rows[0].index(name) for name in ("contact_id", "mobile", "first_name", "address")]
        sheets.append([[_cell(row[place]) for place in places] for row in rows[1:]])
    if sheets[0] != sheets[1]:
        raise Different("the workbooks differ")
    return len(sheets[0])


def _cell(value: object) -> str:
    return str(int(value)) if isinstance(value, float) else str(value or "")


def _same(left: pa.Table, right: pa.Table, names: Mapping[str, str], who: str) -> int:
    """Compare columns by contact; `names` maps theirs to ours."""
    key = next(theirs for theirs, ours in names.items() if ours == "contact_id")
    if left.num_rows != right.num_rows:
        raise Different(f"{who}: {right.num_rows} contacts, and not {left.num_rows}")
    left_order = pc.sort_indices(left.column("contact_id"))
    right_order = pc.sort_indices(right.column(key))
    for theirs, ours in names.items():
        one = _texts(left.column(ours).take(left_order))
        other = _texts(right.column(theirs).take(right_order))
        if not one.equals(other):
            rows = pc.sum(pc.not_equal(pc.fill_null(one, ""), pc.fill_null(other, ""))).as_py()
            raise Different(f"{who}: {rows} values of {ours} differ")
    return len(names)


def _texts(column: pa.ChunkedArray) -> pa.Array:
    """Give values as text; an empty one is none."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks)
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    if pa.types.is_timestamp(whole.type):
        whole = whole.cast(pa.timestamp("us", whole.type.tz)).cast(pa.int64())
    if pa.types.is_floating(whole.type):
        whole = whole.cast(pa.int64())
    whole = whole.cast(pa.string())
    return pc.if_else(pc.equal(whole, ""), pa.scalar(None, pa.string()), whole)
