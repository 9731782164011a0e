"""Where clean batches go: into the tables, at once or, where a contact's groups are told last, by way of a draft."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.extractors import careful
from amoot_etl.loaders.parquet_draft import STAYS, ParquetDraft
from amoot_etl.pipeline.crew import ahead
from amoot_etl.pipeline.listing import StartOver
from amoot_etl.pipeline.numbers import SharedNumbers
from amoot_etl.pipeline.waiting import keep, mapped
from amoot_etl.schema import RAW, TABLES
from amoot_etl.shape import Shape
from amoot_etl.transformers.issues import wanted_issues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.loaders.contract import Loader, Target
    from amoot_etl.pipeline.memberships import Memberships
    from amoot_etl.transformers.contacts import CleanedTable

__all__ = ["Batch", "DirectSink", "DraftSink", "Sink", "Tables"]

_KEY: Final = "contact_id"
_MOBILE: Final = "_mobile"


class Batch(NamedTuple):
    """A clean batch."""

    number: int
    clean: CleanedTable
    raw: pa.Table | None
    """The records that it was made of, as rows of `contacts_raw`; None where nobody wants them."""
    ids: npt.NDArray[np.int64]
    listings: npt.NDArray[np.int32]
    replaced: Mapping[int, npt.NDArray[np.int64]]
    """Earlier batches, and the contacts of which this one holds a newer record."""


class Tables:
    """The tables that batches are written into, and what is learnt while writing.

    Args:
        target: The Parquet files of the run.
        raw: Whether `contacts_raw` is written too.
        shape: The tables as the user wants them.
    """

    def __init__(self, target: Target, *, raw: bool, shape: Shape | None = None) -> None:
        self._shape = shape or Shape()
        self.contacts: Loader = target.open(self._shape.tables["contacts"])
        self.issues: Loader = target.open(TABLES["issues"])
        self.wants_raw = raw
        self._raw: Loader | None = target.open(RAW) if raw else None
        self.contacts_written = 0
        self.rules: Counter[str] = Counter()
        self.unknown_fields: Counter[str] = Counter()
        self._numbers = SharedNumbers()

    def write(
        self, contacts: pa.Table, issues: pa.Table, raw: pa.Table | None, mobiles: npt.NDArray[np.int64]
    ) -> None:
        """Write one finished batch."""
        self.write_contacts(contacts)
        self.write_issues(issues)
        if raw is not None:
            self.write_raw(raw)
        self.note(contacts.column("contact_id").to_numpy(), mobiles, contacts.column("extra"))

    def write_contacts(self, contacts: pa.Table) -> None:
        """Write rows of contacts by themselves, the columns that are wanted."""
        wanted = self._shape.tables["contacts"].names
        self.contacts.append(contacts if self._shape.is_whole else contacts.select(list(wanted)))

    def note(
        self, ids: npt.NDArray[np.int64], mobiles: npt.NDArray[np.int64], extra: pa.ChunkedArray | pa.Array
    ) -> None:
        """Learn of contacts what only the whole can tell; they are written."""
        self.contacts_written += len(ids)
        self._numbers.add(ids, mobiles)
        if extra.null_count < len(extra):
            for text in extra.drop_null().to_pylist():
                self.unknown_fields.update(_names(text))

    def write_raw(self, raw: pa.Table) -> None:
        """Write raw records by themselves."""
        if self._raw is not None:
            self._raw.append(raw)

    def write_issues(self, issues: pa.Table) -> None:
        """Write rows of issues, those of columns that are wanted."""
        issues = wanted_issues(issues, self._shape)
        if issues.num_rows:
            self.issues.append(issues)
            for count in pc.value_counts(issues.column("rule")).to_pylist():
                self.rules[count["values"]] += count["counts"]

    def close_contacts(self) -> None:
        """Finish the table of contacts; issues stay open for what only the whole can tell."""
        self.contacts.close()
        if self._raw is not None:
            self._raw.close()

    def shared_mobiles(self) -> dict[int, int]:
        """Give the contacts whose number others have too, and how many share it; to be asked once."""
        try:
            return self._numbers.shared()
        finally:
            self._numbers.close()


class Sink(Protocol):
    """Takes clean batches in order."""

    @property
    def wants_raw(self) -> bool:
        """Whether batches are to carry the records that they were made of."""

    @property
    def takes_overlap(self) -> bool:
        """Whether a contact may stand in more than one listing."""

    def put(self, batch: Batch) -> None:
        """Take a batch."""

    def replace(self, replaced: Mapping[int, npt.NDArray[np.int64]]) -> None:
        """Forget the records of contacts in earlier batches."""

    def finish(self, memberships: Memberships) -> None:
        """Write what was not known before: every listing has been read."""


class DirectSink:
    """Writes each batch as it comes, for accounts with at most one group that has contacts.

    Args:
        tables: The tables.
        titles: The title of each listing, by its number; None where it is no group.
    """

    takes_overlap = False

    def __init__(self, tables: Tables, titles: Sequence[str | None]) -> None:
        self.wants_raw = tables.wants_raw
        self._tables = tables
        # A contact fetched by itself has a number below 0, which is the last place: in no group we know.
        self._titles = pa.array([*titles, None], pa.string())
        self._named = [number for number, title in enumerate(titles) if title is not None]
        self._seen = False

    def put(self, batch: Batch) -> None:
        """Write a batch.

        Raises:
            StartOver: It holds what is not true of batches written before.
        """
        self.replace(batch.replaced)
        listings = batch.listings
        if len(self._named) > 1 and np.isin(listings, self._named[1:]).any():
            raise StartOver("a group has contacts that the portal did not count")
        places = np.where(listings < 0, len(self._titles) - 1, listings)
        titles = pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), self._titles, safe=False)
        self._tables.write(
            _with_groups(batch.clean.contacts, titles.dictionary_decode().dictionary_encode()),
            batch.clean.issues,
            batch.raw,
            batch.clean.mobiles,
        )

    def replace(self, replaced: Mapping[int, npt.NDArray[np.int64]]) -> None:
        """Refuse: what is written is written.

        Raises:
            StartOver: There is something to replace.
        """
        if replaced:
            raise StartOver("a contact changed while it was listed")

    def finish(self, memberships: Memberships) -> None:
        """Do nothing: all is written."""


class DraftSink:
    """Writes contacts as they come, all but their groups; those are laid in when every listing has been read.

    What else a batch has waits on disk: a record of it may be replaced until then.

    Args:
        tables: The tables, opened with a `ParquetDraft` of contacts whose late column is `groups`.
        folder: Where the rest of each batch waits; it exists.
    """

    takes_overlap = True

    def __init__(self, tables: Tables, folder: Path) -> None:
        if not isinstance(tables.contacts, ParquetDraft):
            raise TypeError("contacts whose groups are not known yet go into a ParquetDraft")
        self.wants_raw = tables.wants_raw
        self._tables = tables
        self._draft = tables.contacts
        self._folder = folder
        self._numbers: list[int] = []
        self._replaced: dict[int, list[npt.NDArray[np.int64]]] = {}

    def put(self, batch: Batch) -> None:
        """Write a batch to the draft."""
        self.replace(batch.replaced)
        contacts = batch.clean.contacts
        self._tables.write_contacts(contacts)
        rest = contacts.select([_KEY, "extra"]).append_column(_MOBILE, pa.array(batch.clean.mobiles))
        keep(rest, self._path(batch.number, "rest"))
        keep(batch.clean.issues, self._path(batch.number, "issues"))
        if batch.raw is not None:
            keep(batch.raw, self._path(batch.number, "raw"))
        self._numbers.append(batch.number)

    def replace(self, replaced: Mapping[int, npt.NDArray[np.int64]]) -> None:
        """Remember which records count no longer."""
        for number, ids in replaced.items():
            self._replaced.setdefault(number, []).append(ids)

    def finish(self, memberships: Memberships) -> None:
        """Lay in each contact's groups, and write the rest of every batch, less what was replaced."""

        def grouped(number: int) -> tuple[int, pa.Table, pa.DictionaryArray]:
            rest = mapped(self._path(number, "rest"))
            return number, rest, memberships.titles_of(rest.column(_KEY).to_numpy())

        # To find the groups takes twice as long as to lay them in.
        self._draft.settle(self._finished(*batch) for batch in ahead(grouped, self._numbers, 2))

    def _finished(self, number: int, rest: pa.Table, groups: pa.DictionaryArray) -> pa.Table:
        """Write the rest of a batch; give its contacts' groups, and which of them stay."""
        issues = mapped(self._path(number, "issues"))
        raw = mapped(self._path(number, "raw")) if self.wants_raw else None
        ids = rest.column(_KEY)
        stays = pa.chunked_array([np.ones(len(ids), bool)])
        if number in self._replaced:
            gone = pa.array(np.concatenate(self._replaced[number]))
            stays = pc.invert(pc.is_in(ids, gone))
            rest = rest.filter(stays)
            raw = raw.filter(stays) if raw is not None else None
            issues = issues.filter(pc.invert(pc.is_in(issues.column(_KEY), gone)))
        self._tables.write_issues(issues)
        if raw is not None:
            self._tables.write_raw(raw)
        self._tables.note(rest.column(_KEY).to_numpy(), rest.column(_MOBILE).to_numpy(), rest.column("extra"))
        return pa.table({"groups": groups, STAYS: stays})

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"{number:06d}.{kind}.arrow"


def _names(extra: str) -> list[str]:
    """Give the fields of an object's JSON, however deep its values are."""
    try:
        return list(json.loads(extra, parse_int=str))
    except RecursionError:
        return list(careful.fields(extra)[0])


def _with_groups(contacts: pa.Table, titles: pa.DictionaryArray) -> pa.Table:
    return contacts.set_column(contacts.column_names.index("groups"), "groups", titles)
