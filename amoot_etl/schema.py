"""The tables: one declaration a column, from which everything that describes them is made.

Types are Arrow's names (`int64`, `string`, `date32`, `timestamp[us, Asia/Tehran]`); this module imports no
Arrow, so that a command that only describes or looks starts at once. The loaders turn a declaration into an
Arrow schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from amoot_etl.errors import SettingsError

__all__ = [
    "CHANGES",
    "CONTACT_FIELDS",
    "GROUP_FIELDS",
    "RAW",
    "RULES",
    "SCHEMA_VERSION",
    "TABLES",
    "TRANSFORMS_VERSION",
    "UPDATE_FIELDS",
    "Column",
    "Table",
    "table_of",
]

SCHEMA_VERSION: Final = 1

TRANSFORMS_VERSION: Final = 4
"""Raised whenever the same records come out of the transformers differently: sync then exports anew."""

CONTACT_FIELDS: Final = (
    "ID",
    "Active",
    "ContactGroupID",
    "Mobile",
    "FName",
    "LName",
    "GenderType",
    "GenderTypeStr",
    "CompanyTitle",
    "JobTitle",
    "Email",
    "CityName",
    "AddressText",
    "BornDate",
    "BornDatePer",
    "AnniversaryDate",
    "AnniversaryDatePer",
    "CustomText1",
    "CustomText2",
    "CustomText3",
    "CustomText4",
    "CustomText5",
    "CustomText6",
    "CustomDate1",
    "CustomDate1Per",
    "CustomDate2",
    "CustomDate2Per",
    "CustomDate3",
    "CustomDate3Per",
    "Deleted",
    "UpdateDateTime",
)
"""The fields of a contact that the portal documents, in its order."""

GROUP_FIELDS: Final = ("ContactGroupID", "Title", "ContactsCount", "ContactsActiveCount")
"""The fields of a group that the portal documents."""

UPDATE_FIELDS: Final = ("ID", "UpdateDateTime", "Deleted")
"""The fields of an entry of `ContactListUpdates`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one table.

    Args:
        name: Its name in every format.
        type: Its Arrow type, by name.
        description: What it holds, in one sentence.
        label: Its heading in Persian.
        source: The portal's fields that it comes from.
        kind: The type that a user's mapping gave it, such as `national_id`; empty for our own columns.
    """

    name: str
    type: str
    description: str
    label: str
    source: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name, what one row is, its heading in Persian, its columns in order."""

    name: str
    description: str
    label: str
    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        """Give the column of that name.

        >>> TABLES["contacts"]["mobile"].type
        'string'
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)


def _date_pair(name: str, what: str, label: str, field: str) -> tuple[Column, Column]:
    return (
        Column(
            name,
            "date32",
            f"{what}, Gregorian, from {field}, else from {field}Per.",
            label,
            (field, f"{field}Per"),
        ),
        Column(
            f"{name}_jalali",
            "string",
            f"The same day as {name} in the Jalali calendar, `1370/05/12`.",
            f"{label} (شمسی)",
            (field, f"{field}Per"),
        ),
    )


_CONTACTS = Table(
    "contacts",
    "One row a contact; a contact the portal marks deleted stays, with `deleted` true.",
    "مخاطبین",
    (
        Column("contact_id", "int64", "The portal's ID of the contact, unique.", "شناسه مخاطب", ("ID",)),
        Column("active", "bool", "Whether the contact is active.", "فعال", ("Active",)),
        Column("deleted", "bool", "Whether the portal marks the contact deleted.", "حذف‌شده", ("Deleted",)),
        Column(
            "mobile",
            "string",
            "The number as E.164 (`+989121234567`), for every number that can be a mobile.",
            "موبایل",
            ("Mobile",),
        ),
        Column(
            "mobile_national",
            "string",
            "The number as dialled in Iran (`09121234567`); null for a foreign number.",
            "موبایل (داخلی)",
            ("Mobile",),
        ),
        Column(
            "mobile_kind",
            "string",
            "`ir` (range in the table), `ir_unlisted` (9 and nine digits, range unknown), `foreign`, "
            "`landline`, `invalid`; null when empty.",
            "نوع شماره",
            ("Mobile",),
        ),
        Column(
            "mobile_country",
            "string",
            "The number's country as ISO code, landlines too.",
            "کشور شماره",
            ("Mobile",),
        ),
        Column(
            "mobile_prefix_operator",
            "string",
            "The holder of the number range; numbers are portable since 2016, so it need not serve it.",
            "اپراتور پیش‌شماره",
            ("Mobile",),
        ),
        Column("mobile_raw", "string", "The number as the portal sent it.", "موبایل (خام)", ("Mobile",)),
        Column("first_name", "string", "First name, cleaned.", "نام", ("FName",)),
        Column("last_name", "string", "Last name, cleaned.", "نام خانوادگی", ("LName",)),
        Column(
            "full_name", "string", "First and last name, joined by a space.", "نام کامل", ("FName", "LName")
        ),
        Column(
            "gender",
            "string",
            "`male`, `female` or null, from GenderType, else from GenderTypeStr.",
            "جنسیت",
            ("GenderType", "GenderTypeStr"),
        ),
        Column("company", "string", "Company, cleaned.", "شرکت", ("CompanyTitle",)),
        Column("job_title", "string", "Job title, cleaned.", "سمت", ("JobTitle",)),
        Column("email", "string", "E-mail address, its domain in lower case.", "ایمیل", ("Email",)),
        Column("city", "string", "City, cleaned.", "شهر", ("CityName",)),
        Column("address", "string", "Address, cleaned.", "نشانی", ("AddressText",)),
        *_date_pair("birth_date", "Birthday", "تاریخ تولد", "BornDate"),
        *_date_pair("anniversary_date", "Anniversary", "تاریخ سالگرد", "AnniversaryDate"),
        *(
            Column(
                f"custom_text_{n}",
                "string",
                f"Custom text {n}, cleaned.",
                f"متن دلخواه {n}",
                (f"CustomText{n}",),
            )
            for n in range(1, 7)
        ),
        *(
            column
            for n in range(1, 4)
            for column in _date_pair(
                f"custom_date_{n}", f"Custom date {n}", f"تاریخ دلخواه {n}", f"CustomDate{n}"
            )
        ),
        Column("groups", "string", "Titles of the contact's groups by group_id, joined by ` | `.", "گروه‌ها"),
        Column(
            "updated_at",
            "timestamp[us, Asia/Tehran]",
            "When the contact was last changed in the portal.",
            "زمان آخرین تغییر",
            ("UpdateDateTime",),
        ),
        Column(
            "updated_date", "date32", "The Tehran day of updated_at.", "روز آخرین تغییر", ("UpdateDateTime",)
        ),
        Column(
            "updated_date_jalali",
            "string",
            "The Tehran day of updated_at in the Jalali calendar.",
            "روز آخرین تغییر (شمسی)",
            ("UpdateDateTime",),
        ),
        Column("extra", "string", "JSON object of fields that the portal does not document.", "سایر فیلدها"),
    ),
)

_GROUPS = Table(
    "groups",
    "One row a group (the portal also calls it a label).",
    "گروه‌ها",
    (
        Column(
            "group_id", "int64", "The portal's ID of the group, unique.", "شناسه گروه", ("ContactGroupID",)
        ),
        Column("title", "string", "The group's title, cleaned.", "عنوان گروه", ("Title",)),
        Column(
            "contacts_count",
            "int64",
            "Contacts in the group, as the portal counts.",
            "تعداد مخاطبین (پرتال)",
            ("ContactsCount",),
        ),
        Column(
            "contacts_active_count",
            "int64",
            "Active contacts in the group, as the portal counts.",
            "تعداد مخاطبین فعال (پرتال)",
            ("ContactsActiveCount",),
        ),
        Column(
            "contacts_exported", "int64", "Contacts in the group, in this export.", "تعداد مخاطبین (خروجی)"
        ),
        Column(
            "contacts_active_exported",
            "int64",
            "Active contacts in the group, in this export.",
            "تعداد مخاطبین فعال (خروجی)",
        ),
        Column("reconciled", "bool", "Whether the portal's count and ours agree.", "تطبیق"),
    ),
)

_CONTACT_GROUPS = Table(
    "contact_groups",
    "One row for each contact in each of its groups: the many-to-many bridge.",
    "مخاطب در گروه",
    (
        Column("contact_id", "int64", "The contact.", "شناسه مخاطب", ("ID",)),
        Column("group_id", "int64", "A group that it is in.", "شناسه گروه", ("ContactGroupID",)),
    ),
)

_ISSUES = Table(
    "issues",
    "One row for each value that broke a rule.",
    "ایرادها",
    (
        Column(
            "contact_id",
            "int64",
            "The contact, or null where the row is about no single one.",
            "شناسه مخاطب",
            ("ID",),
        ),
        Column("column", "string", "The column of contacts.", "ستون"),
        Column("rule", "string", "The rule that the value broke.", "قاعده"),
        Column("value", "string", "The value as received; for a pair of fields both, as JSON.", "مقدار خام"),
        Column("detail", "string", "What is wrong, in words.", "شرح"),
    ),
)

_CALENDAR = Table(
    "calendar",
    "One row a day, 1300-1500 AP.",
    "تقویم",
    (
        Column("date", "date32", "The day, Gregorian, unique.", "تاریخ میلادی"),
        Column("jalali_date", "string", "The day in the Jalali calendar, `1404/07/29`.", "تاریخ شمسی"),
        Column("jalali_key", "int32", "The Jalali day as a number, 14040729.", "کلید شمسی"),
        Column("jalali_year", "int32", "Jalali year.", "سال شمسی"),
        Column("jalali_month", "int32", "Jalali month, 1-12.", "ماه شمسی"),
        Column("jalali_day", "int32", "Jalali day of the month.", "روز شمسی"),
        Column(
            "jalali_month_name", "string", "Name of the Jalali month; sort it by jalali_month.", "نام ماه"
        ),
        Column("jalali_year_month", "string", "Jalali year and month, `1404/07`.", "سال و ماه شمسی"),
        Column("jalali_quarter", "int32", "Quarter of the Jalali year, 1-4.", "فصل (شماره)"),
        Column("jalali_season", "string", "Name of the season; sort it by jalali_quarter.", "فصل"),
        Column("jalali_week", "int32", "Week of the Jalali year; weeks begin on Saturday.", "هفته سال"),
        Column("jalali_day_of_year", "int32", "Day of the Jalali year, 1-366.", "روز سال"),
        Column("is_leap", "bool", "Whether the Jalali year has 366 days.", "سال کبیسه"),
        Column("weekday", "int32", "Day of the week, Saturday = 1.", "شماره روز هفته"),
        Column("weekday_name", "string", "Name of the day of the week; sort it by weekday.", "روز هفته"),
        Column("is_weekend", "bool", "Whether the day is a Friday.", "آخر هفته"),
        Column(
            "is_holiday", "bool", "Whether the day is a holiday fixed in the Jalali calendar.", "تعطیل رسمی"
        ),
        Column("holiday_name", "string", "Name of that holiday.", "مناسبت"),
        Column("year", "int32", "Gregorian year.", "سال میلادی"),
        Column("month", "int32", "Gregorian month, 1-12.", "ماه میلادی"),
        Column("day", "int32", "Gregorian day of the month.", "روز میلادی"),
    ),
)

_EXPORT_INFO = Table(
    "export_info",
    "One row: the run that made this set.",
    "درباره خروجی",
    (
        Column("run_id", "string", "The run.", "شناسه اجرا"),
        Column("mode", "string", "`export` or `sync`.", "نوع اجرا"),
        Column(
            "finished_at",
            "timestamp[us, Asia/Tehran]",
            "When the data was complete: the data is as of then.",
            "زمان داده",
        ),
        Column("base_url", "string", "The portal.", "نشانی پرتال"),
        Column("contacts", "int64", "Rows of contacts.", "تعداد مخاطبین"),
        Column("groups", "int64", "Rows of groups.", "تعداد گروه‌ها"),
        Column("tool_version", "string", "Version of amoot-etl.", "نسخه ابزار"),
        Column("schema_version", "int64", "Version of these tables.", "نسخه جدول‌ها"),
    ),
)

TABLES: Final = {
    table.name: table for table in (_CONTACTS, _GROUPS, _CONTACT_GROUPS, _ISSUES, _CALENDAR, _EXPORT_INFO)
}
"""The published tables by name. With `--raw` a seventh, `contacts_raw`, holds every field as received."""

RAW: Final = Table(
    "contacts_raw",
    "One row a contact, every field exactly as received; only with `--raw`.",
    "مخاطبین (خام)",
    (
        *(Column(name, "string", f"{name} as received, as text.", name, (name,)) for name in CONTACT_FIELDS),
        Column("extra", "string", "JSON object of fields that the portal does not document.", "سایر فیلدها"),
    ),
)
"""The table that `--raw` adds."""

CHANGES: Final = Table(
    "changes",
    "One row a contact that a run changed: what `diff` and `changes` give, and `changes/<run>.parquet` holds.",
    "تغییرات",
    (
        Column("run_id", "string", "The run that published the change.", "شناسه اجرا"),
        Column("at", "timestamp[us, Asia/Tehran]", "When that run's data was complete.", "زمان داده"),
        Column("contact_id", "int64", "The contact.", "شناسه مخاطب", ("ID",)),
        Column(
            "change",
            "string",
            "`added`, `updated`, `removed`, or `relabelled` when nothing but its groups changed.",
            "نوع تغییر",
        ),
        Column(
            "columns",
            "string",
            "Columns of contacts that changed, joined by ` | `; null when there are none.",
            "ستون‌ها",
        ),
        Column(
            "groups_joined",
            "string",
            "IDs of groups that it joined, joined by ` | `; null when there are none.",
            "گروه‌های تازه",
        ),
        Column(
            "groups_left",
            "string",
            "IDs of groups that it left, joined by ` | `; null when there are none.",
            "گروه‌های ترک‌شده",
        ),
    ),
)
"""The feed of changes, which stands beside the published tables."""


def table_of(table: Table | str) -> Table:
    """Give the table that a name means; a table is given back as it is.

    Args:
        table: A table, or one's name: of `TABLES`, `contacts_raw` or `changes`.

    Raises:
        SettingsError: There is no table of that name.

    >>> table_of("groups").names[:2]
    ('group_id', 'title')
    >>> table_of("group")
    Traceback (most recent call last):
        ...
    amoot_etl.errors.SettingsError: there is no table group; did you mean groups?
    """
    if isinstance(table, Table):
        return table
    known = {**TABLES, RAW.name: RAW, CHANGES.name: CHANGES}
    if table not in known:
        import difflib  # noqa: PLC0415 - only a slip needs it

        near = difflib.get_close_matches(str(table), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise SettingsError(f"there is no table {table}; {hint}", subject=str(table))
    return known[table]


RULES: Final = {
    "mobile_invalid": "A number that nobody can be called on; the column is null.",
    "mobile_landline": "A number that no mobile can have; the column is null.",
    "mobile_duplicate": "Several contacts have this number; one row for each of them.",
    "date_invalid": "No day of either calendar; that field counts as empty.",
    "date_mismatch": "The two fields of a date name two days; the Gregorian one is kept.",
    "date_shifted": "Tehran's midnight told in UTC, a day early; the Jalali twin is kept.",
    "date_ambiguous": "Two digits for the year, or day and month in doubt; read if only one way is a day, else null.",
    "date_out_of_range": "A day before 1178 or after 1501 AP; that field counts as empty.",
    "date_in_future": "A birthday after the day of the run; kept.",
    "jalali_in_gregorian_field": "A Jalali date in the Gregorian field; read as what it is.",
    "gregorian_in_jalali_field": "A Gregorian date in the Jalali field; read as what it is.",
    "email_invalid": "Not the shape of an e-mail address; the column is null.",
    "gender_mismatch": "The boolean and the text of the gender contradict each other; the boolean is kept.",
    "custom_invalid": "A custom field cannot be read as the type that the mapping gives it; the column is null.",
    "duplicate_id": "One listing held the contact more than once.",
    "type_mismatch": "A value of another type than the portal documents; the column is null where it is lost.",
    "record_unreadable": "A record without a usable ID; the raw record is the value.",
    "unknown_field": "A field that the portal does not document; one row a field, its values are in `extra`.",
}
"""The rules of the issues table, and what breaking one means for the value."""
