"""Look at everything that a run needs, from the settings to the disk, without changing any of it.

Findings come in the order in which they are best put right: a later one often follows from an earlier one, so the
first problem is the worst.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from amoot_etl._version import __version__
from amoot_etl.client import Client
from amoot_etl.errors import (
    AmootError,
    CredentialsError,
    NotFound,
    OutputError,
    PortalUnavailable,
    SettingsError,
)
from amoot_etl.extractors.groups import fetch_groups
from amoot_etl.loaders.generations import HOME, current_run, list_generations, sound_current
from amoot_etl.loaders.lock import is_locked, lock_holder
from amoot_etl.pipeline.finding import Finding
from amoot_etl.pipeline.reach import look_at_the_way
from amoot_etl.pipeline.room import room_needed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from amoot_etl.settings import Settled

__all__ = ["Finding", "examine", "worst"]

_PATIENCE: Final = 30.0
"""Seconds that the doctor waits for an answer, where a run may wait longer."""
_SKEW: Final = 60.0
_PACKAGES: Final = ("certifi", "duckdb", "pandas", "pyarrow", "urllib3", "XlsxWriter")
_OPTIONAL: Final = {
    "ContactListUpdates": "exports work, but nothing proves that they are complete, and sync has to list everything",
    "ContactGet": "exports work, but a contact that changes in mid-run cannot be fetched by itself",
}


def worst(findings: list[Finding]) -> Finding | None:
    """Give the first problem, which is to be put right before any other.

    >>> worst([Finding("clock", "warning", "two minutes off")]) is None
    True
    """
    return next((finding for finding in findings if finding.state == "problem"), None)


def examine(settled: Settled) -> Iterator[Finding]:
    """Look at everything, one finding after another.

    Args:
        settled: The settings, and where each came from.
    """
    settings = settled.settings
    yield _settings(settled)
    yield _token(settled)
    reachable = True
    for finding in look_at_the_way(settings):
        reachable = reachable and finding.state != "problem"
        yield finding
    records = 0
    if not settings.token or not reachable:
        why = "the portal cannot be reached" if settings.token else "there is no token"
        yield Finding("methods", "unknown", f"not asked: {why}")
    else:
        quick = replace(settings, timeout=min(settings.timeout, _PATIENCE), retries=1)
        with Client(quick) as client:
            groups = yield from _methods(client)
        records = groups
    yield from _disk(settings.out, records)
    yield from _published(settings.out)
    yield _versions()


def _settings(settled: Settled) -> Finding:
    hidden = {"token", "token_problem", "mapping"}
    values = {
        item.name: {"value": _plain(getattr(settled.settings, item.name)), "from": settled.sources[item.name]}
        for item in fields(settled.settings)
        if item.name not in hidden
    }
    mapped = [field.name for field in settled.settings.mapping]
    values["mapping"] = {"value": mapped, "from": settled.sources["mapping"]}
    told = ", ".join(
        f"{name} {_in_words(each['value'])} ({each['from']})"
        for name, each in values.items()
        if each["from"] != "default" or name in {"base_url", "out"}
    )
    details = {"settings": values, "accounts": list(settled.accounts)}
    return Finding("settings", "ok", told, details=details)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _in_words(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _token(settled: Settled) -> Finding:
    source = settled.sources["token"]
    if settled.settings.token:
        return Finding("token", "ok", f"present, from {source}", details={"present": True, "from": source})
    try:
        settled.settings.need_token()
    except SettingsError as error:
        told, _, way_out = str(error).rpartition(": ")
        return Finding(
            "token", "problem", told or "missing", way_out, SettingsError, {"present": False, "from": source}
        )
    raise AssertionError("a token that is missing is needed")


# The methods


def _methods(client: Client) -> Generator[Finding, None, int]:
    """Ask each method for as little as it lets itself be asked for; give the contacts that the portal counts."""
    records, smallest = 0, 0
    finding, date, seconds = _ask(client, "ContactGroupList")
    yield finding
    if finding.error is PortalUnavailable:
        yield Finding("methods", "unknown", "the others were not asked: the portal does not answer")
        return records
    if finding.state == "ok":
        with contextlib.suppress(AmootError):
            groups = fetch_groups(client)
            records = sum(group.contacts_count or 0 for group in groups)
            counted = {group.contacts_count or 0: group.group_id for group in groups}
            smallest = counted[min(counted)] if counted else 0
    yield _ask(client, "ContactList", ContactGroupID=smallest)[0]
    yield _ask(client, "ContactGet", ContactID=1)[0]
    yield _ask(client, "ContactListUpdates", ContactGroupID=0)[0]
    if seconds is not None:
        slow = "" if seconds < 5 else "; the portal is slow today"
        yield Finding(
            "first byte",
            "ok",
            f"after {seconds * 1000:,.0f} ms{slow}",
            details={"seconds": round(seconds, 3)},
        )
    yield _clock(date)
    return records


def _ask(client: Client, method: str, **form: int) -> tuple[Finding, datetime | None, float | None]:
    try:
        probe = client.probe(method, **form)
    except NotFound:
        return Finding(method, "ok", "allowed", details={"allowed": True}), None, None
    except PortalUnavailable as error:
        # For a contact that is not there some portals answer Failed; the method itself is allowed.
        if method == "ContactGet" and error.status == "Failed":
            return Finding(method, "ok", "allowed", details={"allowed": True}), None, None
        return _refused(method, error), None, None
    except AmootError as error:
        return _refused(method, error), None, None
    return Finding(method, "ok", "allowed", details={"allowed": True}), probe.date, probe.seconds


def _refused(method: str, error: AmootError) -> Finding:
    status = getattr(error, "status", "")
    told, _, way_out = str(error).removeprefix(f"{method}: ").rpartition(": ")
    details = {"allowed": not isinstance(error, CredentialsError), "status": status}
    if method in _OPTIONAL and (
        not isinstance(error, CredentialsError) or status.endswith("NotAllowMethod") or status == "HTTP 403"
    ):
        return Finding(method, "warning", f"{told}: {_OPTIONAL[method]}", way_out, details=details)
    return Finding(method, "problem", told, way_out, type(error), details)


def _clock(date: datetime | None) -> Finding:
    if date is None:
        return Finding("clock", "unknown", "the portal does not tell the time")
    skew = (datetime.now(UTC) - date).total_seconds()
    details = {"seconds_ahead": round(skew, 1)}
    if abs(skew) > _SKEW:
        way = "ahead of" if skew > 0 else "behind"
        return Finding(
            "clock",
            "warning",
            f"this machine's is {abs(skew):,.0f} s {way} the portal's",
            "set it right: dates without a century and certificates depend on it",
            details=details,
        )
    return Finding("clock", "ok", "agrees with the portal's", details=details)


# This machine


def _disk(out: Path, records: int) -> Iterator[Finding]:
    there = out.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    current = sound_current(out)
    held = current.formats() if current else ()
    free, needed = shutil.disk_usage(there).free, room_needed(records, formats=held)
    details = {"path": str(out), "free": free, "needed": needed}
    told = f"{free / 1e9:,.1f} GB free for {out}, {needed / 1e9:,.2f} GB may be needed"
    if free < needed:
        yield Finding("disk", "problem", told, "make room, or choose another --out", OutputError, details)
    else:
        yield Finding("disk", "ok", told, details=details)
    homes = [path for path in (there, out / HOME) if path.exists()]
    wrong = next(
        (path for path in homes if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK)), None
    )
    if wrong:
        if wrong.is_dir():
            told, way_out = f"{wrong} cannot be written by this account", "give it the right to, or choose"
        else:
            told, way_out = f"{wrong} is a file and not a folder", "move it away, or choose"
        yield Finding("rights", "problem", told, f"{way_out} another --out", OutputError)
    else:
        yield Finding("rights", "ok", f"{there} can be written")


def _published(out: Path) -> Iterator[Finding]:
    home = out / HOME
    note = lock_holder(home)
    if is_locked(home):
        who = "{purpose} (pid {pid} since {since})".format_map(note) if note else "another run"
        yield Finding("lock", "warning", f"held by {who}", "let it finish", details={"holder": note})
    elif note:
        yield Finding(
            "lock", "warning", "a run died holding it", "the next run tidies up", details={"died": note}
        )
    else:
        yield Finding("lock", "ok", "free")
    kept = list_generations(out)
    current = current_run(out)
    latest = next((each for each in kept if each.run_id == current), None)
    if current is None:
        yield Finding("generations", "ok", "none yet: nothing was published here", details={"kept": 0})
    elif latest is None:
        told = f"the manifest of {current}, the current one, is damaged or missing"
        way_out = "make a new one by export or sync; `amoot-etl verify` says more"
        details = {"kept": len(kept), "current": current}
        yield Finding("generations", "warning", told, way_out, details=details)
    else:
        hours = (datetime.now(UTC) - latest.published_at).total_seconds() / 3600
        count = latest.manifest.get("counts", {}).get("kept")
        details = {"kept": len(kept), "current": current, "hours": round(hours, 2), "contacts": count}
        told = f"{len(kept)} kept; {current} is current, {hours:,.1f} hours old"
        if count is not None:
            told += f", {count:,} contacts"
        yield Finding("generations", "ok", told, details=details)
    yield _last_check(home)


def _last_check(home: Path) -> Finding:
    import json  # noqa: PLC0415 - a note that is rarely there

    try:
        note = json.loads((home / "last-check.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Finding("last check", "ok", "none yet: sync has not compared this set with the portal")
    except (OSError, ValueError):
        return Finding("last check", "warning", "its note cannot be read", "the next sync writes it anew")
    at = note.get("at") or note.get("checked_at") or "at an unknown time" if isinstance(note, dict) else "?"
    return Finding("last check", "ok", f"{at}", details={"note": note})


def _versions() -> Finding:
    found = {"amoot-etl": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    told = ", ".join(f"{name} {version}" for name, version in found.items())
    return Finding("versions", "ok", f"{told}, {sys.platform}", details=found)
