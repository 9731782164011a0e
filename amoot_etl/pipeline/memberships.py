"""Who is in which group: what the listings say, and nothing else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.pipeline.alignment import is_rising, once
from amoot_etl.pipeline.idsets import inside
from amoot_etl.pipeline.spill import Spill, Spilled, laid_together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

__all__ = ["SEPARATOR", "Memberships"]

SEPARATOR = " | "
_CHUNK = 1 << 17


class Memberships:
    """Pairs of contact and group.

    Args:
        titles: Group to its clean title, or None for one without.
    """

    def __init__(self, titles: Mapping[int, str | None]) -> None:
        self._groups = np.array(sorted(titles), np.int64)
        self._titles = pa.array([titles[group] for group in self._groups.tolist()], pa.string())
        self._spill = Spill()
        self._parts: list[Spilled] = []
        """What was entered since the last look: it waits on disk, not to grow with the book."""
        self._places: list[int] = []
        self._contacts = np.empty(0, np.int64)
        self._group_of = np.empty(0, np.int32)
        self._sorted = True
        self._sorting = threading.Lock()
        self._members: list[npt.NDArray[np.int64]] | None = None
        """The contacts of each group, once one has been asked for."""

    def add(self, group_id: int, contacts: npt.NDArray[np.int64]) -> None:
        """Enter contacts of one group, each once."""
        self._parts.append(self._spill.put(contacts))
        self._places.append(self._place(group_id))
        self._sorted = False

    def settle(self) -> None:
        """Sort what was entered since the last look; until more is, threads may look side by side."""
        with self._sorting:
            if not self._sorted:
                self._sort()

    def keep(self, contacts: npt.NDArray[np.int64]) -> None:
        """Drop the memberships of contacts that are not among some rising IDs."""
        self.settle()
        # Nearly always everybody listed is there; to see that costs no search.
        if np.array_equal(once(self._contacts), contacts):
            return
        kept = inside(self._contacts, contacts)
        if not kept.all():
            self._contacts, self._group_of = self._contacts[kept], self._group_of[kept]
            self._members = None

    def members(self, group_id: int) -> npt.NDArray[np.int64]:
        """Give a group's contacts, rising."""
        self.settle()
        if self._members is None:
            order = np.argsort(self._group_of, kind="stable")
            ends = np.cumsum(np.bincount(self._group_of, minlength=len(self._groups)))
            self._members = np.split(self._contacts[order], ends[:-1])
        return self._members[self._place(group_id)]

    def count(
        self, are_active: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]
    ) -> dict[int, tuple[int, int]]:
        """Give how many contacts each group has, and how many of them are active.

        Args:
            are_active: Says it of rising contacts, some perhaps more than once.

        >>> memberships = Memberships({7: None, 3: None})
        >>> memberships.add(7, np.array([1, 2])); memberships.add(3, np.array([2]))
        >>> memberships.count(lambda contacts: contacts == 1)
        {3: (1, 0), 7: (2, 1)}
        """
        self.settle()
        counts = np.zeros((2, len(self._groups)), np.int64)
        for part in self._slices():
            groups = self._group_of[part]
            of_active = groups[are_active(self._contacts[part])]
            counts += [np.bincount(some, minlength=len(self._groups)) for some in (groups, of_active)]
        return {group: tuple(counts[:, at].tolist()) for at, group in enumerate(self._groups.tolist())}

    def titles_of(self, contacts: npt.NDArray[np.int64]) -> pa.DictionaryArray:
        """Give each contact's titles by group, joined; null for one that is in no group.

        >>> memberships = Memberships({7: "مشتری", 3: "VIP"})
        >>> memberships.add(7, np.array([1, 2])); memberships.add(3, np.array([2]))
        >>> memberships.titles_of(np.array([2, 1, 9])).to_pylist()
        ['VIP | مشتری', 'مشتری', None]
        """
        self.settle()
        starts = np.searchsorted(self._contacts, contacts, "left")
        counts = self._lengths(starts, contacts)
        offsets = np.zeros(len(contacts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        # Position of each membership of each contact: its start, and on from there.
        places = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - starts, counts)
        titles = self._titles.take(pa.array(self._group_of[places]))
        named = titles.is_valid().to_numpy(zero_copy_only=False)
        if not named.all():
            owner = np.repeat(np.arange(len(contacts)), counts)[named]
            np.cumsum(np.bincount(owner, minlength=len(contacts)), out=offsets[1:])
            titles = titles.drop_null()
        lists = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), titles)
        joined = pc.binary_join(lists, SEPARATOR)
        empty = pa.array(offsets[1:] == offsets[:-1])
        return pc.if_else(empty, pa.scalar(None, pa.string()), joined).dictionary_encode()

    def _lengths(
        self, starts: npt.NDArray[np.int64], contacts: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Count the memberships of each contact, which begin at `starts`."""
        # Step by step, as nobody is in many groups: a second search would cost as much as the first.
        counts = np.zeros(len(contacts), np.int64)
        more = np.flatnonzero(starts < len(self._contacts))
        while len(more):
            more = more[self._contacts[starts[more] + counts[more]] == contacts[more]]
            counts[more] += 1
            more = more[starts[more] + counts[more] < len(self._contacts)]
        return counts

    def chunks(self) -> Iterator[pa.Table]:
        """Give the rows of `contact_groups`, by contact and group."""
        self.settle()
        for part in self._slices():
            yield pa.table(
                {"contact_id": self._contacts[part], "group_id": self._groups[self._group_of[part]]}
            )

    def _sort(self) -> None:
        contacts = laid_together([self._contacts, *self._parts])
        lengths = [len(self._contacts), *(part.length for part in self._parts)]
        groups = np.repeat(np.array([-1, *self._places], np.int32), lengths)
        groups[: len(self._group_of)] = self._group_of
        self._spill, self._parts, self._places = Spill(), [], []
        if not is_rising(contacts):
            contacts, groups = _in_order(contacts, groups, len(self._groups))
        self._contacts, self._group_of = contacts, groups
        self._sorted = True
        self._members = None

    def _slices(self) -> Iterator[slice]:
        return (slice(start, start + _CHUNK) for start in range(0, len(self._contacts), _CHUNK))

    def _place(self, group_id: int) -> int:
        return int(np.searchsorted(self._groups, group_id))


def _in_order(
    contacts: npt.NDArray[np.int64], places: npt.NDArray[np.int32], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Sort pairs by contact, then by the place of the group, of which there are so many."""
    if int(contacts.max()) < np.iinfo(np.int64).max // count:
        # One number for both is sorted in a third of the time.
        pairs = contacts * count + places
        pairs.sort()
        contacts = pairs // count
        pairs -= contacts * count
        return contacts, pairs.astype(np.int32)
    order = np.lexsort((places, contacts))
    return contacts[order], places[order]
