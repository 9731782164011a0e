"""How loaders and targets are left: finished when all went well, else only let go of."""

from __future__ import annotations

import abc
import contextlib
from typing import TYPE_CHECKING, Any, Self

from amoot_etl.loaders.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa

    from amoot_etl.loaders.contract import Loader, RunFacts, Written
    from amoot_etl.schema import Table

__all__ = ["FolderTarget", "Leavable", "or_release"]


class Leavable(abc.ABC):
    """What a `with` finishes by `close` when all went well, and lets go of by `release` when anything failed."""

    @abc.abstractmethod
    def close(self) -> Any:
        """Finish."""

    @abc.abstractmethod
    def release(self) -> None:
        """Let go of what is held, whatever state it is in."""

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish when all went well, else only let go."""
        if kind is None:
            with or_release(self.release):
                self.close()
        else:
            self.release()


class FolderTarget(Leavable):
    """What a format that has a file for each table makes of one run: `<table><ending>` in one folder.

    Args:
        folder: Where the files go; it exists.
        run: The run that the schemas name.
        ending: The end of each file's name.
        start: Opens the loader of a file: `start(path, schema)`.
    """

    def __init__(
        self, folder: Path, run: RunFacts, ending: str, start: Callable[[Path, pa.Schema], Loader]
    ) -> None:
        self._folder = folder
        self._run = run
        self._ending = ending
        self._start = start
        self._loaders: list[Loader] = []

    def open(self, table: Table) -> Loader:
        """Start one table."""
        loader = self._start(self._folder / f"{table.name}{self._ending}", arrow_schema(table, self._run))
        self._loaders.append(loader)
        return loader

    @property
    def written(self) -> tuple[Written, ...]:
        """What was written, a table each."""
        return tuple(loader.close() for loader in self._loaders)

    def close(self) -> None:
        """Finish every file."""
        for loader in self._loaders:
            loader.close()

    def release(self) -> None:
        """Let go of every file."""
        for loader in self._loaders:
            loader.release()


@contextlib.contextmanager
def or_release(release: Callable[[], None]) -> Iterator[None]:
    """Let go of what is held when the block fails."""
    try:
        yield
    except BaseException:  # an interrupt, too, must leave no file open
        release()
        raise
