"""What the numbering plans of all countries say of one number, as `phonenumbers` holds them.

The library parses what people type; digits that have been stripped already leave it little to find out. Where a
calling code belongs to one country and no trunk prefix stands behind it, its own tables are asked without parsing:
that takes a tenth of the time and gives the same answer. Everything else is left to the library.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Found", "by_parsing", "by_plan", "split"]

_LONGEST: Final = 17
"""Digits that a number may have behind the calling code."""
_NOBODY: Final = "001"
"""Stands for the country of satellite networks and the like, which belong to none."""


class Found(NamedTuple):
    """A valid number of some country."""

    code: int
    """The calling code."""
    national: str
    """The digits behind it."""
    country: str | None
    """ISO code; None where it belongs to no country."""
    may_be_mobile: bool


class _Numbers(NamedTuple):
    """Numbers of one kind: the lengths that they have, if that is told, and their form."""

    lengths: frozenset[int]
    form: re.Pattern[str]

    def hold(self, national: str) -> bool:
        """Say whether a number is one of them."""
        return (not self.lengths or len(national) in self.lengths) and bool(self.form.fullmatch(national))


class _Plan(NamedTuple):
    """The numbers of a calling code that one country has."""

    country: str | None
    trunk: re.Pattern[str] | None
    """What may be dialled before a number and is no part of it."""
    all: _Numbers | None
    special: Sequence[tuple[_Numbers, bool]]
    """Kinds that come before fixed lines and mobiles, and whether a mobile can have such a number."""
    any_special: re.Pattern[str]
    """The forms of all of those: nearly no number has one, which one look tells."""
    fixed: _Numbers | None
    mobile: _Numbers | None

    def may_be_mobile(self, national: str) -> bool | None:
        """Say whether a mobile can have a number; None where nobody has."""
        if self.all is None or not self.all.hold(national):
            return None
        if self.any_special.fullmatch(national):
            for numbers, may in self.special:
                if numbers.hold(national):
                    return may
        of_mobiles = self.mobile is not None and self.mobile.hold(national)
        if self.fixed is not None and self.fixed.hold(national):
            return of_mobiles
        return True if of_mobiles else None


def split(digits: str) -> tuple[int, str] | None:
    """Part the digits behind a `+` into calling code and number; None where that is not so simple.

    >>> split("4915112345678"), split("12025550123")
    ((49, '15112345678'), None)
    """
    import phonenumbers  # noqa: PLC0415 - most chunks need it for no row, and it takes a while to load

    # Codes are the beginning of no other code; none begins with a zero.
    known = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    width = next((width for width in (1, 2, 3) if int(digits[:width]) in known), None)
    if width is None or digits.startswith("0"):
        return None
    code = int(digits[:width])
    plan, national = _plan(code), digits[width:]
    if plan is None or not 2 <= len(national) <= _LONGEST or national.startswith("0"):
        return None
    return None if plan.trunk is not None and plan.trunk.match(national) else (code, national)


def by_plan(code: int, national: str) -> Found | None:
    """Say what a number is; None where nobody has it.

    Args:
        code: A calling code that one country has.
        national: The digits behind it, which do not begin with a zero.

    >>> by_plan(98, "2188776655")
    Found(code=98, national='2188776655', country='IR', may_be_mobile=False)
    """
    plan = _plan(code)
    may = plan.may_be_mobile(national) if plan is not None else None
    return None if plan is None or may is None else Found(code, national, plan.country, may)


def by_parsing(text: str, country: str | None) -> Found | None:
    """Let the library say what a number is; None where nobody has it.

    Args:
        text: Digits, behind a `+` or as they are dialled in a country.
        country: That country.

    >>> by_parsing("+1 202 555 0123", None).country
    'US'
    """
    import phonenumbers  # noqa: PLC0415 - as above

    kinds = phonenumbers.PhoneNumberType
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    kind = phonenumbers.number_type(number)
    if kind == kinds.UNKNOWN:
        return None
    region = phonenumbers.region_code_for_number(number)
    mobile = {kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE, kinds.PERSONAL_NUMBER, kinds.PAGER}
    national = phonenumbers.national_significant_number(number)
    return Found(number.country_code or 0, national, None if region == _NOBODY else region, kind in mobile)


@functools.cache
def _plan(code: int) -> _Plan | None:
    """Give the plan of a calling code; None where several countries share it."""
    import phonenumbers  # noqa: PLC0415 - as above

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    if len(regions) != 1:
        return None
    about: Any = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, regions[0])
    # In the order in which the library asks.
    special = [
        *(
            (numbers, False)
            for numbers in (about.premium_rate, about.toll_free, about.shared_cost, about.voip)
        ),
        *((numbers, True) for numbers in (about.personal_number, about.pager)),
        *((numbers, False) for numbers in (about.uan, about.voicemail)),
    ]
    known = [(numbers, may) for one, may in special if (numbers := _numbers(one)) is not None]
    return _Plan(
        country=None if regions[0] == _NOBODY else regions[0],
        trunk=re.compile(about.national_prefix_for_parsing) if about.national_prefix_for_parsing else None,
        all=_numbers(about.general_desc),
        special=known,
        any_special=re.compile("|".join(f"(?:{numbers.form.pattern})" for numbers, _ in known) or r"(?!)"),
        fixed=_numbers(about.fixed_line),
        mobile=_numbers(about.mobile),
    )


def _numbers(about: Any) -> _Numbers | None:
    """Give numbers of one kind; None where there are none."""
    if about is None or not about.national_number_pattern:
        return None
    return _Numbers(frozenset(about.possible_length), re.compile(about.national_number_pattern))
