"""Do all formats of a table hold the same values, after what a format is known to lose."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.errors import SettingsError
from amoot_etl.loaders.arrow import decoded_type
from amoot_etl.loaders.contract import as_table
from amoot_etl.loaders.parquet import streamed
from amoot_etl.schema import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from amoot_etl.loaders.contract import Format
    from amoot_etl.loaders.generations import Generation

__all__ = ["compare_formats", "table_of"]

_BATCH: Final = 16_384


def compare_formats(generation: Generation) -> tuple[list[str], list[str]]:
    """Compare every table in every other format with its Parquet file, value by value and row by row.

    Parquet holds everything; another format is expected to hold what its loader says it makes of those rows,
    no more and no less. What a loader's options were is read from the manifest (`shape.options`, by format).

    Returns:
        What differs, a line each, naming the file, the column and how many rows; and which files could not be compared
        for want of an extra, a line each.
    """
    problems: list[str] = []
    unread: dict[str, str] = {}
    for entry in generation.files:
        if entry["format"] == "parquet":
            continue
        form = _format(entry["format"])
        if form is None:
            problems.append(f"{entry['path']}: this version cannot read {entry['format']}")
        elif generation.entry(entry["table"]) is not None:
            try:
                problems += _compare(generation, entry, form)
            except SettingsError as error:
                unread[entry["path"]] = f"{entry['path']}: not compared with Parquet: {error}"
    return problems, list(unread.values())


def table_of(schema: pa.Schema, name: str) -> Table:
    """Give the declaration of a table as a Parquet file of it says, whatever a user's mapping made of it.

    >>> table_of(pa.schema([("national_id", pa.string()), ("day", pa.date32())]), "contacts").names
    ('national_id', 'day')
    """
    label = (schema.metadata or {}).get(b"label_fa", b"").decode()
    return Table(name, "", label, tuple(_declared(field) for field in schema))


def _declared(field: pa.Field) -> Column:
    about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    names = {"date32[day]": "date32", "double": "float64"}
    wanted = str(decoded_type(field.type))
    return Column(
        field.name, names.get(wanted, wanted), about.get("description", ""), about.get("label_fa", "")
    )


def _compare(generation: Generation, entry: dict[str, Any], form: Format) -> list[str]:
    table, where = entry["table"], f"{entry['path']}: {entry['table']}"
    path = generation.path / entry["path"]
    options = {**_seen_options(path, entry["format"]), **_told_options(generation, entry["format"])}
    try:
        with streamed(generation.file(table)) as source:
            other = _Rows(form, path, table_of(source.schema_arrow, table))
            differing: dict[str, int] = {}
            for batch in source.iter_batches(_BATCH):
                found = other.take(batch.num_rows)
                if found.num_rows == batch.num_rows:
                    expected, _ = form.reduced(batch, name=table, **options)
                    for column, count in _differences(expected, found):
                        differing[column] = differing.get(column, 0) + count
            if other.count() != source.metadata.num_rows:
                return [f"{where} has {other.count()} rows, Parquet has {source.metadata.num_rows}"]
    except (ValueError, pa.ArrowException) as error:
        # The words of a reader may quote a value, which is a contact's.
        return [f"{where} cannot be read back ({type(error).__name__})"]
    return [f"{where} differs from Parquet in {name}, {count} rows" for name, count in differing.items()]


class _Rows:
    """The rows of a table in another format, a few at a time."""

    def __init__(self, form: Format, path: Path, table: Table) -> None:
        pieces = form.pieces(path, table) if form.pieces else iter([as_table(form.read(path, table))])
        self._pieces: Iterator[pa.Table] = pieces
        self._waiting: list[pa.Table] = []
        self._given = 0

    def take(self, rows: int) -> pa.Table:
        """Give the next rows, fewer where there are no more."""
        while sum(piece.num_rows for piece in self._waiting) < rows:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._waiting.append(piece)
        # Without any piece there are no columns either, and no row to compare.
        whole = pa.concat_tables(self._waiting) if self._waiting else pa.table({})
        taken = whole.slice(0, rows)
        self._waiting = [whole.slice(rows)] if whole.num_rows > rows else []
        self._given += taken.num_rows
        return taken

    def count(self) -> int:
        """Count them all, taken or not."""
        self._given += sum(piece.num_rows for piece in (*self._waiting, *self._pieces))
        self._waiting = []
        return self._given


def _differences(expected: pa.Table, found: pa.Table) -> Iterator[tuple[str, int]]:
    if expected.column_names != found.column_names:
        raise ValueError("the columns differ")
    for name in expected.column_names:
        one, other = _plain(expected[name]), _plain(found[name])
        if one.type != other.type:
            other = other.cast(one.type)
        if one.equals(other):
            continue
        # Null beside null agrees, null beside a value does not; `equals` says false for two NaN.
        same = pc.fill_null(pc.equal(one, other), fill_value=False)
        same = pc.or_(same, pc.and_(pc.is_null(one, nan_is_null=True), pc.is_null(other, nan_is_null=True)))
        count = len(one) - (pc.sum(same).as_py() or 0)
        if count:
            yield name, count


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(decoded_type(column.type))


def _told_options(generation: Generation, form: str) -> dict[str, Any]:
    shape = generation.manifest.get("shape")
    options = shape.get("options") if isinstance(shape, dict) else None
    told = options.get(form) if isinstance(options, dict) else None
    return dict(told) if isinstance(told, dict) else {}


def _seen_options(path: Path, form: str) -> dict[str, Any]:
    """Give what a file itself shows of its options: a CSV file for spreadsheets begins with a mark."""
    if form != "csv":
        return {}
    with pa.input_stream(str(path), compression="detect") as file:
        return {"profile": "excel" if file.read(3) == b"\xef\xbb\xbf" else "plain"}


def _format(name: str) -> Format | None:
    """Give a format by name; its module is imported now, so that Parquet alone needs no other's library."""
    places = {"csv": ("amoot_etl.loaders.csv", "CSV"), "xlsx": ("amoot_etl.loaders.excel", "EXCEL")}
    if name not in places:
        return None
    module, word = places[name]
    form: Format = getattr(importlib.import_module(module), word)
    return form
