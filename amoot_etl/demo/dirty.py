"""One contact for each way that data goes wrong: what the portal sends, and what must come of it.

Every row of `DIRTY` is a plain contact (مریم احمدی of Tehran) but for the fields it names. It says which columns of
`contacts` then differ from the plain contact's, and which rules `issues` must name: no more and no fewer. The
expectations were reasoned from the rules, not read off a run, so they can tell when the product is wrong.

They hold whatever day the tables are made on, but for the birthday in the future, which holds until 1480.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from amoot_etl.demo.records import blank

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DIRTY", "FIRST_DIRTY_ID", "DirtyRow"]

FIRST_DIRTY_ID: Final = 900_001
"""The ID of the first row's contact in an invented book; the others follow."""

_PLAIN: Final[dict[str, Any]] = {
    "FName": "مریم",
    "LName": "احمدی",
    "GenderType": False,
    "GenderTypeStr": "خانم",
    "CityName": "تهران",
    "UpdateDateTime": "2025-10-21T11:03:41.96",
}
_PLAIN_CLEAN: Final[dict[str, Any]] = {
    "active": True,
    "deleted": False,
    "mobile_kind": "ir",
    "mobile_country": "IR",
    "mobile_prefix_operator": "MCI",
    "first_name": "مریم",
    "last_name": "احمدی",
    "full_name": "مریم احمدی",
    "gender": "female",
    "company": None,
    "job_title": None,
    "email": None,
    "city": "تهران",
    "address": None,
    "birth_date": None,
    "birth_date_jalali": None,
    "anniversary_date": None,
    "anniversary_date_jalali": None,
    **{f"custom_text_{number}": None for number in range(1, 7)},
    **{f"custom_date_{number}{twin}": None for number in range(1, 4) for twin in ("", "_jalali")},
    "updated_at": datetime(2025, 10, 21, 11, 3, 41, 960_000, ZoneInfo("Asia/Tehran")),
    "updated_date": date(2025, 10, 21),
    "updated_date_jalali": "1404/07/29",
    "extra": None,
}
_MARYAM: Final = "مریم"


@dataclass(frozen=True, slots=True)
class DirtyRow:
    """One dirty contact.

    Args:
        source: The family it belongs to: `mobile`, `date`, `text`, `other`.
        shows: What it shows, in a few words.
        fields: The portal's fields that differ from the plain contact's.
        clean: The columns of `contacts` that differ from the plain contact's.
        issues: `(column, rule)` of each issue of this contact.
        run_issues: `(column, rule)` of each issue that is told once a run, without a contact.
    """

    source: str
    shows: str
    fields: Mapping[str, Any]
    clean: Mapping[str, Any] = field(default_factory=dict)
    issues: tuple[tuple[str, str], ...] = ()
    run_issues: tuple[tuple[str, str], ...] = ()

    def record(self, contact_id: int) -> dict[str, Any]:
        """Give what the portal sends for this row; the mobile is the ID's own unless the row names one.

        >>> DIRTY[0].record(900_001)["LName"]
        'احمدی'
        """
        return {**blank(), **_PLAIN, "ID": contact_id, "Mobile": _own_mobile(contact_id), **self.fields}

    def expected(self, contact_id: int) -> dict[str, Any]:
        """Give every column of `contacts` as it must come out, but `groups`, which the labels decide."""
        own = _own_mobile(contact_id)
        plain = {
            "contact_id": contact_id,
            **_PLAIN_CLEAN,
            "mobile": f"+98{own}",
            "mobile_national": f"0{own}",
            "mobile_raw": str(own),
        }
        return {**plain, **self.clean}


def _own_mobile(contact_id: int) -> int:
    return 9125550000 + contact_id - FIRST_DIRTY_ID


def _mobile(  # noqa: PLR0913, PLR0917 - a row of a table
    shows: str,
    raw: object,
    kind: str | None,
    e164: str | None,
    operator: str | None = None,
    country: str | None = None,
) -> DirtyRow:
    """A row about a number; an Iranian one (`+98…`) says its national form by itself."""
    iranian = e164 is not None and e164.startswith("+98")
    clean = {
        "mobile": e164,
        "mobile_national": f"0{e164[3:]}" if iranian and e164 else None,
        "mobile_kind": kind,
        "mobile_country": "IR" if iranian else country,
        "mobile_prefix_operator": operator,
        "mobile_raw": str(raw),
    }
    rule = {"invalid": "mobile_invalid", "landline": "mobile_landline"}.get(kind or "")
    return DirtyRow("mobile", shows, {"Mobile": raw}, clean, (("mobile", rule),) if rule else ())


def _date(
    shows: str, gregorian: object, jalali: object, day: date | None, text: str | None, *rules: str
) -> DirtyRow:
    """A row about a birthday: both fields as sent, the day that must come out in both calendars, the rules."""
    return DirtyRow(
        "date",
        shows,
        {"BornDate": gregorian, "BornDatePer": jalali},
        {"birth_date": day, "birth_date_jalali": text},
        tuple(("birth_date", rule) for rule in rules),
    )


def _typed(shows: str, jalali: object) -> DirtyRow:
    """A way to type 29 Mehr 1404, read without an issue."""
    return _date(shows, None, jalali, date(2025, 10, 21), "1404/07/29")


def _unread(shows: str, jalali: object) -> DirtyRow:
    """A Jalali text that names no day."""
    return _date(shows, None, jalali, None, None, "date_invalid")


def _city(shows: str, raw: str, clean: str | None) -> DirtyRow:
    return DirtyRow("text", shows, {"CityName": raw}, {"city": clean})


def _kept(shows: str, text: str) -> DirtyRow:
    """A text that must come out as it went in."""
    return DirtyRow("text", shows, {"AddressText": text}, {"address": text})


_MOBILES: Final = (
    # A foreign number that lost its "+" in a JSON integer is not an Iranian one with "98" forgotten.
    _mobile("Iraq without +", 9647912345678, "foreign", "+9647912345678", country="IQ"),
    _mobile("Turkey without +", 905012345678, "foreign", "+905012345678", country="TR"),
    _mobile("Afghanistan without +", 93791234567, "foreign", "+93791234567", country="AF"),
    _mobile("Emirates without +", 971501234567, "foreign", "+971501234567", country="AE"),
    _mobile("Saudi Arabia without +", 966512345678, "foreign", "+966512345678", country="SA"),
    _mobile("Kuwait without +", 96550012345, "foreign", "+96550012345", country="KW"),
    _mobile("Qatar without +", 97433123456, "foreign", "+97433123456", country="QA"),
    _mobile("Oman without +", 96892123456, "foreign", "+96892123456", country="OM"),
    _mobile("Azerbaijan without +", 994401234567, "foreign", "+994401234567", country="AZ"),
    _mobile("Turkmenistan without +", 99366123456, "foreign", "+99366123456", country="TM"),
    _mobile("Pakistan without +", 923012345678, "foreign", "+923012345678", country="PK"),
    _mobile("India without +", 918123456789, "foreign", "+918123456789", country="IN"),
    _mobile("foreign with +", "+96171123456", "foreign", "+96171123456", country="LB"),
    _mobile("foreign with 00", "00447400123456", "foreign", "+447400123456", country="GB"),
    # Ten digits that start with 9 are Iranian, whether the range is known or not.
    _mobile("ten digits that could be the Maldives", 9607712345, "ir_unlisted", "+989607712345"),
    _mobile("ten digits that could be Myanmar", 9592123456, "ir_unlisted", "+989592123456"),
    _mobile("ten digits that could be toll-free India", 9118001234, "ir", "+989118001234", "MCI"),
    _mobile("ten digits that could be Turkey", 9004441234, "ir", "+989004441234", "Irancell"),
    _mobile("a range that no table lists", 9071234567, "ir_unlisted", "+989071234567"),
    _mobile("a listed range without a holder", 9951012345, "ir", "+989951012345"),
    # Ten digits that start with 1-8 are probably an Iranian landline.
    _mobile("landline without 0", 2188776655, "landline", None, country="IR"),
    _mobile("landline with 0", "02188776655", "landline", None, country="IR"),
    _mobile("ten digits that could be Denmark", 4534412345, "landline", None, country="IR"),
    # Eleven digits are Afghan, not an Iranian number with one digit too many.
    _mobile("Afghan, not a typing slip", 93701234567, "foreign", "+93701234567", country="AF"),
    _mobile("landline without its area", 8680623, "landline", None, country="IR"),
    _mobile("98 and nine digits", 98912000000, "invalid", None),
    _mobile("98 and eleven digits", 9891200000000, "invalid", None),
    _mobile("nine digits", 912000000, "invalid", None),
    _mobile("damaged by a spreadsheet", "9.12E+09", "invalid", None),
    _mobile("a number that was a float", "9120000010.0", "ir", "+989120000010", "MCI"),
    _mobile("two numbers in one field", "09121234567 - 09351234567", "invalid", None),
    _mobile("words", "ندارد", "invalid", None),
    _mobile("Persian digits", "۰۹۳۵۱۲۳۴۵۶۱", "ir", "+989351234561", "Irancell"),
    _mobile("Arabic digits", "٠٩٣٥١٢٣٤٥٦٢", "ir", "+989351234562", "Irancell"),
    _mobile("full-width digits", "０９３５１２３４５６３", "ir", "+989351234563", "Irancell"),
    _mobile("+98 and 0", "+98 09351234564", "ir", "+989351234564", "Irancell"),
    _mobile("98 and 0, thirteen digits", "98 09351234565", "ir", "+989351234565", "Irancell"),
    _mobile("bidi marks", "\u200e\u202a09351234566\u202c", "ir", "+989351234566", "Irancell"),
    _mobile("ZWNJ between digits", "0935\u200c123\u200c4567", "ir", "+989351234567", "Irancell"),
    # And what a portal sends on any day.
    _mobile("98 without +, an integer", 989029999999, "ir", "+989029999999", "Irancell"),
    _mobile("+98", "+989351234568", "ir", "+989351234568", "Irancell"),
    _mobile("0098", "00989351234569", "ir", "+989351234569", "Irancell"),
    _mobile("spaces and dashes", "0935-123 45 70", "ir", "+989351234570", "Irancell"),
    _mobile("brackets and dots", "(0935) 123.45.71", "ir", "+989351234571", "Irancell"),
    *(
        DirtyRow(
            "mobile",
            f"a number that two contacts share, {which}",
            {"Mobile": raw},
            {
                "mobile": "+989361112233",
                "mobile_national": "09361112233",
                "mobile_prefix_operator": "Irancell",
                "mobile_raw": str(raw),
            },
            (("mobile", "mobile_duplicate"),),
        )
        for which, raw in (("an integer", 9361112233), ("as text", "0936 111 2233"))
    ),
    DirtyRow(
        "mobile",
        "no number",
        {"Mobile": None},
        dict.fromkeys(
            (
                "mobile",
                "mobile_national",
                "mobile_kind",
                "mobile_country",
                "mobile_prefix_operator",
                "mobile_raw",
            )
        ),
    ),
)

_DAY: Final = date(1991, 8, 3)
_TEXT: Final = "1370/05/12"
_ISO: Final = "1991-08-03T00:00:00"

_DATES: Final = (
    _date("a right pair", _ISO, _TEXT, _DAY, _TEXT),
    _date("Gregorian alone", _ISO, "", _DAY, _TEXT),
    _typed("slashes", "1404/07/29"),
    _typed("dashes, one digit", "1404-7-29"),
    _typed("dots", "1404.07.29"),
    _date("one digit for month and day", None, "1404/7/9", date(2025, 10, 1), "1404/07/09"),
    _typed("eight digits", "14040729"),
    _typed("eight digits, a JSON number", 14040729),
    _typed("Persian digits", "۱۴۰۴/۰۷/۲۹"),
    _typed("Arabic digits and the month's name", "٢٩ مهر ١٤٠٤"),
    _typed("the month's name", "29 مهر 1404"),
    _typed("the month's name with ماه", "29 مهرماه 1404"),
    _typed("a weekday before it", "سه\u200cشنبه 29 مهر 1404"),
    _typed("the day first", "29/07/1404"),
    _typed("a time after it", "1404/07/29 12:30:00"),
    _typed("bidi marks", "\u200f1404/07/29\u200e"),
    _typed("ZWNJ", "1404/07\u200c/29"),
    _date(
        "a Gregorian date in the Jalali field",
        None,
        "2025/10/21",
        date(2025, 10, 21),
        "1404/07/29",
        "gregorian_in_jalali_field",
    ),
    _date("two digits, only y/m/d is a day", None, "70/05/12", _DAY, _TEXT, "date_ambiguous"),
    _date("two digits, only d/m/y is a day", None, "12/05/70", _DAY, _TEXT, "date_ambiguous"),
    _date("two digits, both are days", None, "10/05/12", None, None, "date_ambiguous"),
    _unread("30 Esfand of a common year", "1404/12/30"),
    _date("30 Esfand of a leap year", None, "1403/12/30", date(2025, 3, 20), "1403/12/30"),
    _unread("two digits, 30 Esfand of a common year", "98/12/30"),
    _unread("month 13", "1399/13/01"),
    _unread("31 Mehr", "1404/07/31"),
    _unread("month and day 0", "1404/00/00"),
    _unread("words", "نمی‌دانم"),
    _date("all zeros", None, "0000/00/00", None, None),
    _date("an empty mask", None, "____/__/__", None, None),
    _date("a dash", None, "-", None, None),
    _date("blanks", None, "   ", None, None),
    _date("0001-01-01, .NET for no date", "0001-01-01T00:00:00", "", None, None),
    _date("1900-01-01", "1900-01-01T00:00:00", "", None, None),
    _date("9999-12-31", "9999-12-31T00:00:00", "", None, None),
    _date(".NET for no date, but a twin", "0001-01-01T00:00:00", _TEXT, _DAY, _TEXT),
    _date(
        "a Jalali date in the Gregorian field",
        "1370-05-12T00:00:00",
        "",
        _DAY,
        _TEXT,
        "jalali_in_gregorian_field",
    ),
    _date("a pair that names two days", _ISO, "1370/06/12", _DAY, _TEXT, "date_mismatch"),
    _date(
        "one day apart in 1404: software with the 2820-year rule",
        "2025-10-21T00:00:00",
        "1404/07/30",
        date(2025, 10, 21),
        "1404/07/29",
        "date_mismatch",
    ),
    _date("a good day and a twin that is none", _ISO, "1370/13/12", _DAY, _TEXT, "date_invalid"),
    _date("a day that is none and a good twin", "1991-02-30T00:00:00", _TEXT, _DAY, _TEXT, "date_invalid"),
    _date("summer midnight told in UTC", "1991-08-02T19:30:00", _TEXT, _DAY, _TEXT, "date_shifted"),
    _date(
        "winter midnight told in UTC",
        "1990-12-31T20:30:00",
        "1369/10/11",
        date(1991, 1, 1),
        "1369/10/11",
        "date_shifted",
    ),
    _date(
        "20:30 in summer is no midnight",
        "1991-08-02T20:30:00",
        _TEXT,
        date(1991, 8, 2),
        "1370/05/11",
        "date_mismatch",
    ),
    _date("an evening without a twin", "1991-08-02T19:30:00", "", date(1991, 8, 2), "1370/05/11"),
    _date(
        "a birthday without a midnight in Tehran", "1996-03-21T00:00:00", "", date(1996, 3, 21), "1375/01/02"
    ),
    _date("before 1178", "1700-01-01T00:00:00", "", None, None, "date_out_of_range"),
    _date("after 1501", "2200-01-01T00:00:00", "", None, None, "date_out_of_range"),
    _date("a Jalali year that no one lived in", None, "1100/01/01", None, None, "date_out_of_range"),
    _date("a birth in the future", None, "1480/01/01", date(2101, 3, 21), "1480/01/01", "date_in_future"),
    DirtyRow(
        "date",
        "an anniversary in the future is none of our business",
        {"AnniversaryDate": None, "AnniversaryDatePer": "1480/01/01"},
        {"anniversary_date": date(2101, 3, 21), "anniversary_date_jalali": "1480/01/01"},
    ),
    DirtyRow(
        "date",
        "a custom date is read by the same rules",
        {"CustomDate2": None, "CustomDate2Per": "1404/12/30"},
        {},
        (("custom_date_2", "date_invalid"),),
    ),
)

_TEXTS: Final = (
    _city("a mark apart from its letter is joined (NFC)", "ا\u0653مل", "آمل"),
    _city("NFC comes before ي becomes ی", "مي\u0654بد", "مئبد"),
    _city("presentation forms", "\ufecb\ufee0\ufef2", "علی"),
    _city("full-width Latin", "ＴＥＨＲＡＮ", "TEHRAN"),
    _city("Arabic ي", "كرمانشاهي", "کرمانشاهی"),
    _city("Arabic ى", "موسى", "موسی"),
    _city("ڪ", "ڪرج", "کرج"),
    _city("tatweel", "تهـــران", "تهران"),
    _city("zero-width space", "تهر\u200bان", "تهران"),
    _city("byte order mark", "\ufeffتهران", "تهران"),
    _city("word joiner", "تهر\u2060ان", "تهران"),
    _city("soft hyphen", "تهر\u00adان", "تهران"),
    _city("ZWJ between letters", "تهر\u200dان", "تهران"),
    _city("bidi marks", "\u200e\u202bتهران\u202c\u200f\u061c", "تهران"),
    _city("bidi isolates", "\u2067تهران\u2069", "تهران"),
    _city("control characters", "تهر\x00\x07\x7f\x9fان", "تهران"),
    _city("no-break space", "بندر\u00a0انزلی", "بندر انزلی"),
    _city("other Unicode spaces", "بندر\u2003\u3000انزلی", "بندر انزلی"),
    _city("tab and line breaks", "بندر\t\r\nانزلی", "بندر انزلی"),
    _city("¬ of old keyboards", "خرم¬آباد", "خرم\u200cآباد"),
    _city("ZWNJ twice", "خرم\u200c\u200cآباد", "خرم\u200cآباد"),
    _city("ZWNJ beside a space and at the edges", "\u200cبندر\u200c \u200cانزلی\u200c", "بندر انزلی"),
    _city("spaces many and outside", "  بندر   انزلی ", "بندر انزلی"),
    _city("blank", " \t ", None),
    _city("nothing but what cannot be seen", "\u200c\u200f\ufeff", None),
    _kept("ZWNJ inside words stays", "علی‌رضا می‌رود"),
    _kept("آ ء أ ؤ ئ ة stay", "آیة الله رأفت مؤمنی علاءالدین هیئت فاطمة"),
    _kept("Kurdish, Azeri and Urdu letters stay", "ئەحمەد کوڕ ڕێ سۆران جاں"),
    _kept("digits stay as they were typed", "پلاک ۱۲ واحد 3 طبقه ٤"),
    _kept("Latin case stays", "iPhone McDonald ABC"),
    _kept("diacritics stay", "مُحَمَّدٌ اصلاً خصوصاً"),
    _kept("no global NFKC", "…½²™"),
    _kept("ZWJ between emoji stays", "👨\u200d👩\u200d👧 خانواده"),
    _kept("quotes, commas, a formula", "=1+1, \"نقل\" 'قول'؛ @home"),
    DirtyRow(
        "text",
        "full_name is made of the clean names",
        {"FName": " علي\u200f‌رضا ", "LName": "كريمي\u200c"},
        {"first_name": "علی‌رضا", "last_name": "کریمی", "full_name": "علی‌رضا کریمی"},
    ),
    DirtyRow("text", "no last name", {"LName": ""}, {"last_name": None, "full_name": _MARYAM}),
    DirtyRow(
        "text",
        "no name at all",
        {"FName": None, "LName": " "},
        {"first_name": None, "last_name": None, "full_name": None},
    ),
)

_OTHERS: Final = (
    DirtyRow(
        "other",
        "an e-mail's domain in lower case",
        {"Email": " Sara.B@Example.COM "},
        {"email": "Sara.B@example.com"},
    ),
    DirtyRow(
        "other",
        "an e-mail with a bidi mark",
        {"Email": "\u200fsara@example.ir"},
        {"email": "sara@example.ir"},
    ),
    DirtyRow(
        "other", "an e-mail that is none", {"Email": "sara at example"}, {}, (("email", "email_invalid"),)
    ),
    DirtyRow(
        "other", "gender in words only", {"GenderType": None, "GenderTypeStr": "آقا"}, {"gender": "male"}
    ),
    DirtyRow("other", "gender unknown", {"GenderType": None, "GenderTypeStr": ""}, {"gender": None}),
    DirtyRow(
        "other",
        "gender and its word contradict",
        {"GenderType": True, "GenderTypeStr": "خانم"},
        {"gender": "male"},
        (("gender", "gender_mismatch"),),
    ),
    DirtyRow(
        "other",
        "an object for text",
        {"FName": {"fa": "مریم"}},
        {"first_name": None, "full_name": "احمدی"},
        (("first_name", "type_mismatch"),),
    ),
    DirtyRow("other", "a list for text", {"CompanyTitle": ["پارس"]}, {}, (("company", "type_mismatch"),)),
    DirtyRow(
        "other", "a word for a boolean", {"Active": "maybe"}, {"active": None}, (("active", "type_mismatch"),)
    ),
    DirtyRow("other", "a boolean as text", {"Active": "false"}, {"active": False}),
    DirtyRow("other", "a boolean as a number", {"Deleted": 1}, {"deleted": True}),
    DirtyRow("other", "a boolean missing", {"Active": None}, {"active": None}),
    DirtyRow("other", "a number for text", {"CustomText1": 42}, {"custom_text_1": "42"}),
    DirtyRow(
        "other",
        "a field that no document names",
        {"NationalCode": "0012345679"},
        {"extra": '{"NationalCode":"0012345679"}'},
        run_issues=(("extra", "unknown_field"),),
    ),
    DirtyRow("other", "marked deleted", {"Deleted": True}, {"deleted": True}),
    DirtyRow(
        "other",
        "a stamp to seven digits",
        {"UpdateDateTime": "2025-10-21T11:03:41.9600009"},
        {"updated_at": datetime(2025, 10, 21, 11, 3, 41, 960_000, ZoneInfo("Asia/Tehran"))},
    ),
    DirtyRow(
        "other",
        "a stamp without a fraction",
        {"UpdateDateTime": "2025-10-21T11:03:41"},
        {"updated_at": datetime(2025, 10, 21, 11, 3, 41, 0, ZoneInfo("Asia/Tehran"))},
    ),
    DirtyRow(
        "other",
        "a stamp that is none",
        {"UpdateDateTime": "yesterday"},
        dict.fromkeys(("updated_at", "updated_date", "updated_date_jalali")),
        (("updated_at", "date_invalid"),),
    ),
    DirtyRow(
        "other",
        "no stamp",
        {"UpdateDateTime": "0001-01-01T00:00:00"},
        dict.fromkeys(("updated_at", "updated_date", "updated_date_jalali")),
    ),
)

DIRTY: Final = (*_MOBILES, *_DATES, *_TEXTS, *_OTHERS)
"""Every dirty contact, by family."""
