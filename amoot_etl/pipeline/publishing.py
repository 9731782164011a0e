"""How a collected set becomes the current one: the guard, the other formats, the manifest, the change file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from amoot_etl._version import __version__
from amoot_etl.errors import SettingsError
from amoot_etl.loaders.atomic import sha256_of
from amoot_etl.loaders.check import check_file, check_size
from amoot_etl.loaders.generations import current_run, newest_readable, sound_current
from amoot_etl.loaders.parquet import streamed
from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.crew import meanwhile
from amoot_etl.pipeline.diff import write_changes
from amoot_etl.pipeline.formats import write_formats
from amoot_etl.pipeline.guard import Candidate, guard
from amoot_etl.pipeline.idsets import NOBODY, inside
from amoot_etl.pipeline.run import DEMO_URL, formats_of
from amoot_etl.schema import SCHEMA_VERSION
from amoot_etl.tehran import iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.loaders.contract import Written
    from amoot_etl.loaders.draft import Draft
    from amoot_etl.loaders.generations import Generation
    from amoot_etl.loaders.publish import Output
    from amoot_etl.pipeline.collect import Collected
    from amoot_etl.pipeline.run import Run, Wish

    Ids = npt.NDArray[np.int64]

__all__ = [
    "Outcome",
    "Overlap",
    "compression_of",
    "contact_ids",
    "damaged_formats",
    "publish",
    "sound_previous",
]


class Overlap(NamedTuple):
    """How many contacts the old set has, how many the new one, and how many are in both.

    >>> overlap = Overlap.of(np.array([1, 2, 3, 4]), np.array([3, 4, 5]))
    >>> overlap, overlap.share
    (Overlap(old=4, new=3, both=2), 0.6666666666666666)
    """

    old: int
    new: int
    both: int

    @classmethod
    def of(cls, old: Ids, new: Ids) -> Overlap:
        """Compare the IDs of two books, each once, rising."""
        few, many = (old, new) if len(old) < len(new) else (new, old)
        return cls(len(old), len(new), int(np.count_nonzero(inside(few, many))))

    @property
    def share(self) -> float | None:
        """How much the books have in common: what both hold among what the smaller one holds; None where that is empty.

        Measured on the smaller one, a book that grew or shrank shares all its IDs, and one of another account
        shares few, whatever their sizes.
        """
        smaller = min(self.old, self.new)
        return self.both / smaller if smaller else None


class Outcome(NamedTuple):
    """What became of a collected set."""

    published: bool
    manifest: dict[str, Any]
    warnings: list[str]


def publish(run: Run, collected: Collected, previous: Generation | None, draft: Draft, wish: Wish) -> Outcome:
    """Make a collected set the current one.

    Args:
        run: The run.
        collected: What was collected into the draft.
        previous: The current set, if there is one.
        draft: The new set's folder.
        wish: What is wanted and allowed.

    Raises:
        RefusedError: The set is incomplete or would destroy more than is plausible.
        OutputError: It could not be written.
    """
    with meanwhile(lambda: contact_ids(previous.file("contacts")) if previous else NOBODY, "ids") as before:
        new = contact_ids(draft.folder / "contacts.parquet")
    overlap = Overlap.of(before.result(), new)
    overruled = _guarded(run, _guarding(draft.output), collected, overlap.share, wish)
    # A set that is damaged is compared with nothing; what its owner has come to expect is still made.
    shown = newest_readable(draft.output.folder)
    formats = formats_of(wish.formats, shown)
    options = run.options(formats, shown)
    manifest = _manifest(run, collected, overlap)
    manifest["shape"] = {**run.shape.as_json(), "options": options}
    warnings = [*collected.warnings, *overruled]
    if wish.dry_run:
        return Outcome(False, {**manifest, "run_id": run.run_id, "files": []}, warnings)
    written: list[Written] = [*collected.written]
    facts = run.facts(collected.finished_at)
    written += write_formats(
        formats, draft.folder, collected.written, facts, options=options, tables=run.shape.tables
    )
    if previous and previous.manifest.get("scope") == run.scope:
        written.append(write_changes(previous, draft, collected.finished_at, collected.rows))
    check = _check_in_full if wish.check == "full" else None
    return Outcome(True, draft.publish(manifest, written, check=check).manifest, warnings)


def _check_in_full(generation: Generation) -> None:
    """Read a whole set back, every byte and every format, before it becomes current."""
    from amoot_etl.pipeline.verify import verify_generation  # noqa: PLC0415 - only a full check needs it

    report = verify_generation(generation)
    report.require_ok()
    if report.notes:
        raise SettingsError(report.notes[0], subject="check")


def sound_previous(output: Output, *, digests: bool = False) -> tuple[Generation | None, list[str]]:
    """Give the current set where it is whole, for a new one to be compared with; and warnings where it is not.

    A damaged set is no good one: refusing to publish over it would leave its owner with nothing, and comparing with
    it would tell the change feed of people who neither came nor left.

    Args:
        output: The folder.
        digests: Whether every byte is read.
    """
    current = sound_current(output.folder)
    lost: list[str] = []
    if current is None:
        damaged = ["the current set has lost its manifest"] if current_run(output.folder) else []
    else:
        damaged = []
        for entry in current.files:
            path = current.path / entry["path"]
            if entry["table"] == "changes":
                lost += check_size(path, entry)
                continue
            if entry["format"] != "parquet":
                continue
            damaged += check_file(path, entry, current.run_id)
            if digests and not damaged and not _as_written(path, entry):
                damaged.append(f"{entry['path']}: its bytes are not those that were written")
    if damaged:
        return None, [f"the current set is damaged and was compared with nothing: {damaged[0]}"]
    return current, [f"the change feed has lost a part: {line}" for line in lost]


def _as_written(path: Path, entry: Mapping[str, Any]) -> bool:
    """Say whether a file can still be read as it was written; a disk that went bad may refuse to."""
    try:
        return bool(sha256_of(path) == entry["sha256"])
    except OSError:
        return False


def damaged_formats(current: Generation) -> list[str]:
    """Say what became of a set's files beside Parquet, a line each: they can be made anew from Parquet."""
    return [
        line
        for entry in current.files
        if entry["format"] != "parquet"
        for line in check_file(current.path / entry["path"], entry, current.run_id)
    ]


def _guarding(output: Output) -> Mapping[str, Any] | None:
    """Give the manifest that says what there is to lose."""
    newest = newest_readable(output.folder)
    return None if newest is None or newest.manifest.get("base_url") == DEMO_URL else newest.manifest


def compression_of(generation: Generation) -> str:
    """Give the compression of a set's files, to go on with it."""
    meta = pq.read_metadata(generation.file("calendar"))
    return "snappy" if meta.row_group(0).column(0).compression == "SNAPPY" else "zstd"


def contact_ids(path: Path) -> Ids:
    """Give the IDs of a Parquet table of contacts, each once, rising."""
    with streamed(path) as file:
        # Filled as they come: whole, the column would be there twice.
        ids = np.empty(file.metadata.num_rows, np.int64)
        end = 0
        for batch in file.iter_batches(columns=["contact_id"]):
            ids[end : end + batch.num_rows] = batch.column(0)
            end += batch.num_rows
    return once(ids)


def _manifest(run: Run, collected: Collected, overlap: Overlap) -> dict[str, Any]:
    kept = collected.contacts
    carried = {"carried": collected.carried} if run.mode == "sync" else {}
    return {
        "tool_version": __version__,
        "schema_version": SCHEMA_VERSION,
        "mode": run.mode,
        "started_at": iso(run.started_at),
        "finished_at": iso(collected.finished_at),
        "today": run.today.isoformat(),
        "base_url": run.portal,
        "account": run.account,
        "scope": run.scope,
        "fingerprint": run.fingerprint,
        "counts": {
            "received": collected.received,
            **carried,
            "kept": kept,
            "repeated": collected.received + collected.carried - kept - collected.unreadable,
            "unreadable": collected.unreadable,
            "previous": overlap.old,
            "added": overlap.new - overlap.both,
            "removed": overlap.old - overlap.both,
        },
        "reconciliation": {
            "groups": _reconciliation(collected),
            "updates": collected.proof.as_json(),
        },
        "issues": dict(sorted(collected.rules.items())),
    }


def _guarded(
    run: Run, previous: Mapping[str, Any] | None, collected: Collected, shared: float | None, wish: Wish
) -> list[str]:
    """Refuse to destroy a good set; the demo's is no loss."""
    candidate = Candidate(
        contacts=collected.contacts,
        scope=run.scope,
        base_url=run.portal,
        account=run.account,
        unlisted_groups=collected.unlisted_groups,
        shared_ids=shared,
    )
    return guard(
        previous,
        candidate,
        max_shrink=wish.max_shrink,
        accept_shrink=wish.accept_shrink,
    )


def _reconciliation(collected: Collected) -> list[dict[str, Any]]:
    facts = {fact.group.group_id: fact for fact in collected.groups}
    at = iso(collected.finished_at)
    lines = []
    for listing in collected.listings:
        fact = facts.get(listing["group_id"])
        counted = {
            "contacts_count": fact.group.contacts_count,
            "contacts_active_count": fact.group.contacts_active_count,
            "reconciled": fact.reconciled,
        } if fact else {}  # fmt: skip
        lines.append({"at": at, **listing, **counted})
    return lines
