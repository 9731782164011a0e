"""What the command line does without, seen from inside its process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import sys
from amoot_etl.cli import main
try:
    main()
except SystemExit as done:
    assert not done.code
import pyarrow as pa
print(pa.default_memory_pool().backend_name, "pandas" in sys.modules)
"""


@pytest.fixture
def pool_and_pandas(tmp_path):
    """Run a command, and give Arrow's memory pool and whether pandas was imported."""

    def run(*arguments, **environment):
        command = [sys.executable, "-c", _SCRIPT, *arguments]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ARROW")}
        done = subprocess.run(
            command, env={**clean, **environment}, cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.splitlines()[-1].split()

    return run


def test_an_export_needs_neither_pandas_nor_a_pool_of_arrows_own(pool_and_pandas):
    """Both cost time and memory, and give an export nothing."""
    assert pool_and_pandas("export", "--demo", "--dry-run") == ["system", "False"]


def test_a_pool_that_the_user_chose_stays(pool_and_pandas):
    """Whoever sets Arrow's own variable has a reason."""
    chosen, _ = pool_and_pandas("schema", ARROW_DEFAULT_MEMORY_POOL="mimalloc")
    assert chosen == "mimalloc"


def test_commands_that_handle_frames_have_pandas(pool_and_pandas):
    """Everything that gives a table of changes works on frames."""
    pool_and_pandas("export", "--demo")
    assert pool_and_pandas("verify") == ["system", "True"]
