"""The tables as a user wants them: the mapping applied, and the columns of contacts that were chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from amoot_etl.errors import SettingsError
from amoot_etl.mapping import JALALI, did_you_mean
from amoot_etl.schema import RAW, TABLES, Column, Table

if TYPE_CHECKING:
    from collections.abc import Collection

    from amoot_etl.mapping import CustomField

__all__ = ["Shape"]

_KEY: Final = "contact_id"
_KINDS: Final = frozenset({"mobile_kind", "mobile_country", "mobile_prefix_operator"})
"""Columns that say what sort of value a field holds, and not the value."""


@dataclass(frozen=True)
class Shape:
    """The tables as the user wants them.

    Args:
        fields: The mapping.
        columns: The columns of contacts that are wanted, by their names in the tables; none means all.
        exclude: Columns of contacts that are not wanted.

    Raises:
        SettingsError: There is no such column, or the key is not wanted.

    >>> from amoot_etl.mapping import CustomField
    >>> shape = Shape((CustomField(column="custom_text_1", name="level"),), columns=("level", "mobile"))
    >>> shape.tables["contacts"].names
    ('contact_id', 'mobile', 'level')
    """

    fields: tuple[CustomField, ...] = ()
    columns: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.contacts.names
        for setting in ("columns", "exclude"):
            for name in getattr(self, setting):
                if name not in names:
                    raise SettingsError(
                        f"{setting}: contacts has no column {name}{self._hint(name)}", subject=setting
                    )
        if _KEY in self.exclude:
            raise SettingsError(f"exclude: {_KEY} is the key of contacts and always stays", subject="exclude")

    def _hint(self, name: str) -> str:
        for mapped in self.fields:
            if name in (mapped.column, f"{mapped.column}{JALALI}"):
                return f": the mapping calls it {name.replace(mapped.column, mapped.name)}"
        return did_you_mean(name, self.contacts.names)

    def field(self, column: str) -> CustomField | None:
        """Give what the mapping says of a custom column, if it says something."""
        return next((one for one in self.fields if one.column == column), None)

    def name(self, column: str) -> str:
        """Give the name that one of our columns of contacts has in the tables.

        >>> from amoot_etl.mapping import CustomField
        >>> Shape((CustomField(column="custom_date_1", name="due", type="date"),)).name("custom_date_1_jalali")
        'due_jalali'
        """
        twin = JALALI if column.endswith(JALALI) else ""
        mapped = self.field(column.removesuffix(JALALI))
        return f"{mapped.name}{twin}" if mapped else column

    @cached_property
    def contacts(self) -> Table:
        """The table of contacts with the mapping applied and every column in it."""
        table = TABLES["contacts"]
        columns: list[Column] = []
        for column in table.columns:
            mapped = self.field(column.name)
            if mapped:
                columns += mapped.columns()
            elif not (column.name.endswith(JALALI) and self.field(column.name.removesuffix(JALALI))):
                columns.append(column)
        return replace(table, columns=tuple(columns))

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The published tables by name, with the mapping applied and only the wanted columns."""
        wanted = {*(self.columns or self.contacts.names), _KEY} - set(self.exclude)
        chosen = tuple(column for column in self.contacts.columns if column.name in wanted)
        return {**TABLES, "contacts": replace(self.contacts, columns=chosen), RAW.name: RAW}

    @cached_property
    def is_whole(self) -> bool:
        """Whether every column is wanted."""
        return self.tables["contacts"].names == self.contacts.names

    @cached_property
    def told_of(self) -> frozenset[str]:
        """The columns whose issues are told: those that share a field of the portal with a wanted one.

        >>> sorted(Shape(columns=("mobile_national",)).told_of)[:3]
        ['contact_id', 'mobile', 'mobile_country']
        """
        return self._akin(self.tables["contacts"].names)

    @cached_property
    def shown(self) -> frozenset[str]:
        """The columns whose issues show what was received: not those of which no wanted column holds the value.

        >>> "mobile" in Shape(columns=("mobile_kind",)).told_of, "mobile" in Shape(columns=("mobile_kind",)).shown
        (True, False)
        """
        return self._akin(set(self.tables["contacts"].names) - _KINDS)

    def _akin(self, names: Collection[str]) -> frozenset[str]:
        """Give these columns, and those that share a field of the portal with one."""
        sources = {source for name in names for source in self.contacts[name].source}
        return frozenset(
            column.name
            for column in self.contacts.columns
            if column.name in names or sources.intersection(column.source)
        )

    def as_json(self) -> dict[str, Any]:
        """Give what makes the tables look as they do, for the manifest and the fingerprint."""
        return {
            "mapping": [one.as_json() for one in self.fields],
            "columns": {column.name: column.type for column in self.tables["contacts"].columns},
        }
