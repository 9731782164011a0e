"""Read e-mail addresses: what cannot be seen is taken off, the domain is put in lower case.

The part before the @ stays as it was typed, dots, tags and case included: only its own server knows what they
mean. An address is valid when it has the common shape of RFC 5321 (no quotes, no comments, no bare host): a
local part of at most 64 characters without dots at its edges or two in a row, and a domain of at least two
labels of letters, digits and inner hyphens, the last of which is no number. Letters may be of any script. No
name server is asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import Finding, decoded, series, strings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["normalise_email", "read_email"]

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL: Final = rf"{_ATOM}(?:\.{_ATOM})*"
_DOMAIN: Final = rf"(?:{_LABEL}\.)+[a-z]{{2,63}}"
_PLAIN: Final = f"^{_LOCAL}@{_DOMAIN}$"
"""Addresses that Arrow can tell to be valid and clean; their lengths are looked at apart."""
_MIXED: Final = rf"^[ \t\r\n]*{_LOCAL}@{_DOMAIN.replace('a-z', 'A-Za-z')}[ \t\r\n]*$"
"""Addresses that need no more than blanks taken off and their domain put in lower case."""
_PARTS: Final = r"^[ \t\r\n]*(?P<local>[^@]*)@(?P<domain>[^@ \t\r\n]*)"
"""Takes one of those apart: a simple expression for the groups, since those make Arrow slow in a long one."""

_WIDE_ATOM: Final = r"[\w!#$%&'*+/=?^`{|}~-]+"
_WIDE_LABEL: Final = r"[^\W_](?:[\w\u200c-]{0,61}[^\W_])?"
_ADDRESS: Final = re.compile(
    rf"({_WIDE_ATOM}(?:\.{_WIDE_ATOM})*)@((?:{_WIDE_LABEL}\.)+(?!\d+\Z){_WIDE_LABEL})\Z"
)

_EDGES: Final = re.compile(r"\A[\s\u200c]+|[\s\u200c]+\Z")

_LONGEST_LOCAL: Final = 64
_LONGEST: Final = 254
"""Octets of a local part and of an address, by RFC 5321."""

_READABLE: Final[dict[int, str | None]] = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)]),
    **dict.fromkeys([*range(9, 14), 0x85], " "),
    **dict.fromkeys([0xAD, 0x640, 0x61C, 0x200B, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF]),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **{zero + digit: str(digit) for zero in (0x660, 0x6F0) for digit in range(10)},
}
"""Invisible characters go, breaks and tabs are blanks, full-width ASCII and Persian digits become ASCII."""


def _read_one(text: str) -> tuple[str | None, str | None]:
    """Give an address, or what is wrong with it; neither when it is empty."""
    bare = _EDGES.sub("", text.translate(_READABLE))
    if not bare.strip("-–—_.0 "):
        return None, None
    # In lower case before it is matched: a letter may become two, the second of which belongs in no domain.
    at = bare.rfind("@")
    match = _ADDRESS.match(bare[:at] + bare[at:].lower())
    if match is None:
        count = bare.count("@")
        return (
            None,
            "no @" if count == 0 else "more than one @" if count > 1 else "not the shape of an address",
        )
    local, domain = match.groups()
    address = f"{local}@{domain}"
    if "_" in domain:
        return None, "an underscore in the domain"
    if len(local.encode()) > _LONGEST_LOCAL or len(address.encode()) > _LONGEST:
        return None, "longer than an address may be"
    return address, None


def read_email(array: pa.Array, *, column: str = "email") -> tuple[pa.Array, list[Finding]]:
    """Read a chunk of addresses.

    Args:
        array: `string` or `dictionary<int32, string>`, nulls allowed.
        column: The name that findings carry.

    Returns:
        `string`, as long as `array`, null where there is no valid address; and findings of the rule
        `email_invalid` with the texts as received. Blanks, dashes and the like, and 0 are empty: no issue.

    >>> emails, findings = read_email(pa.array(["Sara.Rad@Example.COM", "sara.rad@", None]))
    >>> emails.to_pylist(), findings[0].rows.tolist()
    (['Sara.Rad@example.com', None, None], [1])
    """
    plain = decoded(array)
    known = pc.and_(pc.match_substring_regex(plain, _PLAIN), _fits(plain))
    suspect = pc.fill_null(pc.invert(known), fill_value=False)
    rows = np.flatnonzero(suspect.to_numpy(zero_copy_only=False))
    if not len(rows):
        return plain, []
    odd = plain.take(pa.array(rows)).dictionary_encode()
    read, wrong = _read_distinct(odd.dictionary)
    addresses, details = read.take(odd.indices), wrong.take(odd.indices)
    hit = np.flatnonzero(pc.is_valid(details).to_numpy(zero_copy_only=False))
    broken, at = rows[hit], pa.array(hit)
    findings = []
    if len(hit):
        findings.append(
            Finding(column, "email_invalid", broken, plain.take(pa.array(broken)), details.take(at))
        )
    return pc.replace_with_mask(plain, suspect, addresses), findings


def _fits(addresses: pa.Array) -> pa.Array:
    """Tell which addresses, in ASCII, are not too long."""
    short = pc.less_equal(pc.binary_length(addresses), _LONGEST)
    return pc.and_(short, pc.less_equal(pc.find_substring(addresses, "@"), _LONGEST_LOCAL))


def _read_distinct(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Give the address of each text, and what is wrong with it; all but the odd ones at once."""
    parts = pc.extract_regex(texts, _PARTS)
    local, domain = parts.field("local"), pc.ascii_lower(parts.field("domain"))
    matched = pc.match_substring_regex(texts, _MIXED)
    joined = pc.if_else(
        matched, pc.binary_join_element_wise(local, domain, "@"), pa.scalar(None, pa.string())
    )
    joined = pc.if_else(pc.fill_null(_fits(joined), fill_value=False), joined, pa.scalar(None, pa.string()))
    left = pc.is_null(joined)
    read = [_read_one(text) for text in texts.filter(left).to_pylist()]
    addresses = pc.replace_with_mask(joined, left, pa.array([address for address, _ in read], pa.string()))
    nothing = pa.nulls(len(texts), pa.string())
    return addresses, pc.replace_with_mask(
        nothing, left, pa.array([detail for _, detail in read], pa.string())
    )


def normalise_email(s: pd.Series) -> pd.Series:
    """Give each address with its domain in lower case; null where there is no valid one.

    Args:
        s: Text of any dtype.

    Returns:
        Arrow-backed `string`, with the index and name of `s`.

    >>> import pandas as pd
    >>> normalise_email(pd.Series([" info@GMAIL.com", "gmail.com"])).tolist()
    ['info@gmail.com', <NA>]
    """
    return series(read_email(strings(s))[0], s)
