"""Work done by other threads, none of which keeps an interrupted run alive."""

from __future__ import annotations

import queue
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["TICK", "ahead", "in_background", "in_threads", "meanwhile"]

TICK: Final = 0.5
"""Longest a main thread waits at a stretch, in seconds: on Windows, Ctrl-C is heard only in between."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def in_background(do: Callable[[], _T], name: str) -> Future[_T]:
    """Do something in a thread of its own, while other work goes on.

    Args:
        do: What is done.
        name: The thread's name, for debuggers.

    Returns:
        What `do` gave or raised, once it has.

    >>> in_background(lambda: 6 * 7, "thinking").result()
    42
    """
    future: Future[_T] = Future()

    def work() -> None:
        try:
            future.set_result(do())
        except BaseException as error:  # noqa: BLE001 - told to whoever asks for the result
            future.set_exception(error)

    threading.Thread(target=work, name=f"amoot-{name}", daemon=True).start()
    return future


@contextmanager
def meanwhile(do: Callable[[], _T], name: str) -> Iterator[Future[_T]]:
    """Do something in another thread while a block works; both have ended when the block is left.

    The block is given the future of what `do` gives.

    Args:
        do: What is done.
        name: The thread's name, for debuggers.

    Raises:
        BaseException: What the block raised, or an interrupt while it waits; else what `do` raised.

    >>> done = []
    >>> with meanwhile(lambda: done.append("there"), "there"):
    ...     done.append("here")
    >>> sorted(done)
    ['here', 'there']
    """
    doing = in_background(do, name)
    try:
        yield doing
    finally:
        _await(doing)
    doing.result()


def _await(doing: Future[_T]) -> None:
    """Wait for what is being done; an interrupt is raised once it is, or it would write to what is let go of."""
    interrupt = None
    while not doing.done():
        try:
            wait([doing], TICK)
        except BaseException as error:  # noqa: BLE001 - raised below
            interrupt = error
    if interrupt is not None:
        raise interrupt


def ahead(do: Callable[[_T], _R], things: Iterable[_T], count: int) -> Iterator[_R]:
    """Give what is made of each thing, in order, while threads make the next ones.

    Args:
        do: Makes it.
        things: What it is made of.
        count: Threads at most; twice as many are made ahead.

    Raises:
        BaseException: What `do` raised, when its turn comes.

    >>> list(ahead(lambda number: number * number, [1, 2, 3], 2))
    [1, 4, 9]
    """
    making: deque[Future[_R]] = deque()
    pool = ThreadPoolExecutor(count, thread_name_prefix="amoot-ahead")
    try:
        for thing in things:
            making.append(pool.submit(do, thing))
            if len(making) > 2 * count:
                yield making.popleft().result()
        while making:
            yield making.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_threads(do: Callable[[_T], object], things: Iterable[_T], count: int) -> None:
    """Do something with each thing, in several threads.

    The threads of an executor are waited for when the interpreter ends; one that hangs in the network would then
    outlive Ctrl-C. These are not.

    Args:
        do: What is done; the first error that it raises ends everything.
        things: What it is done with.
        count: Threads at most.

    Raises:
        BaseException: What `do` raised first.

    >>> squares = []
    >>> in_threads(lambda number: squares.append(number * number), [1, 2, 3], 2)
    >>> sorted(squares)
    [1, 4, 9]
    """
    waiting: queue.SimpleQueue[_T] = queue.SimpleQueue()
    size = 0
    for thing in things:
        waiting.put(thing)
        size += 1
    stopped = threading.Event()
    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        while not stopped.is_set():
            try:
                thing = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                do(thing)
            except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
                done.put(error)
                return
            done.put(None)

    for number in range(min(count, size)):
        threading.Thread(target=work, name=f"amoot-crew-{number}", daemon=True).start()
    try:
        while size:
            try:
                error = done.get(timeout=TICK)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            size -= 1
    finally:
        stopped.set()
