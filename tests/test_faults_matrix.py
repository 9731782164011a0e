"""The fault matrix: each fault, in each method, once, twice and for ever, costs time or ends as the table says.

`CASES` says what each fault is. At the doors (one call of one method) every fault meets every method; a whole
export meets a few of each kind here, and all of them in the slow part, which prints its totals.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from amoot_etl.cli import EXIT_CODES
from amoot_etl.client import Client
from amoot_etl.demo import METHODS, SHAPES, STATUSES, AddressBook, Fault, Portal
from amoot_etl.errors import (
    AmootError,
    CredentialsError,
    NotFound,
    PortalUnavailable,
    RefusedError,
    UnexpectedAnswer,
)
from amoot_etl.extractors.contacts import extract_contact, extract_contacts
from amoot_etl.extractors.groups import extract_groups
from amoot_etl.extractors.updates import extract_updates
from amoot_etl.pipeline.export import export
from amoot_etl.settings import Settings
from amoot_etl.statuses import CODES, CodeClass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "planted-token-0123456789"
MOBILE = 9121234567
RETRIES = 2
TIMES = {"once": 1, "twice": 2, "for ever": None}
ENDS = {
    CodeClass.AGAIN: PortalUnavailable,
    CodeClass.CREDENTIALS: CredentialsError,
    CodeClass.ARGUMENT: NotFound,
}


@dataclass(frozen=True)
class Case:
    """A fault and what it is.

    Args:
        make: Makes the fault.
        end: What a fault that lasts ends in; None where it only costs time.
        word: What the message must name, where one is certain.
        tried: Whether it is worth another try.
        but: Methods for which it ends in something else.
    """

    make: Callable[[], Fault]
    end: type[AmootError] | None
    word: str = ""
    tried: bool = True
    but: tuple[tuple[str, type[AmootError] | None], ...] = ()

    def end_for(self, method: str) -> type[AmootError] | None:
        """Give what it ends in for a method."""
        return dict(self.but).get(method, self.end)


def statuses() -> Iterator[tuple[str, Case]]:
    """Give every status of the vendor's table in every style, and two that no table names."""
    for code in CODES:
        if code.kind is CodeClass.SUCCESS:
            continue
        end = ENDS[code.kind]
        for style in ("text", "number", "plain", "quoted"):
            yield (
                f"{code.name}-{style}",
                Case(
                    lambda name=code.name, style=style: Fault.status(name, style),
                    end,
                    code.name,
                    tried=end is PortalUnavailable,
                    # A code about groups says nothing of a contact, least of all that it is gone.
                    but=(("ContactGet", UnexpectedAnswer),) if code.name == "ContactGroupID_Invalid" else (),
                ),
            )
    yield "Something_New", Case(lambda: Fault.status("Something_New"), UnexpectedAnswer, "Something_New")
    yield "4711", Case(lambda: Fault.status(4711), UnexpectedAnswer, "4711")


def proxies() -> Iterator[tuple[str, Case]]:
    """Give what stands between a portal and its client: HTTP errors and redirects."""
    for number in (401, 403):
        yield (
            f"http-{number}",
            Case(lambda number=number: Fault.http(number), CredentialsError, f"HTTP {number}", tried=False),
        )
    for number in (400, 404, 413, 418):
        yield (
            f"http-{number}",
            Case(lambda number=number: Fault.http(number), UnexpectedAnswer, f"HTTP {number}"),
        )
    for number in (408, 429, 500, 502, 503, 504, 599):
        yield (
            f"http-{number}",
            Case(lambda number=number: Fault.http(number), PortalUnavailable, f"HTTP {number}"),
        )
    for number in (429, 503):
        yield (
            f"http-{number}-after",
            Case(lambda number=number: Fault.http(number, retry_after=0.01), PortalUnavailable),
        )
    yield "rate-limit", Case(lambda: Fault.rate_limit(0.01), PortalUnavailable, "HTTP 429")
    for number in (301, 302, 307, 308):
        yield (
            f"redirect-{number}",
            Case(lambda number=number: Fault.redirect(code=number), UnexpectedAnswer, f"HTTP {number}"),
        )


def wires() -> Iterator[tuple[str, Case]]:
    """Give what the wire does."""
    yield "reset-before", Case(lambda: Fault.reset("before"), PortalUnavailable, "connection")
    yield "reset-in", Case(lambda: Fault.reset("in"), PortalUnavailable, "connection")
    yield "reset-after", Case(lambda: Fault.reset("after"), None)
    for framing in ("length", "chunked", "close"):
        yield f"cut-{framing}", Case(lambda framing=framing: Fault.cut(0.5, framing), UnexpectedAnswer, "cut")
    yield "cut-at-once", Case(lambda: Fault.cut(0.0, "close"), UnexpectedAnswer, "cut")
    yield "longer", Case(lambda: Fault.wrong_length(10), UnexpectedAnswer, "cut")
    yield "shorter", Case(lambda: Fault.wrong_length(-10), UnexpectedAnswer, "cut")
    yield "gzip-cut", Case(Fault.gzip_cut, UnexpectedAnswer)
    yield "hang", Case(Fault.hang, PortalUnavailable, "in time")
    yield "hang-in", Case(lambda: Fault.hang("in"), PortalUnavailable, "in time")
    yield "late", Case(lambda: Fault.late(0.02), None)
    yield "slow", Case(lambda: Fault.slow(0.05), None)


def bodies() -> Iterator[tuple[str, Case]]:
    """Give what a body holds, and how it is written."""
    yield "html", Case(Fault.html, UnexpectedAnswer, "HTML")
    yield "empty", Case(Fault.empty, UnexpectedAnswer, "empty")
    yield "no-json", Case(lambda: Fault.raw(b'{"Status":"Success","Data":[{]}'), UnexpectedAnswer)
    yield "binary", Case(lambda: Fault.raw(b"\xff\xfe\x00\x01" * 20), UnexpectedAnswer)
    for shape in SHAPES:
        # A list of scalars is a listing of three records that no ID can be read from.
        kept = ("ContactList", "ContactListUpdates") if shape == "scalars" else ()
        yield (
            f"shape-{shape}",
            Case(
                lambda shape=shape: Fault.shape(shape),
                UnexpectedAnswer,
                but=tuple((method, None) for method in kept),
            ),
        )
    one = (("ContactGet", UnexpectedAnswer),)
    yield "repeat", Case(lambda: Fault.repeat(2), None, but=one)
    yield "no-id", Case(Fault.no_id, None, but=one)
    yield "id-missing", Case(lambda: Fault.no_id(missing=True), None, but=one)
    yield (
        "odd-record",
        Case(lambda: Fault.odd_record("tea"), None, but=(*one, ("ContactGroupList", UnexpectedAnswer))),
    )
    yield "unknown-fields", Case(lambda: Fault.fields(NationalCode="0012345679", Tags=["a", 1]), None)
    yield "deep", Case(lambda: Fault.deep(20_000), None, but=(("ContactGroupList", UnexpectedAnswer),))
    yield "long-text", Case(lambda: Fault.huge(300_000), None)
    yield "bom", Case(Fault.bom, None)
    yield "key-order", Case(Fault.key_order, None)
    yield "pretty", Case(Fault.pretty, None)
    yield "escaped", Case(Fault.escaped, None)


CASES = dict([*statuses(), *proxies(), *wires(), *bodies()])
SLOW_ONES = {"hang", "hang-in", "late", "slow"}
"""They take their time by nature: at the doors they are tried for ever only."""

# One of each kind, for the quick part.
SAMPLE = ("Token_Expired-number", "Failed-plain", "http-503", "shape-object", "deep")
DOORS = {
    "ContactGroupList": extract_groups,
    "ContactList": extract_contacts,
    "ContactGet": lambda client: extract_contact(client, 100_001),
    "ContactListUpdates": extract_updates,
}


def test_the_table_names_every_fault():
    """Each code of the vendor's table, each shape and each word of the fault grammar stands in the matrix."""
    assert {name.rpartition("-")[0] for name in CASES} >= set(STATUSES) - {"Success"}
    assert {name.removeprefix("shape-") for name in CASES} >= set(SHAPES)


def book() -> AddressBook:
    """Give a small book that holds the planted mobile."""
    made = AddressBook.invent(contacts=25, labels=2, dirty=False)
    made.edit(100_001, Mobile=MOBILE, FName="Planted-Name")
    return made


def settings(portal: Portal, out: Path | str = "unused", *, timeout: float = 30) -> Settings:
    """Give settings under which a lasting fault ends within a second, unless it hangs."""
    return Settings(
        base_url=portal.url,
        token=TOKEN,
        out=out,
        retries=RETRIES,
        backoff=0.001,
        timeout=timeout,
    )


def assert_clear(error: AmootError, method: str, word: str) -> None:
    """See that an error is one clear line: the method, what was answered, a way out, and no secret."""
    line = str(error)
    assert "\n" not in line
    assert line.startswith(f"{method}: ")
    assert error.subject == method
    assert error.status in line or not error.status
    assert word in line
    # What happened, and after the last colon what to do about it.
    assert len(line.split(": ")) >= 3
    assert TOKEN not in line
    assert str(MOBILE) not in line
    assert "Planted-Name" not in line


@pytest.fixture(scope="module")
def shared():
    """One portal for what changes no book."""
    with Portal(book(), token=TOKEN) as portal:
        yield portal


@pytest.fixture(scope="module")
def healthy(shared):
    """What each door gives on a good day."""
    with Client(settings(shared)) as client:
        return {method: door(client) for method, door in DOORS.items()}


def at_a_door(portal, healthy, name: str, method: str, times: int | None) -> None:
    """Ask one method for something while it fails, and see what comes of it."""
    case = CASES[name]
    end = case.end_for(method)
    portal.heal()
    plan = portal.plan(case.make(), method, times=times)
    # ContactGet's Failed may mean that the contact is gone: once more, and no oftener.
    most = 2 if name.startswith("Failed") and method == "ContactGet" else RETRIES + 1
    # Only where nothing will be answered: on a busy machine any answer may be that late.
    timeout = 0.15 if name.startswith("hang") else 30
    with Client(settings(portal, timeout=timeout)) as client:
        if end is None:
            frame = DOORS[method](client)
            # A fault that only costs time may add to what is told, and never takes anything away.
            same = frame.head(len(healthy[method]))[healthy[method].columns]
            assert name == "shape-scalars" or same.equals(healthy[method])
        elif times and case.tried and times < most:
            assert DOORS[method](client).equals(healthy[method])
        else:
            with pytest.raises(end) as caught:
                DOORS[method](client)
            assert_clear(caught.value, method, case.word)
            assert plan.done == (most if case.tried else 1)


def quick() -> Iterator[tuple[str, str]]:
    """Give every fault with every method, but of each status only one style with each."""
    styles = ("text", "number", "plain", "quoted")
    for name in CASES:
        for place, method in enumerate(METHODS):
            code, _, style = name.rpartition("-")
            if code not in STATUSES or style == styles[(len(code) + place) % 4]:
                yield name, method


@pytest.mark.parametrize(("name", "method"), list(quick()))
def test_at_the_doors(shared, healthy, name, method):
    """A fault that lasts ends as its kind; one that was met twice is got over, tried here with one method each."""
    once_more = name not in SLOW_ONES and METHODS[len(name) % 4] == method
    for times in (2, None) if once_more else (None,):
        at_a_door(shared, healthy, name, method, times)


@pytest.mark.soak
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_at_the_doors_all(shared, healthy, name, method, times):
    """Every fault, in every style, in every method, once, twice and for ever."""
    at_a_door(shared, healthy, name, method, TIMES[times])


# A whole export


def tree(folder: Path) -> dict[str, str]:
    """Give what a reader of an output folder sees, and its generations: path to content (or a link's target).

    What the next run may go on with is left out: listings that landed whole, each with its note.
    """
    seen = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith((".amoot/logs", ".amoot/lock")):
            continue
        if name.startswith(".amoot/landing/") and path.is_file():
            assert path.name == "plan.json" or (path.parent / "landed.json").exists(), name
            continue
        if path.is_symlink():
            seen[name] = f"-> {path.readlink()}"
        elif path.is_file():
            seen[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return seen


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """An output folder with a good set, and the IDs in it."""
    folder = tmp_path_factory.mktemp("published") / "output"
    with Portal(book(), token=TOKEN) as portal:
        export(settings(portal, folder), portal="the same")
    return folder


def late_comer(portal: Portal) -> None:
    """Let a contact come while the listings are read, so that it must be asked for by itself."""
    portal.plan(
        Fault.meanwhile(
            lambda: portal.book.add([2001], FName="Late") if 100_026 not in portal.book else None
        ),
        "ContactListUpdates",
    )


def through_an_export(published: Path, folder: Path, name: str, method: str, times: int | None) -> str:
    """Export over a good set while a method fails; give what came of it."""
    case = CASES[name]
    end = case.end_for(method)
    shutil.copytree(published, folder, symlinks=True)
    before = tree(folder)
    with Portal(book(), token=TOKEN) as portal:
        if method == "ContactGet":
            late_comer(portal)
        portal.plan(case.make(), method, times=times)
        try:
            timeout = 1 if name.startswith("hang") else 30
            result = export(settings(portal, folder, timeout=timeout), portal="the same")
        except AmootError as error:
            assert tree(folder) == before
            if not isinstance(error, RefusedError):
                assert_clear(error, method, case.word if end else "")
            codes = [code for kind, code in EXIT_CODES.items() if isinstance(error, kind)]
            assert len(codes) == 1
            return str(codes[0])
        proof = result.manifest["reconciliation"]["updates"]
        assert tree(folder) != before
        assert result.manifest["counts"]["kept"] >= 25
        secrets = (TOKEN, str(MOBILE), "Planted-Name")
        assert not [word for word in secrets if word in str(result.manifest) + str(result.warnings)]
        if proof["state"] == "proved":
            return "proved"
        assert method in proof["why"] or proof["unsettled"] or name == "shape-scalars"
        return "not proved"


def expected(name: str, method: str, times: int | None) -> set[str]:  # noqa: PLR0911 - one return for each rule
    """Give what may come of a fault in an export, by the rules of the design."""
    case = CASES[name]
    end = case.end_for(method)
    if end is None:
        # Three records without an ID are no address book, and what names no contact proves nothing.
        if name == "shape-scalars":
            return {"not proved"} if method == "ContactListUpdates" else {"8", "proved"}
        return {"proved"}
    passes = times is not None and case.tried
    if method == "ContactGet" and name.startswith("Failed"):
        # Not answered, and asked once more in the next round of the proof.
        return {"proved"} if passes else {"not proved"}
    if passes:
        return {"proved"}
    if method == "ContactListUpdates":
        # Two refusals or one: that list is asked for once.
        return {"not proved"}
    if method == "ContactGet" and end is CredentialsError:
        return {"not proved"}
    if method == "ContactGet" and name.startswith("ContactID_Invalid"):
        return {"proved", "not proved"}
    if method == "ContactList" and end is NotFound and times:
        # The groups are listed again.
        return {"proved"}
    return {str(next(code for kind, code in EXIT_CODES.items() if issubclass(end, kind)))}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SAMPLE)
def test_an_export(published, tmp_path, name, method):
    """A fault that lasts ends an export in the exit code of its kind, with the last set as it was."""
    assert through_an_export(published, tmp_path / "output", name, method, None) in expected(
        name, method, None
    )


@pytest.mark.parametrize("name", ["http-503", "shape-object"])
def test_an_export_gets_over_it(published, tmp_path, name):
    """A fault that is met twice costs an export nothing but time."""
    assert through_an_export(published, tmp_path / "output", name, "ContactList", 2) == "proved"


@pytest.mark.parametrize(
    "share",
    [
        pytest.param(12, marks=[pytest.mark.slow, pytest.mark.timeout(1200)]),
        pytest.param(1, marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
    ],
    ids=["each fault once", "all"],
)
def test_every_export(published, tmp_path, share):
    """Every fault in every method of an export, once, twice and for ever; prints the totals."""
    totals: dict[str, Counter[str]] = {method: Counter() for method in METHODS}
    wrong = []
    cases = [(name, method, word) for name in CASES for method in METHODS for word in TIMES]
    each = len(METHODS) * len(TIMES)
    # The share takes one combination of each fault, another one from fault to fault.
    chosen = [case for at, case in enumerate(cases) if share == 1 or at // each % each == at % each]
    for name, method, word in chosen:
        times = TIMES[word]
        folder = tmp_path / "output"
        try:
            came = through_an_export(published, folder, name, method, times)
        except Exception as error:  # noqa: BLE001 - collected, so that one run shows all of them
            came = repr(error)
        if came not in expected(name, method, times):
            wrong.append((name, method, word, came, expected(name, method, times)))
        totals[method][came] += 1
        shutil.rmtree(folder, ignore_errors=True)
    for method, counts in totals.items():
        print(f"{method:20}", *(f"{came}: {count}" for came, count in sorted(counts.items())), sep="  ")  # noqa: T201
    assert wrong == []
