"""What every test may lean on: the embedded portal, and settings that never wait."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pandas as pd  # noqa: F401 - the command line keeps it out of a process that has not got it: ours lives on
import pytest
from hypothesis import settings

from amoot_etl.demo import DEMO_TOKEN
from amoot_etl.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from amoot_etl.demo import Portal

# Not a conftest.py of its own: doctests are looked for in every file, and two files of one name cannot be told apart.
pytest_plugins = ["client_world"]

# How long an example takes says nothing of the code: a first one imports pandas, and machines are shared.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests apart from the environment and the folder that they run in."""
    for name in ("TOKEN", "BASE_URL", "OUT", "RETRIES", "BACKOFF", "TIMEOUT", "CONCURRENCY"):
        monkeypatch.delenv(f"AMOOT_{name}", raising=False)


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., Settings]:
    """Give settings that point at a portal, write below the test's folder, and wait for nothing."""

    def make(portal: Portal, **changes: object) -> Settings:
        defaults = {"token": DEMO_TOKEN, "out": tmp_path / "output", "backoff": 0, "timeout": 30}
        return Settings(base_url=portal.url, **(defaults | changes))

    return make
