"""What the command line does without, seen from inside its process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal

_SCRIPT = """
import sys
from amoot_etl.cli import main
try:
    main()
except SystemExit as done:
    assert not done.code
import pyarrow as pa
print(pa.default_memory_pool().backend_name, *(name for name in ("duckdb", "pandas") if name in sys.modules))
"""


@pytest.fixture
def pool_and_imports(tmp_path):
    """Run a command, and give Arrow's memory pool and which heavy modules were imported."""

    def run(*arguments, **environment):
        command = [sys.executable, "-c", _SCRIPT, *arguments]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ARROW")}
        done = subprocess.run(
            command, env={**clean, **environment}, cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.splitlines()[-1].split()

    return run


def test_an_export_needs_neither_pandas_nor_a_pool_of_arrows_own(pool_and_imports):
    """Both cost time and memory, and give an export nothing."""
    assert pool_and_imports("export", "--demo", "--dry-run") == ["system", "duckdb"]


def test_an_export_of_one_listing_does_without_duckdb(pool_and_imports):
    """Nothing is parsed, and no copies are compared: what the portal writes is read by where its fields stand."""
    book = AddressBook()
    for number in range(50):
        book.add(FName=f"نام {number}")
    with Portal(book, token=DEMO_TOKEN) as portal:
        address = {"AMOOT_BASE_URL": portal.url, "AMOOT_TOKEN": DEMO_TOKEN}
        assert pool_and_imports("export", **address) == ["system"]


def test_threads_take_turns_often(tmp_path):
    """Whoever comes back from NumPy does not wait milliseconds for Python's lock."""
    script = (
        "from amoot_etl.cli import main\ntry: main()\nfinally:\n import sys; print(sys.getswitchinterval())"
    )
    command = [sys.executable, "-c", script, "schema"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(0.0005)


def test_a_pool_that_the_user_chose_stays(pool_and_imports):
    """Whoever sets Arrow's own variable has a reason."""
    assert pool_and_imports("schema", ARROW_DEFAULT_MEMORY_POOL="mimalloc")[0] == "mimalloc"


def test_commands_that_handle_frames_have_pandas(pool_and_imports):
    """Everything that gives a table of changes works on frames."""
    pool_and_imports("export", "--demo")
    assert pool_and_imports("verify") == ["system", "pandas"]


def test_a_sync_of_little_does_without_duckdb(pool_and_imports, tmp_path):
    """Whatever the portal writes alike is read by where its fields stand; of few listings no copies are compared."""
    out = str(tmp_path / "out")
    book = AddressBook()
    groups = [book.add_group("یک"), book.add_group("دو")]
    for number in range(50):
        book.add([groups[number % 2]], FName=f"نام {number}")
    with Portal(book, token=DEMO_TOKEN) as portal:
        address = {"AMOOT_BASE_URL": portal.url, "AMOOT_TOKEN": DEMO_TOKEN}
        pool_and_imports("export", "--out", out, **address)
        assert pool_and_imports("sync", "--out", out, **address) == ["system"]
        for group in groups:
            book.add([group])
        portal.calls.clear()
        assert pool_and_imports("sync", "--out", out, **address) == ["system"]
        assert [call.method for call in portal.calls].count("ContactList") == 2
