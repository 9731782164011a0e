"""export: the whole address book, from the portal to published files."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from amoot_etl._version import __version__
from amoot_etl.client import Client
from amoot_etl.errors import SettingsError
from amoot_etl.loaders.contract import RunFacts
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.collect import Collected, Collector, Progress
from amoot_etl.pipeline.diff import write_changes
from amoot_etl.pipeline.formats import check_formats, write_formats
from amoot_etl.pipeline.guard import FULL_SCOPE, MAX_SHRINK, Candidate, contact_ids, guard, share_of_ids
from amoot_etl.schema import SCHEMA_VERSION, TRANSFORMS_VERSION
from amoot_etl.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from amoot_etl.loaders.contract import Written
    from amoot_etl.loaders.draft import Draft
    from amoot_etl.loaders.generations import Generation

__all__ = ["DEMO_URL", "ExportResult", "export", "fingerprint"]

DEMO_URL: Final = "demo"
"""What the manifest of a set from the embedded portal names as its portal; anything may take its place."""
_TEHRAN: Final = ZoneInfo("Asia/Tehran")


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What a run did.

    Args:
        run_id: The run.
        folder: The output folder.
        published: Whether its set is current now; a dry run's is not.
        manifest: The manifest, as in `manifest.json`.
        warnings: What the reader should know; nothing in it is an error.
        seconds: How long it took.
    """

    run_id: str
    folder: Path
    published: bool
    manifest: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0


def export(  # noqa: PLR0913 - each is a flag of the command
    settings: Settings | None = None,
    *,
    formats: Sequence[str] = (),
    groups: Sequence[int] = (),
    raw: bool = False,
    dry_run: bool = False,
    compression: str = "zstd",
    accept_shrink: bool = False,
    max_shrink: float = MAX_SHRINK,
    wait: float | None = None,
    portal: str | None = None,
    today: dt.date | None = None,
    watch: Callable[[Progress], None] | None = None,
    on_retry: Callable[[str, float, str], None] | None = None,
) -> ExportResult:
    """Pull the whole address book and publish it as one consistent set.

    Args:
        settings: Where the portal is, the token, the output folder; without it what `load` finds.
        formats: Formats beside Parquet: `csv`, `xlsx`. What the current set holds goes on being written.
        groups: Groups to take; none means the whole account.
        raw: Also write `contacts_raw`, every field as received.
        dry_run: Do everything but publish.
        compression: Of the Parquet files: `zstd` or `snappy`.
        accept_shrink: Publish even what would otherwise be refused, for once.
        max_shrink: The share of contacts that may be gone before that is refused.
        wait: Seconds to wait for another run that holds the folder; None not at all.
        portal: What the manifest names as the portal; the base URL unless given.
        today: The run's date in Tehran; the clock's unless given.
        watch: Told how far the run has come.
        on_retry: Told of each wait before another try: method, seconds, reason.

    Returns:
        What was done, with the manifest.

    Raises:
        SettingsError: The call needs changing.
        CredentialsError, PortalUnavailable, UnexpectedAnswer: The portal failed; nothing was changed.
        OutputError: The folder cannot be written, or another run holds it.
        RefusedError: The result is incomplete or would destroy more than is plausible.

    >>> import tempfile
    >>> from amoot_etl import Settings, export
    >>> from amoot_etl.demo import AddressBook, Portal
    >>> with tempfile.TemporaryDirectory() as folder, Portal(AddressBook.invent(contacts=200), token="t") as portal:
    ...     result = export(Settings(base_url=portal.url, token="t", out=folder))
    >>> result.published, result.manifest["counts"]["kept"] == result.manifest["counts"]["added"]
    (True, True)
    """
    started = time.monotonic()
    settings = settings or load()
    if not settings.token:
        raise SettingsError("no token: set AMOOT_TOKEN or --token-file", subject="token")
    check_formats(formats)
    output = Output(settings.out)
    with ExitStack() as stack:
        stack.enter_context(output.lock(wait))
        previous = output.current()
        run_id = output.new_run_id()
        draft = stack.enter_context(output.begin(run_id))
        client = stack.enter_context(Client(settings, on_retry=on_retry))
        stack.callback(client.cancel)
        run = _Run(settings, run_id, portal or settings.base_url, tuple(dict.fromkeys(groups)), raw)
        collected = Collector(
            client,
            landing=output.landing(run_id),
            folder=draft.folder,
            run=RunFacts(run_id, mode="export", base_url=run.portal),
            compression=compression,
            today=today or run.started_at.date(),
            now=_now,
            only=run.groups,
            raw=raw,
            info=run.info(),
            watch=watch,
        ).collect()
        overruled = _guard(
            previous, run, collected, draft, max_shrink=max_shrink, accept_shrink=accept_shrink
        )
        manifest = run.manifest(collected, previous, draft)
        warnings = [*collected.warnings, *overruled]
        if dry_run:
            full = {**manifest, "run_id": run_id, "files": []}
            return ExportResult(run_id, settings.out, False, full, warnings, time.monotonic() - started)
        written: list[Written] = [*collected.written]
        written += write_formats(
            _formats(formats, previous), draft.folder, collected.written, run.facts(collected)
        )
        if previous and previous.manifest.get("scope") == run.scope:
            written.append(write_changes(previous, draft, collected.finished_at))
        generation = draft.publish(manifest, written)
        seconds = time.monotonic() - started
        return ExportResult(run_id, settings.out, True, generation.manifest, warnings, seconds)


class _Run:
    """What is known of a run before its data."""

    def __init__(
        self, settings: Settings, run_id: str, portal: str, groups: tuple[int, ...], raw: bool
    ) -> None:
        self.started_at = _now()
        self.portal = portal
        self.groups = groups
        self.run_id = run_id
        self.account = settings.account
        self.scope: Any = {"groups": sorted(groups)} if groups else FULL_SCOPE
        self.fingerprint = fingerprint(raw=raw)

    def info(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "mode": "export",
            "base_url": self.portal,
            "tool_version": __version__,
            "schema_version": SCHEMA_VERSION,
        }

    def facts(self, collected: Collected) -> RunFacts:
        return RunFacts(
            self.run_id, "export", collected.finished_at.isoformat(timespec="seconds"), self.portal
        )

    def manifest(self, collected: Collected, previous: Generation | None, draft: Draft) -> dict[str, Any]:
        new = contact_ids(draft.folder / "contacts.parquet")
        old = contact_ids(previous.path / "contacts.parquet") if previous else np.empty(0, np.int64)
        kept = collected.contacts
        return {
            "tool_version": __version__,
            "schema_version": SCHEMA_VERSION,
            "mode": "export",
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "finished_at": collected.finished_at.isoformat(timespec="seconds"),
            "base_url": self.portal,
            "account": self.account,
            "scope": self.scope,
            "fingerprint": self.fingerprint,
            "counts": {
                "received": collected.received,
                "kept": kept,
                "repeated": collected.received - kept - collected.unreadable,
                "unreadable": collected.unreadable,
                "previous": len(old),
                "added": int(np.setdiff1d(new, old).size),
                "removed": int(np.setdiff1d(old, new).size),
            },
            "reconciliation": {
                "groups": _reconciliation(collected),
                "updates": collected.proof.as_json(),
            },
            "issues": dict(sorted(collected.rules.items())),
        }


def fingerprint(*, raw: bool) -> str:
    """Give a short text that differs where settings or transforms shape the tables differently."""
    shape = {"schema": SCHEMA_VERSION, "transforms": TRANSFORMS_VERSION, "raw": raw}
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]


def _reconciliation(collected: Collected) -> list[dict[str, Any]]:
    facts = {fact.group.group_id: fact for fact in collected.groups}
    at = collected.finished_at.isoformat(timespec="seconds")
    lines = []
    for listing in collected.listings:
        fact = facts.get(listing["group_id"])
        counted = {
            "contacts_count": fact.group.contacts_count,
            "contacts_active_count": fact.group.contacts_active_count,
            "reconciled": fact.reconciled,
        } if fact else {}  # fmt: skip
        lines.append({**listing, **counted, "at": at})
    return lines


def _guard(  # noqa: PLR0913 - the two sets, and what the user allows
    previous: Generation | None,
    run: _Run,
    collected: Collected,
    draft: Draft,
    *,
    max_shrink: float,
    accept_shrink: bool,
) -> list[str]:
    """Refuse to destroy a good set; the demo's is no loss."""
    if previous and previous.manifest.get("base_url") == DEMO_URL:
        previous = None
    shared = None
    if previous:
        shared = share_of_ids(previous.path / "contacts.parquet", draft.folder / "contacts.parquet")
    candidate = Candidate(
        contacts=collected.contacts,
        scope=run.scope,
        base_url=run.portal,
        account=run.account,
        unlisted_groups=collected.unlisted_groups,
        shared_ids=shared,
    )
    return guard(
        previous.manifest if previous else None, candidate, max_shrink=max_shrink, accept_shrink=accept_shrink
    )


def _formats(wanted: Sequence[str], previous: Generation | None) -> list[str]:
    """Give the formats beside Parquet: those asked for, and those that the current set holds."""
    held = [entry["format"] for entry in previous.files] if previous else []
    return [name for name in dict.fromkeys([*wanted, *held]) if name != "parquet"]


def _now() -> dt.datetime:
    return dt.datetime.now(_TEHRAN)
