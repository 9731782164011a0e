"""The guard: every set that would destroy a good one is refused, and every harmless one is let through."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import Book, book_number, publish
from sync_world import short_calendar, small_book  # noqa: F401 - a fixture

from amoot_etl.demo import AddressBook, Portal
from amoot_etl.errors import RefusedError
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.export import export
from amoot_etl.pipeline.guard import Candidate, guard, objections
from amoot_etl.pipeline.publishing import Overlap, contact_ids
from amoot_etl.settings import Settings

URL = "https://portal.example/rest"


def held(contacts, **more):
    """Give the manifest of a current set."""
    files = [{"table": "contacts", "format": "parquet", "rows": contacts}]
    return {"scope": "full", "base_url": URL, "account": None, "files": files, **more}


def new(contacts, **more):
    """Give the facts of a new set."""
    return Candidate(**{"contacts": contacts, "scope": "full", "base_url": URL, **more})


REFUSED = {
    "more than a fifth is gone": (held(1000), new(799), "799 contacts where the current one has 1,000"),
    "all are gone": (held(3), new(0), "0 contacts where the current one has 3"),
    "the last one is gone": (held(1), new(0), "0 contacts where"),
    "a group lists nobody": (
        held(10),
        new(10, unlisted_groups=(7, 9)),
        "reports contacts in group 7, 9 and lists none",
    ),
    "a group lists nobody, first export": (
        None,
        new(10, unlisted_groups=(7,)),
        "reports contacts in group 7",
    ),
    "another scope": (
        held(10),
        new(10, scope={"groups": [3]}),
        r"holds only group 3, the current one the whole account",
    ),
    "other groups": (
        held(10, scope={"groups": [1, 2]}),
        new(10, scope={"groups": [3]}),
        r"holds only group 3, the current one only groups 1, 2",
    ),
    "another account": (
        held(10, account="shop"),
        new(10, account="school"),
        "of account school, the current one of shop",
    ),
    "another portal": (
        held(10),
        new(10, base_url="https://other.example/rest"),
        "is of https://other.example/rest",
    ),
    "another path": (
        held(10),
        new(10, base_url="https://portal.example/other"),
        "is of https://portal.example/other",
    ),
    "other ids": (held(10), new(10, shared_ids=0.49), "only 49% of its ids are known"),
}

ALLOWED = {
    "nothing before": (None, new(0)),
    "a fifth is gone": (held(1000), new(800)),
    "it grew": (held(10), new(1000)),
    "an empty one before": (held(0), new(0)),
    "the whole account after some groups": (held(10, scope={"groups": [1]}), new(1000)),
    "the same groups": (held(10, scope={"groups": [1, 2]}), new(9, scope={"groups": [1, 2]})),
    "a name given later": (held(10), new(10, account="shop")),
    "a slash more": (held(10), new(10, base_url=URL + "/")),
    "https now": (held(10, base_url="http://portal.example/rest"), new(10)),
    "another port of loopback": (
        held(9, base_url="http://127.0.0.1:1234"),
        new(9, base_url="http://localhost:4321/"),
    ),
    "half the ids": (held(10), new(10, shared_ids=0.5)),
    "nothing to compare": (held(0), new(10, shared_ids=None)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_destroy_is_refused(case):
    """The refusal says why and how to go on; with the user's word the reasons are given back instead."""
    previous, candidate, reason = REFUSED[case]
    with pytest.raises(RefusedError, match=f"{reason}.+--accept-shrink"):
        guard(previous, candidate)
    assert len(guard(previous, candidate, accept_shrink=True)) == 1


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_harmless_is_let_through(case):
    """A set that takes nothing away, or little, is no one's business."""
    assert guard(*ALLOWED[case]) == []


@given(before=st.integers(1, 10**6), after=st.integers(0, 10**6), share=st.floats(0, 1))
def test_the_share_that_may_go_is_the_user_s(before, after, share):
    """A book is refused exactly when it is empty or lost more than the share that may be gone."""
    refused = bool(objections(held(before), new(after), max_shrink=share))
    assert refused == (after == 0 or after < before * (1 - share))


def test_the_share_of_ids_is_measured_on_the_smaller_book(tmp_path):
    """A book that grew shares all its ids, one of another account few, an empty one tells nothing."""
    paths = {}
    for name, ids in {
        "ten": range(10),
        "grown": range(100),
        "half": range(5, 15),
        "other": range(50, 60),
    }.items():
        book = Book()
        for contact in ids:
            book = book.with_contact(contact)
        paths[name] = publish(Output(tmp_path / name), book).file("contacts")
    paths["empty"] = publish(Output(tmp_path / "empty"), Book()).file("contacts")
    ids = {name: contact_ids(path) for name, path in paths.items()}
    shares = {name: Overlap.of(ids["ten"], others).share for name, others in ids.items()}
    assert shares == {"ten": 1.0, "grown": 1.0, "half": 0.5, "other": 0.0, "empty": None}


def test_a_real_manifest_is_understood(tmp_path):
    """The guard reads the contacts of the current set from the manifest that publishing wrote."""
    generation = publish(Output(tmp_path), book_number(1))
    with pytest.raises(RefusedError, match="0 contacts where the current one has 21"):
        guard(generation.manifest, new(0))


def other_people() -> AddressBook:
    """Give a book whose contacts have other IDs."""
    book = small_book()
    for contact in list(book):
        book.delete(contact)
        book.add(FName="دیگر")
    return book


def fewer_people() -> AddressBook:
    """Give a book that lost a quarter of its contacts."""
    book = small_book()
    for contact in list(book)[:3]:
        book.delete(contact)
    return book


@pytest.mark.usefixtures("short_calendar")
@pytest.mark.parametrize(
    ("second", "account", "scope", "accepted", "reason"),
    [
        (small_book, "school", (), {"accept_shrink": True}, "of account school, the current one of shop"),
        (other_people, "shop", (), {"accept_shrink": True}, "only 0% of its ids are known"),
        (fewer_people, "shop", (), {"max_shrink": 0.25}, "9 contacts where the current one has 12"),
        (small_book, "shop", (1,), {"accept_shrink": True}, "the current one the whole account"),
    ],
    ids=["another account", "other ids", "fewer", "a group"],
)
def test_a_real_run_tells_the_guard_what_it_is(tmp_path, second, account, scope, accepted, reason):  # noqa: PLR0917
    """Each of the guard's facts reaches it from an export: what must be refused is, and the old set stays."""

    def run(book, account, **more):
        with Portal(book, token="t") as portal:
            settings = Settings(base_url=portal.url, token="t", out=tmp_path, account=account)
            return export(settings, **more)

    first = run(small_book(), "shop")
    groups = [list(small_book().groups())[at - 1] for at in scope]
    with pytest.raises(RefusedError, match=reason):
        run(second(), account, groups=groups)
    assert Output(tmp_path).current().run_id == first.run_id
    assert run(second(), account, groups=groups, **accepted).published
