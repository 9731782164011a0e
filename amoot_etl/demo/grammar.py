"""How a fault is written on a command line: `METHOD:CALLS:FAULT`.

```
ContactList:2:http-503            the second listing meets a 503
ContactList(2003):*:cut           every listing of group 2003 is cut in the middle
ContactGet:1-3:status=Failed      the first three ContactGet answer Failed
*:4-:status=Token_Expired         the token runs out after three calls
ContactListUpdates:1,3:slow=20    two answers take twenty seconds
```

The method may be `*` (any); a number in brackets after it chooses a group, or for `ContactGet` a contact. Calls
are counted among those that match: `*` for all, or numbers, ranges (`2-5`) and open ranges (`4-`) between commas.
"""

from __future__ import annotations

import difflib
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from amoot_etl.demo.answers import METHODS
from amoot_etl.demo.faults import SHAPES, Fault
from amoot_etl.demo.plan import Planned
from amoot_etl.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["WORDS", "Word", "parse_fault"]


class Word(NamedTuple):
    """A fault's word: what it does, what its value is (none when empty), and how it is made from that value."""

    help: str
    value: str
    make: Callable[[str], Fault]
    default: str | None = None


def _plain(make: Callable[[], Fault], help_: str) -> Word:
    return Word(help_, "", lambda _: make())


def _http(code: int) -> Word:
    return Word(
        f"HTTP {code}; the value is Retry-After",
        "SECONDS",
        lambda value: Fault.http(code, retry_after=float(value) if value else None),
        "",
    )


WORDS: Final[dict[str, Word]] = {
    "status": Word("a status, as text in JSON", "STATUS", Fault.status),
    "status-number": Word(
        "a status, as a number in JSON", "STATUS", lambda value: Fault.status(value, "number")
    ),
    "status-plain": Word(
        "a status alone, as plain text", "STATUS", lambda value: Fault.status(value, "plain")
    ),
    "status-quoted": Word("a status alone, in quotes", "STATUS", lambda value: Fault.status(value, "quoted")),
    **{f"http-{code}": _http(code) for code in (400, 401, 403, 404, 408, 429, 500, 502, 503, 504)},
    "rate-limit": Word(
        "HTTP 429 with X-RateLimit-* only", "SECONDS", lambda value: Fault.rate_limit(float(value)), "1"
    ),
    "redirect": Word("a redirect", "URL", Fault.redirect, "http://elsewhere.invalid/rest/"),
    "html": _plain(Fault.html, "a page for people"),
    "empty": _plain(Fault.empty, "an empty body"),
    "reset-before": _plain(lambda: Fault.reset("before"), "the connection is reset before the answer"),
    "reset-in": _plain(lambda: Fault.reset("in"), "the connection is reset in the middle of the body"),
    "reset-after": _plain(lambda: Fault.reset("after"), "the connection is reset after the body"),
    "cut": Word("the body is cut short of its length", "SHARE", lambda value: Fault.cut(float(value)), "0.5"),
    "cut-chunked": Word(
        "the body is cut before its last chunk",
        "SHARE",
        lambda value: Fault.cut(float(value), "chunked"),
        "0.5",
    ),
    "cut-close": Word(
        "the body is cut, and nothing tells its length",
        "SHARE",
        lambda value: Fault.cut(float(value), "close"),
        "0.5",
    ),
    "longer": Word(
        "a Content-Length that is too large", "BYTES", lambda value: Fault.wrong_length(_above_0(value)), "10"
    ),
    "shorter": Word(
        "a Content-Length that is too small",
        "BYTES",
        lambda value: Fault.wrong_length(-_above_0(value)),
        "10",
    ),
    "gzip-cut": _plain(Fault.gzip_cut, "a compressed body that ends early"),
    "late": Word("a late first byte", "SECONDS", lambda value: Fault.late(float(value)), "10"),
    "slow": Word("a slow body", "SECONDS", lambda value: Fault.slow(float(value)), "10"),
    "hang": _plain(Fault.hang, "no answer, ever"),
    "hang-in": _plain(lambda: Fault.hang("in"), "half a body, and then nothing, ever"),
    **{
        f"shape-{shape}": _plain(partial(Fault.shape, shape), f"JSON of another shape: {shape}")
        for shape in SHAPES
    },
    "repeat": Word(
        "the first records once more", "RECORDS", lambda value: Fault.repeat(_above_0(value)), "1"
    ),
    "no-id": _plain(Fault.no_id, "one record without a usable ID"),
    "unknown-fields": _plain(
        lambda: Fault.fields(NationalCode="0012345679"), "a field that no document names"
    ),
    "deep": Word("lists nested deep", "DEPTH", lambda value: Fault.deep(_above_0(value)), "100000"),
    "huge": Word("one huge text", "MEGABYTES", lambda value: Fault.huge(_above_0(value) * 1_000_000), "100"),
    "bom": _plain(Fault.bom, "a byte order mark before the body"),
    "key-order": _plain(Fault.key_order, "keys in another order"),
    "pretty": _plain(Fault.pretty, "JSON with spaces and line breaks"),
    "escaped": _plain(Fault.escaped, "JSON with every letter escaped"),
}
"""Every word of the grammar."""


def parse_fault(text: str) -> Planned:
    """Read a planned fault.

    Args:
        text: `METHOD:CALLS:FAULT`, as this module's head explains.

    Raises:
        SettingsError: It cannot be read; the message names the nearest known word.

    >>> planned = parse_fault("ContactList(2003):2:http-503=30")
    >>> planned.fault.name, planned.method, planned.fields, planned.calls
    ('http-503', 'ContactList', {'ContactGroupID': '2003'}, [range(2, 3)])
    >>> parse_fault("ContactList:1:htp-503")
    Traceback (most recent call last):
    ...
    amoot_etl.errors.SettingsError: --fault ContactList:1:htp-503: no fault 'htp-503'; did you mean 'http-503'?
    """
    parts = text.split(":", 2)
    if len(parts) != 3:
        _refuse(text, "write METHOD:CALLS:FAULT, such as ContactList:2:http-503")
    where, when, what = parts
    found = re.fullmatch(r"([A-Za-z*]*)(?:\((-?\d+)\))?", where.strip())
    if found is None:
        _refuse(text, f"no method {where!r}; write a name, or a name and an ID in brackets")
    method = _known(text, "method", found[1], ["*", *METHODS])
    named = None if found[2] is None else int(found[2])
    calls = _calls(text, when.strip())
    word, _, value = what.strip().partition("=")
    word = _known(text, "fault", word, WORDS)
    contact = method == "ContactGet"
    return Planned(
        _made(text, word, value),
        None if method == "*" else method,
        calls=calls,
        group=None if contact else named,
        contact=named if contact else None,
    )


class _Calls(list[range]):
    """Call numbers, as ranges."""

    def __contains__(self, number: object) -> bool:
        return any(number in part for part in self)


def _calls(text: str, when: str) -> Collection[int] | None:
    if when == "*":
        return None
    calls = _Calls()
    for part in when.split(","):
        found = re.fullmatch(r"(\d+)(-)?(\d+)?", part.strip())
        if found is None or (found[3] and not found[2]) or int(found[1]) < 1:
            _refuse(text, f"no calls {part!r}; write *, 2, 1-3, 4- or several between commas")
        first = int(found[1])
        last = int(found[3]) if found[3] else sys.maxsize - 1 if found[2] else first
        if last < first:
            _refuse(text, f"the range {part!r} is empty")
        calls.append(range(first, last + 1))
    return calls  # type: ignore[return-value] # a collection of numbers, by its __contains__


def _made(text: str, word: str, value: str) -> Fault:
    known = WORDS[word]
    if value and not known.value:
        _refuse(text, f"{word} takes no value")
    if not value:
        if known.value and known.default is None:
            _refuse(text, f"{word} needs a value: {word}={known.value}")
        value = known.default or ""
    try:
        return known.make(value)
    except ValueError as error:
        _refuse(text, f"{word}={value}: {error}")


def _known(text: str, kind: str, word: str, known: Iterable[str]) -> str:
    names = {name.casefold(): name for name in known}
    if word.casefold() not in names:
        near = difflib.get_close_matches(word.casefold(), names, 1, 0.3)
        _refuse(text, f"no {kind} {word!r}; did you mean {names[near[0]] if near else next(iter(names))!r}?")
    return names[word.casefold()]


def _above_0(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError("it must be above 0")
    return number


def _refuse(text: str, why: str) -> NoReturn:
    raise SettingsError(f"--fault {text}: {why}", subject="--fault")
