"""A process that publishes in children of its own and kills them where it is told: the tests' victim.

It reads one JSON order a line and answers each with one line. Its children are forked when every library has
been imported and used once, so a kill costs a fraction of a second and not the seconds of a fresh start.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import publishing_world as world

from amoot_etl.loaders import draft, publish, stable


def main() -> None:
    """Obey one order a line until there are none."""
    with tempfile.TemporaryDirectory() as folder:
        # The threads that Arrow starts here are not in the children: it starts new ones where a process forked.
        for number in (1, 2):
            world.publish(publish.Output(folder), world.book_number(number), tuple(world.FORMATS), feed=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _obey(order)
        status = _wait(child, order.get("after"))
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        failed = not killed and os.waitstatus_to_exitcode(status) != 0
        sys.stdout.write(json.dumps({"killed": killed, "failed": failed}) + "\n")
        sys.stdout.flush()


def _wait(child: int, after: float | None) -> int:
    if after is not None:
        time.sleep(after)  # a moment that nothing announces is what is wanted here
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _obey(order: dict) -> None:
    code = 1
    try:
        hook = Hook(order.get("kill_at"), Path(order["steps"]) if "steps" in order else None)
        if order.get("sabotage"):
            SABOTAGE[order["sabotage"]]()
        output = publish.Output(
            order["folder"], links=order.get("links"), keep=2, keep_for=timedelta(0), step=hook
        )
        for number in range(order["number"], order["number"] + order.get("times", 1)):
            world.publish(
                output,
                world.book_number(number),
                tuple(order["formats"]),
                feed=order.get("feed", True),
                step=hook,
            )
        code = 0
    finally:
        os._exit(code)


class Hook:
    """Counts the steps of a run, and kills the process just before one of them.

    Args:
        kill_at: Which step, counted from 0; None: none.
        steps: A file for the steps' names.
    """

    def __init__(self, kill_at: int | None, steps: Path | None) -> None:
        self._kill_at = kill_at
        self._steps = steps
        self._count = 0

    def __call__(self, step: str) -> None:
        """Count one step."""
        if self._steps is not None:
            with self._steps.open("a") as file:
                file.write(step + "\n")
        if self._count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._count += 1


# What a careless publisher would do: each must be caught by the checks


def _publish_in_place() -> None:
    real = draft.Draft._settle

    def settle(self: draft.Draft, written: list) -> list:
        self.output.paths.swap(publish.Generation(self.run_id, self.folder, {}))
        return real(self, written)

    draft.Draft._settle = settle


def _let_paths_dangle() -> None:
    stable.StablePaths.hold = lambda _self, _old, _new: None


def _leave_dead_drafts() -> None:
    publish.Output._sweep = lambda _self: None


def _write_paths_in_pieces() -> None:
    def copy(self: stable.StablePaths, source: Path, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        content = source.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        self._step("half")
        path.write_bytes(content)

    stable.StablePaths._copy = copy


def _show_before_the_swap() -> None:
    real = stable.StablePaths.swap

    def swap(self: stable.StablePaths, new: object) -> None:
        for name in self._shown(new.names):
            self._show(name, new)
        real(self, new)

    stable.StablePaths.swap = swap


SABOTAGE = {
    "publish in place": _publish_in_place,
    "let paths dangle": _let_paths_dangle,
    "leave dead drafts": _leave_dead_drafts,
    "write paths in pieces": _write_paths_in_pieces,
    "show before the swap": _show_before_the_swap,
}


if __name__ == "__main__":
    main()
