"""Serve a workload from a process of its own, so that its work is not counted as the client's.

Run as a program, it serves the bodies of a folder until its standard input ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bodies import Workload

__all__ = ["DEMO_TOKEN", "serving"]


@contextmanager
def serving(workload: Workload, port: int = 0) -> Iterator[str]:
    """Serve a workload, and give the portal's address, for as long as the block lasts.

    Args:
        workload: Its bodies.
        port: Where, when it must be the address that another one had.
    """
    command = [sys.executable, "-m", "benchmarks.portal", str(workload.folder), str(port)]
    here = Path(__file__).parent.parent
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=here
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the portal did not start: see what it printed above ({workload.folder})")
        try:
            yield url
        finally:
            process.stdin.close()


def _main(folder: Path, port: int) -> None:
    facts = json.loads((folder / "facts.json").read_text("utf-8"))
    book = AddressBook()
    if facts["edited"]:
        group = facts["groups"][0]
        book.add_group("مشتریان", group)
        with (folder / "edited.jsonl").open("rb") as lines:
            for line in lines:
                record = json.loads(line)
                book.put(record["ID"], record, [group])
    names: list[int | str] = [*facts["groups"], "ContactGroupList", "ContactListUpdates"]
    with Portal(
        book, port=port, gzip=False, bodies={name: folder / f"{name}.json" for name in names}
    ) as portal:
        print(portal.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
