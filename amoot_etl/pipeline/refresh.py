"""Bring the current set up to date, once a sync has begun to ask."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from amoot_etl.errors import OutputError
from amoot_etl.pipeline.catchup import CatchUp
from amoot_etl.pipeline.held import read_held
from amoot_etl.pipeline.infull import InFull
from amoot_etl.pipeline.learnt import Learnt
from amoot_etl.pipeline.publishing import damaged_formats, publish, sound_previous
from amoot_etl.pipeline.renew import Renewal, warnings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Any

    from amoot_etl.client import Client
    from amoot_etl.loaders.publish import Output
    from amoot_etl.pipeline.changelist import Updates
    from amoot_etl.pipeline.first import FirstAnswers
    from amoot_etl.pipeline.progress import Progress
    from amoot_etl.pipeline.run import Run, Wish

__all__ = ["Refreshed", "refresh"]


class Refreshed(NamedTuple):
    """What came of it; where nothing had changed, the manifest is the current set's."""

    changed: bool
    manifest: dict[str, Any]
    warnings: list[str]
    requests: dict[str, int]


def refresh(  # noqa: PLR0913 - a run, and all that it works with
    output: Output,
    client: Client,
    run: Run,
    wish: Wish,
    *,
    first: Future[FirstAnswers],
    updates: Future[Updates],
    landing: Path,
    watch: Callable[[Progress], None] | None = None,
) -> Refreshed:
    """Find out what changed, and publish the current set with that laid in.

    Args:
        output: The folder, whose lock is held.
        client: A connection to the portal.
        run: The run.
        wish: What is wanted and allowed.
        first: What every sync asks first, under way.
        updates: The list of changes among it, being read.
        landing: Where bodies land.
        watch: Told how far it has come.

    Raises:
        InFull: Everything had better be exported.
        AmootError: As `sync`.
    """
    previous, damage = sound_previous(output)
    if previous is None:
        raise InFull(*damage)
    with _bad_bytes_met(output):
        held = read_held(previous, today=run.today)
        learnt = Learnt(client, landing, raw=run.raw, today=run.today, shape=run.shape)
        asking = CatchUp(
            client,
            held,
            previous.file("contacts"),
            learnt,
            first=first.result(),
            updates=updates.result(),
            watch=watch,
        )
        lost = damaged_formats(previous)
        changed = asking.run() or run.wants_other_formats(wish, previous) or bool(lost)
        damage += [f"a file of the current set is made anew: {line}" for line in lost]
        requests = dict(asking.requests)
        if not changed:
            return Refreshed(False, previous.manifest, [*damage, *warnings_of(asking)], requests)
        with output.begin(run.run_id) as draft:
            collected = Renewal(run, previous, asking, draft).collect()
            outcome = publish(run, collected, previous, draft, wish)
        return Refreshed(True, outcome.manifest, [*damage, *outcome.warnings], requests)


@contextmanager
def _bad_bytes_met(output: Output) -> Iterator[None]:
    """Where reading or writing fails because the current set is no longer what was written, have all listed."""
    try:
        yield
    except (OSError, pa.ArrowException, OutputError):
        sound, damage = sound_previous(output, digests=True)
        if sound is None:
            raise InFull(*damage) from None
        raise
