"""The rule that keeps people out of the report: nothing is told of a group of fewer than five.

A list that parts all contacts (by city, by month) folds its small groups into one rest. Were the rest itself
small, it could be told from the total, so the next group joins it until it is not, or until one group is left,
which is then told as "nearly all". A number that stands alone is told as "fewer than five", and as "nearly all" if
it leaves fewer than five out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SMALLEST", "Folded", "Part", "fold", "is_small"]

SMALLEST: Final = 5
"""The fewest contacts that a group must have to be told of."""


class Part(NamedTuple):
    """One group: its name (None for contacts without a value) and how many contacts it has."""

    name: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Folded:
    """A list that parts all contacts, its small groups folded.

    Args:
        parts: The groups told of, the largest first.
        rest: How many contacts all the others have together: 0, or at least five unless one group or none is told of.
        rest_names: How many groups the others are.
    """

    parts: tuple[Part, ...]
    rest: int
    rest_names: int

    @property
    def total(self) -> int:
        """How many contacts there are in all."""
        return self.rest + sum(part.size for part in self.parts)


def is_small(count: int) -> bool:
    """Say whether so few contacts must not be told of.

    >>> [is_small(count) for count in (0, 1, 4, 5)]
    [False, True, True, False]
    """
    return 0 < count < SMALLEST


def fold(counts: Iterable[Part], keep: int) -> Folded:
    """Fold the small groups of a list that parts all contacts.

    Args:
        counts: Groups of different names; those of no contact are left out.
        keep: How many groups to tell of, at most.

    >>> folded = fold([Part("تهران", 90), Part("یزد", 6), Part("قم", 2), Part("ری", 1)], keep=10)
    >>> [part.name for part in folded.parts], folded.rest, folded.rest_names
    (['تهران'], 9, 3)
    """
    ranked = sorted(
        (part for part in counts if part.size), key=lambda part: (-part.size, part.name is None, part.name)
    )
    told = [part for part in ranked[:keep] if not is_small(part.size)]
    rest = ranked[len(told) :]
    while len(told) > 1 and is_small(sum(part.size for part in rest)):
        rest.append(told.pop())
    return Folded(tuple(told), sum(part.size for part in rest), len(rest))
