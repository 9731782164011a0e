"""Collect a whole address book: list, build, prove, and list again where the portal moved meanwhile."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from amoot_etl import errors
from amoot_etl.extractors.contacts import ALL, NO_LABEL, contact_reader
from amoot_etl.extractors.groups import Group, fetch_groups
from amoot_etl.loaders.atomic import telling
from amoot_etl.loaders.parquet import ParquetTarget
from amoot_etl.pipeline.build import Build, Tally
from amoot_etl.pipeline.fetch import StartOver
from amoot_etl.pipeline.listings import Listings
from amoot_etl.pipeline.prove import ask_for_updates, compare, fetch_each, few, not_asked
from amoot_etl.pipeline.room import check_room
from amoot_etl.pipeline.sink import DirectSink, Sink, SpoolSink, Tables
from amoot_etl.pipeline.tables import GroupFacts, count_active, late_issues, write_beside
from amoot_etl.shape import Shape
from amoot_etl.transformers.text import clean

if TYPE_CHECKING:
    import datetime as dt
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import pyarrow as pa

    from amoot_etl.client import Client
    from amoot_etl.extractors.body import Raw
    from amoot_etl.loaders.contract import RunFacts, Written
    from amoot_etl.pipeline.fetch import Fetch
    from amoot_etl.pipeline.resume import Resume

__all__ = ["Collected", "Collector", "Progress", "Proof"]

_log = logging.getLogger("amoot_etl.export")

_ROUNDS: Final = 2
_ATTEMPTS: Final = 8
_PATIENT: Final = 2


class Progress(NamedTuple):
    """How far a run has come."""

    listings: int
    listings_landed: int
    records: int
    bytes: int
    expected: int | None
    """Records to come in all, by the portal's counts, where it told them."""


@dataclass(slots=True)
class Proof:
    """What comparing with `ContactListUpdates` showed."""

    proved: bool = False
    why: str = ""
    fetched: int = 0
    """Contacts that were missing or had moved, and were fetched by themselves."""
    unsettled: int = 0
    """Contacts that are still missing or newer in the portal."""
    unmentioned: int | None = None
    """Contacts that the list does not mention; None where there was no list."""
    unexplained: int = 0
    """Those of them with stamps that the list reaches back to."""

    def judge(self, why_not: str = "") -> None:
        """Settle whether it proves the set complete, unless it cannot for the reason given."""
        self.why = why_not
        if self.unsettled and not why_not:
            self.why = f"{self.unsettled} contacts are missing or newer in the portal"
        elif self.unmentioned and not why_not:
            self.why = f"the portal's list does not mention {self.unmentioned} of the contacts"
        self.proved = not self.why

    def as_json(self) -> dict[str, Any]:
        """Give it for the manifest."""
        words = {"state": "proved"} if self.proved else {"state": "not proved", "why": self.why}
        counts = {"fetched": self.fetched, "unsettled": self.unsettled}
        if self.unmentioned is not None:
            counts |= {"unmentioned": self.unmentioned, "unexplained": self.unexplained}
        return {**words, **counts}


class _Patch(NamedTuple):
    """Contacts fetched by themselves, and contacts found gone."""

    raws: list[Raw]
    gone: list[int]


class _ListAgain(Exception):  # noqa: N818 - a turn of the road, not a fault
    """The portal changed so much meanwhile that listing again is cheaper, or a group is gone."""


@dataclass(slots=True)
class Collected:
    """A whole set, written as Parquet, and what is known of it."""

    written: tuple[Written, ...]
    groups: list[GroupFacts]
    proof: Proof
    finished_at: dt.datetime
    received: int
    contacts: int
    unreadable: int
    rules: Counter[str]
    listings: list[dict[str, Any]]
    unlisted_groups: tuple[int, ...]
    warnings: list[str] = field(default_factory=list)
    carried: int = 0
    """Contacts taken over from the set before, where not everything was asked for anew."""
    rows: tuple[pa.Table, pa.Table] | None = None
    """The old and the new rows of all contacts that may differ from the set before, where they are known."""


class Collector:
    """One run's collecting.

    Args:
        client: A connection to the portal.
        landing: Where bodies land and batches wait; private, and removed after the run.
        folder: Where the Parquet files go.
        run: What the files say about the run.
        today: The run's date in Tehran.
        now: Gives the time.
        only: Groups to take; none means the whole account.
        raw: Whether `contacts_raw` is wanted.
        compression: Of the Parquet files.
        formats: Formats that will be made of the tables, beside Parquet.
        shape: The tables as the user wants them.
        info: The columns of `export_info` that are known before the data.
        watch: Told how far the run has come.
        resume: What the run may take over from those that died before it; None nothing.
    """

    def __init__(  # noqa: PLR0913 - what one run needs to know
        self,
        client: Client,
        *,
        landing: Path,
        folder: Path,
        run: RunFacts,
        today: dt.date,
        now: Callable[[], dt.datetime],
        only: Sequence[int] = (),
        raw: bool = False,
        compression: str = "zstd",
        formats: Sequence[str] = (),
        shape: Shape | None = None,
        info: Mapping[str, Any],
        watch: Callable[[Progress], None] | None = None,
        resume: Resume | None = None,
    ) -> None:
        self._client = client
        self._landing = landing
        self._folder = folder
        self._run = run
        self._today = today
        self._now = now
        self._only = tuple(dict.fromkeys(only))
        self._raw = raw
        self._compression = compression
        self._formats = tuple(formats)
        self._shape = shape or Shape()
        self._info = dict(info)
        self._watch = watch
        self._resume = resume
        self._groups: list[Group] = []
        self._patches: list[_Patch] = []
        self._proof: Proof | None = None
        self._may_list_again = True
        self._moved: set[int] = set()
        """Groups that the portal told otherwise of when it was asked again."""

    def collect(self) -> Collected:
        """List everything and write its tables.

        Raises:
            SettingsError: A group that was asked for does not exist.
            CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
        """
        for attempt in range(_ROUNDS + 1):
            groups = fetch_groups(self._client)
            self._groups = self._wanted(groups)
            self._patches, self._proof = [], None
            folder = self._landing / f"listings-{attempt + 1}"
            folder.mkdir(mode=0o700)
            listings = Listings(
                self._client,
                self._listings(),
                groups=groups,
                folder=folder,
                run_id=self._run.run_id,
                now=self._now,
                resume=self._resume,
            )
            records = sum(group.contacts_count or 0 for group in self._groups)
            check_room(
                self._landing, records, raw=self._raw, formats=self._formats, landed=listings.bytes_there
            )
            try:
                # A disk that fills up in mid-run is told as such wherever it is met.
                with telling(self._folder):
                    return self._build(listings, folder)
            except errors.NotFound as error:
                if attempt == _ROUNDS:
                    raise
                _log.info("listing again: %s", error)
            except _ListAgain as turn:
                _log.info("listing again: %s", turn)
            # What landed is of no use any more, and the disk may have no room for it twice.
            shutil.rmtree(folder, ignore_errors=True)
        raise AssertionError("the last attempt returns or raises")

    def _wanted(self, groups: list[Group]) -> list[Group]:
        if not self._only:
            return groups
        known = {group.group_id: group for group in groups}
        for group_id in self._only:
            if group_id not in known:
                raise errors.SettingsError(
                    f"there is no group {group_id}: `amoot-etl groups` lists them", subject="group"
                )
        return [known[group_id] for group_id in self._only]

    def _listings(self) -> list[int]:
        ids = [group.group_id for group in self._groups]
        if self._only:
            return ids
        return [*ids, NO_LABEL] if ids else [ALL]

    def _build(self, listings: Listings, folder: Path) -> Collected:
        """Build until an attempt holds."""
        fetch = listings.begin()
        # With one group that has contacts, who is in which group is known from the first batch on.
        direct = sum(group.contacts_count != 0 for group in self._groups) <= 1
        for attempt in range(_ATTEMPTS):
            if attempt >= _PATIENT:
                # Downloads that break off again and again: build once all of them have landed.
                fetch.wait()
            spool = folder / f"spool-{attempt + 1}"
            spool.mkdir(mode=0o700)
            try:
                with ParquetTarget(self._folder, self._run, compression=self._compression) as target:
                    return self._attempt(listings, fetch, target, spool, direct=direct)
            except StartOver as turn:
                _log.info("building anew: %s", turn.why)
                direct = False
        raise errors.PortalUnavailable(
            "ContactList: the portal's listings kept changing: try again later", subject="ContactList"
        )

    def _attempt(
        self, listings: Listings, fetch: Fetch, target: ParquetTarget, spool: Path, *, direct: bool
    ) -> Collected:
        titles = {group.group_id: clean(group.title or "") or None for group in self._groups}
        tables = Tables(target, raw=self._raw, shape=self._shape)
        sink: Sink = (
            DirectSink(tables, [titles.get(listing.group_id) for listing in fetch.listings])
            if direct
            else SpoolSink(tables, spool, raw=self._raw)
        )
        build = Build(
            fetch.listings,
            titles,
            sink,
            today=self._today,
            shape=self._shape,
            # Written as they come, contacts are listed once each: whatever else is seen starts over.
            fingerprints=not direct,
            watch=self._watcher(fetch),
        )
        # The list tells what changed up to when it was asked for, so it has to come after the listings.
        updates = ask_for_updates(self._client, self._landing, after=fetch.wait)
        listings.read(build)
        for number, patch in enumerate(self._patches, 1):
            _apply(build, patch, number)
        proof = self._prove(build, updates)
        build.settle()
        finished_at = self._now()
        facts = self._group_facts(build, titles)
        sink.finish(build.memberships)
        tables.close_contacts()
        for chunk in late_issues(tables, build, self._folder / "contacts.parquet"):
            tables.write_issues(chunk)
        tables.issues.close()
        info = {
            **self._info,
            "finished_at": finished_at,
            "contacts": tables.contacts_written,
            "groups": len(facts),
        }
        write_beside(target, facts, build, {name: info[name] for name in _INFO})
        target.close()
        return self._collected(
            build,
            tables,
            listings,
            written=target.written,
            facts=facts,
            proof=proof,
            finished_at=finished_at,
        )

    def _collected(  # noqa: PLR0913 - the pieces of one result
        self,
        build: Build,
        tables: Tables,
        listings: Listings,
        *,
        written: tuple[Written, ...],
        facts: list[GroupFacts],
        proof: Proof,
        finished_at: dt.datetime,
    ) -> Collected:
        unreadable = sum(len(tally.unreadable) for tally in build.tallies) + len(build.loose_unreadable)
        fetched = sum(raw.received for patch in self._patches for raw in patch.raws)
        tallies = {tally.group_id: tally for tally in build.tallies}
        warnings = [
            f"group {fact.group.group_id}: the portal counts {fact.group.contacts_count} contacts "
            f"and lists {tallies[fact.group.group_id].distinct}"
            for fact in facts
            if not fact.reconciled
        ]
        return Collected(
            written=written,
            groups=facts,
            proof=proof,
            finished_at=finished_at,
            received=sum(tally.received for tally in build.tallies) + fetched,
            contacts=tables.contacts_written,
            unreadable=unreadable,
            rules=tables.rules,
            listings=listings.in_order([self._line(tally) for tally in build.tallies]),
            unlisted_groups=tuple(
                fact.group.group_id for fact in facts if _lists_none(fact.group, tallies[fact.group.group_id])
            ),
            warnings=warnings,
        )

    def _line(self, tally: Tally) -> dict[str, Any]:
        """Give what the manifest says of a listing."""
        return {
            "group_id": tally.group_id,
            "received": tally.received,
            "distinct": tally.distinct,
            "active": tally.active,
            "unreadable": len(tally.unreadable),
            "how": "listed",
            # What changed while it was listed may be missing in either: a sync lists it again.
            **({"moved": True} if tally.group_id in self._moved else {}),
        }

    def _group_facts(self, build: Build, titles: Mapping[int, str | None]) -> list[GroupFacts]:
        """Compare the portal's counts with what was listed; ask again before calling a count wrong."""
        tallies = {tally.group_id: tally for tally in build.tallies}

        def reconciled(group: Group) -> bool:
            tally = tallies[group.group_id]
            return group.contacts_count in (tally.distinct, tally.distinct + len(tally.unreadable))

        groups = self._groups
        if not all(reconciled(group) for group in groups):
            newer = {group.group_id: group for group in fetch_groups(self._client)}
            self._moved = {group.group_id for group in groups if newer.get(group.group_id, group) != group}
            groups = [newer.get(group.group_id, group) for group in groups]
        return [
            GroupFacts(group, titles[group.group_id], *count_active(build, group.group_id), reconciled(group))
            for group in groups
        ]

    def _prove(self, build: Build, updates: Future[Path]) -> Proof:
        """Compare with the portal's list of changes, and fetch what it shows to be missing or newer."""
        proof = self._proof = self._proof or Proof()
        while True:
            try:
                gap = compare(updates.result(), build.roll)
            except (errors.CredentialsError, errors.PortalUnavailable, errors.UnexpectedAnswer) as error:
                proof.why = not_asked(error)
                return proof
            wanted = gap.moved if self._only else gap.ids
            proof.unsettled = len(wanted)
            proof.unmentioned, proof.unexplained = gap.unmentioned, gap.unexplained
            if not len(wanted) or len(self._patches) >= _ROUNDS:
                break
            if not few(len(wanted), build.roll.size):
                if self._may_list_again:
                    self._may_list_again = False
                    raise _ListAgain(f"{len(wanted)} contacts are missing or newer in the portal")
                break
            try:
                fetched = fetch_each(self._client, wanted.tolist())
            except errors.CredentialsError as error:
                proof.why = not_asked(error)
                return proof
            proof.fetched += len(fetched.records)
            patch = _Patch([contact_reader().gather(fetched.records)], fetched.gone)
            # Remembered before it is applied: applying may start the build over.
            self._patches.append(patch)
            _apply(build, patch, len(self._patches))
            updates = ask_for_updates(self._client, self._landing)
        proof.judge("only some groups were asked for" if self._only else "")
        return proof

    def _watcher(self, fetch: Fetch) -> Callable[[int], None] | None:
        watch = self._watch
        if watch is None:
            return None
        counts = [group.contacts_count for group in self._groups]
        expected = sum(count or 0 for count in counts) if counts else None

        latest = 0

        def tell(records: int) -> None:
            nonlocal latest
            latest = records
            landed = sum(listing.landed for listing in fetch.listings)
            size = sum(listing.received_bytes for listing in fetch.listings)
            watch(Progress(len(fetch.listings), landed, records, size, expected))

        for listing in fetch.listings:
            listing.on_wait = lambda: tell(latest)
        tell(0)
        return tell


_INFO: Final = (
    "run_id", "mode", "finished_at", "base_url", "contacts", "groups", "tool_version", "schema_version",
)  # fmt: skip


def _lists_none(group: Group, tally: Tally) -> bool:
    """Say whether a group that reports contacts lists none, but for as many records as nobody can read."""
    return bool(group.contacts_count) and not tally.distinct and group.contacts_count != len(tally.unreadable)


def _apply(build: Build, patch: _Patch, number: int) -> None:
    import numpy as np  # noqa: PLC0415 - a type of one call

    build.add(patch.raws, number)
    if patch.gone:
        build.strike(np.array(sorted(patch.gone), np.int64))
