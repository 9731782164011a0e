"""What a look at one thing showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amoot_etl.errors import AmootError

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        check: What was looked at.
        state: `ok`, `warning` (a run works, but), `problem` (a run fails) or `unknown` (could not be looked at).
        told: What was found, in a line.
        way_out: What to do about it; empty when all is well.
        error: The class of error that a run would end in; None unless it is a problem.
        details: The same for programs.
    """

    check: str
    state: str
    told: str
    way_out: str = ""
    error: type[AmootError] | None = None
    details: dict[str, Any] | None = None
