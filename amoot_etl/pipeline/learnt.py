"""The records that a sync receives: read and cleaned as an export's, and kept on disk until they are laid in.

Each round of listings or of single contacts goes through the same build as an export's listings. Its clean rows wait
in Arrow files that are mapped, not read, so that a sync which has to list half the book needs no more memory than
one that asks for a few contacts. Of a contact that came more than once the newest stamp wins, on a tie the later
answer.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.errors import NotFound, PortalUnavailable
from amoot_etl.loaders.arrow import decoded_type
from amoot_etl.pipeline.build import Build
from amoot_etl.pipeline.expect import Listed
from amoot_etl.pipeline.fetch import Fetch
from amoot_etl.pipeline.listing import Listing, StartOver
from amoot_etl.pipeline.waiting import keep, mapped

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.client import Client
    from amoot_etl.extractors.body import Raw
    from amoot_etl.pipeline.memberships import Memberships
    from amoot_etl.pipeline.sink import Batch
    from amoot_etl.shape import Shape

    Ids = npt.NDArray[np.int64]
    Wants = Callable[[Ids], npt.NDArray[np.bool_]]

__all__ = ["Learnt"]

_ATTEMPTS: Final = 4
"""How often one round is read at most; after the first time all of it has landed."""
_FEW_LISTINGS: Final = 4
"""To read contacts that stand in several of so few again takes less time than to load what compares records."""
_MOBILE: Final = "_mobile"


class Learnt:
    """The records received so far.

    Args:
        client: A connection to the portal.
        folder: Where bodies land and clean rows wait; it exists.
        raw: Whether every field is wanted as received, too.
        today: The run's date in Tehran.
        shape: The tables as the user wants them.
    """

    def __init__(
        self,
        client: Client,
        folder: Path,
        *,
        raw: bool,
        today: dt.date,
        shape: Shape | None = None,
    ) -> None:
        self.ids: Ids = np.empty(0, np.int64)
        """Contacts of which there is a record, rising."""
        self.active: npt.NDArray[np.bool_] = np.empty(0, bool)
        self.stamps: Ids = np.empty(0, np.int64)
        """The order of each one's stamp, as `stamp_order` has it."""
        self.received = 0
        """Records, unreadable ones among them."""
        self.watch: Callable[[int], None] | None = None
        """Told of the records of the round that is being read."""
        self._client = client
        self._folder = folder
        self._wants_raw = raw
        self._today = today
        self._shape = shape
        self._rounds = 0
        self._rows: Ids = np.empty(0, np.int64)
        self._stores: dict[str, _Store] = {}

    def read_listings(self, group_ids: Sequence[int], wants: Wants | None = None) -> dict[int, Listed]:
        """List some groups (-1 for contacts in none, 0 for all) and read what they hold.

        Args:
            group_ids: The groups.
            wants: Says of which contacts the records are wanted; without it all are.

        Raises:
            NotFound: One of the groups is no more.
            CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
        """
        landing = self._place()
        fetch = Fetch(self._client, group_ids, landing)
        try:
            build = self._read(fetch.listings, [], wants)
        except NotFound:
            # The portal will be asked for other things now.
            fetch.stop()
            raise
        shutil.rmtree(landing)
        listed = {}
        for tally in build.tallies:
            self.received += len(tally.unreadable) if wants else tally.received
            members = build.memberships.members(tally.group_id)
            listed[tally.group_id] = Listed(
                members, tally.received, tally.active, tally.unreadable, dict(tally.repeated)
            )
        return listed

    def read_records(self, raw: Raw) -> None:
        """Read contacts that were asked for one by one."""
        if raw.received:
            self._read([], [raw], None)
            self.received += raw.received

    def contacts(self, places: npt.NDArray[np.int64]) -> tuple[pa.Table, Ids]:
        """Give clean rows, strings plain, and their numbers as digits.

        Args:
            places: Positions in `ids`, in the order wanted.
        """
        table = self._stores["contacts"].take(self._rows[places])
        return table.drop_columns([_MOBILE]), table.column(_MOBILE).to_numpy()

    def raw(self, places: npt.NDArray[np.int64]) -> pa.Table:
        """Give the same rows as they were received."""
        return self._stores["raw"].take(self._rows[places])

    def issues(self) -> Iterator[pa.Table]:
        """Give the issues of the records that count."""
        for first, size, issues in self._stores["issues"].pieces if self.ids.size else ():
            here = (self._rows >= first) & (self._rows < first + size)
            yield issues.filter(pc.is_in(issues.column("contact_id"), pa.array(self.ids[here])))

    def in_order(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Give positions in `ids` in the order in which their records were received."""
        ordered: npt.NDArray[np.int64] = places[np.argsort(self._rows[places], kind="stable")]
        return ordered

    # Inside

    def _place(self) -> Path:
        self._rounds += 1
        place = self._folder / f"round-{self._rounds}"
        place.mkdir(mode=0o700)
        return place

    def _read(self, listings: Sequence[Listing], raws: Sequence[Raw], wants: Wants | None) -> Build:
        """Read a round, and enter it when all of it is known."""
        titles: dict[int, str | None] = {listing.group_id: None for listing in listings}
        for attempt in range(_ATTEMPTS):
            if attempt:
                # Built once all has landed: downloads that start over are then nothing to the build.
                for listing in listings:
                    listing.wait()
            place = self._place()
            entry = _Entry(place, raw=self._wants_raw)
            build = Build(
                listings,
                titles,
                entry,
                today=self._today,
                shape=self._shape,
                fingerprints=len(listings) > _FEW_LISTINGS,
                wants=wants,
                watch=self.watch,
            )
            try:
                build.read()
                if raws:
                    build.add(raws, 1)
            except StartOver:
                continue
            self._enter(entry, build)
            self.received += sum(entry.sizes) if wants else 0
            return build
        raise PortalUnavailable("ContactList: the portal's listings kept changing", subject="ContactList")

    def _enter(self, entry: _Entry, build: Build) -> None:
        start = self._stores["contacts"].size if self._stores else 0
        for kind, pieces in entry.pieces.items():
            self._stores.setdefault(kind, _Store()).add(pieces, entry.sizes)
        if not any(entry.sizes):
            return
        ids = np.concatenate(entry.ids)
        order = np.argsort(ids)
        stamps = np.empty(len(ids), np.int64)
        stamps[order] = build.roll.find(ids[order])[1]
        all_ids = np.concatenate((self.ids, ids))
        all_stamps = np.concatenate((self.stamps, stamps))
        all_rows = np.concatenate((self._rows, np.arange(start, start + len(ids))))
        all_active = np.concatenate((self.active, np.concatenate(entry.active)))
        order = np.lexsort((np.arange(len(all_ids)), all_stamps, all_ids))
        last = order[np.append(np.diff(all_ids[order]) != 0, True)]
        self.ids, self.stamps = all_ids[last], all_stamps[last]
        self._rows, self.active = all_rows[last], all_active[last]


class _Entry:
    """Takes the clean rows of one round to disk, in place of an export's tables."""

    takes_overlap = True

    def __init__(self, folder: Path, *, raw: bool) -> None:
        self.wants_raw = raw
        kinds = ("contacts", "issues", "raw") if raw else ("contacts", "issues")
        self.pieces: dict[str, list[pa.Table]] = {kind: [] for kind in kinds}
        self.sizes: list[int] = []
        self.ids: list[Ids] = []
        self.active: list[npt.NDArray[np.bool_]] = []
        self._folder = folder

    def put(self, batch: Batch) -> None:
        """Take a batch."""
        contacts = batch.clean.contacts
        self.ids.append(batch.ids)
        self.sizes.append(len(batch.ids))
        self.active.append(contacts.column("active").fill_null(False).to_numpy())
        self._keep("contacts", contacts.append_column(_MOBILE, pa.array(batch.clean.mobiles)))
        self._keep("issues", batch.clean.issues)
        if batch.raw is not None:
            self._keep("raw", batch.raw)

    def replace(self, replaced: Mapping[int, Ids]) -> None:
        """Do nothing: of a contact's rows the last one counts, and the others are left where they are."""

    def finish(self, memberships: Memberships) -> None:
        """Do nothing: who is in which group is asked elsewhere."""

    def _keep(self, kind: str, table: pa.Table) -> None:
        """Write a piece and map it; strings plain, so that rows of different pieces can stand together."""
        fields = [pa.field(field.name, decoded_type(field.type)) for field in table.schema]
        plain = pa.table([column.cast(field.type) for column, field in zip(table.columns, fields, strict=True)],
                         schema=pa.schema(fields)).combine_chunks()  # fmt: skip
        path = self._folder / f"{len(self.pieces[kind])}.{kind}.arrow"
        keep(plain, path)
        self.pieces[kind].append(mapped(path))


class _Store:
    """The pieces of one kind, as if they were one table."""

    def __init__(self) -> None:
        self.size = 0
        self.pieces: list[tuple[int, int, pa.Table]] = []
        """The first contact's number, how many contacts, and the rows."""

    def add(self, tables: Sequence[pa.Table], sizes: Sequence[int]) -> None:
        """Add the pieces of a round."""
        for table, size in zip(tables, sizes, strict=True):
            self.pieces.append((self.size, size, table))
            self.size += size

    def take(self, rows: Ids) -> pa.Table:
        """Give rows in the order wanted."""
        order = np.argsort(rows, kind="stable")
        rising = rows[order]
        parts = []
        for first, size, table in self.pieces:
            low, high = np.searchsorted(rising, (first, first + size))
            if high > low:
                parts.append(table.take(pa.array(rising[low:high] - first)))
        if not parts:
            return self.pieces[0][2].slice(0, 0)
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_tables(parts).combine_chunks().take(pa.array(back))
