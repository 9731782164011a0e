"""The roll: which record of each contact counts, and where it was put.

A contact may stand in several listings, and twice in one. The newest stamp wins, and on a tie the later answer. The
roll holds one line of numbers a contact, in sorted runs. Runs that overlap merge as they grow, so that a batch is
looked up and entered without touching the rest; a listing that comes by ID, as portals give it, never merges. Its
runs rest on disk once it has gone past them: memory is not to grow with the book.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from amoot_etl.pipeline.alignment import is_rising
from amoot_etl.pipeline.idsets import places_in
from amoot_etl.pipeline.spill import Spill, Spilled, laid_together

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

__all__ = ["Admission", "Entries", "Roll"]

# Packed: a line a contact is what memory grows by.
_LINE = np.dtype([("stamp", "i8"), ("batch", "i4"), ("listing", "i4"), ("active", "?")])
_LINE_WITH_CONTENT = np.dtype([*_LINE.descr, ("content", "u8")])

_SMALL = 4096
"""Runs shorter than this are always merged: a look into each costs more."""


class Entries(NamedTuple):
    """The records of one batch, as numbers."""

    ids: npt.NDArray[np.int64]
    stamps: npt.NDArray[np.int64]
    """A key that rises with the record's own stamp."""
    contents: npt.NDArray[np.uint64] | None
    """A fingerprint of the record's values; None where no contact is expected twice."""
    listings: npt.NDArray[np.int32]
    """The listing it came in; below 0 for a contact fetched by itself."""
    active: npt.NDArray[np.bool_]


class Admission(NamedTuple):
    """What the roll decided about a batch."""

    keep: npt.NDArray[np.bool_]
    """Records that count so far."""
    first_in_listing: npt.NDArray[np.bool_]
    """Records that are the first of their contact in their listing: its memberships."""
    replaced: dict[int, npt.NDArray[np.int64]]
    """Batch to the contacts of which its record counts no longer."""


class _Span:
    """What is known of a run wherever it is: its first and last ID, and how many it has."""

    __slots__ = ("first", "last", "size")

    def __init__(self, first: int, last: int, size: int) -> None:
        self.first = first
        self.last = last
        self.size = size

    def overlaps(self, first: int, last: int) -> bool:
        """Say whether IDs from `first` to `last` may be in it: most runs are told apart by this alone."""
        return self.first <= last and first <= self.last

    def yields_to(self, other: _Span) -> bool:
        """Say whether merging pays: they overlap, or are small, and this one is not much longer."""
        overlapping = self.overlaps(other.first, other.last)
        return self.size < (2 * other.size if overlapping else _SMALL)


class _Run(_Span):
    """Lines sorted by ID."""

    __slots__ = ("ids", "lines")

    def __init__(self, ids: npt.NDArray[np.int64], lines: npt.NDArray[np.void]) -> None:
        self.ids = ids
        self.lines = lines
        first, last = (int(ids[0]), int(ids[-1])) if len(ids) else (0, -1)
        super().__init__(first, last, len(ids))

    def read(self) -> _Run:
        """Give it: it is in memory."""
        return self

    def find(self, ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give the positions in rising `ids` that this run holds, and their places in it."""
        low = int(np.searchsorted(ids, self.first, "left"))
        high = int(np.searchsorted(ids, self.last, "right"))
        held, places = places_in(ids[low:high], self.ids)
        return np.flatnonzero(held) + low, places


def _merged(runs: Sequence[_Run]) -> _Run:
    """Give runs that share no contact as one."""
    ids = np.concatenate([run.ids for run in runs])
    # As bytes, and by `take`: NumPy moves whole lines then, and not field by field, which takes ten times as long.
    lines = np.concatenate([run.lines.view(np.uint8) for run in runs]).view(runs[0].lines.dtype)
    order = np.argsort(ids, kind="stable")
    return _Run(ids.take(order), lines.take(order))


class _Resting(_Span):
    """A run on disk."""

    __slots__ = ("_lines", "ids")

    def __init__(self, run: _Run, spill: Spill) -> None:
        self.ids: Spilled = spill.put(run.ids)
        self._lines: Spilled = spill.put(run.lines)
        super().__init__(run.first, run.last, run.size)

    def read(self) -> _Run:
        """Give a copy in memory."""
        return _Run(self.ids.read(), self._lines.read())


_Either: TypeAlias = _Run | _Resting


class Roll:
    """Every contact met so far.

    >>> roll = Roll()
    >>> def entries(ids, stamps, listing):
    ...     n = len(ids)
    ...     return Entries(np.array(ids), np.array(stamps), np.arange(n).astype(np.uint64),
    ...                    np.full(n, listing, np.int32), np.ones(n, bool))
    >>> roll.admit(0, entries([5, 6], [10, 10], 0)).keep.tolist()
    [True, True]
    >>> admission = roll.admit(1, entries([6, 7], [9, 9], 1))
    >>> admission.keep.tolist(), roll.size
    ([False, True], 3)
    """

    def __init__(self) -> None:
        self._runs: list[_Either] = []
        self._spill = Spill()
        self.size = 0
        """Contacts on the roll."""

    def admit(self, batch: int, entries: Entries) -> Admission:
        """Enter a batch and say which of its records count.

        Args:
            batch: Its number; batches come in order.
            entries: Its records, in the order they were answered.
        """
        count = len(entries.ids)
        keep = np.ones(count, bool)
        first = np.ones(count, bool)
        # Listings mostly come by ID; the IDs are then not copied, and whoever else keeps them keeps the same ones.
        in_order = is_rising(entries.ids)
        everything = np.arange(count) if in_order else np.argsort(entries.ids, kind="stable")
        order = everything
        all_ids = ids = entries.ids if in_order else entries.ids[everything]
        last_listings = entries.listings[everything]
        if count and (ids[1:] == ids[:-1]).any():
            order = _resolve(entries, everything, keep, first)
            # Listings come in order, so a contact's last record tells the last listing that it stood in.
            last_listings = last_listings[np.append(ids[1:] != ids[:-1], True)]
            ids = entries.ids[order]
        lines = np.empty(len(order), _LINE if entries.contents is None else _LINE_WITH_CONTENT)
        lines["stamp"] = entries.stamps[order]
        if entries.contents is not None:
            lines["content"] = entries.contents[order]
        lines["batch"] = batch
        lines["listing"] = last_listings
        lines["active"] = entries.active[order]
        known = np.zeros(len(ids), bool)
        replaced: dict[int, list[npt.NDArray[np.int64]]] = {}
        # A contact that stands in the batch more than once is one of `ids`, and looked up once.
        leads = np.append(True, all_ids[1:] != all_ids[:-1])[:count]
        whose = np.cumsum(leads) - 1
        for at, run in self._near(ids):
            # It is written to, and what overlaps once does so again: from now on it stays in memory.
            self._runs[at] = run
            again, places = run.find(all_ids)
            if not len(again):
                continue
            first[everything[again]] &= run.lines["listing"][places] != entries.listings[everything[again]]
            found, places = whose[again[leads[again]]], places[leads[again]]
            known[found] = True
            old, new = run.lines.take(places), lines.take(found)
            wins = new["stamp"] >= old["stamp"]
            if entries.contents is not None:
                wins &= new["content"] != old["content"]
            keep[order[found[~wins]]] = False
            for number in np.unique(old["batch"][wins]).tolist():
                replaced.setdefault(number, []).append(ids[found[wins & (old["batch"] == number)]])
            run.lines["listing"][places] = new["listing"]
            run.lines[places[wins]] = new[wins]
        self._enter(_Run(ids[~known], lines.compress(~known)) if known.any() else _Run(ids, lines))
        return Admission(keep, first, {number: np.concatenate(parts) for number, parts in replaced.items()})

    def find(self, ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Say which of some rising IDs are on the roll, and their stamps (0 for the others)."""
        held = np.zeros(len(ids), bool)
        stamps = np.zeros(len(ids), np.int64)
        for _, run in self._near(ids):
            found, places = run.find(ids)
            held[found] = True
            stamps[found] = run.lines["stamp"][places]
        return held, stamps

    def active(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Say which of some rising IDs are active contacts on the roll."""
        active = np.zeros(len(ids), bool)
        for _, run in self._near(ids):
            found, places = run.find(ids)
            active[found] = run.lines["active"][places]
        return active

    def strike(self, ids: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.int64]]:
        """Take contacts off the roll; give the batches that hold their records."""
        struck: dict[int, list[npt.NDArray[np.int64]]] = {}
        for at, run in self._near(ids):
            found, places = run.find(ids)
            if not len(found):
                continue
            batches = run.lines["batch"][places]
            for batch in np.unique(batches).tolist():
                struck.setdefault(batch, []).append(ids[found[batches == batch]])
            stay = np.ones(run.size, bool)
            stay[places] = False
            self._runs[at] = _Run(run.ids[stay], run.lines[stay])
            self.size -= len(found)
        self._runs = [run for run in self._runs if run.size]
        return {batch: np.concatenate(parts) for batch, parts in struck.items()}

    def ids(self) -> npt.NDArray[np.int64]:
        """Give every ID, rising; the runs are laid one after the other first, for whatever is asked next."""
        self._settle()
        return laid_together([run.ids for run in self._runs])

    def _near(self, ids: npt.NDArray[np.int64]) -> Iterator[tuple[int, _Run]]:
        """Give the runs that may hold some of rising IDs, and their places; those that rest go on resting."""
        for at, run in enumerate(self._runs):
            if len(ids) and run.overlaps(int(ids[0]), int(ids[-1])):
                yield at, run.read()

    def _settle(self) -> None:
        """Merge the runs that overlap, so that each lies behind the one before."""
        clusters: list[list[_Either]] = []
        end = -1
        for run in sorted(self._runs, key=lambda run: run.first):
            if clusters and run.first <= end:
                clusters[-1].append(run)
            else:
                clusters.append([run])
            end = max(end, run.last)
        self._runs = [
            cluster[0] if len(cluster) == 1 else _merged([run.read() for run in cluster])
            for cluster in clusters
        ]

    def _enter(self, run: _Run) -> None:
        self.size += run.size
        if not run.size:
            return
        self._runs.append(run)
        # Like carrying in addition: each line is merged a logarithmic number of times.
        while len(self._runs) > 1 and self._runs[-2].yields_to(self._runs[-1]):
            last = self._runs.pop().read()
            self._runs[-1] = _merged([self._runs[-1].read(), last])
        if len(self._runs) > 1:
            before, latest = self._runs[-2:]
            if isinstance(before, _Run) and not before.overlaps(latest.first, latest.last):
                self._runs[-2] = _Resting(before, self._spill)


def _resolve(
    entries: Entries,
    order: npt.NDArray[np.int64],
    keep: npt.NDArray[np.bool_],
    first: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Settle contacts that a batch holds more than once; give the order of the records that count, by ID.

    Args:
        entries: The batch.
        order: Its positions, by ID and then as answered.
        keep: Set to False for records that lose.
        first: Set to False for records whose contact stood in the same listing before.
    """
    ids = entries.ids[order]
    twin = ids[1:] == ids[:-1]
    # Few contacts come more than once; the others need no sorting by three keys.
    several = order[np.append(twin, False) | np.append(False, twin)]
    by_listing = several[np.lexsort((several, entries.listings[several], entries.ids[several]))]
    again = (entries.ids[by_listing[1:]] == entries.ids[by_listing[:-1]]) & (
        entries.listings[by_listing[1:]] == entries.listings[by_listing[:-1]]
    )
    first[by_listing[1:][again]] = False
    by_stamp = several[np.lexsort((several, entries.stamps[several], entries.ids[several]))]
    loses = entries.ids[by_stamp[1:]] == entries.ids[by_stamp[:-1]]
    keep[by_stamp[:-1][loses]] = False
    return order[keep[order]]
