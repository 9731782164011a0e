"""sync: bring an export up to date for the price of the change."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from amoot_etl.client import Client
from amoot_etl.errors import AmootError, OutputError, SettingsError
from amoot_etl.extractors.contacts import ALL, NO_LABEL
from amoot_etl.loaders.parquet import ParquetTarget
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.catchup import CatchUp, InFull
from amoot_etl.pipeline.collect import Collected, Proof
from amoot_etl.pipeline.export import ExportResult, export_into
from amoot_etl.pipeline.guard import FULL_SCOPE, MAX_SHRINK, Candidate, objections
from amoot_etl.pipeline.held import NEEDED, all_listed_since, listed_at, read_held
from amoot_etl.pipeline.learnt import Learnt
from amoot_etl.pipeline.memberships import Memberships
from amoot_etl.pipeline.run import Run, Wish, now
from amoot_etl.pipeline.sink import Tables
from amoot_etl.pipeline.splice import Splice
from amoot_etl.pipeline.tables import GroupFacts, late_issues, write_beside
from amoot_etl.schema import TABLES
from amoot_etl.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.loaders.draft import Draft
    from amoot_etl.loaders.generations import Generation
    from amoot_etl.pipeline.collect import Progress
    from amoot_etl.pipeline.expect import Knowledge

__all__ = ["FULL_EVERY", "LAST_CHECK", "SyncResult", "sync"]

FULL_EVERY: Final = dt.timedelta(days=7)
"""How old the last full listing may be: what counts cannot show is caught after so long at the latest."""

LAST_CHECK: Final = "last-check.json"
"""The note inside `.amoot/` of when a sync last looked, and what came of it."""


@dataclass(frozen=True, slots=True)
class SyncResult(ExportResult):
    """What a sync did; of one that found nothing changed, `run_id` and `manifest` are the current set's.

    Args:
        outcome: `unchanged`, `synced`, or `exported`: everything was listed anew.
        why: Why everything was listed anew.
        requests: How often each of the portal's methods was needed, retries apart; empty after an export.
    """

    outcome: Literal["unchanged", "synced", "exported"] = "synced"
    why: str = ""
    requests: dict[str, int] = field(default_factory=dict)


def sync(  # noqa: PLR0913 - each is a flag of the command
    settings: Settings | None = None,
    *,
    full: bool = False,
    full_every: dt.timedelta | None = FULL_EVERY,
    accept_shrink: bool = False,
    max_shrink: float = MAX_SHRINK,
    wait: float | None = None,
    portal: str | None = None,
    today: dt.date | None = None,
    watch: Callable[[Progress], None] | None = None,
    on_retry: Callable[[str, float, str], None] | None = None,
) -> SyncResult:
    """Bring the current set to what a fresh export would hold, with as few requests as that takes.

    Without a current set, or with one of another scope, portal or fingerprint, everything is exported; so it is
    when that is cheaper.

    Args:
        settings: Where the portal is, the token, the output folder; without it what `load` finds.
        full: List everything anew.
        full_every: List everything anew when that was last done so long ago; None never.
        accept_shrink: Publish even what would otherwise be refused, for once.
        max_shrink: The share of contacts that may be gone before that is refused.
        wait: Seconds to wait for another run that holds the folder; None not at all.
        portal: What the manifest names as the portal; the base URL unless given.
        today: The run's date in Tehran; the clock's unless given.
        watch: Told how far an export has come.
        on_retry: Told of each wait before another try: method, seconds, reason.

    Returns:
        What was done, with the manifest of the set that is current now.

    Raises:
        SettingsError: The call needs changing.
        CredentialsError, PortalUnavailable, UnexpectedAnswer: The portal failed; nothing was changed.
        OutputError: The folder cannot be written, or another run holds it.
        RefusedError: The result is incomplete or would destroy more than is plausible.

    >>> import tempfile
    >>> from amoot_etl import Settings, export, sync
    >>> from amoot_etl.demo import AddressBook, Portal
    >>> book = AddressBook.invent(contacts=200)
    >>> with tempfile.TemporaryDirectory() as folder, Portal(book, token="t") as portal:
    ...     settings = Settings(base_url=portal.url, token="t", out=folder)
    ...     exported = export(settings)
    ...     book.edit(min(book), CityName="یزد")
    ...     first, second = sync(settings), sync(settings)
    >>> first.outcome, first.requests, second.outcome
    ('synced', {'ContactGroupList': 1, 'ContactListUpdates': 1, 'ContactGet': 1}, 'unchanged')
    """
    started = time.monotonic()
    settings = settings or load()
    if not settings.token:
        raise SettingsError("no token: set AMOOT_TOKEN or --token-file", subject="token")
    output = Output(settings.out)
    wish = Wish(accept_shrink=accept_shrink, max_shrink=max_shrink)
    with ExitStack() as stack:
        stack.enter_context(output.lock(wait, "sync"))
        client = stack.enter_context(Client(settings, on_retry=on_retry))
        stack.callback(client.cancel)
        work = _Work(output, client, wish, portal=portal, today=today, watch=watch)
        try:
            done = work.run(full=full, full_every=full_every)
        except AmootError as error:
            with contextlib.suppress(OutputError):
                told = {"at": _at(now()), "outcome": "failed", "error": type(error).__name__}
                output.write_note(LAST_CHECK, {**told, "message": str(error)})
            raise
        result = SyncResult(
            run_id=done.manifest["run_id"],
            folder=settings.out,
            published=done.outcome != "unchanged",
            manifest=done.manifest,
            warnings=done.warnings,
            seconds=time.monotonic() - started,
            outcome=done.outcome,
            why=done.why,
            requests=done.requests,
        )
        output.write_note(LAST_CHECK, _note(result))
        return result


class _Done(NamedTuple):
    outcome: Literal["unchanged", "synced", "exported"]
    manifest: dict[str, Any]
    warnings: list[str]
    why: str = ""
    requests: dict[str, int] = {}  # noqa: RUF012 - nobody writes to it


class _Work:
    """One sync inside a folder whose lock is held."""

    def __init__(  # noqa: PLR0913 - what both ways need
        self,
        output: Output,
        client: Client,
        wish: Wish,
        *,
        portal: str | None,
        today: dt.date | None,
        watch: Callable[[Progress], None] | None,
    ) -> None:
        self._output = output
        self._client = client
        self._wish = wish
        self._portal = portal
        self._today = today
        self._watch = watch
        self._run_id = output.new_run_id()

    def run(self, *, full: bool, full_every: dt.timedelta | None) -> _Done:
        """Sync, or export where that is better."""
        previous = self._output.current()
        run = self._new_run("sync", previous)
        why = _why_in_full(previous, run, full=full, full_every=full_every)
        if previous and not why:
            landing = self._output.landing(run.run_id) / "sync"
            landing.mkdir(mode=0o700)
            try:
                return self._sync(run, previous, landing)
            except InFull as turn:
                why = turn.why
            shutil.rmtree(landing)
        run = self._new_run("export", previous)
        compression = _compression(previous) if previous else "zstd"
        outcome = export_into(
            self._output, self._client, run, self._wish, compression=compression, watch=self._watch
        )
        return _Done("exported", outcome.manifest, outcome.warnings, why)

    def _new_run(self, mode: Literal["export", "sync"], previous: Generation | None) -> Run:
        raw = previous is not None and previous.entry("contacts_raw") is not None
        settings = self._client.settings
        return Run(settings, self._run_id, mode=mode, portal=self._portal, raw=raw, today=self._today)

    def _sync(self, run: Run, previous: Generation, landing: Path) -> _Done:
        held = read_held(previous, today=run.today)
        learnt = Learnt(self._client, landing, raw=run.raw, today=run.today)
        asking = CatchUp(self._client, held, learnt, landing, today=run.today)
        changed = asking.run()
        requests = dict(asking.requests)
        if not changed:
            return _Done("unchanged", previous.manifest, _warnings(asking), "", requests)
        with self._output.begin(run.run_id) as draft:
            collected = _Laying(run, previous, asking, draft).collect()
            outcome = run.publish(collected, previous, draft, self._wish)
        return _Done("synced", outcome.manifest, outcome.warnings, "", requests)


class _Laying:
    """Makes the new set of the old one and of what was learnt."""

    def __init__(self, run: Run, previous: Generation, asking: CatchUp, draft: Draft) -> None:
        self._run = run
        self._previous = previous
        self._asking = asking
        self._draft = draft
        self._known = asking.knowledge

    def collect(self) -> Collected:
        """Write the tables, and tell what is known of them."""
        known, asking, run = self._known, self._asking, self._run
        titles = asking.titles()
        memberships = Memberships(titles)
        for group_id in titles:
            memberships.add(group_id, known.members.get(group_id, np.empty(0, np.int64)))
        facts = [self._facts(group_id) for group_id in titles]
        tallies = [_Tally(group_id, one.unreadable, one.repeated) for group_id, one in known.listed.items()]
        read = _Read(tallies, asking.learnt.loose_unreadable, memberships)
        splice = Splice(
            self._previous, asking.learnt, known, memberships, _regrouped(known, titles), today=run.today
        )
        finished_at = now()
        target_of = ParquetTarget(
            self._draft.folder, run.facts(finished_at), compression=_compression(self._previous)
        )
        with target_of as target:
            tables = Tables(target, raw=run.raw)
            splice.write(tables)
            tables.close_contacts()
            for chunk in late_issues(tables, read, self._draft.folder / "contacts.parquet"):
                tables.write_issues(chunk)
            tables.issues.close()
            counts = {"contacts": tables.contacts_written, "groups": len(facts)}
            info = {**run.info(), "finished_at": finished_at, **counts}
            write_beside(target, facts, read, {name: info[name] for name in TABLES["export_info"].names})
        unreadable = sum(len(one.unreadable) for one in known.listed.values())
        return Collected(
            written=target.written,
            groups=facts,
            proof=_proof(asking),
            finished_at=finished_at,
            received=asking.learnt.received,
            contacts=tables.contacts_written,
            unreadable=unreadable + len(asking.learnt.loose_unreadable),
            rules=tables.rules,
            listings=[self._line(group_id) for group_id in (*titles, asking.no_label)],
            unlisted_groups=tuple(
                fact.group.group_id
                for fact in facts
                if (one := known.listed.get(fact.group.group_id))
                and fact.group.contacts_count
                and not one.received
            ),
            warnings=[*_warnings(asking), *(_unlike(fact) for fact in facts if not fact.reconciled)],
            carried=splice.carried,
        )

    def _facts(self, group_id: int) -> GroupFacts:
        group = next(group for group in self._asking.groups if group.group_id == group_id)
        title = self._asking.titles()[group_id]
        return GroupFacts(group, title, *self._known.counts(group_id), self._known.reconciled(group))

    def _line(self, group_id: int) -> dict[str, Any]:
        """Give the manifest's line of a listing: read in this run, or inferred."""
        one = self._known.listed.get(group_id)
        moved = {"moved": True} if group_id in self._asking.moved else {}
        if one is not None:
            return {
                "group_id": group_id,
                "received": one.received,
                "distinct": len(one.ids),
                "active": one.active,
                "unreadable": len(one.unreadable),
                "how": "listed",
                **moved,
            }
        line = {"group_id": group_id, "how": "inferred"}
        if group_id not in (NO_LABEL, ALL):
            line["distinct"], line["active"] = self._known.counts(group_id)
        before = self._asking.held.listings.get(group_id)
        return {**line, "listed_at": listed_at(before) if before else None, **moved}


class _Tally(NamedTuple):
    """What a listing's issues need to know of it."""

    group_id: int
    unreadable: list[str]
    repeated: dict[int, int]


class _Read(NamedTuple):
    """What was read, as the tables beside contacts want it."""

    tallies: list[_Tally]
    loose_unreadable: list[str]
    memberships: Memberships


def _why_in_full(  # noqa: PLR0911 - each a reason
    previous: Generation | None, run: Run, *, full: bool, full_every: dt.timedelta | None
) -> str:
    """Give the reason for which everything has to be listed; empty when there is none."""
    if previous is None:
        return "there is no export yet"
    if full:
        return "it was asked for"
    manifest = previous.manifest
    if manifest.get("scope") != FULL_SCOPE:
        return "the current set does not hold the whole account"
    if manifest.get("fingerprint") != run.fingerprint:
        return "the current set was made by other rules"
    entry = previous.entry("contacts")
    same = Candidate(int(entry["rows"]) if entry else 0, run.scope, run.portal, run.account)
    if other := objections(manifest, same):
        return f"the current set cannot be gone on with: {other[0]}"
    for table, columns in NEEDED.items():
        if previous.entry(table) is None or not columns <= _names(previous, table):
            return f"the current set's {table} lacks columns that a sync needs"
    since = all_listed_since(manifest)
    if since is None:
        return "the current set does not say when its groups were listed"
    if full_every is not None and now() - since >= full_every:
        return f"everything was last listed at {_at(since)}"
    return ""


def _names(generation: Generation, table: str) -> set[str]:
    return set(pq.read_schema(generation.file(table)).names)


def _compression(generation: Generation) -> str:
    """Give the compression of a set's files, to go on with it."""
    meta = pq.read_metadata(generation.file("calendar"))
    return "snappy" if meta.row_group(0).column(0).compression == "SNAPPY" else "zstd"


def _regrouped(known: Knowledge, titles: Mapping[int, str | None]) -> npt.NDArray[np.int64]:
    """Give the contacts whose groups, or the titles of them, are not what they were."""
    nobody = np.empty(0, np.int64)
    touched = [nobody]
    for group_id in {*known.held.members, *known.members}:
        old = known.held.members.get(group_id, nobody)
        new = known.members.get(group_id, nobody)
        before = known.held.groups.get(group_id)
        if before is None or before.title != titles.get(group_id):
            touched.append(np.union1d(old, new))
        elif new is not old:
            touched.append(np.setxor1d(old, new, assume_unique=True))
    return np.unique(np.concatenate(touched))


def _proof(asking: CatchUp) -> Proof:
    proof = Proof(fetched=asking.fetched, unsettled=asking.unsettled)
    proof.unmentioned, proof.unexplained = asking.unmentioned, asking.unexplained
    proof.judge()
    return proof


def _warnings(asking: CatchUp) -> list[str]:
    """Give what the reader should know of how sure the result is."""
    warnings = []
    if asking.unmentioned:
        warnings.append(
            f"the portal's list of changes does not mention {asking.unmentioned} of the contacts: of them, "
            "only what counts and listings show is known"
        )
    if asking.unsettled:
        warnings.append(f"{asking.unsettled} contacts changed and were not answered: the next sync goes on")
    return warnings


def _unlike(fact: GroupFacts) -> str:
    group = fact.group
    return (
        f"group {group.group_id}: the portal counts {group.contacts_count} contacts, we hold {fact.exported}"
    )


def _note(result: SyncResult) -> dict[str, Any]:
    return {
        "at": _at(now()),
        "outcome": result.outcome,
        "why": result.why,
        "run_id": result.run_id,
        "requests": result.requests,
        "warnings": result.warnings,
        "seconds": round(result.seconds, 3),
    }


def _at(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds")
