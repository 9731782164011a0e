"""What changed between two generations, a row a contact; and the same as a feed that publishing writes.

A row says which columns of a contact changed and which groups it joined or left, not the values: those are in
the newer generation. Taking them from there, the feed replayed over a generation gives the next one.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.errors import OutputError, SettingsError
from amoot_etl.loaders.arrow import decoded_type
from amoot_etl.loaders.atomic import as_output_error
from amoot_etl.loaders.contract import Written, frame_of
from amoot_etl.loaders.generations import Generation, list_generations, no_generation, require_current
from amoot_etl.pipeline.differences import COMPARED_SCHEMA, Side, differences
from amoot_etl.pipeline.since import read_since
from amoot_etl.settings import load_settings

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from amoot_etl.loaders.draft import Draft

__all__ = ["CHANGES_SCHEMA", "changes", "diff", "write_changes"]

CHANGES_SCHEMA: Final = pa.schema(
    [
        ("run_id", pa.string()),
        ("at", pa.timestamp("us", "Asia/Tehran")),
        *((field.name, decoded_type(field.type)) for field in COMPARED_SCHEMA),
    ]
)
"""The columns of `diff`, of `changes` and of a change file.

`change` is `added`, `updated`, `removed`, or `relabelled` for a contact of which nothing changed but its groups
(and the stamp of that change). `columns` are names of columns joined by ` | `, `groups_joined` and
`groups_left` are group ids likewise; each is null when there are none.
"""

_TRIES: Final = 20
_SLICE: Final = 131_072
"""Rows of a change file that are written at a time."""


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
    folder = Path(folder) if folder is not None else load_settings().out
    newer = require_current(folder) if b is None else _kept(folder, b)
    older = _before(folder, newer) if a is None else _kept(folder, a)
    return frame_of(
        _dressed(_compared(Side.of(older.path), Side.of(newer.path)), newer.run_id, _moment(newer))
    )


def write_changes(
    previous: Generation, draft: Draft, at: datetime, rows: tuple[pa.Table, pa.Table] | None = None
) -> Written:
    """Write the change file of a draft that will take the place of `previous`.

    Args:
        previous: The current generation, of the same scope.
        draft: The new set; its tables of contacts and of memberships are written already.
        at: When its data was complete.
        rows: The old and the new rows of all contacts that may differ, when the caller knows that no others
            do, with all their columns; a contact that came or went stands on one side only. Without them the
            two tables are compared whole.

    Returns:
        What to publish with the rest of the draft.

    Raises:
        OutputError: The file cannot be written, or a table of the old set cannot be read.
    """
    path = draft.changes_path()
    about = {"table": "changes", "run_id": draft.run_id, "previous": previous.run_id}
    old, new = Side.of(previous.path), Side.of(draft.folder)
    if rows is not None:
        old, new = replace(old, contacts=rows[0]), replace(new, contacts=rows[1])
    found = _compared(old, new)
    # Every row names its run, its kind and its columns in full: dressed a slice at a time, they take no room.
    with (
        as_output_error(path),
        pq.ParquetWriter(path, CHANGES_SCHEMA.with_metadata(about), compression="zstd") as file,
    ):
        for start in range(0, max(1, found.num_rows), _SLICE):
            file.write_table(_dressed(found.slice(start, _SLICE), draft.run_id, at))
    return Written(path, "changes", "parquet", found.num_rows)


def changes(folder: Path | str | None = None, since: str | date | None = None) -> pd.DataFrame:
    """Give the change feed: what each publish over an older generation changed, the oldest first.

    Args:
        folder: The output folder; without it the one that the settings name.
        since: Only what came after this run, or after this moment, on Tehran's clock unless it says otherwise;
            the text of a moment, or of a day of either calendar, will do. Without it everything that is kept.

    Returns:
        The columns of `CHANGES_SCHEMA`, by run and contact.

    Raises:
        SettingsError: The feed does not know the run `since`, or all that followed it (it began later, the folder was
            rolled back, or a run could not be compared): read the whole export instead. Or `since` is no text of a
            run, a moment or a day.
        OutputError: A file of the feed cannot be read.
    """
    folder = Path(folder) if folder is not None else load_settings().out
    start = read_since(since)
    for _ in range(_TRIES):
        generation = require_current(folder)
        try:
            return frame_of(_feed(generation, start))
        except FileNotFoundError as error:
            # Pruned while we were reading: another generation is current by now, and its feed holds the same.
            if require_current(folder).run_id == generation.run_id:
                raise OutputError(
                    f"{error.filename} is missing: `amoot-etl verify` says more", subject=str(generation.path)
                ) from error
        except (OSError, pa.ArrowException) as error:
            raise OutputError(
                f"the change feed cannot be read ({type(error).__name__}): `amoot-etl verify` says more",
                subject=str(generation.path),
            ) from error
    raise OutputError(f"{folder} changes faster than it can be read", subject=str(folder))


def _feed(generation: Generation, since: str | datetime | None) -> pa.Table:
    files = generation.changes()
    if isinstance(since, str):
        files = _following(files, since, generation.run_id)
    tables = [pa.Table.from_batches([], CHANGES_SCHEMA)]
    for path in files:
        with pq.ParquetFile(path) as file:
            tables.append(file.read().replace_schema_metadata())
    feed = pa.concat_tables(tables)
    if isinstance(since, datetime):
        moment = pa.scalar(since.astimezone(UTC), pa.timestamp("us", "UTC"))
        feed = feed.filter(pc.greater(feed["at"], moment.cast(CHANGES_SCHEMA.field("at").type)))
    return feed


def _following(files: list[Path], since: str, last: str) -> list[Path]:
    """Give the change files from one run to another; a run that left none would be missed without a word."""
    following: list[Path] = []
    run_id = last
    for path in reversed(files):
        if run_id == since or path.stem != run_id:
            break
        following.insert(0, path)
        with pq.ParquetFile(path) as file:
            run_id = (file.schema_arrow.metadata or {}).get(b"previous", b"").decode()
    if run_id != since:
        raise SettingsError(
            f"the feed of {last} does not know run {since}, or what followed it: read the whole export, and follow "
            "the feed from there",
            subject=since,
        )
    return following


def _kept(folder: Path, run_id: str) -> Generation:
    kept = {generation.run_id: generation for generation in list_generations(folder)}
    if run_id not in kept:
        raise no_generation(folder, run_id)
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


def _compared(old: Side, new: Side) -> pa.Table:
    try:
        return differences(old, new)
    except (OSError, pa.ArrowException) as error:
        gone = [side.members.parent for side in (old, new) if not side.members.parent.is_dir()]
        if gone:
            raise OutputError(f"{gone[0]} was pruned meanwhile: run again", subject=str(gone[0])) from error
        both = " and ".join(str(side.members.parent) for side in (old, new))
        raise OutputError(f"{both} cannot be compared: `amoot-etl verify` says more", subject=both) from error


def _dressed(rows: pa.Table, run_id: str, at: datetime) -> pa.Table:
    """Put the run before the columns that the comparison gives."""
    moment = pa.scalar(at.astimezone(UTC), pa.timestamp("us", "UTC")).cast(CHANGES_SCHEMA.field("at").type)
    told = [column.cast(decoded_type(column.type)) for column in rows.columns]
    columns = [pa.repeat(run_id, rows.num_rows), pa.repeat(moment, rows.num_rows), *told]
    return pa.table(columns, schema=CHANGES_SCHEMA)
