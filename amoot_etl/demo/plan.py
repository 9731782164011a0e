"""Which call goes wrong: a fault, the calls it is for, and the list of them that a portal keeps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from amoot_etl.demo.answers import METHODS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from amoot_etl.demo.faults import Fault

__all__ = ["Plan", "Planned"]


class Planned:
    """A fault and the calls that it is for.

    Args:
        fault: What goes wrong.
        method: For this method only.
        calls: For these of the calls that match, counted from 1; all of them unless given.
        times: For so many of them, from the first.
        group: For this `ContactGroupID` only.
        contact: For this `ContactID` only.

    Raises:
        ValueError: `calls` and `times` are both given, or there is no such method.
    """

    def __init__(  # noqa: PLR0913 - a call is chosen by any of these
        self,
        fault: Fault,
        method: str | None = None,
        *,
        calls: Collection[int] | None = None,
        times: int | None = None,
        group: int | None = None,
        contact: int | None = None,
    ) -> None:
        if calls is not None and times is not None:
            raise ValueError("say either which calls or how many, not both")
        if method is not None and method not in METHODS:
            raise ValueError(f"no such method: {method}")
        self.fault = fault
        self.method = method
        self.calls = calls if times is None else range(1, times + 1)
        self.fields = {
            name: str(value)
            for name, value in (("ContactGroupID", group), ("ContactID", contact))
            if value is not None
        }
        self.seen = 0
        """How many calls it was for, if it had been their turn."""
        self.done = 0
        """How many calls it changed."""

    def matches(self, method: str, fields: Mapping[str, str]) -> bool:
        """Tell whether it is for this call, and count the call."""
        if self.method not in {None, method} or not self.fields.items() <= dict(fields).items():
            return False
        self.seen += 1
        turn = self.calls is None or self.seen in self.calls
        self.done += turn
        return turn


class Plan:
    """The planned faults of a portal, in the order in which they were planned."""

    def __init__(self) -> None:
        self._planned: list[Planned] = []
        self._lock = threading.Lock()

    def add(self, planned: Planned) -> Planned:
        """Add one, and give it back."""
        with self._lock:
            self._planned.append(planned)
        return planned

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._planned.clear()

    def faults(self, method: str, fields: Mapping[str, str]) -> list[Fault]:
        """Give the faults whose turn it is in this call."""
        with self._lock:
            return [planned.fault for planned in self._planned if planned.matches(method, fields)]
