"""sync: bring an export up to date for the price of the change."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from amoot_etl.client import Client
from amoot_etl.errors import AmootError, OutputError
from amoot_etl.loaders.atomic import as_output_error
from amoot_etl.loaders.generations import current_run, newest_readable, sound_current
from amoot_etl.pipeline.crew import in_background
from amoot_etl.pipeline.export import ExportResult, export_into
from amoot_etl.pipeline.first import ask_first
from amoot_etl.pipeline.guard import MAX_SHRINK, groups_of
from amoot_etl.pipeline.infull import FULL_EVERY, InFull, why_in_full
from amoot_etl.pipeline.run import Keeping, Run, Wish, check_call
from amoot_etl.pipeline.runlog import run_log
from amoot_etl.settings import Settings, load_settings
from amoot_etl.tehran import iso, now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from amoot_etl.loaders.generations import Generation
    from amoot_etl.loaders.publish import Output
    from amoot_etl.pipeline.progress import Progress

__all__ = ["FULL_EVERY", "LAST_CHECK", "SyncResult", "sync"]

_log = logging.getLogger("amoot_etl.sync")

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
    formats: Sequence[str] = (),
    accept_shrink: bool = False,
    max_shrink: float = MAX_SHRINK,
    wait: float | None = None,
    keeping: Keeping | None = None,
    portal: str | None = None,
    today: dt.date | None = None,
    watch: Callable[[Progress], None] | None = None,
    on_retry: Callable[[str, float, str], None] | None = None,
) -> SyncResult:
    """Bring the current set to what a fresh export would hold, with as few requests as that takes.

    Without a current set, or with one of another portal or fingerprint, everything is exported; so it is when that is
    cheaper. Of a set that holds some groups alone these are exported again.

    Args:
        settings: Where the portal is, the token, the output folder: `load_settings(out=...)` for another one;
            without them what `load_settings()` finds.
        full: List everything anew.
        full_every: List everything anew when that was last done so long ago; None never.
        formats: Formats beside Parquet, from now on; what the current set holds goes on being written, unless
            Parquet alone (`parquet`) is asked for.
        accept_shrink: Publish even what would otherwise be refused, for once.
        max_shrink: The share of contacts that may be gone before that is refused.
        wait: Seconds to wait for another run that holds the folder; None not at all.
        keeping: How the output folder is kept.
        portal: What the manifest names as the portal; the base URL unless given.
        today: The run's date in Tehran; the clock's unless given.
        watch: Told how far an export has come.
        on_retry: Told of each wait before another try: method, seconds, reason.

    Returns:
        What was done, with the manifest of the set that is current now.

    Raises:
        TypeError: Something else stands in the place of the settings.
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
    settings = settings or load_settings()
    check_call(settings, formats)
    keeping = keeping or Keeping()
    output = keeping.output(settings.out)
    wish = Wish(formats=formats, accept_shrink=accept_shrink, max_shrink=max_shrink, check=keeping.check)
    with ExitStack() as stack:
        stack.enter_context(output.lock(wait, "sync"))
        client = stack.enter_context(Client(settings, on_retry=on_retry))
        stack.callback(client.cancel)
        work = _Work(output, client, wish, portal=portal, today=today, watch=watch)
        stack.enter_context(run_log(output.log_folder(), work.run_id, "sync", secrets=(settings.token,)))
        try:
            done = work.run(full=full, full_every=full_every)
            # What an export that died had landed is of no use any more, whether or not anything had changed.
            output.sweep_landings(dt.timedelta(0))
        except AmootError as error:
            with contextlib.suppress(OutputError):
                told = {"at": iso(now()), "outcome": "failed", "error": type(error).__name__}
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
        for warning in result.warnings:
            _log.warning("%s", warning, extra={"event": "warning"})
        _log.info(
            "%s%s",
            result.outcome,
            f": {result.why}" if result.why else "",
            extra={"event": "done", "outcome": result.outcome, "requests": result.requests},
        )
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
        self.run_id = output.new_run_id()

    def run(self, *, full: bool, full_every: dt.timedelta | None) -> _Done:
        """Sync, or export where that is better."""
        previous = sound_current(self._output.folder)
        run = self._new_run("sync", previous)
        why = why_in_full(previous, run, full=full, full_every=full_every)
        if previous is None and current_run(self._output.folder):
            why = "the current set has lost its manifest"
        if not why:
            try:
                return self._sync(run)
            except InFull as turn:
                why = turn.why
        run = self._new_run("export", previous)
        outcome = export_into(
            self._output, self._client, run, self._wish, compression=None, watch=self._watch
        )
        return _Done("exported", outcome.manifest, outcome.warnings, why)

    def _new_run(self, mode: Literal["export", "sync"], previous: Generation | None) -> Run:
        # What takes the place of a damaged set holds what that one held: who took some groups alone, or no raw fields,
        # does not get everybody's data by a sync.
        shown = previous or newest_readable(self._output.folder)
        return Run(
            self._client.settings,
            self.run_id,
            mode=mode,
            portal=self._portal,
            groups=groups_of(shown.manifest) if shown else (),
            raw=shown is not None and shown.entry("contacts_raw") is not None,
            today=self._today,
        )

    def _sync(self, run: Run) -> _Done:
        landing = self._output.landing(run.run_id) / "sync"
        landing.mkdir(mode=0o700)
        first = ask_first(self._client, landing)
        # Arrow takes a while to load: the portal is at work meanwhile. Its list of changes is read as soon as that is
        # done, and the rest loads beside it.
        from amoot_etl.pipeline.changelist import read_updates  # noqa: PLC0415

        updates = in_background(lambda: read_updates(first.result().updates, today=run.today), "updates")
        from amoot_etl.pipeline.refresh import refresh  # noqa: PLC0415

        try:
            with as_output_error(self._output.folder):
                done = refresh(
                    self._output,
                    self._client,
                    run,
                    self._wish,
                    first=first,
                    updates=updates,
                    landing=landing,
                    watch=self._watch,
                )
        except InFull:
            # Nothing may land in a folder that is on its way out, nor be read from it.
            updates.exception()
            shutil.rmtree(landing)
            raise
        outcome: Literal["unchanged", "synced"] = "synced" if done.changed else "unchanged"
        return _Done(outcome, done.manifest, done.warnings, "", done.requests)


def _note(result: SyncResult) -> dict[str, Any]:
    return {
        "at": iso(now()),
        "outcome": result.outcome,
        "why": result.why,
        "run_id": result.run_id,
        "requests": result.requests,
        "warnings": result.warnings,
        "seconds": round(result.seconds, 3),
    }
