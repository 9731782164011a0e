"""The formats by name: what `--format` can say, and what the contract's tests go through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from amoot_etl.loaders.csv import CSV
from amoot_etl.loaders.excel import EXCEL
from amoot_etl.loaders.parquet import PARQUET

if TYPE_CHECKING:
    from amoot_etl.loaders.contract import Format

__all__ = ["FORMATS"]

FORMATS: Final[dict[str, Format]] = {each.name: each for each in (PARQUET, CSV, EXCEL)}
"""Every format. Parquet is always written; the others stand beside it when they are asked for."""
