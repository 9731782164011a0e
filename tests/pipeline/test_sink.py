"""The spool: what waits on disk comes back in order, less what was replaced, and with its groups."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest

from amoot_etl.pipeline.memberships import Memberships
from amoot_etl.pipeline.sink import Batch, SpoolSink
from amoot_etl.transformers.contacts import CleanedTable

BATCHES = 9


class Written:
    """Takes finished batches, as the tables do."""

    def __init__(self, *, refuses=None):
        self.rows = []
        self.issues = []
        self.raw = []
        self.mobiles = []
        self._refuses = refuses

    def write(self, contacts, issues, raw, mobiles):
        """Take one batch, unless it is to be refused."""
        if len(self.rows) == self._refuses:
            raise OSError(28, "No space left on device")
        self.rows += contacts.to_pylist()
        self.issues += issues.to_pylist()
        self.raw += raw.to_pylist() if raw else []
        self.mobiles += mobiles.tolist()


def batch(number, replaced=()):
    """Give a batch of two contacts, an issue each."""
    ids = np.array([2 * number, 2 * number + 1])
    contacts = pa.table({"contact_id": ids, "groups": pa.nulls(2, pa.string()), "city": ["تهران", "یزد"]})
    issues = pa.table({"contact_id": ids, "rule": ["date_invalid", "email_invalid"]})
    raw = pa.table({"ID": ids.astype(str)})
    listings = np.zeros(2, np.int32)
    return Batch(number, CleanedTable(contacts, issues, ids + 98), raw, ids, listings, dict(replaced))


@pytest.fixture
def memberships():
    """Give two groups: everybody is in one, contact 3 in the other too."""
    memberships = Memberships({7: "مشتری", 9: "VIP"})
    memberships.add(7, np.arange(2 * BATCHES))
    memberships.add(9, np.array([3]))
    return memberships


def spooled(tables, folder):
    """Give a spool that holds more batches than are made ready ahead, two contacts of them replaced."""
    sink = SpoolSink(tables, folder, raw=True)
    for number in range(BATCHES):
        sink.put(batch(number, {1: np.array([2])} if number == 5 else {}))
    sink.replace({8: np.array([17])})
    return sink


def behind():
    """Give the threads that make batches ready."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("amoot-spool")]


def test_everything_comes_back_in_order(tmp_path, memberships):
    """Rows, issues, raw records and numbers come in the order they were put, and leave nothing on disk."""
    tables = Written()
    spooled(tables, tmp_path).finish(memberships)
    kept = [number for number in range(2 * BATCHES) if number not in (2, 17)]
    assert [row["contact_id"] for row in tables.rows] == kept
    assert [row["contact_id"] for row in tables.issues] == kept
    assert [row["ID"] for row in tables.raw] == [str(number) for number in kept]
    assert tables.mobiles == [number + 98 for number in kept]
    assert {row["contact_id"]: row["groups"] for row in tables.rows} == {
        number: "مشتری | VIP" if number == 3 else "مشتری" for number in kept
    }
    assert list(tables.rows[0]) == ["contact_id", "groups", "city"]
    assert list(tmp_path.iterdir()) == []
    assert not behind()


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt()])
def test_what_fails_behind_is_raised_as_it_is(tmp_path, memberships, monkeypatch, error):
    """An error of the thread that makes batches ready ends the writing, after the batches before it."""
    titles_of = memberships.titles_of

    def failing(contacts):
        if 8 in contacts:
            raise error
        return titles_of(contacts)

    monkeypatch.setattr(memberships, "titles_of", failing)
    tables = Written()
    with pytest.raises(type(error)) as caught:
        spooled(tables, tmp_path).finish(memberships)
    assert caught.value is error
    assert [row["contact_id"] for row in tables.rows] == [0, 1, 3, 4, 5, 6, 7]
    assert not behind()


def test_what_cannot_be_written_is_raised_as_it_is(tmp_path, memberships):
    """An error of the writer ends the writing at once, and no thread goes on behind."""
    tables = Written(refuses=5)
    with pytest.raises(OSError, match="No space left"):
        spooled(tables, tmp_path).finish(memberships)
    assert [row["contact_id"] for row in tables.rows] == [0, 1, 3, 4, 5]
    assert not behind()
