"""The footer of a Parquet file, as a tree that can be changed and written again.

Arrow reads and writes footers, but it cannot move a column's bytes from one file to another: where they stand is
noted in the footer, in Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/
thrift-compact-protocol.md). That protocol says of each value what it is, so a footer can be read, changed in a few
places and written again without knowing what else it holds. The numbers of the fields that are changed are those of
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["MAGIC", "Field", "Record", "decode", "encode", "number", "read_footer"]

MAGIC: Final = b"PAR1"

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_WHOLE: Final = (_I16, _I32, _I64)
_MANY: Final = 15
"""A list of so many elements, or more, has its length behind its head; a field so far on, its whole number."""


class Field(NamedTuple):
    """A value, and how it is written."""

    kind: int
    value: Any
    """An int, a float as its bytes, bytes, a `Record`; of a list the elements' kind and their values."""


Record: TypeAlias = "dict[int, Field]"
"""A struct: field number to value, in the order in which they are written."""


def number(value: int) -> Field:
    """Give a 64-bit number as a field."""
    return Field(_I64, value)


def read_footer(file: BinaryIO) -> Record:
    """Read the footer of an open Parquet file.

    Raises:
        ValueError: It has none.
    """
    end = file.seek(0, 2)
    file.seek(max(0, end - 8))
    tail = file.read(8)
    size = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or size + 8 > end:
        raise ValueError("not a whole Parquet file")
    file.seek(end - 8 - size)
    return decode(file.read(size))


def decode(data: bytes) -> Record:
    """Read a struct.

    Raises:
        ValueError: The bytes hold what no footer does.

    >>> decode(bytes([0x15, 0x04, 0x00]))
    {1: Field(kind=5, value=2)}
    """
    try:
        return _Reader(data).record()
    except IndexError:
        raise ValueError("a footer that was cut") from None


def encode(record: Record) -> bytes:
    """Write a struct, fields in rising order.

    >>> encode({1: Field(5, 2)}).hex()
    '150400'
    """
    out = bytearray()
    _write_record(out, record)
    return bytes(out)


class _Reader:
    """Reads one value after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def record(self) -> Record:
        fields: Record = {}
        last = 0
        while head := self._byte():
            kind, step = head & 15, head >> 4
            last = last + step if step else self._whole()
            fields[last] = Field(kind, self._value(kind) if kind not in (_TRUE, _FALSE) else None)
        return fields

    def _value(self, kind: int) -> Any:
        if kind in _WHOLE:
            return self._whole()
        if kind == _BINARY:
            return self._bytes(self._natural())
        if kind == _STRUCT:
            return self.record()
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4
            count = self._natural() if count == _MANY else count
            element = head & 15
            return element, [self._value(element) for _ in range(count)]
        if kind in (_TRUE, _FALSE, _BYTE):  # in a list each truth is a byte of its own
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        raise ValueError(f"a footer with a value of kind {kind}")

    def _byte(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        return byte

    def _bytes(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        if len(part) < count:
            raise IndexError
        self._at += count
        return part

    def _natural(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _whole(self) -> int:
        folded = self._natural()
        return (folded >> 1) ^ -(folded & 1)


def _write_record(out: bytearray, record: Record) -> None:
    last = 0
    for at, (kind, value) in sorted(record.items()):
        step = at - last
        if 0 < step <= _MANY:
            out.append(step << 4 | kind)
        else:
            out.append(kind)
            _write_whole(out, at)
        last = at
        if kind not in (_TRUE, _FALSE):
            _write_value(out, kind, value)
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind in _WHOLE:
        _write_whole(out, value)
    elif kind == _BINARY:
        _write_natural(out, len(value))
        out += value
    elif kind == _STRUCT:
        _write_record(out, value)
    elif kind in (_LIST, _SET):
        element, values = value
        if len(values) < _MANY:
            out.append(len(values) << 4 | element)
        else:
            out.append(_MANY << 4 | element)
            _write_natural(out, len(values))
        for one in values:
            _write_value(out, element, one)
    elif kind == _DOUBLE:
        out += value
    else:
        out.append(value)


def _write_natural(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _write_whole(out: bytearray, value: int) -> None:
    _write_natural(out, (value << 1) ^ (value >> 63))
