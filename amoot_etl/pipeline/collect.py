"""Collect a whole address book: build its tables, prove them, and list again where the portal moved meanwhile."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from amoot_etl import errors
from amoot_etl.extractors.groups import Group, fetch_groups
from amoot_etl.loaders.atomic import as_output_error
from amoot_etl.loaders.leaving import FolderTarget
from amoot_etl.loaders.parquet import ParquetLoader
from amoot_etl.loaders.parquet_draft import ParquetDraft
from amoot_etl.pipeline.build import Build, Tally
from amoot_etl.pipeline.crew import meanwhile
from amoot_etl.pipeline.listing import StartOver
from amoot_etl.pipeline.memory import give_back
from amoot_etl.pipeline.progress import Progress
from amoot_etl.pipeline.proof import ListAgain, Proof, Prover
from amoot_etl.pipeline.round import Round
from amoot_etl.pipeline.sink import DirectSink, DraftSink, Sink, Tables
from amoot_etl.pipeline.tables import GroupFacts, write_beside, write_info, write_late
from amoot_etl.tehran import now
from amoot_etl.transformers.text import clean

if TYPE_CHECKING:
    import datetime as dt
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from amoot_etl.client import Client
    from amoot_etl.loaders.contract import Loader, Written
    from amoot_etl.pipeline.run import Run

__all__ = ["Collected", "Collector"]

_log = logging.getLogger("amoot_etl.export")

_ROUNDS: Final = 3
"""How often everything is listed at most: groups that vanish again and again are not worth a fourth time."""
_ATTEMPTS: Final = 8
"""How often one round is built at most: each download that breaks off, and each group that moved, may cost one."""
_PATIENT: Final = 2
"""Builds that begin while downloads are under way; later ones wait until all have landed."""


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
        run: The run.
        landing: Where bodies land; private, and removed after the run.
        folder: Where the Parquet files go.
        compression: Of the Parquet files.
        formats: Formats that will be made of the tables, beside Parquet.
        watch: Told how far the run has come.
    """

    def __init__(  # noqa: PLR0913 - what one run needs to know
        self,
        client: Client,
        run: Run,
        *,
        landing: Path,
        folder: Path,
        compression: str = "zstd",
        formats: Sequence[str] = (),
        watch: Callable[[Progress], None] | None = None,
    ) -> None:
        self._client = client
        self._run = run
        self._landing = landing
        self._folder = folder
        self._compression = compression
        self._formats = tuple(formats)
        self._watch = watch
        self._moved: set[int] = set()
        """Groups that the portal told otherwise of when it was asked again."""

    def collect(self, first: Round) -> Collected:
        """Build the tables of everything that is listed.

        Args:
            first: The first round; where the portal has moved meanwhile there are more.

        Raises:
            SettingsError: A group that was asked for does not exist.
            CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
        """
        one, may_list_again = first, True
        for number in range(1, _ROUNDS + 1):
            if number > 1:
                one = Round(self._client, self._run, self._landing, number=number, formats=self._formats)
            try:
                # A disk that fills up in mid-run is told as such wherever it is met.
                with as_output_error(self._folder):
                    collected = self._build(one, may_list_again=may_list_again)
            except errors.NotFound as error:
                if number == _ROUNDS:
                    raise
                _log.info("listing again: %s", error)
            except ListAgain as turn:
                may_list_again = False
                _log.info("listing again: %s", turn)
            else:
                give_back()
                return collected
            one.forget()
        raise AssertionError("the last round returns or raises")

    def _build(self, one: Round, *, may_list_again: bool) -> Collected:
        """Build until an attempt holds."""
        prover = Prover(
            self._client, self._landing, partial=bool(self._run.groups), may_list_again=may_list_again
        )
        # With one group that has contacts, who is in which group is known from the first batch on.
        direct = sum(group.contacts_count != 0 for group in one.groups) <= 1
        for attempt in range(_ATTEMPTS):
            if attempt >= _PATIENT:
                # Downloads that break off again and again: build once all of them have landed.
                one.fetch.wait()
            with TemporaryDirectory(prefix="drafts-", dir=one.folder, ignore_cleanup_errors=True) as place:
                drafts = None if direct else Path(place)
                try:
                    with self._target(drafts) as target:
                        return self._attempt(one, prover, target, drafts)
                except StartOver as turn:
                    _log.info("building anew: %s", turn.why)
                    direct = False
                    one.fetch.rewind()
        raise errors.PortalUnavailable(
            "ContactList: the portal's listings kept changing: try again later", subject="ContactList"
        )

    def _target(self, drafts: Path | None) -> FolderTarget:
        """Open the tables; where a contact's groups are told last, contacts go into a draft first."""
        table = partial(ParquetLoader, compression=self._compression)

        def start(path: Path, schema: pa.Schema) -> Loader:
            if drafts is None or path.stem != "contacts":
                return table(path, schema)
            return ParquetDraft(path, schema, "groups", drafts / path.name, compression=self._compression)

        return FolderTarget(self._folder, self._run.facts(), ".parquet", start)

    def _attempt(self, one: Round, prover: Prover, target: FolderTarget, drafts: Path | None) -> Collected:
        run, listings = self._run, one.fetch.listings
        titles = {group.group_id: clean(group.title or "") or None for group in one.groups}
        tables = Tables(target, raw=run.raw, shape=run.shape)
        sink: Sink = (
            DirectSink(tables, [titles.get(listing.group_id) for listing in listings])
            if drafts is None
            else DraftSink(tables, drafts)
        )
        build = Build(
            listings,
            titles,
            sink,
            today=run.today,
            shape=run.shape,
            # Written as they come, contacts are listed once each: whatever else is seen starts over.
            fingerprints=drafts is not None,
            watch=self._watcher(one),
        )
        updates = prover.ask(after=one.fetch.wait)
        one.listings.read(build)
        give_back()
        proof = prover.prove(build, updates)
        build.settle()
        give_back()
        finished_at = now()

        def finish() -> None:
            sink.finish(build.memberships)
            write_late(tables, build.tallies)

        with meanwhile(finish, "finish"):
            facts = self._group_facts(one.groups, build, titles, again=bool(prover.patches))
            write_beside(target, facts, build.memberships)
        write_info(target, run, contacts=tables.contacts_written, groups=len(facts), finished_at=finished_at)
        target.close()
        return self._collected(
            one,
            build,
            tables,
            written=target.written,
            facts=facts,
            proof=proof,
            fetched=sum(raw.received for patch in prover.patches for raw in patch.raws),
            finished_at=finished_at,
        )

    def _collected(  # noqa: PLR0913 - the pieces of one result
        self,
        one: Round,
        build: Build,
        tables: Tables,
        *,
        written: tuple[Written, ...],
        facts: list[GroupFacts],
        proof: Proof,
        fetched: int,
        finished_at: dt.datetime,
    ) -> Collected:
        unreadable = sum(len(tally.unreadable) for tally in build.tallies)
        tallies = {tally.group_id: tally for tally in build.tallies}
        warnings = [
            f"{fact.counted} and lists {tallies[fact.group.group_id].distinct:,}"
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
            listings=one.listings.in_order([self._line(tally) for tally in build.tallies]),
            unlisted_groups=tuple(
                group.group_id
                for group, fact in zip(one.groups, facts, strict=True)
                # One that got its first contact when it had been listed is not incomplete, but behind.
                if all(_lists_none(told, tallies[group.group_id]) for told in (group, fact.group))
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

    def _group_facts(
        self, groups: list[Group], build: Build, titles: Mapping[int, str | None], *, again: bool
    ) -> list[GroupFacts]:
        """Compare the portal's counts with what was listed; ask again before calling a count wrong.

        Args:
            groups: The groups as the portal told of them before they were listed.
            build: What they list.
            titles: Their titles, cleaned.
            again: Whether to ask again in any case: contacts changed meanwhile, and may have joined or left.
        """
        tallies = {tally.group_id: tally for tally in build.tallies}

        def reconciled(group: Group) -> bool:
            tally = tallies[group.group_id]
            return group.contacts_count in (tally.distinct, tally.distinct + len(tally.unreadable))

        if again or not all(reconciled(group) for group in groups):
            newer = {group.group_id: group for group in fetch_groups(self._client)}
            self._moved = {group.group_id for group in groups if newer.get(group.group_id, group) != group}
            groups = [newer.get(group.group_id, group) for group in groups]
        held = build.memberships.count(build.roll.active)
        return [
            GroupFacts(group, titles[group.group_id], *held[group.group_id], reconciled(group))
            for group in groups
        ]

    def _watcher(self, one: Round) -> Callable[[int], None] | None:
        watch = self._watch
        if watch is None:
            return None
        counts = [group.contacts_count for group in one.groups]
        expected = sum(count or 0 for count in counts) if counts else None
        listings = one.fetch.listings
        latest = 0

        def tell(records: int) -> None:
            nonlocal latest
            latest = records
            landed = sum(listing.landed for listing in listings)
            size = sum(listing.received_bytes for listing in listings)
            watch(Progress(len(listings), landed, records, size, expected))

        for listing in listings:
            listing.on_wait = lambda: tell(latest)
        tell(0)
        return tell


def _lists_none(group: Group, tally: Tally) -> bool:
    """Say whether a group that reports contacts lists none, but for as many records as nobody can read."""
    count = group.contacts_count or 0
    return count > 0 and not tally.distinct and count != len(tally.unreadable)
