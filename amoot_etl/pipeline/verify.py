"""Is a published set what its manifest says, and do its tables agree with each other."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from amoot_etl.errors import VerificationError
from amoot_etl.loaders.arrow import arrow_type
from amoot_etl.loaders.atomic import sha256_of
from amoot_etl.loaders.check import check_file
from amoot_etl.loaders.generations import (
    DRAFT_MARK,
    Generation,
    load_generation,
    no_generation,
    require_current,
)
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.compare import compare_formats
from amoot_etl.pipeline.consistency import REQUIRED, check_tables
from amoot_etl.schema import TABLES
from amoot_etl.settings import load_settings

__all__ = ["Report", "verify", "verify_generation"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at a published set found.

    Args:
        run_id: The run that made the set.
        content: How deep the look was.
        files: How many files it looked at.
        problems: What is wrong, a line each, beginning with the file or the table.
        notes: What is not wrong but worth knowing: a stable path that the next run will bring up to date, a file that
            could not be compared for want of an extra.
    """

    run_id: str
    content: str
    files: int
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def require_ok(self) -> None:
        """Insist that nothing is wrong.

        Raises:
            VerificationError: Something is; the message names the first of it.
        """
        if self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            raise VerificationError(
                f"generation {self.run_id} is not what it should be: {self.problems[0]}{more}",
                subject=self.problems[0].partition(":")[0],
            )


def verify(
    folder: Path | str | None = None,
    *,
    content: Literal["cheap", "full"] = "full",
    run_id: str | None = None,
) -> Report:
    """Check a published set, and the paths that show it.

    Args:
        folder: The output folder; without it the one that the settings name.
        content: `cheap` looks at sizes, rows and runs; `full` also at every byte, at the tables against each
            other, and at every format against Parquet.
        run_id: A kept generation; without it the current one.

    Raises:
        SettingsError: Nothing was published there.
        OutputError: There is no generation of that name, or a file cannot be read.
        VerificationError: The manifest is gone or damaged.
    """
    folder = Path(folder) if folder is not None else load_settings().out
    while True:
        current, report = _look(folder, content, run_id)
        # Pruned while we were looking: then another one is current by now.
        if current.path.is_dir() or require_current(folder).run_id == current.run_id:
            return report


def _look(folder: Path, content: Literal["cheap", "full"], run_id: str | None) -> tuple[Generation, Report]:
    current = require_current(folder)
    generation = current
    if run_id is not None and run_id != current.run_id:
        try:
            generation = load_generation(folder, run_id)
        except FileNotFoundError as error:
            raise no_generation(folder, run_id) from error
    report = verify_generation(generation, content)
    if generation is current:
        _check_paths(folder, current, report)
    return current, report


def verify_generation(generation: Generation, content: Literal["cheap", "full"] = "full") -> Report:
    """Check one set in its own folder; publishing calls this before the set becomes current.

    Args:
        generation: The set.
        content: As for `verify`.
    """
    report = Report(generation.run_id, content, len(generation.names) - 1)
    problems = report.problems
    _check_manifest(generation, problems)
    for name in sorted(_files_in(generation.path) - {*generation.names, DRAFT_MARK}):
        problems.append(f"{name}: the manifest does not name it")
    damaged = set()
    for entry in generation.files:
        found = check_file(generation.path / entry["path"], entry, generation.run_id)
        if found:
            damaged.add(entry["path"])
        problems += [line for line in found if line not in problems]
    if content == "full":
        _check_bytes(generation, problems, damaged)
    for table in generation.tables():
        if generation.file(table).name not in damaged:
            _check_schema(table, generation.file(table), generation, problems)
    if content == "full" and not damaged:
        problems += check_tables(generation)
        differences, unread = compare_formats(generation)
        problems += differences
        report.notes.extend(unread)
    return report


def _check_manifest(generation: Generation, problems: list[str]) -> None:
    manifest = generation.manifest
    if manifest.get("run_id") != generation.run_id:
        problems.append(
            f"manifest.json: of run {manifest.get('run_id')}, in the folder of {generation.run_id}"
        )
    problems += [
        f"{name}: the manifest names no Parquet file of it"
        for name in REQUIRED
        if generation.entry(name) is None
    ]
    counts, contacts = manifest.get("counts"), generation.entry("contacts")
    kept = counts.get("kept") if isinstance(counts, dict) else None
    if isinstance(kept, int) and contacts is not None and kept != contacts["rows"]:
        problems.append(f"manifest.json: counts {kept} contacts, contacts has {contacts['rows']} rows")


def _files_in(folder: Path) -> set[str]:
    return {
        (Path(place) / name).relative_to(folder).as_posix()
        for place, _, names in os.walk(folder)
        for name in names
    }


def _check_bytes(generation: Generation, problems: list[str], damaged: set[str]) -> None:
    told = {entry["path"]: entry["sha256"] for entry in generation.files if entry["path"] not in damaged}
    with ThreadPoolExecutor(max_workers=4) as pool:
        sums = {name: pool.submit(sha256_of, generation.path / name) for name in told}
    for name, digest in told.items():
        try:
            if sums[name].result() == digest:
                continue
            wrong = "its bytes are not those that were published (sha256 differs)"
        except OSError as error:
            wrong = f"cannot be read ({error.strerror})"
        damaged.add(name)
        problems.append(f"{name}: {wrong}")


def _check_schema(table: str, path: Path, generation: Generation, problems: list[str]) -> None:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
    about = schema.metadata or {}
    if about.get(b"table", table.encode()).decode() != table:
        problems.append(f"{table}: the file says that it is {about[b'table'].decode()}")
    wanted = str(generation.manifest.get("schema_version", ""))
    found = about.get(b"schema_version", wanted.encode()).decode()
    if wanted and found != wanted:
        problems.append(f"{table}: schema version {found}, the manifest says {wanted}")
    if table not in TABLES:
        return
    declared = {column.name: column.type for column in TABLES[table].columns}
    shape = generation.manifest.get("shape")
    told = shape.get("columns") if isinstance(shape, dict) and table == "contacts" else None
    if isinstance(told, dict):
        # The user's mapping and choice of columns: then there is nothing beside what the manifest names.
        declared = told
        if list(told) != schema.names:
            problems.append(f"{table}: its columns are not those that the manifest names")
    for column in schema:
        if column.name in declared:
            expected = arrow_type(declared[column.name])
            if column.type != expected:
                problems.append(f"{table}: column {column.name} is {column.type}, not {expected}")
    keys = {
        "contacts": ("contact_id",),
        "groups": ("group_id",),
        "contact_groups": ("contact_id", "group_id"),
    }
    lost = [key for key in keys.get(table, ()) if key not in schema.names]
    problems += [f"{table}: column {key} is missing" for key in lost]


# The paths that people use


def _check_paths(folder: Path, current: Generation, report: Report) -> None:
    paths = Output(folder).paths
    for name in paths.behind(current):
        path = paths.folder / name
        if not os.path.lexists(path):
            report.notes.append(f"{name}: not shown yet; the next run will")
        elif not path.exists():
            report.problems.append(f"{name}: the path leads nowhere")
        elif path.is_file() and (path.is_symlink() or paths.is_published(path)) and paths.is_ours(path):
            report.notes.append(f"{name}: still shows an earlier set; the next run will bring it up to date")
        else:
            report.problems.append(f"{name}: is not a file that was published")
