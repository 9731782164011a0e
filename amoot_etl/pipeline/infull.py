"""When a sync lists everything anew: what the current set's manifest says, before anything is asked or loaded."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from amoot_etl.pipeline.guard import FULL_SCOPE, Candidate, objections
from amoot_etl.tehran import iso, now

if TYPE_CHECKING:
    from amoot_etl.loaders.generations import Generation
    from amoot_etl.pipeline.run import Run

__all__ = ["FULL_EVERY", "NEEDED", "InFull", "all_listed_since", "listed_at", "why_in_full"]

FULL_EVERY: Final = dt.timedelta(days=7)
"""How old the last full listing may be: what counts cannot show is caught after so long at the latest."""

NEEDED: Final = {
    "contacts": {"contact_id", "active", "mobile", "mobile_raw", "birth_date", "groups", "updated_at", "extra"},
    "groups": {
        "group_id", "title", "contacts_count", "contacts_active_count", "contacts_exported",
        "contacts_active_exported", "reconciled",
    },
    "contact_groups": {"contact_id", "group_id"},
    "issues": {"contact_id", "column", "rule", "value", "detail"},
}  # fmt: skip
"""The columns without which a set cannot be brought up to date."""


class InFull(Exception):  # noqa: N818 - a turn of the road, not a fault
    """Exporting anew is the better way, or the only one."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def why_in_full(  # noqa: PLR0911 - each a reason
    previous: Generation | None, run: Run, *, full: bool, full_every: dt.timedelta | None
) -> str:
    """Give the reason for which everything has to be listed; empty when there is none.

    Args:
        previous: The current set, if there is one.
        run: The run.
        full: Whether that was asked for.
        full_every: List everything anew when that was last done so long ago; None never.
    """
    if previous is None:
        return "there is no export yet"
    if full:
        return "it was asked for"
    manifest = previous.manifest
    if manifest.get("scope") != FULL_SCOPE:
        return "the current set holds some groups alone, and the portal's list of changes tells of the whole account"
    if manifest.get("fingerprint") != run.fingerprint:
        return "the current set was made by other rules"
    entry = previous.entry("contacts")
    same = Candidate(int(entry["rows"]) if entry else 0, run.scope, run.portal, run.account)
    if other := objections(manifest, same):
        return f"this is not what the current set holds: {other[0]}"
    for table, columns in NEEDED.items():
        # Of one fingerprint, the set has the columns that this run would give it.
        lacking = sorted(columns.difference(run.shape.tables[table].names if previous.entry(table) else ()))
        if lacking:
            return f"the current set's {table} lacks what a sync needs: {', '.join(lacking)}"
    since = all_listed_since(manifest)
    if since is None:
        return "the current set does not say when its groups were listed"
    if full_every is not None and now() - since >= full_every:
        return f"everything was last listed at {iso(since)}"
    return ""


def listed_at(line: dict[str, Any]) -> str | None:
    """Give when a listing was last read in full, ISO 8601, by its line in a manifest; None if never."""
    in_part = line.get("how") == "inferred" or line.get("sifted")
    at: str | None = line.get("listed_at") if in_part else line.get("at")
    return at


def all_listed_since(manifest: dict[str, Any]) -> dt.datetime | None:
    """Give the moment since which every listing of a set was read; None where that is not known.

    >>> line = {"group_id": 1, "how": "inferred", "at": "2026-11-02T00:00:00+03:30"}
    >>> other = {"group_id": 2, "how": "listed", "at": "2026-11-03T00:00:00+03:30"}
    >>> lines = [line | {"listed_at": "2026-11-01T00:00:00+03:30"}, other]
    >>> all_listed_since({"reconciliation": {"groups": lines}}).day
    1
    """
    lines = manifest.get("reconciliation", {}).get("groups", [])
    return min((dt.datetime.fromisoformat(at) for at in map(listed_at, lines) if at), default=None)
