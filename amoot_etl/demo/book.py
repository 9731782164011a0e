"""The address book behind the embedded portal: records, labels, a clock, and verbs that change them.

A record is kept as the bytes that the portal would send, so that a listing of a million contacts is a join of
byte strings; it is read back into a dict only when someone looks at it or edits it.

```python
book = AddressBook.invent(contacts=5000)
book.edit(100_003, CityName="یزد")                # stamped, as a portal would
book.relabel(100_003, add=[7], remove=[2], stamp=False)
book.delete(100_004)                              # gone: ContactGet no longer knows it
book.updates = "recent"                           # ContactListUpdates now names recent contacts only
```
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from amoot_etl.demo.records import blank, decode, encode, json_text, stamp_text, with_twins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["NOW", "AddressBook", "Missing", "Updates"]

Updates: TypeAlias = Literal["full", "recent", "empty", "off"]
"""What `ContactListUpdates` names: every contact, recent ones, none; `off`: the method is not allowed."""

Missing: TypeAlias = Literal["ContactID_Invalid", "Failed"]
"""What `ContactGet` answers for a contact that is not there."""

NOW: Final = datetime(2026, 11, 1, 9, 30)  # noqa: DTZ001 - the portal's time is naive Tehran time
"""Where the clock of a new book stands: a fixed moment, so that the same seed gives the same book."""

_TICK: Final = timedelta(milliseconds=10)
_UNLABELLED: Final = -1


@dataclass(frozen=True, slots=True)
class _Entry:
    """One contact: its record as sent, its stamp as sent (JSON), and what the counts need to know."""

    record: bytes
    stamp: bytes
    active: bool
    labels: frozenset[int]


class AddressBook:
    """An invented address book that can change, as the one behind a real portal does.

    Its clock moves by one hundredth of a second with each change and at no other time, so a book and what is done
    to it always come to the same records. Several threads may use one book.

    Args:
        now: Where the clock stands, naive Tehran time.
        updates: What `ContactListUpdates` names.
        missing: What `ContactGet` answers for a contact that is not there.
        recent: How far `updates="recent"` looks back from the clock.

    >>> book = AddressBook()
    >>> friends = book.add_group("دوستان")
    >>> someone = book.add([friends], FName="مریم", Mobile=9121234567)
    >>> book.contact(someone)["UpdateDateTime"]
    '2026-11-01T09:30:00.01'
    >>> book.counts()
    {1: (1, 1)}
    """

    def __init__(
        self,
        *,
        now: datetime = NOW,
        updates: Updates = "full",
        missing: Missing = "ContactID_Invalid",
        recent: timedelta = timedelta(days=7),
    ) -> None:
        self.now = now
        self.recent = recent
        self.updates = updates
        self.missing = missing
        self._lock = threading.RLock()
        self._entries: dict[int, _Entry] = {}
        self._titles: dict[int, str] = {}
        # Members of each group in the order they came; a dict keeps the order and forgets in constant time.
        self._members: dict[int, dict[int, None]] = {_UNLABELLED: {}}
        self._active: dict[int, int] = {_UNLABELLED: 0}

    @classmethod
    def invent(
        cls,
        contacts: int = 5000,
        seed: int = 1404,
        *,
        labels: int = 12,
        dirty: bool | None = None,
        now: datetime = NOW,
    ) -> AddressBook:
        """Give a book of lifelike contacts, always the same for the same arguments.

        Args:
            contacts: How many contacts it holds, the dirty ones among them.
            seed: Chooses another book of the same kind.
            labels: How many labels there are; most contacts have one, some two or three, some none.
            dirty: Whether the contacts of `DIRTY` are among them; by default when they are the smaller half.
            now: Where its clock stands, naive Tehran time; the contacts were changed in the three years before.

        Raises:
            ValueError: There is no room for the dirty contacts.

        >>> book = AddressBook.invent(contacts=20)
        >>> len(book), len(book.groups())
        (20, 12)
        """
        from amoot_etl.demo.invent import fill  # noqa: PLC0415 - invent.py builds on this module

        book = cls(now=now)
        fill(book, contacts=contacts, seed=seed, labels=labels, dirty=dirty)
        return book

    # Settings that tests turn; a wrong word is an error here, not a portal that silently does something else.

    @property
    def updates(self) -> Updates:
        """What `ContactListUpdates` names: `full`, `recent`, `empty`, or `off` (not allowed)."""
        return self._updates

    @updates.setter
    def updates(self, value: Updates) -> None:
        if value not in get_args(Updates):
            raise ValueError(f"updates is one of {', '.join(get_args(Updates))}, not {value!r}")
        self._updates = value

    @property
    def missing(self) -> Missing:
        """What `ContactGet` answers for a contact that is not there: `ContactID_Invalid` or `Failed`."""
        return self._missing

    @missing.setter
    def missing(self, value: Missing) -> None:
        if value not in get_args(Missing):
            raise ValueError(f"missing is one of {', '.join(get_args(Missing))}, not {value!r}")
        self._missing = value

    # Verbs.

    def add(self, groups: Iterable[int] = (), **fields: Any) -> int:
        """Add a contact and give its ID: the next one, unless `ID` is given.

        Args:
            groups: Its labels.
            **fields: The portal's fields that differ from a blank contact's; unknown ones are kept as they are.
                A Jalali twin that is not given is made from its Gregorian date.

        Raises:
            KeyError: There is no such group.
            ValueError: The ID is taken.
        """
        with self._lock:
            contact_id = int(fields.pop("ID", max(self._entries, default=100_000) + 1))
            if contact_id in self._entries:
                raise ValueError(f"contact {contact_id} is there already")
            stamp = fields.pop("UpdateDateTime", None) or self._tick()
            record = {**blank(), **with_twins(fields), "ID": contact_id, "UpdateDateTime": stamp}
            self._put(contact_id, record, self._known(groups))
            return contact_id

    def put(self, contact_id: int, record: Mapping[str, Any], groups: Iterable[int] = ()) -> None:
        """Keep a record exactly as it is given, without a stamp of ours: how a world is laid out or made odd."""
        with self._lock:
            self._put(contact_id, record, self._known(groups))

    def edit(self, contact_id: int, **fields: Any) -> None:
        """Change fields of a contact and stamp it.

        Raises:
            KeyError: There is no such contact.
        """
        with self._lock:
            entry = self._entries[contact_id]
            record = {**decode(entry.record), "UpdateDateTime": self._tick(), **with_twins(fields)}
            self._put(contact_id, record, entry.labels)

    def touch(self, contact_id: int) -> None:
        """Stamp a contact and change nothing else."""
        self.edit(contact_id)

    def mark_deleted(self, contact_id: int) -> None:
        """Mark a contact deleted and stamp it; listings and `ContactGet` go on showing it."""
        self.edit(contact_id, Deleted=True)

    def delete(self, contact_id: int) -> None:
        """Take a contact away: no listing, no updates list and no `ContactGet` knows it any more."""
        with self._lock:
            entry = self._entries.pop(contact_id)
            self._leave(contact_id, entry)

    def relabel(
        self, contact_id: int, add: Iterable[int] = (), remove: Iterable[int] = (), *, stamp: bool = True
    ) -> None:
        """Change the labels of a contact; whether that stamps the contact differs from portal to portal.

        Raises:
            KeyError: There is no such contact or no such group.
        """
        with self._lock:
            entry = self._entries[contact_id]
            labels = (entry.labels | self._known(add)) - frozenset(remove)
            self._move(contact_id, replace(entry, labels=labels))
            if stamp:
                self.touch(contact_id)

    def add_group(self, title: str, group_id: int | None = None) -> int:
        """Add a group and give its ID.

        Raises:
            ValueError: The ID is taken, or is not a group's (they are above 0).
        """
        with self._lock:
            group_id = max(self._titles, default=0) + 1 if group_id is None else group_id
            if group_id in self._titles or group_id <= 0:
                raise ValueError(f"a group cannot have the ID {group_id}")
            self._titles[group_id] = title
            self._members[group_id] = {}
            self._active[group_id] = 0
            return group_id

    def rename_group(self, group_id: int, title: str) -> None:
        """Give a group another title."""
        with self._lock:
            if group_id not in self._titles:
                raise KeyError(group_id)
            self._titles[group_id] = title

    def drop_group(self, group_id: int, *, stamp: bool = False) -> None:
        """Take a group away; its contacts stay, without that label."""
        with self._lock:
            del self._titles[group_id]
            for contact_id in tuple(self._members[group_id]):
                entry = self._entries[contact_id]
                self._move(contact_id, replace(entry, labels=entry.labels - {group_id}))
                if stamp:
                    self.touch(contact_id)
            del self._members[group_id], self._active[group_id]

    # Looking.

    def __len__(self) -> int:
        """How many contacts there are."""
        return len(self._entries)

    def __iter__(self) -> Iterator[int]:
        """The contacts' IDs, in the order of the listing of 0."""
        with self._lock:
            return iter(tuple(self._entries))

    def __contains__(self, contact_id: object) -> bool:
        """Whether there is a contact of that ID."""
        return contact_id in self._entries

    def contact(self, contact_id: int) -> dict[str, Any]:
        """Give a contact's record; changing it changes nothing here."""
        return decode(self._entries[contact_id].record)

    def labels(self, contact_id: int) -> frozenset[int]:
        """Give a contact's labels."""
        return self._entries[contact_id].labels

    def groups(self) -> dict[int, str]:
        """Give the groups' titles by ID."""
        with self._lock:
            return dict(self._titles)

    def members(self, group_id: int) -> tuple[int, ...]:
        """Give the IDs that a listing of a group holds; 0 is everyone, -1 those without a label."""
        with self._lock:
            return tuple(self._entries if group_id == 0 else self._members[group_id])

    def counts(self) -> dict[int, tuple[int, int]]:
        """Give each group's contacts and active contacts, as the portal counts them."""
        with self._lock:
            return {
                group_id: (len(self._members[group_id]), self._active[group_id]) for group_id in self._titles
            }

    # What the server sends: bytes, taken in one moment.

    def record(self, contact_id: int) -> bytes | None:
        """Give a contact's record as JSON, or nothing when there is no such contact."""
        entry = self._entries.get(contact_id)
        return None if entry is None else entry.record

    def listing(self, group_id: int) -> list[bytes] | None:
        """Give the records of a listing as JSON, or nothing when there is no such group."""
        with self._lock:
            if group_id == 0:
                return [entry.record for entry in self._entries.values()]
            members = self._members.get(group_id)
            return None if members is None else [self._entries[contact_id].record for contact_id in members]

    def group_rows(self) -> list[bytes]:
        """Give the answer's rows of `ContactGroupList` as JSON."""
        return [
            encode(
                {
                    "ContactGroupID": group_id,
                    "Title": title,
                    "ContactsCount": count,
                    "ContactsActiveCount": active,
                }
            )
            for (group_id, title), (count, active) in zip(
                self.groups().items(), self.counts().values(), strict=True
            )
        ]

    def update_rows(self) -> list[bytes]:
        """Give the answer's rows of `ContactListUpdates` as JSON; `Deleted` is always false there."""
        if self.updates in {"empty", "off"}:
            return []
        since = json_text(stamp_text(self.now - self.recent)) if self.updates == "recent" else b""
        with self._lock:
            return [
                b'{"ID":%d,"UpdateDateTime":%b,"Deleted":false}' % (contact_id, entry.stamp)
                for contact_id, entry in self._entries.items()
                # Stamps are ISO text with the fraction's zeros cut, so their order as text is that of time.
                if entry.stamp >= since
            ]

    # Inside.

    def _tick(self) -> str:
        self.now += _TICK
        return stamp_text(self.now)

    def _known(self, groups: Iterable[int]) -> frozenset[int]:
        labels = frozenset(groups)
        for group_id in labels:
            if group_id not in self._titles:
                raise KeyError(group_id)
        return labels

    def _put(self, contact_id: int, record: Mapping[str, Any], labels: frozenset[int]) -> None:
        entry = _Entry(
            encode(record), json_text(record.get("UpdateDateTime")), record.get("Active") is True, labels
        )
        self._move(contact_id, entry)

    def _move(self, contact_id: int, entry: _Entry) -> None:
        """Put an entry in its place, in the book and in the groups of its labels."""
        old = self._entries.get(contact_id)
        self._entries[contact_id] = entry
        if old is not None and old.labels == entry.labels:
            for group_id in entry.labels or (_UNLABELLED,):
                self._active[group_id] += entry.active - old.active
            return
        if old is not None:
            self._leave(contact_id, old)
        for group_id in entry.labels or (_UNLABELLED,):
            self._members[group_id][contact_id] = None
            self._active[group_id] += entry.active

    def _leave(self, contact_id: int, entry: _Entry) -> None:
        for group_id in entry.labels or (_UNLABELLED,):
            del self._members[group_id][contact_id]
            self._active[group_id] -= entry.active
