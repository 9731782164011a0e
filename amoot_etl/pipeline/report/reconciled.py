"""The portal's counts beside ours, as the manifest and the groups table tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from amoot_etl.pipeline.report.fold import is_small

if TYPE_CHECKING:
    from amoot_etl.loaders.generations import Generation
    from amoot_etl.pipeline.report.reading import Tables

__all__ = ["GroupLine", "Reconciliation", "reconciliation"]

_LINES: Final = 20


class GroupLine(NamedTuple):
    """One group: the portal's count and ours, and whether they agree."""

    title: str
    portal: int
    ours: int
    listed: bool
    """Whether the group was listed, not inferred from what was held already."""
    reconciled: bool


class Reconciliation(NamedTuple):
    """How far the set is known to be complete."""

    proved: bool
    """Whether the portal's list of changes proved it."""
    why: str
    """If not, why not, in the manifest's words."""
    unsettled: int
    """Contacts that the portal has and the set lacks, or has newer."""
    unmentioned: int
    """Contacts of the set that the portal's list does not mention."""
    groups: int
    agreeing: int
    lines: tuple[GroupLine, ...]
    """Groups of at least five contacts: those that differ first, then the largest."""
    more: int
    """How many groups have no line."""
    received: int
    """Records that the portal sent."""
    repeated: int
    """Those of them that were sent before."""
    unreadable: int
    """Those of them without a usable ID."""


def reconciliation(generation: Generation, tables: Tables) -> Reconciliation:
    """Read what is known of a set's completeness."""
    told: dict[str, Any] = generation.manifest.get("reconciliation") or {}
    updates: dict[str, Any] = told.get("updates") or {}
    counts: dict[str, Any] = generation.manifest.get("counts") or {}
    inferred = {line["group_id"] for line in told.get("groups", []) if line.get("how") == "inferred"}
    columns = ["group_id", "title", "contacts_count", "contacts_exported", "reconciled"]
    groups = tables.read("groups", columns).to_pylist()
    lines = [
        GroupLine(
            group["title"] or f"#{group['group_id']}",
            group["contacts_count"],
            group["contacts_exported"],
            group["group_id"] not in inferred,
            bool(group["reconciled"]),
        )
        for group in groups
        if group["contacts_count"] is not None and group["contacts_exported"] is not None
    ]
    told_of = [line for line in lines if not (is_small(line.portal) or is_small(line.ours))]
    told_of.sort(key=lambda line: (line.reconciled, -line.portal, line.title))
    return Reconciliation(
        proved=updates.get("state") == "proved",
        why=str(updates.get("why", "")),
        unsettled=int(updates.get("unsettled", 0)),
        unmentioned=int(updates.get("unmentioned") or 0),
        groups=len(groups),
        agreeing=sum(bool(group["reconciled"]) for group in groups),
        lines=tuple(told_of[:_LINES]),
        more=len(groups) - len(told_of[:_LINES]),
        received=int(counts.get("received", 0)),
        repeated=int(counts.get("repeated", 0)),
        unreadable=int(counts.get("unreadable", 0)),
    )
