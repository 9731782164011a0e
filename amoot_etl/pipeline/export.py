"""export: the whole address book, from the portal to published files."""

from __future__ import annotations

import datetime as dt
import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from amoot_etl.client import Client
from amoot_etl.loaders.generations import newest_readable
from amoot_etl.pipeline.guard import MAX_SHRINK
from amoot_etl.pipeline.resume import Resume
from amoot_etl.pipeline.round import Round
from amoot_etl.pipeline.run import Keeping, Run, Wish, check_call, formats_of
from amoot_etl.pipeline.runlog import run_log
from amoot_etl.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from amoot_etl.loaders.publish import Output
    from amoot_etl.pipeline.progress import Progress
    from amoot_etl.pipeline.publishing import Outcome

__all__ = ["ExportResult", "export", "export_into"]

_log = logging.getLogger("amoot_etl.export")


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
    manifest: dict[str, Any] = field(repr=False)
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
    keeping: Keeping | None = None,
    portal: str | None = None,
    today: dt.date | None = None,
    watch: Callable[[Progress], None] | None = None,
    on_retry: Callable[[str, float, str], None] | None = None,
) -> ExportResult:
    """Pull the whole address book and publish it as one consistent set.

    Args:
        settings: Where the portal is, the token, the output folder: `load_settings(out=...)` for another one;
            without them what `load_settings()` finds.
        formats: Formats beside Parquet: `csv`, `xlsx`. What the current set holds goes on being
            written, unless Parquet alone (`parquet`) is asked for.
        groups: Groups to take; none means the whole account.
        raw: Also write `contacts_raw`, every field as received.
        dry_run: Do everything but publish.
        compression: Of the Parquet files: `zstd` or `snappy`.
        accept_shrink: Publish even what would otherwise be refused, for once.
        max_shrink: The share of contacts that may be gone before that is refused.
        wait: Seconds to wait for another run that holds the folder; None not at all.
        keeping: How the output folder is kept.
        portal: What the manifest names as the portal; the base URL unless given.
        today: The run's date in Tehran; the clock's unless given.
        watch: Told how far the run has come.
        on_retry: Told of each wait before another try: method, seconds, reason.

    Returns:
        What was done, with the manifest.

    Raises:
        TypeError: Something else stands in the place of the settings.
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
    settings = settings or load_settings()
    check_call(settings, formats)
    keeping = keeping or Keeping()
    output = keeping.output(settings.out)
    wish = Wish(
        formats=formats,
        dry_run=dry_run,
        accept_shrink=accept_shrink,
        max_shrink=max_shrink,
        check=keeping.check,
    )
    with ExitStack() as stack:
        stack.enter_context(output.lock(wait))
        client = stack.enter_context(Client(settings, on_retry=on_retry))
        stack.callback(client.cancel)
        run = Run(settings, output.new_run_id(), portal=portal, groups=groups, raw=raw, today=today)
        stack.enter_context(run_log(output.log_folder(), run.run_id, "export", secrets=(settings.token,)))
        outcome = export_into(output, client, run, wish, compression=compression, watch=watch)
        for warning in outcome.warnings:
            _log.warning("%s", warning, extra={"event": "warning"})
        _log.info(
            "%s %d contacts",
            "published" if outcome.published else "would publish",
            outcome.manifest["counts"]["kept"],
            extra={
                "event": "done",
                "published": outcome.published,
                "seconds": round(time.monotonic() - started, 3),
                **outcome.manifest["counts"],
            },
        )
        return ExportResult(
            run_id=run.run_id,
            folder=settings.out,
            published=outcome.published,
            manifest=outcome.manifest,
            warnings=outcome.warnings,
            seconds=time.monotonic() - started,
        )


def export_into(  # noqa: PLR0913 - a run, and all that it works with
    output: Output,
    client: Client,
    run: Run,
    wish: Wish,
    *,
    compression: str | None = "zstd",
    watch: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Do what `export` does inside a folder whose lock is held.

    Args:
        output: The folder.
        client: A connection to the portal.
        run: The run.
        wish: What is wanted and allowed.
        compression: Of the Parquet files; None as the current set has it.
        watch: Told how far the run has come.

    Raises:
        AmootError: As `export`.
    """
    with output.begin(run.run_id) as draft:
        landing = output.landing(run.run_id)
        formats = formats_of(wish.formats, newest_readable(output.folder))
        first = Round(client, run, landing, formats=formats, resume=Resume(output, run.run_id))
        # Arrow takes a while to load: the portal is at work meanwhile.
        from amoot_etl.pipeline.collect import Collector  # noqa: PLC0415
        from amoot_etl.pipeline.publishing import compression_of, publish, sound_previous  # noqa: PLC0415

        previous, damage = sound_previous(output, digests=True)
        collector = Collector(
            client,
            run,
            landing=landing,
            folder=draft.folder,
            compression=compression or (compression_of(previous) if previous else "zstd"),
            formats=formats,
            watch=watch,
        )
        outcome = publish(run, collector.collect(first), previous, draft, wish)
        if not outcome.published:
            # A run that was rehearsed in full leaves nothing to go on with.
            output.sweep_landings(dt.timedelta(0))
        return outcome._replace(warnings=[*damage, *outcome.warnings])
