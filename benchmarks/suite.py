"""The parts of the benchmark: each warms up, insists that results agree, measures by turns, and gives its lines."""

from __future__ import annotations

import http.client
import shutil
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from benchmarks import equal, sides
from benchmarks.bodies import WORK, many, one
from benchmarks.measure import Figures, Run, alternate, run
from benchmarks.portal import DEMO_TOKEN, serving
from benchmarks.targets import Line, at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["FULL", "PARTS", "SHORT", "Form", "hasty"]

_OUT: Final = WORK / "out"
_MIB: Final = 1 << 20


@dataclass(frozen=True)
class Form:
    """How much is measured.

    Args:
        name: Its name.
        contacts: Contacts of the main bodies.
        labels: Labels of the account with many; each has 5,000 contacts in the full form.
        members: Contacts of each.
        runs: Runs of each side, after one that warms up.
        others: Sizes for the slow others, and how often; the smallest one warms up.
        sheet: Contacts for the workbooks, written once each after a small one that warms up.
        syncs: Runs of each sync.
        growth: Sizes to export, and how often.
        start_runs: Runs of commands that only start.
    """

    name: str
    contacts: int
    labels: int
    members: int
    runs: int
    others: Mapping[int, int]
    sheet: int
    syncs: int
    growth: Mapping[int, int]
    start_runs: int


SHORT: Final = Form("short", 100_000, 20, 5_000, 3, {10_000: 1, 100_000: 1}, 10_000, 2, {}, 7)
FULL: Final = Form(
    "full",
    1_000_000,
    200,
    5_000,
    5,
    {10_000: 1, 100_000: 3, 1_000_000: 3},
    100_000,
    5,
    {10_000: 5, 100_000: 5, 1_000_000: 5, 4_000_000: 3},
    15,
)


def hasty(form: Form, runs: int) -> Form:
    """Give a form with so many runs at most, for when there is little time or much noise."""
    growth = {size: min(runs, count) for size, count in form.growth.items()}
    others = {size: min(runs, count) for size, count in form.others.items()}
    fewer, syncs = min(runs, form.runs), min(runs, form.syncs)
    return replace(form, growth=growth, others=others, runs=fewer, syncs=syncs)


def exporting(form: Form) -> Iterator[Line]:
    """Measure the whole export beside DuckDB alone, with dirt, and from many labels."""
    clean, dirty = one(form.contacts), one(form.contacts, dirty=0.05)
    labels = many(form.labels, form.members)
    with serving(clean) as url, serving(dirty) as dirty_url, serving(labels) as labels_url:
        actions = {
            "clean": sides.export(url, _OUT / "clean"),
            "DuckDB": sides.duckdb_bare(clean, _OUT / "duckdb"),
            "dirty": sides.export(dirty_url, _OUT / "dirty"),
            "labels": sides.export(labels_url, _OUT / "labels"),
        }
        for action in actions.values():
            action()
        ours = _OUT / "clean" / "contacts.parquet"
        equal.same_as_received(ours, [_OUT / "duckdb" / "contacts.parquet"])
        equal.same_as_bodies(_OUT / "clean", clean)
        equal.same_as_bodies(_OUT / "dirty", dirty)
        equal.same_as_bodies(_OUT / "labels", labels)
        taken = alternate(actions, form.runs)
    base, bare = taken["clean"], taken["DuckDB"]
    size = f"{form.contacts:,} contacts ({clean.bytes / 1e9:.2f} GB)"
    yield at_most(f"export of {size} beside DuckDB's bare conversion", _told(base), _told(bare),
                  base.seconds / bare.seconds, 1.2)  # fmt: skip
    yield at_most("peak memory of that export", "", "", base.peak / _MIB, 600, "MiB")
    yield at_most("the same with 5 % dirty values, beside clean", _told(taken["dirty"]), _told(base),
                  taken["dirty"].seconds / base.seconds, 1.3)  # fmt: skip
    a_record = taken["labels"].seconds / labels.records / (base.seconds / clean.records)
    about = f"{form.labels} labels of {form.members:,}: a listed contact, beside one listing"
    yield at_most(about, _told(taken["labels"]), _told(base), a_record, 1.3)
    a_contact = taken["labels"].seconds / labels.contacts / (base.seconds / clean.contacts)
    yield Line(f"the same by distinct contact ({labels.contacts:,} of them)", "", "", a_contact)
    yield at_most("peak memory of an export of those labels", "", "", taken["labels"].peak / _MIB, 600, "MiB")


def others(form: Form) -> Iterator[Line]:
    """Measure the export beside the analyst's script and dlt."""
    for contacts, runs in form.others.items():
        workload = one(contacts)
        with serving(workload) as url:
            actions = {
                "ours": sides.export(url, _OUT / "clean"),
                "pandas": sides.pandas_script(url, _OUT / "pandas"),
                "dlt": sides.dlt_rest(url, workload, _OUT / "dlt"),
            }
            taken = alternate(actions, runs)
        ours = _OUT / "clean" / "contacts.parquet"
        equal.same_as_pandas(ours, _OUT / "pandas" / "contacts.parquet")
        loaded = list((_OUT / "dlt" / "loaded").rglob("contacts/*.parquet"))
        equal.same_as_received(ours, loaded, dlt=True)
        if contacts == min(form.others):
            continue
        base = taken["ours"]
        for name, who, target in (
            ("pandas", "a plain pandas + jdatetime + phonenumbers script", 10),
            ("dlt", "dlt's REST source to Parquet", 15),
        ):
            about = f"export of {contacts:,} contacts beside {who}"
            # The target is for the biggest size; start-up weighs on the smaller ones.
            held = target if contacts == max(form.others) else None
            ratio = taken[name].seconds / base.seconds
            yield Line(about, _told(base), _told(taken[name]), ratio, sense="at least", target=held)
        told = ", ".join(f"{name} {figures.peak / _MIB:,.0f} MiB" for name, figures in taken.items())
        yield Line(f"peak memory of the three, {contacts:,} contacts", told)


def growth(form: Form) -> Iterator[Line]:
    """Measure how the cost grows with the size."""
    peaks: dict[int, int] = {}
    for contacts, runs in form.growth.items():
        workload = one(contacts)
        with serving(workload) as url:
            action = sides.export(url, _OUT / "clean")
            action()
            equal.same_as_bodies(_OUT / "clean", workload)
            taken = alternate({"ours": action}, runs)["ours"]
        peaks[contacts] = taken.peak
        rate = contacts / taken.seconds
        yield Line(f"export of {contacts:,}", _told(taken), f"{rate:,.0f} contacts/s", taken.peak / _MIB, "MiB",
                   facts={"contacts": contacts, "seconds": taken.seconds, "peak": taken.peak})  # fmt: skip
    if len(peaks) > 1:
        *_, less, most = sorted(peaks)
        about = f"peak memory of {most:,} beside {less:,}"
        high, low = (f"{peaks[size] / _MIB:,.0f} MiB" for size in (most, less))
        yield at_most(about, high, low, peaks[most] / peaks[less], 1.15)


def formats(form: Form) -> Iterator[Line]:
    """Measure CSV and Excel."""
    for contacts, folder in (
        (form.contacts, _OUT / "clean"),
        (form.sheet, _OUT / "sheet"),
        (2_000, _OUT / "few"),
    ):
        with serving(one(contacts)) as url:
            sides.export(url, folder)()
    source = str(_OUT / "clean" / "contacts.parquet")
    few_rows = _OUT / "few" / "contacts.parquet"
    _script("write_csv", str(few_rows), "csv")()
    equal.same_csv(few_rows, _OUT / "csv" / "contacts.csv")  # a million rows take minutes to read back
    to_csv = _script("write_csv", source, "csv")
    to_csv()
    rates = []
    for _ in range(form.runs):
        rows, seconds = to_csv().output.split()
        rates.append(int(rows) / float(seconds))
    about = f"CSV of {form.contacts:,} contacts, from Parquet"
    yield at_least(about, "", "", statistics.median(rates), 500_000, "rows/s")
    few, sheet = (str(_OUT / name / "contacts.parquet") for name in ("few", "sheet"))
    for source in (few, sheet):
        actions = {
            "ours": _script("write_excel", source, "excel"),
            "to_excel": _script("to_excel", source, "to_excel"),
            "openpyxl": _script("to_excel", source, "openpyxl", "openpyxl"),
        }
        taken = alternate(actions, 1)
        for name in ("to_excel", "openpyxl"):
            if source == few or form.sheet <= 10_000:
                equal.same_workbooks(_OUT / "excel" / "contacts.xlsx", _OUT / name / "contacts.xlsx")
    engine = taken["to_excel"].runs[0].output.strip()
    for name, who in (
        ("to_excel", f"`DataFrame.to_excel` (default engine: {engine})"),
        ("openpyxl", "its openpyxl"),
    ):
        about = f"Excel of {form.sheet:,} contacts beside {who}"
        ratio = taken[name].seconds / taken["ours"].seconds
        yield at_least(about, _told(taken["ours"]), _told(taken[name]), ratio, 5)


def catching_up(form: Form) -> Iterator[Line]:
    """Measure a sync of one contact in a hundred, beside a full export of the same account."""
    two = max(1, form.labels // 100)
    for about, before, after in (
        (f"people of {two} of {form.labels} labels", many(form.labels, form.members),
         many(form.labels, form.members, edited=two)),
        ("here and there, one label", one(form.contacts), one(form.contacts, edited=0.01)),
    ):  # fmt: skip
        with serving(before) as url:
            sides.export(url, _OUT / "before")()
        with serving(after, urlsplit(url).port or 0) as url:
            actions = {"sync": _on_copy("sync", url), "export": _on_copy("export", url)}
            for action in actions.values():
                action()
            equal.same_set(_OUT / "sync", _OUT / "export")
            taken = alternate(actions, form.syncs)
        share = after.edited / after.contacts
        told = f"sync after {after.edited:,} edits ({share:.1%}, {about}), beside a full export"
        ratio = taken["sync"].seconds / taken["export"].seconds
        yield at_most(told, _told(taken["sync"]), _told(taken["export"]), ratio, 0.2, "%")


def verifying(form: Form) -> Iterator[Line]:
    """Measure verify beside the export that it checks."""
    with serving(one(form.contacts)) as url:
        actions = {
            "export": sides.export(url, _OUT / "clean"),
            "verify": lambda: sides.ours("verify", "--out", str(_OUT / "clean")),
        }
        for action in actions.values():
            action()
        taken = alternate(actions, form.runs)
    ratio = taken["verify"].seconds / taken["export"].seconds
    about = f"verify of {form.contacts:,} contacts, beside their export"
    yield at_most(about, _told(taken["verify"]), _told(taken["export"]), ratio, 0.25, "%")


def starting(form: Form) -> Iterator[Line]:
    """Measure how long commands take to start."""
    with serving(one(10_000)) as url:
        actions: dict[str, Callable[[], Run]] = {
            "pass": lambda: run([sys.executable, "-c", "pass"]),
            "help": lambda: sides.ours("--help"),
            "groups": lambda: sides.ours("groups", url=url),
        }
        for action in actions.values():
            action()
        taken = alternate(actions, form.start_runs)
        answer = statistics.median(_answer(url) for _ in range(form.start_runs))
    asked = statistics.median(sides.first_request(_OUT / "start") for _ in range(form.start_runs))
    nothing = taken["pass"].seconds
    help_ms, groups_ms = (
        (taken[name].seconds - less) * 1000 for name, less in (("help", nothing), ("groups", answer))
    )
    told = {name: f"{figures.seconds * 1000:,.0f} ms" for name, figures in taken.items()}
    yield at_most("`amoot-etl --help` over `python -c pass`", told["help"], told["pass"], help_ms, 150, "ms")
    about = "`amoot-etl groups` over the portal's answer"
    yield at_most(about, told["groups"], f"{answer * 1000:.1f} ms", groups_ms, 300, "ms")
    about = "an export's first request over `python -c pass`"
    yield Line(about, f"{asked * 1000:,.0f} ms", told["pass"], (asked - nothing) * 1000, "ms")


PARTS: Final[dict[str, Callable[[Form], Iterator[Line]]]] = {
    "export": exporting,
    "others": others,
    "growth": growth,
    "formats": formats,
    "sync": catching_up,
    "verify": verifying,
    "start": starting,
}
"""The parts by name, but for the kernels, which have a program of their own."""


# Inside


def _told(figures: Figures) -> str:
    return f"{figures.seconds:.2f} s ({len(figures.runs)})"


def _script(name: str, source: str, out: str, *more: str) -> Callable[[], Run]:
    def act() -> Run:
        shutil.rmtree(_OUT / out, ignore_errors=True)
        (_OUT / out).mkdir(parents=True)
        return sides.script(name, source, str(_OUT / out), *more)

    return act


def _on_copy(command: str, url: str) -> Callable[[], Run]:
    """Give a command on a fresh copy of the folder as it was before the edits."""

    def act() -> Run:
        shutil.rmtree(_OUT / command, ignore_errors=True)
        shutil.copytree(_OUT / "before", _OUT / command, symlinks=True)
        return sides.ours(command, "--out", str(_OUT / command), "--quiet", url=url)

    return act


def _answer(url: str) -> float:
    """Give the seconds that the portal takes to answer for its groups."""
    place: Any = urlsplit(url)
    started = time.perf_counter()
    connection = http.client.HTTPConnection(place.hostname, place.port)
    connection.request("POST", f"{place.path}/ContactGroupList", b"", {"Authorization": DEMO_TOKEN})
    connection.getresponse().read()
    connection.close()
    return time.perf_counter() - started
