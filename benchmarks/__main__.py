"""Run the benchmark and print its table."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import sides
from benchmarks.bodies import WORK, one
from benchmarks.measure import machine, run
from benchmarks.portal import DEMO_TOKEN, serving
from benchmarks.suite import FULL, PARTS, SHORT, Form, hasty
from benchmarks.table import HEADINGS, PERSIAN_HEADINGS, between_marks, markdown, on_screen
from benchmarks.targets import Line, at_least

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE: Final = Path(__file__).parent
_RESULTS: Final = _HERE / "results.json"
_ALL: Final = (*PARTS, "kernels", "profile")
_LIBRARIES: Final = ("amoot-etl", "duckdb", "pyarrow", "pandas", "numpy", "jdatetime", "persiantools", "phonenumbers",
                     "xlsxwriter", "openpyxl")  # fmt: skip
_KERNELS: Final = {"short": ("200000", "1000"), "full": ("1000000", "5000")}


def kernels(form: Form) -> Iterator[Line]:
    """Measure the kernels, in a process that keeps to one core."""
    done = run([sys.executable, "-m", "benchmarks.kernels", *_KERNELS[form.name]])
    for speed in json.loads(done.output)["speeds"]:
        ratio = speed["rate"] / speed["library_rate"]
        beside = f"{speed['library']} {speed['library_rate'] / 1e3:,.0f} k/s, {ratio:,.0f}x"
        about = f"kernel, one core: {speed['name']}"
        if speed["target"]:
            yield at_least(about, "", beside, speed["rate"], speed["target"], "/s")
        else:
            yield Line(about, "", beside, speed["rate"], "/s")


def profile(form: Form) -> Iterator[Line]:
    """Say where the time of an export goes; seconds of processor, all threads together."""
    with serving(one(form.contacts)) as url:
        out = WORK / "out" / "profile"
        shutil.rmtree(out, ignore_errors=True)
        told = json.loads(run([sys.executable, "-m", "benchmarks.profile", url, DEMO_TOKEN, str(out)]).output)
    parts = {"imports": told["imports"], **told["parts"]}
    rest = told["cpu"] - sum(part["cpu"] for part in parts.values())
    for name, part in [*parts.items(), ("everything else", {"cpu": rest, "seconds": 0.0})]:
        yield Line(f"profile: {name}", f"{part['cpu']:.2f} s", "", part["cpu"] / told["cpu"], "%")
    about = f"profile: all of {form.contacts:,} contacts in {told['seconds']:.2f} s"
    yield Line(about, f"{told['cpu']:.2f} s", f"{told['system']:.2f} s of it in the system")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="a million contacts, and the growth to four million"
    )
    parser.add_argument("--only", action="append", choices=_ALL, help="only this part (repeat)")
    parser.add_argument(
        "--write", action="store_true", help="keep the figures in results.json, the READMEs, growth.svg"
    )
    parser.add_argument("--runs", type=int, default=99, help="runs of each side, at most")
    options = parser.parse_args()
    form = hasty(FULL if options.full else SHORT, options.runs)
    # pip compiles what it installs, the other sides too: ours, installed for editing, is compiled by the warm-up.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    results = _known() if options.write else {"parts": {}}
    results |= {
        "form": form.name,
        "machine": machine(),
        "versions": {name: version(name) for name in _LIBRARIES},
    }
    print(_setting(results), flush=True)
    started = time.perf_counter()
    actions = {**PARTS, "kernels": kernels, "profile": profile}
    for name in options.only or _ALL:
        lines = []
        for line in actions[name](form):
            print(on_screen(line), flush=True)
            lines.append({**asdict(line), "cells": line.cells})
        results["parts"][name] = lines
        if options.write:
            _RESULTS.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", "utf-8")
    shutil.rmtree(WORK / "out", ignore_errors=True)
    print(f"({time.perf_counter() - started:.0f} s)")
    if options.write:
        write(results)


def write(results: dict[str, Any]) -> None:
    """Put the figures into the pages that show them, and draw the growth."""
    told = [line for name in (*PARTS, "kernels") for line in results["parts"].get(name, [])]
    where = [line["cells"] for line in results["parts"].get("profile", [])]
    between_marks(
        _HERE / "README.md",
        {
            "setting": _setting(results),
            "table": markdown(line["cells"] for line in told),
            "profile": markdown(
                ([about.removeprefix("profile: "), ours, figure] for about, ours, _, figure, *_ in where),
                ("what", "processor", "share"),
            ),
        },
    )
    whole = [line["cells"] for name in PARTS for line in results["parts"].get(name, [])]
    for page, headings in (("README.md", HEADINGS), ("README.fa.md", PERSIAN_HEADINGS)):
        between_marks(_HERE.parent / page, {"speed": markdown(whole, headings)})
    if results["parts"].get("growth"):
        plot = [str(sides.tools()), str(_HERE / "plot.py"), str(_RESULTS), str(_HERE / "growth.svg")]
        subprocess.run(plot, check=True)


def _known() -> dict[str, Any]:
    if not _RESULTS.exists():
        return {"parts": {}}
    known: dict[str, Any] = json.loads(_RESULTS.read_text("utf-8"))
    return known


def _setting(results: dict[str, Any]) -> str:
    told = results["machine"]
    libraries = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return (
        f"{told['cores']} cores of {told['processor']}, {told['memory']}, {told['system']}, "
        f"Python {told['python']}; {libraries}."
    )


if __name__ == "__main__":
    main()
