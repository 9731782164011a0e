"""The digits of a whole chunk at once: text to numbers, and numbers back to text.

Here is no knowledge of mobiles: only what digits look like, what people put between them, and how to read and
write them fast. All of it works on the bytes of an Arrow array, without one Python object a row.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import BLOCK, blocks, bytes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DIGITS", "SEPARATORS", "Ints", "numbers", "skeleton", "skeletons", "ten_digits"]

Ints = npt.NDArray[np.int64]

DIGITS: Final = "0-9۰-۹٠-٩０-９"
"""The digits that people type, as the inside of a regular expression's class."""

SEPARATORS: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f -–—‐‑‒―−－.．·•()（）[]/\\／_,،'’`~|:؛;*"
    "\x85\xa0\xad\u0640\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d"
    "\u202e\u202f\u205f\u2060\u2066\u2067\u2068\u2069\u3000\ufeff\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a"
)
"""What stands between the digits of a number without meaning anything, then what cannot be seen at all."""


def _skeleton_table() -> npt.NDArray[np.uint8]:
    """Give each BMP code point's ASCII digit, or `+`, or 0 to leave it out, or `?` for what is foreign here."""
    table = np.full(0x10000, ord("?"), np.uint8)
    for zero in map(ord, "0\u0660\u06f0\uff10"):
        table[zero : zero + 10] = np.arange(ord("0"), ord("9") + 1)
    table[[ord(char) for char in "+＋"]] = ord("+")
    table[[ord(char) for char in SEPARATORS]] = 0
    return table


_SKELETON: Final = _skeleton_table()
_SKELETON_BYTES: Final = _SKELETON.tobytes()

# A number that went through a floating-point column: its tail must go before the dot does, or a digit is gained.
_FLOAT: Final = f"([{DIGITS}]+)[.٫][0۰٠０]+"
_FLOAT_RE: Final = re.compile(rf"\A{_FLOAT}\Z")

_LONGEST: Final = 18
"""More digits than this need not fit into an int64."""

_TWO: Final = np.frombuffer(b"".join(b"%02d" % n for n in range(100)), "<u2")
_FOUR: Final = np.frombuffer(b"".join(b"%04d" % n for n in range(10_000)), "<u4")


def numbers(array: pa.Array) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Give each row's number and how many digits it has; -1 for both unless it is 1-18 ASCII digits.

    >>> [part.tolist() for part in numbers(pa.array(["0912", "9 12", None]))]
    [[912, -1, -1], [4, -1, -1]]
    """
    data, offsets = bytes_of(array)
    lengths = offsets[1:] - offsets[:-1]
    digits_only = not len(data) or (data.min() >= ord("0") and data.max() <= ord("9"))
    if digits_only and lengths.max(initial=0) <= _LONGEST:
        # An empty text is no number, and refused.
        with contextlib.suppress(pa.ArrowInvalid):
            whole = pc.cast(array, pa.int64())
            if whole.null_count:
                lengths[whole.is_null().to_numpy(zero_copy_only=False)] = -1
            return pc.fill_null(whole, -1).to_numpy(), lengths
    plain = pc.fill_null(pc.ascii_is_decimal(array), fill_value=False)
    odd = ~plain.to_numpy(zero_copy_only=False) | (lengths > _LONGEST)
    value = np.full(len(array), -1, np.int64)
    value[~odd] = pc.cast(array.filter(pa.array(~odd)), pa.int64()).to_numpy()
    lengths[odd] = -1
    return value, lengths


def skeletons(array: pa.Array) -> pa.Array:
    """Give each row's digits in ASCII and `+` where it was; `?` for what belongs to no number, no separators.

    >>> skeletons(pa.array(["+98 (۹۱۲) 345", "9120000000.0", "4x4"])).to_pylist()
    ['+98912345', '9120000000', '4?4']
    """
    dotted = pc.or_(pc.match_substring(array, "."), pc.match_substring(array, "٫"))
    if pc.any(dotted, min_count=0).as_py():
        whole = pc.replace_substring_regex(array.filter(dotted), f"^{_FLOAT}$", r"\1")
        array = pc.replace_with_mask(array, dotted, whole)
    parts = [_bare(array.slice(some.start, BLOCK)) for some in blocks(len(array))]
    return pa.concat_arrays(parts) if parts else array


def _bare(array: pa.Array) -> pa.Array:
    """Put every character of some texts through `_SKELETON`."""
    data, offsets = bytes_of(array)
    if data.max(initial=0) < 0x80:
        out = _SKELETON[data]
    else:
        codes = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), "<u4")
        out = _SKELETON[np.minimum(codes, 0xFFFF)]  # of the last code point, which is no character, too
        offsets = _before((data & 0xC0) != 0x80)[offsets]
    kept = out != 0
    places = _before(kept)[offsets]
    text: npt.NDArray[np.uint8] = out[kept]
    return pa.Array.from_buffers(pa.string(), len(array), [None, pa.py_buffer(places), pa.py_buffer(text)])


def _before(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Give for each place, and for the end, how many flags are set before it."""
    count = np.zeros(len(flags) + 1, np.int32)
    np.cumsum(flags, out=count[1:])
    return count


def skeleton(text: str) -> str:
    """Do for one text what `skeletons` does for a chunk."""
    text = _FLOAT_RE.sub(r"\1", text)
    if text.isascii():
        codes = text.encode().translate(_SKELETON_BYTES[:256])
    else:
        codes = bytes(_SKELETON_BYTES[min(ord(char), 0xFFFF)] for char in text)
    return codes.replace(b"\x00", b"").decode("ascii")


def ten_digits(prefixes: Sequence[bytes], national: Ints) -> list[pa.Array]:
    """Give each prefix with the ten digits after it as text, null where the number is 0.

    >>> [texts.to_pylist() for texts in ten_digits((b"0", b"+98"), np.array([9121234567, 0]))]
    [['09121234567', None], ['+989121234567', None]]
    """
    known = national != 0
    whole = bool(known.all())
    written = national if whole else national[known]
    # A packed record a row: writing a whole field at a time is much faster than joining strings.
    digits = (("two", "<u2"), ("left", "<u4"), ("right", "<u4"))
    heads = [[(f"prefix{place}", "u1") for place in range(len(prefix))] for prefix in prefixes]
    columns = [np.empty(len(written), [*head, *digits]) for head in heads]
    for cells, head, prefix in zip(columns, heads, prefixes, strict=True):
        for (name, _), byte in zip(head, prefix, strict=True):
            cells[name] = byte
    for some in blocks(len(written)):
        two, rest = np.divmod(written[some], 10**8)
        left, right = np.divmod(rest, 10**4)
        texts = {"two": _TWO[two], "left": _FOUR[left], "right": _FOUR[right]}
        for cells in columns:
            for name, text in texts.items():
                cells[name][some] = text
    places = np.arange(len(national) + 1, dtype=np.int32) if whole else _before(known)
    bitmap = None if whole else pa.py_buffer(np.packbits(known, bitorder="little"))
    return [
        pa.Array.from_buffers(
            pa.string(),
            len(national),
            [bitmap, pa.py_buffer(places * np.int32(cells.itemsize)), pa.py_buffer(cells.view(np.uint8))],
        )
        for cells in columns
    ]
