"""What changed between two generations, a row a contact; and the same as a feed that publishing writes.

A row says which columns of a contact changed and which groups it joined or left, not the values: those are in
the newer generation. Taking them from there, the feed replayed over a generation gives the next one.

Two tables of a million contacts are told apart by one 64-bit hash a row; only rows whose hashes differ are
compared column by column. That two different rows of one contact share a hash has a chance of one in 2^64.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.errors import OutputError, SettingsError
from amoot_etl.loaders.atomic import telling
from amoot_etl.loaders.contract import Written, frame_of
from amoot_etl.loaders.generations import Generation, list_generations, require_current
from amoot_etl.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from amoot_etl.loaders.draft import Draft

__all__ = ["CHANGES_SCHEMA", "changes", "diff", "write_changes"]

CHANGES_SCHEMA: Final = pa.schema(
    [
        ("run_id", pa.string()),
        ("at", pa.timestamp("us", "Asia/Tehran")),
        ("contact_id", pa.int64()),
        ("change", pa.string()),
        ("columns", pa.string()),
        ("groups_joined", pa.string()),
        ("groups_left", pa.string()),
    ]
)
"""The columns of `diff`, of `changes` and of a change file.

`change` is `added`, `updated`, `removed`, or `relabelled` for a contact of which nothing changed but its groups
(and the stamp of that change). `columns` are names of columns joined by ` | `, `groups_joined` and
`groups_left` are group ids likewise; each is null when there are none.
"""

_MEMORY: Final = "400MB"
_BATCH: Final = 65_536
_STAMPS: Final = ("updated_at", "updated_date", "updated_date_jalali")
_TRIES: Final = 20


def diff(folder: Path | str | None = None, a: str | None = None, b: str | None = None) -> pd.DataFrame:
    """Give what changed from generation `a` to generation `b`.

    Args:
        folder: The output folder; without it the one that the settings name.
        a: The older run; without it the one kept just before `b`.
        b: The newer run; without it the current one.

    Returns:
        A row for each contact that changed, by contact_id; the columns of `CHANGES_SCHEMA`.

    Raises:
        SettingsError: There is no such generation, or none before `b`.
        OutputError: A generation was pruned meanwhile, or a file of it cannot be read.
    """
    folder = Path(folder) if folder is not None else load().out
    newer = require_current(folder) if b is None else _kept(folder, b)
    older = _before(folder, newer) if a is None else _kept(folder, a)
    with _differences(older.path, newer.path) as batches:
        rows = [_dressed(batch, newer.run_id, _moment(newer)) for batch in batches]
    return frame_of(pa.Table.from_batches(rows, CHANGES_SCHEMA))


def write_changes(previous: Generation, draft: Draft, at: datetime) -> Written:
    """Write the change file of a draft that will take the place of `previous`.

    Args:
        previous: The current generation, of the same scope.
        draft: The new set; its tables of contacts and of memberships are written already.
        at: When its data was complete.

    Returns:
        What to publish with the rest of the draft.

    Raises:
        OutputError: The file cannot be written, or a table of the old set cannot be read.
    """
    path = draft.changes_path()
    about = {"table": "changes", "run_id": draft.run_id, "previous": previous.run_id}
    count = 0
    with (
        telling(path),
        pq.ParquetWriter(path, CHANGES_SCHEMA.with_metadata(about), compression="zstd") as writer,
        _differences(previous.path, draft.folder) as batches,
    ):
        for batch in batches:
            writer.write_batch(_dressed(batch, draft.run_id, at).replace_schema_metadata(about))
            count += batch.num_rows
    return Written(path, "changes", "parquet", count)


def changes(folder: Path | str | None = None, since: str | datetime | None = None) -> pd.DataFrame:
    """Give the change feed: what each publish over an older generation changed, the oldest first.

    Args:
        folder: The output folder; without it the one that the settings name.
        since: Only what came after this run, or after this moment; without it everything that is kept.

    Returns:
        The columns of `CHANGES_SCHEMA`, by run and contact.

    Raises:
        SettingsError: The feed does not know the run `since` (it began later, or the folder was rolled back):
            read the whole export instead.
        OutputError: A file of the feed cannot be read.
    """
    folder = Path(folder) if folder is not None else load().out
    for _ in range(_TRIES):
        generation = require_current(folder)
        try:
            return frame_of(_feed(generation, since))
        except FileNotFoundError as error:
            # Pruned while we were reading: another generation is current by now, and its feed holds the same.
            if require_current(folder).run_id == generation.run_id:
                raise OutputError(
                    f"{error.filename} is missing: `amoot-etl verify` says more", subject=str(generation.path)
                ) from error
    raise OutputError(f"{folder} changes faster than it can be read", subject=str(folder))


def _feed(generation: Generation, since: str | datetime | None) -> pa.Table:
    files = generation.changes()
    if isinstance(since, str):
        known = {path.stem for path in files} | {generation.run_id}
        if files:
            with pq.ParquetFile(files[0]) as first:
                known.add((first.schema_arrow.metadata or {}).get(b"previous", b"").decode())
        if since not in known:
            raise SettingsError(
                f"the feed of {generation.run_id} does not know run {since}: read the whole export, and follow "
                "the feed from there",
                subject=since,
            )
        files = [path for path in files if path.stem > since]
    tables = [pa.Table.from_batches([], CHANGES_SCHEMA)]
    for path in files:
        with pq.ParquetFile(path) as file:
            tables.append(file.read().replace_schema_metadata())
    feed = pa.concat_tables(tables)
    if isinstance(since, datetime):
        moment = pa.scalar(since.astimezone(UTC), pa.timestamp("us", "UTC")).cast(
            CHANGES_SCHEMA.field("at").type
        )
        feed = feed.filter(pc.greater(feed["at"], moment))
    return feed


def _kept(folder: Path, run_id: str) -> Generation:
    kept = {generation.run_id: generation for generation in list_generations(folder)}
    if run_id not in kept:
        raise SettingsError(
            f"{folder} holds no generation {run_id}: it keeps {', '.join(kept) or 'none'}", subject=run_id
        )
    return kept[run_id]


def _before(folder: Path, newer: Generation) -> Generation:
    earlier = [each for each in list_generations(folder) if each.run_id < newer.run_id]
    if not earlier:
        raise SettingsError(f"{folder} keeps no generation before {newer.run_id}", subject=newer.run_id)
    # After a rollback the one that was published over need not be the latest one before.
    return next((each for each in earlier if each.run_id == newer.manifest.get("previous")), earlier[-1])


def _moment(generation: Generation) -> datetime:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        at = datetime.fromisoformat(generation.manifest["finished_at"])
        if at.tzinfo is not None:
            return at
    return generation.published_at


def _dressed(batch: pa.RecordBatch, run_id: str, at: datetime) -> pa.RecordBatch:
    """Put the run before the columns that the comparison gives."""
    count = batch.num_rows
    moment = pa.scalar(at.astimezone(UTC), pa.timestamp("us", "UTC")).cast(CHANGES_SCHEMA.field("at").type)
    columns = [pa.repeat(run_id, count), pa.repeat(moment, count), *batch.columns]
    return pa.RecordBatch.from_arrays(
        [column.cast(field.type) for column, field in zip(columns, CHANGES_SCHEMA, strict=True)],
        schema=CHANGES_SCHEMA,
    )


# The comparison: two folders with contacts.parquet and contact_groups.parquet


@contextlib.contextmanager
def _differences(old: Path, new: Path) -> Iterator[Any]:
    """Give what changed as record batches of the columns after `at`, by contact_id, in bounded memory."""
    with tempfile.TemporaryDirectory(prefix="amoot-etl-") as scratch, duckdb.connect() as engine:
        engine.execute(f"SET memory_limit = '{_MEMORY}'")
        engine.execute(f"SET temp_directory = {_text(scratch)}")
        engine.execute("SET preserve_insertion_order = false")
        try:
            for statement in _statements(old, new):
                engine.execute(statement)
            yield engine.sql("FROM changes ORDER BY contact_id").to_arrow_reader(_BATCH)
        except duckdb.IOException as error:
            # The engine's own words name a path; a pruned generation is the likely cause.
            gone = [path for path in (old, new) if not path.is_dir()]
            what = f"{gone[0]} was pruned meanwhile" if gone else f"{old} and {new} cannot be compared"
            raise OutputError(f"{what}: run again", subject=str(gone[0] if gone else new)) from error


def _statements(old: Path, new: Path) -> Iterator[str]:
    # What is put into a statement is quoted by `_name` and `_text`: names of columns cannot be parameters.
    # ruff: disable[S608]
    before, after = _columns(old), _columns(new)
    names = [*after, *(name for name in before if name not in after)]
    names.remove("contact_id")
    # A column that only one side has, or that has changed its type, is compared by its text.
    alike = {name for name in names if before.get(name) == after.get(name)}
    mark = f"hash({', '.join(_name(name) for name in names)})"
    for side, folder, held in (("o", old, before), ("n", new, after)):
        taken = ", ".join(f"{_value(name, held, alike)} AS {_name(name)}" for name in names)
        yield f"CREATE TEMP VIEW {side} AS SELECT contact_id, {taken} FROM {_source(folder, 'contacts')}"
        yield f"CREATE TEMP VIEW {side}_groups AS FROM {_source(folder, 'contact_groups')}"
    for verb, one, other in (("gained", "n", "o"), ("lost", "o", "n")):
        yield f"""CREATE TEMP TABLE {verb} AS
            SELECT contact_id, string_agg(group_id, ' | ' ORDER BY group_id) AS groups
            FROM (FROM {one}_groups ANTI JOIN {other}_groups USING (contact_id, group_id))
            GROUP BY contact_id"""
    # Decoding is what costs. The old rows are read once for their hashes, the new ones once, of which only
    # those that differ are held, and the old ones once more to see in which columns.
    yield f"CREATE TEMP TABLE marks AS SELECT contact_id, {mark} AS mark FROM o"
    yield f"""CREATE TEMP TABLE fresh AS
        SELECT n.*, m.contact_id IS NULL AS added
        FROM (SELECT *, {mark} AS mark FROM n) n LEFT JOIN marks m USING (contact_id)
        WHERE n.mark IS DISTINCT FROM m.mark"""
    told = ", ".join(f"CASE WHEN {_differs(name)} THEN {_text(name)} END" for name in names)
    # A stamp alone makes no update of what is otherwise a change of groups.
    deep = " OR ".join(_differs(name) for name in names if name not in (*_STAMPS, "groups"))
    yield f"""CREATE TEMP TABLE edited AS
        SELECT contact_id, nullif(concat_ws(' | ', {told}), '') AS columns, {deep or "false"} AS deep,
            {_differs("groups") if "groups" in names else "false"} AS regrouped
        FROM o JOIN (FROM fresh WHERE NOT added) n USING (contact_id)"""
    yield """CREATE TEMP TABLE touched AS
        SELECT contact_id, 'added' AS change, NULL AS columns FROM fresh WHERE added
        UNION ALL
        SELECT contact_id, 'removed', NULL FROM (FROM marks ANTI JOIN n USING (contact_id))
        UNION ALL
        SELECT e.contact_id,
            CASE WHEN NOT deep AND (regrouped OR g.contact_id IS NOT NULL OR l.contact_id IS NOT NULL)
                 THEN 'relabelled' ELSE 'updated' END,
            columns
        FROM edited e LEFT JOIN gained g USING (contact_id) LEFT JOIN lost l USING (contact_id)"""
    yield """CREATE TEMP VIEW changes AS
        SELECT contact_id, coalesce(t.change, 'relabelled') AS change, t.columns,
            g.groups AS groups_joined, l.groups AS groups_left
        FROM touched t FULL JOIN gained g USING (contact_id) FULL JOIN lost l USING (contact_id)"""
    # ruff: enable[S608]


def _columns(folder: Path) -> dict[str, str]:
    with telling(folder / "contacts.parquet"), pq.ParquetFile(folder / "contacts.parquet") as file:
        return {field.name: str(field.type) for field in file.schema_arrow}


def _value(name: str, held: dict[str, str], alike: set[str]) -> str:
    if name in alike:
        return _name(name)
    return f"CAST({_name(name)} AS VARCHAR)" if name in held else "CAST(NULL AS VARCHAR)"


def _differs(name: str) -> str:
    return f"o.{_name(name)} IS DISTINCT FROM n.{_name(name)}"


def _source(folder: Path, table: str) -> str:
    """Give one file as a table; a folder called `a=b` or `a[1]` is neither a partition nor a pattern."""
    literal = re.sub(r"[][*?]", r"[\g<0>]", str(folder / f"{table}.parquet"))
    return f"read_parquet({_text(literal)}, hive_partitioning = false)"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: Path | str) -> str:
    return "'" + str(text).replace("'", "''") + "'"
