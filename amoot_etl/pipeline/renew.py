"""Make the new set: the old one, with what a sync has learnt laid in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from amoot_etl.extractors.groups import ALL, NO_LABEL
from amoot_etl.loaders.atomic import sha256_of
from amoot_etl.loaders.leaving import FolderTarget
from amoot_etl.loaders.parquet import ParquetLoader
from amoot_etl.loaders.parquet_patch import ParquetPatch, groups_to_patch
from amoot_etl.pipeline.collect import Collected
from amoot_etl.pipeline.crew import in_background, meanwhile
from amoot_etl.pipeline.idsets import NOBODY, union, without
from amoot_etl.pipeline.infull import InFull, listed_at
from amoot_etl.pipeline.memberships import Memberships
from amoot_etl.pipeline.proof import Proof
from amoot_etl.pipeline.publishing import compression_of
from amoot_etl.pipeline.sink import Tables
from amoot_etl.pipeline.splice import Splice
from amoot_etl.pipeline.tables import GroupFacts, write_beside, write_info, write_late
from amoot_etl.tehran import now

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from amoot_etl.extractors.groups import Group
    from amoot_etl.loaders.draft import Draft
    from amoot_etl.loaders.generations import Generation
    from amoot_etl.pipeline.catchup import CatchUp
    from amoot_etl.pipeline.expect import Knowledge
    from amoot_etl.pipeline.run import Run

__all__ = ["Renewal", "warnings_of"]


class Renewal:
    """Makes the new set of the old one and of what was learnt.

    Args:
        run: The run.
        previous: The old set.
        asking: What was asked, and what came of it.
        draft: Where the new set is written.
    """

    def __init__(self, run: Run, previous: Generation, asking: CatchUp, draft: Draft) -> None:
        self._run = run
        self._previous = previous
        self._asking = asking
        self._draft = draft
        self._known = asking.knowledge

    def collect(self) -> Collected:
        """Write the tables, and tell what is known of them.

        Raises:
            InFull: The old set is damaged.
        """
        known, asking, run = self._known, self._asking, self._run
        titles = asking.titles()
        memberships = Memberships(titles)
        for group_id in titles:
            memberships.add(group_id, known.members.get(group_id, NOBODY))
        facts = [self._facts(group, titles[group.group_id]) for group in asking.groups]
        tallies = [_Tally(group_id, one.unreadable, one.repeated) for group_id, one in known.listed.items()]
        splice = Splice(
            self._previous, asking.learnt, known, memberships, _regrouped(known, titles), today=run.today
        )
        finished_at = now()
        # What is copied is not understood: bytes that went bad meanwhile must not pass into the new set.
        source = self._previous.file("contacts")
        digest = in_background(lambda: sha256_of(source), "digest")
        with FolderTarget(self._draft.folder, run.facts(finished_at), ".parquet", self._loader) as target:
            tables = Tables(target, raw=run.raw, shape=run.shape)
            with meanwhile(lambda: write_beside(target, facts, memberships), "beside"):
                splice.write(tables)
            if digest.result() != (self._previous.entry("contacts") or {}).get("sha256"):
                raise InFull("the current set's contacts are not what was written")
            write_late(tables, tallies)
            write_info(
                target, run, contacts=tables.contacts_written, groups=len(facts), finished_at=finished_at
            )
        unreadable = sum(len(one.unreadable) for one in known.listed.values())
        return Collected(
            written=target.written,
            groups=facts,
            proof=_proof(asking),
            finished_at=finished_at,
            received=asking.learnt.received,
            contacts=tables.contacts_written,
            unreadable=unreadable,
            rules=tables.rules,
            listings=[self._line(group_id) for group_id in (*titles, asking.no_label)],
            unlisted_groups=tuple(
                fact.group.group_id
                for fact in facts
                if (one := known.listed.get(fact.group.group_id))
                and fact.group.contacts_count
                and not one.received
            ),
            warnings=[*warnings_of(asking), *(_unlike(fact) for fact in facts if not fact.reconciled)],
            carried=splice.carried,
            rows=splice.rows,
        )

    def _loader(self, path: Path, schema: pa.Schema) -> ParquetLoader:
        """Open a table: contacts are made out of the old ones, as long as most of them stay."""
        compression, source = compression_of(self._previous), self._previous.file("contacts")
        most_stay = 2 * len(self._asking.learnt.ids) < len(self._asking.held.ids)
        if path.stem == "contacts" and most_stay and (groups := groups_to_patch(source, schema)):
            return ParquetPatch(path, schema, source, groups=groups, compression=compression)
        return ParquetLoader(path, schema, compression=compression)

    def _facts(self, group: Group, title: str | None) -> GroupFacts:
        return GroupFacts(group, title, *self._known.counts(group.group_id), self._known.reconciled(group))

    def _line(self, group_id: int) -> dict[str, Any]:
        """Give the manifest's line of a listing: read in this run, or inferred."""
        one = self._known.listed.get(group_id)
        moved = {"moved": True} if group_id in self._asking.moved else {}
        before = self._asking.held.listings.get(group_id)
        last = {"listed_at": listed_at(before) if before else None}
        if one is not None:
            # Who is in it is known; what changed without a stamp only a listing in full shows.
            sifted = {"sifted": True, **last} if group_id in self._asking.sifted else {}
            return {
                "group_id": group_id,
                "received": one.received,
                "distinct": len(one.ids),
                "active": one.active,
                "unreadable": len(one.unreadable),
                "how": "listed",
                **moved,
                **sifted,
            }
        line = {"group_id": group_id, "how": "inferred"}
        if group_id not in (NO_LABEL, ALL):
            line["distinct"], line["active"] = self._known.counts(group_id)
        # Moves that cancel may have passed unseen in it: only a full listing is sure to show them.
        unchecked = {"unchecked": True} if group_id in self._asking.unchecked else {}
        return {**line, **last, **moved, **unchecked}


class _Tally(NamedTuple):
    """What a listing's issues need to know of it."""

    group_id: int
    unreadable: list[str]
    repeated: dict[int, int]


def warnings_of(asking: CatchUp) -> list[str]:
    """Give what the reader should know of how sure the result is."""
    warnings = []
    if asking.open.unmentioned:
        warnings.append(
            f"the portal's list of changes does not mention {asking.open.unmentioned} of the contacts: of them, "
            "only what counts and listings show is known"
        )
    if asking.open.unsettled:
        warnings.append(
            f"{asking.open.unsettled:,} contacts that the portal's list of changes tells of could not be had as it "
            "tells of them: the next sync asks again"
        )
    return warnings


def _regrouped(known: Knowledge, titles: Mapping[int, str | None]) -> npt.NDArray[np.int64]:
    """Give the contacts whose groups, or the titles of them, are not what they were."""
    touched: list[npt.NDArray[np.int64]] = []
    for group_id in {*known.held.members, *known.members}:
        old = known.held.members.get(group_id, NOBODY)
        new = known.members.get(group_id, NOBODY)
        before = known.held.groups.get(group_id)
        if before is None or before.title != titles.get(group_id):
            touched += [old, new]
        elif new is not old:
            touched += [without(old, new), without(new, old)]
    return union(*touched)


def _proof(asking: CatchUp) -> Proof:
    proof = Proof(fetched=asking.fetched, unsettled=asking.open.unsettled)
    proof.unmentioned, proof.unexplained = asking.open.unmentioned, asking.open.unexplained
    proof.judge()
    return proof


def _unlike(fact: GroupFacts) -> str:
    return f"{fact.counted}, we hold {fact.exported:,}"
