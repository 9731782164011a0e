"""Who is in which group, asked by several threads."""

from __future__ import annotations

import threading

import numpy as np

from amoot_etl.pipeline import memberships
from amoot_etl.pipeline.memberships import Memberships


def test_memberships_are_sorted_once_whoever_asks_first(monkeypatch):
    """Who asks while another thread sorts them waits, and finds all of them."""
    begun, sort = threading.Event(), memberships._in_order

    def slowly(*arguments):
        begun.set()
        asking.join(0.2)
        return sort(*arguments)

    monkeypatch.setattr(memberships, "_in_order", slowly)
    who = Memberships({7: "مشتری", 3: "VIP"})
    who.add(7, np.array([1, 2]))
    who.add(3, np.array([1]))
    found = []

    def ask():
        begun.wait(5)
        found.extend(who.titles_of(np.array([1, 2])).to_pylist())

    asking = threading.Thread(target=ask)
    asking.start()
    who.settle()
    asking.join()
    assert found == ["VIP | مشتری", "مشتری"]
