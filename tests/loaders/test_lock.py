"""One writer a folder: who holds it is told, and a dead owner holds nothing."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys

import pytest

from amoot_etl.errors import OutputLocked
from amoot_etl.loaders.lock import lock_holder
from amoot_etl.loaders.publish import Output

HOLDER = """
import sys
from amoot_etl.loaders.publish import Output
with Output(sys.argv[1]).lock(purpose="sync"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Give another process that holds the folder until it is told to let go."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_held_folder_says_who_holds_it(tmp_path, holder):
    """The second run is refused at once, with the first one's purpose, process, host and start."""
    with pytest.raises(
        OutputLocked, match=rf"held by sync \(pid {holder.pid} on .+, since 20.+\+03:30\)"
    ) as caught:
        Output(tmp_path).lock().__enter__()
    assert caught.value.subject == str(tmp_path)


def test_waiting_gets_the_folder_when_it_is_let_go(tmp_path, holder):
    """With a wait the second run has the folder as soon as the first is done, whose note is gone."""
    holder.stdin.write("\n")
    holder.stdin.flush()
    with Output(tmp_path).lock(wait=math.inf) as dead:
        assert dead is None
    assert lock_holder(tmp_path / ".amoot") is None


def test_a_wait_has_its_end(tmp_path, holder):
    """A wait that is too short ends in the same refusal."""
    with pytest.raises(OutputLocked):
        Output(tmp_path).lock(wait=0.05).__enter__()


def test_a_dead_owner_s_lock_is_taken_over(tmp_path, holder):
    """The lock of a killed run is free, and its note tells the next one whose work was cut off."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Output(tmp_path).lock() as dead:
        assert dead is not None
        assert (dead["pid"], dead["purpose"]) == (holder.pid, "sync")
        assert json.loads((tmp_path / ".amoot/lock.json").read_text())["pid"] == os.getpid()
    with Output(tmp_path).lock() as dead:
        assert dead is None


def test_one_process_cannot_hold_it_twice(tmp_path):
    """Two runs inside one process exclude each other too."""
    with Output(tmp_path).lock(), pytest.raises(OutputLocked):
        Output(tmp_path).lock().__enter__()


def test_a_run_that_fails_lets_go(tmp_path):
    """An error inside the lock frees it and takes the note away."""
    with pytest.raises(ZeroDivisionError), Output(tmp_path).lock():
        raise ZeroDivisionError
    with Output(tmp_path).lock() as dead:
        assert dead is None
