"""A process that syncs once and kills itself just before one of the publisher's steps: the tests' victim.

Its arguments are the folder, the portal, a file for the names of the steps, and which step to die at (-1: none).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from amoot_etl.pipeline.run import Keeping
from amoot_etl.pipeline.sync import sync
from amoot_etl.settings import Settings

if TYPE_CHECKING:
    from amoot_etl.loaders.publish import Output


class Dying(Keeping):
    """Keeps the folder with a hook that counts the steps."""

    __slots__ = ()

    def output(self, folder: Path) -> Output:
        """Give the folder."""
        output = Keeping.output(self, folder)
        count = 0

        def step(name: str) -> None:
            nonlocal count
            with Path(sys.argv[3]).open("a") as file:
                file.write(name + "\n")
            if count == int(sys.argv[4]):
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        output.step = output.paths._step = step
        return output


if __name__ == "__main__":
    sync(
        Settings(out=Path(sys.argv[1]), base_url=sys.argv[2], token="demo-token", backoff=0.001),
        keeping=Dying(keep=2),
    )
