"""What all runs that publish have in common: their facts, the guard, the formats, the manifest."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from amoot_etl._version import __version__
from amoot_etl.loaders.check import check_file
from amoot_etl.loaders.contract import RunFacts
from amoot_etl.loaders.generations import current_run, sound_current
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.diff import write_changes
from amoot_etl.pipeline.formats import write_formats
from amoot_etl.pipeline.guard import FULL_SCOPE, MAX_SHRINK, Candidate, contact_ids, guard, share_of_ids
from amoot_etl.pipeline.idsets import NOBODY, without
from amoot_etl.schema import SCHEMA_VERSION, TRANSFORMS_VERSION
from amoot_etl.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from amoot_etl.loaders.contract import Written
    from amoot_etl.loaders.draft import Draft
    from amoot_etl.loaders.generations import Generation
    from amoot_etl.pipeline.collect import Collected
    from amoot_etl.settings import Settings

__all__ = [
    "DEMO_URL",
    "Keeping",
    "Outcome",
    "Run",
    "Wish",
    "fingerprint",
    "formats_of",
    "now",
    "sound_previous",
]

DEMO_URL: Final = "demo"
"""What the manifest of a set from the embedded portal names as its portal; anything may take its place."""
_TEHRAN: Final = ZoneInfo("Asia/Tehran")
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


class Outcome(NamedTuple):
    """What became of a collected set."""

    published: bool
    manifest: dict[str, Any]
    warnings: list[str]


class Run:
    """One run: what is known of it before its data, and how its data becomes the current set.

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
        at = finished_at.isoformat(timespec="seconds") if finished_at else ""
        return RunFacts(self.run_id, self.mode, at, self.portal)

    def publish(self, collected: Collected, previous: Generation | None, draft: Draft, wish: Wish) -> Outcome:
        """Make a collected set the current one.

        Args:
            collected: What was collected into the draft.
            previous: The current set, if there is one.
            draft: The new set's folder.
            wish: What is wanted and allowed.

        Raises:
            RefusedError: The set is incomplete or would destroy more than is plausible.
            OutputError: It could not be written.
        """
        overruled = self._guard(previous, collected, draft, wish)
        formats = formats_of(wish.formats, previous)
        options = self.options(formats, previous)
        manifest = self._manifest(collected, previous, draft)
        manifest["shape"] = {**self.shape.as_json(), "options": options}
        warnings = [*collected.warnings, *overruled]
        if wish.dry_run:
            return Outcome(False, {**manifest, "run_id": self.run_id, "files": []}, warnings)
        written: list[Written] = [*collected.written]
        facts = self.facts(collected.finished_at)
        written += write_formats(
            formats, draft.folder, collected.written, facts, options=options, tables=self.shape.tables
        )
        if previous and previous.manifest.get("scope") == self.scope:
            written.append(write_changes(previous, draft, collected.finished_at, collected.rows))
        check = _check_in_full if wish.check == "full" else None
        return Outcome(True, draft.publish(manifest, written, check=check).manifest, warnings)

    def options(self, formats: Sequence[str], previous: Generation | None) -> dict[str, dict[str, str]]:
        """Give each format's options: as they were asked for, else as the current set has them, else the default."""
        held = previous.manifest.get("shape", {}).get("options", {}) if previous else {}
        return {name: _options(self._options[name], held.get(name, {})) for name in formats}

    def wants_other_formats(self, wish: Wish, previous: Generation) -> bool:
        """Say whether the formats beside Parquet, or how they look, are not to be as the current set has them."""
        formats = formats_of(wish.formats, previous)
        held = previous.manifest.get("shape", {}).get("options", {})
        as_held = {name: _options(dict.fromkeys(self._options[name]), held.get(name, {})) for name in formats}
        new = set(formats) - set(previous.formats())
        return bool(new) or self.options(formats, previous) != as_held

    def _manifest(self, collected: Collected, previous: Generation | None, draft: Draft) -> dict[str, Any]:
        new = once(contact_ids(draft.folder / "contacts.parquet"))
        old = once(contact_ids(previous.path / "contacts.parquet")) if previous else NOBODY
        kept = collected.contacts
        carried = {"carried": collected.carried} if self.mode == "sync" else {}
        return {
            "tool_version": __version__,
            "schema_version": SCHEMA_VERSION,
            "mode": self.mode,
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "finished_at": collected.finished_at.isoformat(timespec="seconds"),
            "today": self.today.isoformat(),
            "base_url": self.portal,
            "account": self.account,
            "scope": self.scope,
            "fingerprint": self.fingerprint,
            "counts": {
                "received": collected.received,
                **carried,
                "kept": kept,
                "repeated": collected.received + collected.carried - kept - collected.unreadable,
                "unreadable": collected.unreadable,
                "previous": len(old),
                "added": len(without(new, old)),
                "removed": len(without(old, new)),
            },
            "reconciliation": {
                "groups": _reconciliation(collected),
                "updates": collected.proof.as_json(),
            },
            "issues": dict(sorted(collected.rules.items())),
        }

    def _guard(
        self, previous: Generation | None, collected: Collected, draft: Draft, wish: Wish
    ) -> list[str]:
        """Refuse to destroy a good set; the demo's is no loss."""
        if previous and previous.manifest.get("base_url") == DEMO_URL:
            previous = None
        shared = None
        if previous:
            shared = share_of_ids(previous.path / "contacts.parquet", draft.folder / "contacts.parquet")
        candidate = Candidate(
            contacts=collected.contacts,
            scope=self.scope,
            base_url=self.portal,
            account=self.account,
            unlisted_groups=collected.unlisted_groups,
            shared_ids=shared,
        )
        return guard(
            previous.manifest if previous else None,
            candidate,
            max_shrink=wish.max_shrink,
            accept_shrink=wish.accept_shrink,
        )


def _check_in_full(generation: Generation) -> None:
    """Read a whole set back, every byte and every format, before it becomes current."""
    from amoot_etl.pipeline.verify import verify_generation  # noqa: PLC0415 - only a full check needs it

    verify_generation(generation).require_ok()


def sound_previous(output: Output) -> tuple[Generation | None, list[str]]:
    """Give the current set where it is whole, for a new one to be compared with; and a warning where it is not.

    A damaged set is no good one: refusing to publish over it would leave its owner with nothing.
    """
    current = sound_current(output.folder)
    if current is None:
        damaged = ["the current set has lost its manifest"] if current_run(output.folder) else []
    else:
        parquet = [entry for entry in current.files if entry["format"] == "parquet"]
        damaged = [
            line
            for entry in parquet
            for line in check_file(current.path / entry["path"], entry, current.run_id)
        ]
    if damaged:
        return None, [f"the current set is damaged and was compared with nothing: {damaged[0]}"]
    return current, []


def fingerprint(*, raw: bool, shape: Shape | None = None) -> str:
    """Give a short text that differs where settings or transforms shape the tables differently."""
    facts = {
        "schema": SCHEMA_VERSION,
        "transforms": TRANSFORMS_VERSION,
        "raw": raw,
        **(shape or Shape()).as_json(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def now() -> dt.datetime:
    """Give the time, on Tehran's clock."""
    return dt.datetime.now(_TEHRAN)


def _reconciliation(collected: Collected) -> list[dict[str, Any]]:
    facts = {fact.group.group_id: fact for fact in collected.groups}
    at = collected.finished_at.isoformat(timespec="seconds")
    lines = []
    for listing in collected.listings:
        fact = facts.get(listing["group_id"])
        counted = {
            "contacts_count": fact.group.contacts_count,
            "contacts_active_count": fact.group.contacts_active_count,
            "reconciled": fact.reconciled,
        } if fact else {}  # fmt: skip
        lines.append({"at": at, **listing, **counted})
    return lines


def formats_of(wanted: Sequence[str], previous: Generation | None) -> list[str]:
    """Give the formats beside Parquet: those asked for, and those that the current set holds."""
    held = [entry["format"] for entry in previous.files] if previous else []
    return [name for name in dict.fromkeys([*wanted, *held]) if name != "parquet"]


def _options(asked: Mapping[str, str | None], held: Mapping[str, str]) -> dict[str, str]:
    return {key: wish or held.get(key) or _DEFAULTS[key] for key, wish in asked.items()}
