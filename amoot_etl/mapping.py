"""What the custom fields of an account mean: a name, a Persian label and a type for each.

A mapping stands in `amoot.toml`, a table for each custom column that means something:

```toml
[mapping.custom_text_1]
name = "national_id"
label = "کد ملی"
type = "national_id"

[mapping.custom_text_2]
name = "level"
type = "choice"
choices = { gold = ["طلایی", "VIP"], silver = "نقره‌ای" }
```

A mapped column stands where the custom one stood. A date brings its Jalali twin along, whether it was a custom
date or a custom text. Nothing here looks at data: `transformers.custom` does what a type says.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from amoot_etl.errors import SettingsError
from amoot_etl.schema import TABLES, Column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amoot_etl.toml_lines import Place

__all__ = ["CUSTOM_COLUMNS", "JALALI", "KINDS", "CustomField", "Kind", "did_you_mean", "read_mapping"]


class Kind(NamedTuple):
    """One type that a mapping can give."""

    arrow: str
    """The Arrow type of the column, by name; `{places}` is the mapping's."""
    means: str
    """What the column then holds."""


KINDS: Final = {
    "text": Kind("string", "Text, cleaned"),
    "integer": Kind("int64", "Whole number"),
    "decimal": Kind("decimal128(18, {places})", "Number, exact"),
    "boolean": Kind("bool", "Yes or no"),
    "date": Kind("date32", "Date, Gregorian"),
    "mobile": Kind("string", "Mobile number as E.164 (`+989121234567`)"),
    "email": Kind("string", "E-mail address, its domain in lower case"),
    "national_id": Kind("string", "National ID, ten digits"),
    "legal_id": Kind("string", "National ID of a legal person, eleven digits"),
    "postal_code": Kind("string", "Postal code, ten digits"),
    "sheba": Kind("string", "Sheba number (IBAN), IR and 24 digits"),
    "card": Kind("string", "Bank card number, sixteen digits"),
    "choice": Kind("string", "One of: {choices}"),
    "json": Kind("string", "JSON text"),
}
"""The types by name."""

CUSTOM_COLUMNS: Final = tuple(
    name for name in TABLES["contacts"].names if re.fullmatch(r"custom_(text|date)_\d", name)
)
"""The columns that a mapping may name; the Jalali twin of a date follows its date."""

JALALI: Final = "_jalali"
"""What the name of a Jalali twin ends in."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEYS: Final = ("name", "type", "label", "description", "places", "choices")
_PRECISION: Final = 18
_PLACES: Final = 2
_LONGEST_LABEL: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """One custom column with a meaning.

    Args:
        column: The custom column, `custom_text_1` or `custom_date_1`.
        name: What it is called in the tables.
        type: One of `KINDS`.
        label: Its heading in Persian; empty for the custom column's own.
        description: What it holds, in one sentence; empty for what the type says.
        places: Digits behind the point of a decimal.
        choices: The choices, each with the other words that mean it.
        place: Where in the settings it stands, for a message.
    """

    column: str
    name: str
    type: str = "text"
    label: str = ""
    description: str = ""
    places: int = _PLACES
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
    place: str = field(default="", repr=False, compare=False)

    def columns(self) -> tuple[Column, ...]:
        """Give the columns that stand where the custom one stood: one, or for a date two.

        >>> one, twin = CustomField(column="custom_text_3", name="joined", type="date").columns()
        >>> one.type, twin.name, twin.type
        ('date32', 'joined_jalali', 'string')
        """
        old = TABLES["contacts"][self.column]
        kind = KINDS[self.type]
        label = self.label or old.label
        means = kind.means.format(choices=", ".join(f"`{choice}`" for choice, _ in self.choices))
        one = Column(
            self.name,
            kind.arrow.format(places=self.places),
            self.description or f"{means}; {self.column} until it was mapped.",
            label,
            old.source,
            self.type,
        )
        if self.type != "date":
            return (one,)
        told = f"The same day as {self.name} in the Jalali calendar, `1370/05/12`."
        return one, Column(f"{self.name}{JALALI}", "string", told, f"{label} (شمسی)", old.source)

    def as_json(self) -> dict[str, Any]:
        """Give it for the manifest and the fingerprint, without what goes without saying."""
        told: dict[str, Any] = {"column": self.column, "name": self.name, "type": self.type}
        told |= {key: getattr(self, key) for key in ("label", "description") if getattr(self, key)}
        if self.type == "decimal":
            told["places"] = self.places
        if self.choices:
            told["choices"] = {choice: list(others) for choice, others in self.choices}
        return told


def read_mapping(table: Any, *, place: Place = ".".join, section: str = "mapping") -> tuple[CustomField, ...]:
    """Read a mapping, as TOML gives it.

    Args:
        table: Custom column to what it means: `name`, `type`, `label`, `description`, and for their types
            `places` and `choices`.
        place: Says where a key stands, for a message.
        section: The keys above it, by dots.

    Raises:
        SettingsError: A column, a key or a type is unknown, a name is taken, or a value is not what it must be.

    >>> read_mapping({"custom_text_1": {"name": "code", "type": "nationalid"}})
    Traceback (most recent call last):
    amoot_etl.errors.SettingsError: mapping.custom_text_1.type: there is no type nationalid; did you mean national_id?
    """
    reader = _Reader(place, tuple(section.split(".")))
    if not isinstance(table, dict):
        raise reader.wrong((), "must be a table of custom columns, such as [mapping.custom_text_1]")
    fields: list[CustomField] = []
    for column in table:
        one = reader.field(column, table[column])
        taken = next((other for other in fields if other.name == one.name), None)
        if taken:
            raise reader.wrong((column, "name"), f"{one.name} is the name of {taken.column} already")
        fields.append(one)
    order = {column: number for number, column in enumerate(CUSTOM_COLUMNS)}
    return tuple(sorted(fields, key=lambda one: order[one.column]))


class _Reader:
    """Reads one mapping, and says where it is wrong."""

    def __init__(self, place: Place, section: tuple[str, ...]) -> None:
        self._place = place
        self._section = section

    def wrong(self, keys: tuple[str, ...], what: str) -> SettingsError:
        path = (*self._section, *keys)
        return SettingsError(f"{self._place(path)}: {what}", subject=".".join(path))

    def field(self, column: str, table: Any) -> CustomField:
        if column not in CUSTOM_COLUMNS:
            hint = did_you_mean(column, CUSTOM_COLUMNS, loose=True)
            raise self.wrong((column,), f"there is no custom column {column}{hint}")
        if not isinstance(table, dict):
            raise self.wrong((column,), 'must be a table, such as { name = "level", type = "text" }')
        for key in table:
            if key not in _KEYS:
                raise self.wrong((column, key), f"there is no key {key}{did_you_mean(key, _KEYS)}")
        kind = self._kind(column, table)
        return CustomField(
            column=column,
            name=self._name(column, table),
            type=kind,
            label=self._label(column, table),
            description=self._words(column, table, "description"),
            places=self._places(column, table, kind),
            choices=self._choices(column, table, kind),
            place=self._place((*self._section, column)),
        )

    def _words(self, column: str, table: dict[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self.wrong((column, key), "must be text")
        if value and not _shows(value):
            raise self.wrong((column, key), "is blank, or holds a character that cannot be shown")
        return value.strip()

    def _kind(self, column: str, table: dict[str, Any]) -> str:
        dated = column.startswith("custom_date")
        kind = table.get("type", "date" if dated else "text")
        if not isinstance(kind, str) or kind not in KINDS:
            hint = did_you_mean(str(kind), KINDS, loose=True)
            raise self.wrong((column, "type"), f"there is no type {kind}{hint}")
        if dated and kind != "date":
            raise self.wrong((column, "type"), f"{column} holds dates: its type can only be date")
        return kind

    def _name(self, column: str, table: dict[str, Any]) -> str:
        name = self._words(column, table, "name") or column
        keys = (column, "name")
        if not _NAME.fullmatch(name):
            raise self.wrong(
                keys, f"{name!r} is no column name: use small Latin letters, digits and _, a letter first"
            )
        if name != column:
            for other in TABLES.values():
                if name in other.names:
                    raise self.wrong(keys, f"{name} is taken: it is a column of {other.name}")
            if name.endswith(JALALI):
                raise self.wrong(keys, f"{name} is taken: names that end in {JALALI} are of Jalali twins")
        return name

    def _label(self, column: str, table: dict[str, Any]) -> str:
        label = self._words(column, table, "label")
        if len(label) > _LONGEST_LABEL:
            raise self.wrong((column, "label"), f"is longer than {_LONGEST_LABEL} characters")
        if label[:1] in set("=+-@＝＋－＠"):
            raise self.wrong((column, "label"), "begins with what a spreadsheet takes for a formula")
        return label

    def _places(self, column: str, table: dict[str, Any], kind: str) -> int:
        if "places" not in table:
            return _PLACES
        places = table["places"]
        if kind != "decimal":
            raise self.wrong((column, "places"), f"belongs to the type decimal, not to {kind}")
        if not isinstance(places, int) or isinstance(places, bool) or not 0 <= places < _PRECISION:
            raise self.wrong((column, "places"), f"must be a whole number from 0 to {_PRECISION - 1}")
        return places

    def _choices(
        self, column: str, table: dict[str, Any], kind: str
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        keys = (column, "choices")
        choices = table.get("choices")
        if kind != "choice":
            if choices is not None:
                raise self.wrong(keys, f"belongs to the type choice, not to {kind}")
            return ()
        if isinstance(choices, list):
            if not all(isinstance(choice, str) for choice in choices):
                raise self.wrong(keys, "must be texts")
            choices = dict.fromkeys(choices, ())
        if not isinstance(choices, dict) or not choices:
            raise self.wrong(
                keys, 'the type choice needs its choices: ["a", "b"] or { a = ["another word for it"] }'
            )
        pairs = []
        for choice, others in choices.items():
            words = (others,) if isinstance(others, str) else tuple(others) if _is_list(others) else None
            if words is None or not all(isinstance(word, str) for word in words):
                raise self.wrong((*keys, choice), "must be a text or texts: other words for the choice")
            if not all(_shows(word) for word in (choice, *words)):
                raise self.wrong((*keys, choice), "holds an empty word, or one that cannot be shown")
            pairs.append((choice.strip(), tuple(word.strip() for word in words)))
        return tuple(pairs)


def _shows(word: str) -> bool:
    """Tell whether there is something to be seen, and nothing hidden; the non-joiner is a Persian letter's."""
    bare = word.replace("\u200c", "")
    return bare.isprintable() and bool(bare.strip())


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def did_you_mean(word: str, known: Iterable[str], *, loose: bool = False) -> str:
    """Give the end of a message that names the nearest right word, or all of them.

    Args:
        word: What was written.
        known: The right words.
        loose: Whether `CustomText1` and `National-ID` are to be read as ours are written.
    """
    plain = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|[\s-]+", "_", word).lower() if loose else word
    near = difflib.get_close_matches(plain, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
