"""What is known of a run before its data, and what is wanted of it.

Nothing here brings in Arrow: a run asks the portal before it is loaded.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from amoot_etl._version import __version__
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.guard import FULL_SCOPE, MAX_SHRINK
from amoot_etl.schema import SCHEMA_VERSION, TRANSFORMS_VERSION
from amoot_etl.settings import Settings
from amoot_etl.shape import Shape
from amoot_etl.tehran import iso, now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from amoot_etl.loaders.contract import RunFacts
    from amoot_etl.loaders.generations import Generation

__all__ = [
    "DEMO_URL",
    "Keeping",
    "Run",
    "Wish",
    "check_call",
    "fingerprint",
    "formats_of",
]

DEMO_URL: Final = "demo"
"""What the manifest of a set from the embedded portal names as its portal; anything may take its place."""
_DEFAULTS: Final = {"profile": "plain", "labels": "en", "compression": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of a result, and what is allowed.

    Args:
        formats: Formats beside Parquet; what the current set holds goes on being written.
        dry_run: Do everything but publish.
        accept_shrink: Publish even what would otherwise be refused, for once.
        max_shrink: The share of contacts that may be gone before that is refused.
        check: How deep the set is looked at before it becomes current.
    """

    formats: Sequence[str] = ()
    dry_run: bool = False
    accept_shrink: bool = False
    max_shrink: float = MAX_SHRINK
    check: Literal["cheap", "full"] = "cheap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How the output folder is kept.

    Args:
        mode: `private` or `group`: who may read the files; None as the folder is, private when it is new.
        keep: Generations kept at least.
        keep_for: How long a generation is kept after another took its place.
        resume_within: How long what a run had landed when it died may be used by the next one; 0 not at all.
        check: How deep a new set is looked at before it becomes current: `cheap` or `full`.
    """

    mode: Literal["private", "group"] | None = None
    keep: int = 3
    keep_for: dt.timedelta = dt.timedelta(hours=24)
    resume_within: dt.timedelta = dt.timedelta(minutes=15)
    check: Literal["cheap", "full"] = "cheap"

    def output(self, folder: Path) -> Output:
        """Give the folder, kept so."""
        # A century: what `never` comes to, without falling off the calendar.
        century = dt.timedelta(days=36_500)
        return Output(
            folder,
            mode=self.mode,
            keep=self.keep,
            keep_for=min(self.keep_for, century),
            resume_within=min(self.resume_within, century),
        )


class Run:
    """One run: what is known of it before its data.

    Args:
        settings: Where the portal is, the account's name, and how the user wants the tables.
        run_id: The run.
        mode: The command.
        portal: What the manifest names as the portal; the base URL unless given.
        groups: Groups to take; none means the whole account.
        raw: Whether `contacts_raw` is wanted.
        today: The run's date in Tehran; the clock's unless given.
    """

    def __init__(  # noqa: PLR0913 - what a manifest says of a run
        self,
        settings: Settings,
        run_id: str,
        *,
        mode: Literal["export", "sync"] = "export",
        portal: str | None = None,
        groups: Sequence[int] = (),
        raw: bool = False,
        today: dt.date | None = None,
    ) -> None:
        self.started_at = now()
        self.today = today or self.started_at.date()
        self.mode = mode
        self.portal = portal or settings.base_url
        self.groups = tuple(dict.fromkeys(groups))
        self.run_id = run_id
        self.account = settings.account
        self.raw = raw
        self.scope: Any = {"groups": sorted(self.groups)} if self.groups else FULL_SCOPE
        self.shape = settings.shape
        self.fingerprint = fingerprint(raw=raw, shape=self.shape)
        self._options = {
            "csv": {
                "profile": settings.csv_profile,
                "labels": settings.labels,
                "compression": settings.csv_compression,
            },
            "xlsx": {"labels": settings.labels},
        }

    def info(self) -> dict[str, Any]:
        """Give the columns of `export_info` that are known before the data."""
        return {
            "run_id": self.run_id,
            "mode": self.mode,
            "base_url": self.portal,
            "tool_version": __version__,
            "schema_version": SCHEMA_VERSION,
        }

    def facts(self, finished_at: dt.datetime | None = None) -> RunFacts:
        """Give what a file says about the run."""
        from amoot_etl.loaders.contract import RunFacts  # noqa: PLC0415 - it stands beside what needs Arrow

        at = iso(finished_at) if finished_at else ""
        return RunFacts(self.run_id, self.mode, at, self.portal)

    def options(self, formats: Sequence[str], previous: Generation | None) -> dict[str, dict[str, str]]:
        """Give each format's options: as they were asked for, else as the current set has them, else the default."""
        held = previous.manifest.get("shape", {}).get("options", {}) if previous else {}
        return {name: _options(self._options[name], held.get(name, {})) for name in formats}

    def wants_other_formats(self, wish: Wish, previous: Generation) -> bool:
        """Say whether the formats beside Parquet, or how they look, are not to be as the current set has them."""
        formats = formats_of(wish.formats, previous)
        held = previous.manifest.get("shape", {}).get("options", {})
        as_held = {name: _options(dict.fromkeys(self._options[name]), held.get(name, {})) for name in formats}
        others = set(previous.formats()) - {"parquet"}
        return set(formats) != others or self.options(formats, previous) != as_held


def check_call(settings: Settings, formats: Sequence[str]) -> None:
    """Insist that the portal may be asked, and that what is wanted can be made.

    Raises:
        TypeError: These are no settings, or no list of formats.
        SettingsError: There is no token, no such format, or a mapping's choices cannot be told apart.
    """
    if not isinstance(settings, Settings):
        # A folder is what most other functions take first.
        raise TypeError(
            f"settings are wanted, not {type(settings).__name__}: to write into another folder, "
            'hand over load_settings(out="...")'
        )
    settings.need_token()
    if isinstance(formats, str):
        raise TypeError(f'formats are a list of names: ["{formats}"]')
    if formats:
        from amoot_etl.pipeline.formats import check_formats  # noqa: PLC0415 - it brings in Arrow

        check_formats(formats)
    if settings.mapping:
        from amoot_etl.transformers.custom import check_fields  # noqa: PLC0415 - it brings in Arrow

        check_fields(settings.mapping)


def fingerprint(*, raw: bool, shape: Shape | None = None) -> str:
    """Give a short text that differs where settings or transforms shape the tables differently."""
    facts = {
        "schema": SCHEMA_VERSION,
        "transforms": TRANSFORMS_VERSION,
        "raw": raw,
        **(shape or Shape()).as_json(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def formats_of(wanted: Sequence[str], previous: Generation | None) -> list[str]:
    """Give the formats beside Parquet: those asked for, and those that the current set holds.

    Who asks for Parquet alone asks for no other.
    """
    ends = bool(wanted) and set(wanted) == {"parquet"}
    held = previous.formats() if previous and not ends else ()
    return [name for name in dict.fromkeys([*wanted, *held]) if name != "parquet"]


def _options(asked: Mapping[str, str | None], held: Mapping[str, str]) -> dict[str, str]:
    return {key: wish or held.get(key) or _DEFAULTS[key] for key, wish in asked.items()}
