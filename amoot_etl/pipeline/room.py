"""See that the disk has room before anything is downloaded, rather than fail after an hour of it.

The rule: 1.5 KiB for each contact that the portal counts, once for each group it is in (measured: 0.7 KiB for its
record as it lands, 0.1 KiB for the draft of its row, 0.1 KiB in Parquet, and as much again to be safe), 1 KiB
more where raw records are kept, and 16 MiB for everything else. Each format beside Parquet asks for 0.5 KiB more
(measured: CSV 0.3 KiB, in a workbook 0.15 KiB and as much for the rows that wait for it), twice that with raw records,
and for another 16 MiB (the calendar alone is 12 MB of CSV). A portal that tells no counts is given the MiB alone.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from amoot_etl.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["check_room", "room_needed"]

_RECORD: Final = 1536
_RAW: Final = 1024
_FORMAT: Final = 512
_REST: Final = 16 << 20


def room_needed(records: int, *, raw: bool = False, formats: Sequence[str] = ()) -> int:
    """Give the bytes that must be free for so many records.

    Args:
        records: Records that the portal will tell, by its counts.
        raw: Whether raw records are kept too.
        formats: The formats beside Parquet.

    >>> room_needed(0) >> 20, room_needed(1_000_000) >> 20, room_needed(1_000_000, raw=True) >> 20
    (16, 1480, 2457)
    >>> room_needed(1_000_000, formats=["csv", "xlsx"]) >> 20
    2489
    """
    others = len([name for name in formats if name != "parquet"])
    each = _RECORD + (_RAW if raw else 0) + others * _FORMAT * (2 if raw else 1)
    return _REST * (1 + others) + records * each


def check_room(
    folder: Path, records: int, *, raw: bool = False, formats: Sequence[str] = (), landed: int = 0
) -> None:
    """Refuse to begin what the disk cannot hold.

    Args:
        folder: A folder on the disk that bodies and tables go to; it exists.
        records: Records that the portal will tell, by its counts.
        raw: Whether raw records are kept too.
        formats: The formats beside Parquet.
        landed: Bytes of them that are on the disk already.

    Raises:
        OutputError: There is less room than `room_needed`.
    """
    needed, free = room_needed(records, raw=raw, formats=formats) - landed, shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{folder}: {free / 1e6:,.0f} MB are free and {records:,} contacts may need {needed / 1e6:,.0f} MB: "
            "make room, or choose another --out",
            subject=str(folder),
        )
