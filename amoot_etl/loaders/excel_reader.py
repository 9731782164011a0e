"""Reading back the workbooks that `write_excel` makes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.errors import SettingsError
from amoot_etl.loaders.arrow import arrow_schema, check_headings
from amoot_etl.loaders.contract import frame_of
from amoot_etl.loaders.excel_parts import sheet_name
from amoot_etl.schema import table_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import pandas as pd
    from python_calamine import CalamineWorkbook

    from amoot_etl.schema import Table

__all__ = ["calamine", "cells_table", "read_excel", "sheets_of", "workbook"]

_STEP_ROWS = 16_384


def read_excel(path: str | os.PathLike[str], table: Table | str | None = None) -> pd.DataFrame:
    """Read one table of a workbook of ours into a DataFrame with Arrow types.

    Args:
        path: The workbook.
        table: The table, which names the sheet: `"contacts"`, or where a mapping or a choice of columns shaped the
            workbook, `load_settings().shape.tables["contacts"]`; without it the first table is read and every
            column is text. A table that took several sheets is read from all of them.

    Returns:
        What was written, after the losses that writing it declared. A row without any value is nothing to
        Excel: at the end of a sheet it does not come back.

    Raises:
        SettingsError: The extra `excel` is not installed, or there is no table of that name.
        FileNotFoundError: There is no such file.
        ValueError: It is no workbook, there is no such sheet, its headings are not the table's, or a cell is not of
            its type.
    """
    path = Path(path)
    table = None if table is None else table_of(table)
    with workbook(path) as book:
        schema = None if table is None else arrow_schema(table)
        pieces = []
        for name in sheets_of(book.sheet_names, table):
            rows = book.get_sheet_by_name(name).iter_rows()
            found = [str(cell) for cell in next(rows, [])]
            if schema is None:
                schema = pa.schema([(heading, pa.string()) for heading in found])
            elif table is None and found != schema.names:
                break  # a sheet of its own, which happens to be called so
            elif table is not None:
                check_headings(found, schema, f"sheet {name} of {path.name}", table)
            pieces += [cells_table(some, schema) for some in _some(rows)]
    assert schema is not None  # noqa: S101 - a workbook has a sheet
    bare = schema.remove_metadata()
    return frame_of(pa.concat_tables(pieces) if pieces else bare.empty_table())


def calamine() -> type[CalamineWorkbook]:
    """Give the library's reader of workbooks.

    Raises:
        SettingsError: The extra `excel` is not installed.
    """
    try:
        from python_calamine import CalamineWorkbook  # noqa: PLC0415 - only who reads a workbook needs it
    except ImportError as error:
        raise SettingsError(
            "reading a workbook, as verify does, needs the extra excel: pip install '.[excel]' in the checkout",
            subject="excel",
        ) from error
    return CalamineWorkbook


def workbook(path: Path) -> CalamineWorkbook:
    """Open a workbook.

    Raises:
        SettingsError: The extra `excel` is not installed.
        FileNotFoundError: There is no such file.
        ValueError: It is no workbook.
    """
    reader = calamine()
    from python_calamine import CalamineError  # noqa: PLC0415 - it is there by now

    path.stat()  # whose error names the file, as the reader's does not
    try:
        return reader.from_path(path)
    except CalamineError as error:
        raise ValueError(f"{path} is no workbook: {error}") from error


def sheets_of(names: list[str], table: Table | None) -> list[str]:
    """Give the sheets of a table in order; without a table the first one, and those that go on from it."""
    for wanted in names[:1] if table is None else (table.name, table.label):
        first = wanted if table is None else sheet_name(wanted, [])
        if first in names:
            rest = [sheet_name(wanted, [], at) for at in range(2, len(names) + 1)]
            return [first, *(name for name in rest if name in names)]
    if table is None:
        return []
    raise ValueError(f"the workbook has no sheet of {table.name}")


def _some(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    waiting: list[list[Any]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == _STEP_ROWS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def cells_table(rows: list[list[Any]], schema: pa.Schema) -> pa.Table:
    """Give rows of cells as a table; a cell that is no value of its column's type is an error."""
    if not rows:
        return schema.remove_metadata().empty_table()
    columns = zip(*rows, strict=True)
    # A column without any cell on a sheet may be missing at its right end.
    arrays = [_column(cells, field.type) for cells, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, names=schema.names)


def _column(cells: tuple[Any, ...], data_type: pa.DataType) -> pa.Array:  # noqa: PLR0911 - one a type
    """Give the cells of a column as its type; a cell that is no such value is an error."""
    values = [None if cell == "" else cell for cell in cells]
    if pa.types.is_string(data_type):
        return pa.array([None if value is None else _text(value) for value in values], pa.string())
    if pa.types.is_timestamp(data_type):
        return _stamps(values, data_type)
    if pa.types.is_date32(data_type):
        return pa.array([_moment(value).date() if value is not None else None for value in values], data_type)
    if pa.types.is_boolean(data_type):
        return pa.array(values, data_type)
    if pa.types.is_integer(data_type):
        return pa.array([None if value is None else int(value) for value in values], data_type)
    if pa.types.is_floating(data_type):
        return pa.array([None if value is None else float(value) for value in values], data_type)
    texts = pa.array([None if value is None else _text(value) for value in values], pa.string())
    return pc.cast(texts, data_type)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _moment(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a cell has no zone
    return dt.datetime.fromisoformat(str(value))


def _stamps(values: list[Any], data_type: pa.DataType) -> pa.Array:
    wall = pa.array([None if value is None else _moment(value) for value in values], pa.timestamp("us"))
    # A cell counts in fractions of a day: what comes back is a whisker off its millisecond.
    wall = pc.round_temporal(wall, unit="millisecond").cast(pa.timestamp(data_type.unit))
    if data_type.tz is None:
        return wall
    return pc.assume_timezone(wall, data_type.tz, ambiguous="earliest", nonexistent="latest").cast(data_type)
