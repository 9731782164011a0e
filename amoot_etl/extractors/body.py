"""Turn landed segments into chunks of raw text, in bounded memory.

DuckDB reads a segment with every documented field as text: fast, but it drops fields it was not told of, rewrites
odd numbers and refuses a segment for one odd record. So each reading is proved: the values counted in the bytes
must equal the values found in the columns. Whatever does not prove goes to the careful reader, which is slower
and loses nothing.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from amoot_etl.errors import UnexpectedAnswer
from amoot_etl.extractors import careful
from amoot_etl.extractors.counts import count_values
from amoot_etl.extractors.uniform import read_uniform
from amoot_etl.ids import usable_id, usable_ids
from amoot_etl.utf8 import sayable, text_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    import numpy.typing as npt

    from amoot_etl.extractors.landing import Segment

__all__ = ["LITERALS", "UNREADABLE", "BodyReader", "Raw", "bytes_of"]

UNREADABLE: Final = "_unreadable"
"""The column of records that could not be read, where a DataFrame is made of them."""
LITERALS: Final = "_literals"
"""A column of raw frames, there only when needed: the fields whose text is JSON and not text, as a JSON array.

Without it `[1, 2]` the list and `"[1, 2]"` the address would look the same.
"""

_OWN: Final = frozenset({LITERALS, UNREADABLE})
_CAREFUL_ROWS: Final = 20_000
_BLOCK: Final = 1 << 20
_LONGEST_RECORD: Final = 1 << 24


class Raw(NamedTuple):
    """A chunk of records as text."""

    table: pa.Table
    """All columns `string`: the documented fields, then unknown ones, then perhaps `_literals`."""
    unreadable: list[str]
    """Records without a usable ID, as sent."""

    @property
    def received(self) -> int:
        """Records read."""
        return int(self.table.num_rows) + len(self.unreadable)


class BodyReader:
    """Reads segments of one kind of listing; threads may share it.

    Args:
        method: The portal's method, for messages.
        known: The documented fields; the first one is the ID.
    """

    def __init__(self, method: str, known: Sequence[str]) -> None:
        self._method = method
        self._known = tuple(known)
        self._unknown: list[str] = []
        self._lock = threading.Lock()
        self._local = threading.local()

    def read(self, segment: Segment) -> list[Raw]:
        """Give the records of a segment that was cut between records.

        Raises:
            UnexpectedAnswer: It was cut inside a record: the listing has to be read as one stream.
        """
        raw = self._read_fast(segment)
        return [raw] if raw is not None else list(self.read_carefully([segment]))

    def read_alike(self, data: npt.NDArray[np.uint8]) -> Raw | None:
        """Give the records of a segment's bytes; None unless they are all written alike."""
        table = read_uniform(data, self._known)
        return Raw(table, []) if table is not None and self._are_usable(table) else None

    def read_all(self, segments: Sequence[Segment]) -> Iterator[Raw]:
        """Give the records of a whole listing in chunks."""
        for number, segment in enumerate(segments):
            try:
                chunks = self.read(segment) if segment.cut else None
            except UnexpectedAnswer:
                chunks = None
            if chunks is None:
                yield from self.read_carefully(segments[number:])
                return
            yield from chunks

    def read_carefully(self, segments: Iterable[Segment]) -> Iterator[Raw]:
        """Give the records of segments, taken as one stream, in chunks."""
        batch: list[careful.Record] = []
        size = 0
        for record in careful.records(_joined(segments), self._method):
            batch.append(record)
            size += len(record.raw)
            if len(batch) >= _CAREFUL_ROWS or size >= _LONGEST_RECORD:
                yield self.gather(batch)
                batch, size = [], 0
        if batch:
            yield self.gather(batch)

    def gather(self, batch: list[careful.Record]) -> Raw:
        """Make a chunk of records that were read one by one."""
        key = self._known[0]
        known = set(self._known)
        good = [_named(record, known) for record in batch if usable_id(record.text.get(key))]
        unreadable = [record.raw for record in batch if not usable_id(record.text.get(key))]
        columns = {name: [record.text.get(name) for record in good] for name in self._known}
        for record in good:
            for name, value in record.text.items():
                if name not in known and name not in columns and value is not None:
                    columns[name] = [other.text.get(name) for other in good]
        table = pa.table({name: text_array(values) for name, values in columns.items()})
        self._remember(table.column_names[len(self._known) :])
        # A number for a documented field is its text; only what is nested (or unknown) needs to be told apart.
        literals = [
            _marks([name for name, nested in record.literals.items() if nested or name not in known])
            for record in good
        ]
        if any(literals):
            table = table.append_column(LITERALS, text_array(literals))
        return Raw(table, unreadable)

    def hashes(self, table: pa.Table) -> npt.NDArray[np.uint64]:
        """Give a hash of each row of any table: equal rows have equal ones."""
        connection = self._connection()
        # Numbers for names: DuckDB takes `ID` and `id` for one column, and a name with U+0000 for no name.
        columns = [f"c{number}" for number in range(table.num_columns)]
        connection.register("rows", table.rename_columns(columns))
        hashes = connection.sql(f"SELECT hash({', '.join(columns)}) AS hash FROM rows").to_arrow_table()  # noqa: S608 - our names
        connection.unregister("rows")
        numbers: npt.NDArray[np.uint64] = hashes.column(0).to_numpy()
        return numbers

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """Give this thread's connection; each works with one thread of its own."""
        connection: duckdb.DuckDBPyConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            # Loaded by who parses: a sync that finds nothing changed does without. And Ctrl-C while DuckDB loads aborts
            # the process; it is heard in the main thread, and workers are the first to parse.
            import duckdb  # noqa: PLC0415

            connection = self._local.connection = duckdb.connect(
                config={"threads": 1, "autoinstall_known_extensions": False}
            )
        return connection

    def _remember(self, names: Iterable[str]) -> None:
        with self._lock:
            self._unknown += [name for name in names if name not in self._unknown]

    def _read_fast(self, segment: Segment) -> Raw | None:
        """Read a whole segment at once; None unless it is proved that nothing was lost or changed."""
        data = bytes_of(segment)
        raw = self.read_alike(data)
        if raw is not None:
            return raw
        table = self._parsed(segment, data)
        return Raw(table, []) if table is not None and self._are_usable(table) else None

    def _are_usable(self, table: pa.Table) -> bool:
        return usable_ids(table.column(self._known[0])) is not None

    def _parsed(self, segment: Segment, data: npt.NDArray[np.uint8]) -> pa.Table | None:
        """Have DuckDB read a segment; None unless it is proved that nothing was lost or changed."""
        import duckdb  # noqa: PLC0415 - as above

        values = count_values(data)
        if values is None:
            return None
        unknown = tuple(self._unknown)
        try:
            table = self._query(segment, unknown)
        except (duckdb.Error, UnicodeDecodeError):
            # Its message may quote a byte of a letter that the body cuts in two.
            return None
        if table.column_names != [*self._known, *unknown]:
            # A name may hold what DuckDB's cannot, as U+0000.
            return None
        found = sum(len(column) - column.null_count for column in table.columns)
        return _with_unknown(table, unknown) if found == values else None

    def _query(self, segment: Segment, unknown: tuple[str, ...]) -> pa.Table:
        types = dict.fromkeys(self._known, "VARCHAR") | dict.fromkeys(unknown, "JSON")
        relation = self._connection().sql(
            "SELECT * FROM read_json($path, format='array', columns=$types, maximum_object_size=$longest)",
            params={"path": _as_itself(segment.path), "types": types, "longest": _LONGEST_RECORD},
        )
        return relation.to_arrow_table()


def bytes_of(segment: Segment) -> npt.NDArray[np.uint8]:
    """Give a segment's bytes: mapped, not read, which is one copy less of every one."""
    # A plain array of it: each slice of a memmap runs Python code.
    return np.asarray(np.memmap(segment.path, np.uint8, "r"))


def _as_itself(path: Path) -> str:
    """Give a path as DuckDB takes it, who would read a bracket or a star as a pattern of several files."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _with_unknown(table: pa.Table, unknown: tuple[str, ...]) -> pa.Table:
    """Turn the JSON text of unknown fields into plain text, and say which were no strings."""
    if not unknown:
        return table
    literals: list[list[str]] = [[] for _ in range(table.num_rows)]
    for name in unknown:
        index = table.column_names.index(name)
        values = table.column(name).cast(pa.string())
        if values.null_count == len(values):
            table = table.remove_column(index)
            continue
        text: list[str | None] = []
        for row, value in enumerate(values.to_pylist()):
            if value is not None and not value.startswith('"'):
                literals[row].append(name)
                text.append(value)
            else:
                text.append(None if value is None else json.loads(value))
        table = table.set_column(index, name, text_array(text))
    if any(literals):
        table = table.append_column(LITERALS, text_array([_marks(names) for names in literals]))
    return table


def _marks(names: list[str]) -> str | None:
    return json.dumps(names, ensure_ascii=False) if names else None


def _named(record: careful.Record, known: set[str]) -> careful.Record:
    """Give a record whose unknown fields have names that a column can have; nearly always the record itself."""
    odd = [name for name in record.text if name not in known and (name in _OWN or sayable(name) != name)]
    if not odd:
        return record
    new: dict[str, str] = {}
    taken = {*_OWN, *record.text}
    for name in odd:
        said = sayable(name)
        while said in taken:
            said += "_"
        taken.add(said)
        new[name] = said
    return record._replace(
        text={new.get(name, name): value for name, value in record.text.items()},
        literals={new.get(name, name): nested for name, nested in record.literals.items()},
    )


def _joined(segments: Iterable[Segment]) -> Iterator[bytes]:
    """Give the bytes between the brackets of segments, with the commas that the cuts took."""
    for number, segment in enumerate(segments):
        if number:
            yield b","
        left = segment.path.stat().st_size - 2
        with segment.path.open("rb") as file:
            file.seek(1)
            while left > 0:
                block = file.read(min(_BLOCK, left))
                if not block:
                    raise UnexpectedAnswer(
                        f"{segment.path}: a landed body was cut", subject=str(segment.path)
                    )
                left -= len(block)
                yield block
