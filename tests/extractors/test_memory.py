"""Memory: one body of any size, well formed or odd, is landed and read under a limit that does not grow with it.

Each body is read in a process of its own whose address space may grow by a fixed allowance and no more. Twice the
body takes the same allowance; a reader that keeps the body in memory is killed by it.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS and /proc"),
    pytest.mark.slow,
    pytest.mark.timeout(1200),
]

READER = r'''
import json, resource, sys, tempfile
from pathlib import Path
import duckdb, pyarrow
from amoot_etl.extractors.body import BodyReader
from amoot_etl.extractors.contacts import contact_reader
from amoot_etl.extractors.landing import Landing

kind, megabytes, allowance = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
record = {"ID": 0, "Active": True, "ContactGroupID": 0, "Mobile": 9121234567, "FName": "نام " * 20, "LName": "x" * 500}

def one(number):
    text = {**record, "ID": number}
    if kind == "other-order":
        text = dict(reversed(text.items()))
    if kind == "surrogates":
        return json.dumps(text, ensure_ascii=False).replace('"x', '"\\ud800x').encode()
    if kind == "nested":
        text["Tags"] = [{"ID": 1}, {"ID": 2}]
    if kind == "spaced":
        return json.dumps(text, ensure_ascii=False, indent=1).encode()
    return json.dumps(text, ensure_ascii=False, separators=(",", ":")).encode()

def blocks():
    yield b'{"Status":"Success","Data":['
    sent = number = 0
    while sent < megabytes << 20:
        part = b",".join(one(number + each + 1) for each in range(500))
        yield (b"," if number else b"") + part
        number += 500
        sent += len(part)
    yield b"]}"

def warm(folder):
    """Let libraries and allocators take what they take whatever the body."""
    landing = Landing("ContactList", folder)
    landing.write(b'{"Status":"Success","Data":[' + one(1) + b"]}")
    segments = landing.finish()
    for carefully in (False, True):
        reader = contact_reader()
        for _ in reader.read_carefully(segments) if carefully else reader.read_all(segments):
            pass

with tempfile.TemporaryDirectory() as home:
    (Path(home) / "warm").mkdir()
    warm(Path(home) / "warm")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (allowance << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    folder = Path(home) / "body"
    folder.mkdir()
    kept = []
    landing = Landing("ContactList", folder)
    for block in blocks():
        landing.write(block)
        if kind == "kept":
            kept.append(block)
    rows = 0
    reader = contact_reader()
    for raw in reader.read_all(landing.finish()):
        rows += raw.table.num_rows
    print(rows)
'''
ALLOWANCE = 450
"""Megabytes: a segment and its parse in all forms, and the arenas of the allocators."""


def read(kind: str, megabytes: int) -> subprocess.CompletedProcess[str]:
    """Read a body of a kind and a size under the limit."""
    return subprocess.run(
        [sys.executable, "-c", READER, kind, str(megabytes), str(ALLOWANCE)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("kind", "megabytes"),
    # What only the careful reader takes is read some thirty times slower.
    [("plain", 300), ("other-order", 300), ("spaced", 300), ("nested", 60), ("surrogates", 60)],
)
def test_memory_does_not_grow_with_the_body(kind, megabytes):
    """A body and one three times as large go through under the same limit, on the fast path and the careful one."""
    rows = []
    for size in (megabytes, 3 * megabytes):
        done = read(kind, size)
        assert done.returncode == 0, done.stderr[-800:]
        rows.append(int(done.stdout))
    assert rows[1] > 2.9 * rows[0]


def test_a_reader_that_keeps_the_body_is_caught():
    """The limit is a real one: who keeps the body in memory does not get through."""
    assert read("kept", 900).returncode != 0
