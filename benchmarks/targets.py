"""What is asked of each figure, and how one line of the table says whether it is met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Line", "at_least", "at_most"]


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Args:
        about: What was measured.
        measured: Ours, in words.
        beside: What it stands beside, in words.
        figure: The figure that the target is about.
        unit: How the figure is written: a ratio, or a unit.
        sense: Whether the target is the most or the least.
        target: The target; None where the line only informs.
        facts: The figures behind it, for the plot.
    """

    about: str
    measured: str
    beside: str = ""
    figure: float = 0.0
    unit: str = "x"
    sense: Literal["at most", "at least"] = "at most"
    target: float | None = None
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        return self.figure <= self.target if self.sense == "at most" else self.figure >= self.target

    @property
    def cells(self) -> tuple[str, str, str, str, str, str]:
        """What the table shows: about, ours, beside, figure, target, met."""
        figure = _number(self.figure, self.unit) if self.figure or self.target is not None else ""
        wanted = (
            ""
            if self.target is None
            else f"{'≤' if self.sense == 'at most' else '≥'} {_number(self.target, self.unit)}"
        )
        met = {True: "yes", False: "**not met**", None: ""}[self.met]
        return self.about, self.measured, self.beside, figure, wanted, met


def at_most(  # noqa: PLR0913, PLR0917 - a line of a table
    about: str, measured: str, beside: str, figure: float, target: float, unit: str = "x"
) -> Line:
    """Give a line whose figure is to stay below its target."""
    return Line(about, measured, beside, figure, unit, "at most", target)


def at_least(  # noqa: PLR0913, PLR0917 - a line of a table
    about: str, measured: str, beside: str, figure: float, target: float, unit: str = "x"
) -> Line:
    """Give a line whose figure is to reach its target."""
    return Line(about, measured, beside, figure, unit, "at least", target)


def _number(value: float, unit: str) -> str:
    if unit == "x":
        return f"{value:.2f}x" if value < 10 else f"{value:,.0f}x"
    if unit == "%":
        return f"{value:.0%}"
    if unit == "/s":
        return f"{value / 1e6:.2f} M/s"
    return f"{value:,.0f} {unit}"
