"""The guard: what a new set must not do to the good one that it would replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from amoot_etl.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FULL_SCOPE", "MAX_SHRINK", "Candidate", "groups_of", "guard", "objections"]

FULL_SCOPE: Final = "full"
"""The manifest's `scope` of an export of the whole account."""

MAX_SHRINK: Final = 0.2
"""The share of its contacts that an address book may lose from one set to the next."""

_LEAST_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """The facts of a set that would become current.

    Args:
        contacts: Its rows of contacts.
        scope: What was asked for, as its manifest says: `FULL_SCOPE`, or the groups.
        base_url: The portal.
        account: The account's name in `amoot.toml`, if it has one.
        unlisted_groups: Groups for which the portal reports contacts, and lists none.
        shared_ids: The share of ids in common with the set it would replace (of the smaller one), or None
            when there is nothing to compare.
    """

    contacts: int
    scope: Any
    base_url: str
    account: str | None = None
    unlisted_groups: tuple[int, ...] = ()
    shared_ids: float | None = None


def objections(
    previous: Mapping[str, Any] | None, new: Candidate, *, max_shrink: float = MAX_SHRINK
) -> list[str]:
    """Give the reasons not to publish a set over the current one; empty when there are none.

    Args:
        previous: The manifest of the current set, or None where there is none.
        new: The facts of the new one.
        max_shrink: The share of the contacts that may be gone, 0 to 1.

    >>> old = {"scope": "full", "base_url": "https://a.example", "files": [
    ...     {"table": "contacts", "format": "parquet", "rows": 100}]}
    >>> objections(old, Candidate(80, "full", "https://a.example"))
    []
    >>> objections(old, Candidate(79, "full", "https://a.example"))
    ['it has 79 contacts where the current one has 100 (at most 20 % may be gone)']
    """
    found = []
    if new.unlisted_groups:
        groups = ", ".join(str(group) for group in new.unlisted_groups[:5])
        more = len(new.unlisted_groups) - 5
        found.append(
            f"it is incomplete: the portal reports contacts in group {groups}"
            f"{f' and {more} more' if more > 0 else ''} and lists none"
        )
    if previous is None:
        return found
    found += _another_account(previous, new)
    if new.scope not in (previous.get("scope"), FULL_SCOPE):
        found.append(f"it holds {_scope(new.scope)}, the current one {_scope(previous.get('scope'))}")
    held = _contacts(previous)
    if held and (new.contacts == 0 or new.contacts < held * (1 - max_shrink)):
        found.append(
            f"it has {new.contacts:,} contacts where the current one has {held:,} "
            f"(at most {max_shrink * 100:g} % may be gone)"
        )
    return found


def guard(
    previous: Mapping[str, Any] | None,
    new: Candidate,
    *,
    max_shrink: float = MAX_SHRINK,
    accept_shrink: bool = False,
) -> list[str]:
    """Refuse to let a set replace the current one when that would destroy more than is plausible.

    Args:
        previous: The manifest of the current set, or None.
        new: The facts of the new one.
        max_shrink: The share of the contacts that may be gone, 0 to 1.
        accept_shrink: The user has looked and accepts, for once.

    Returns:
        The objections that were overruled by `accept_shrink`.

    Raises:
        RefusedError: There are objections.
    """
    found = objections(previous, new, max_shrink=max_shrink)
    if found and not accept_shrink:
        raise RefusedError(
            f"the new set was not published, since {'; '.join(found)}. "
            "Look into it; if it is right, run once with --accept-shrink",
            subject="contacts",
        )
    return found


def _another_account(previous: Mapping[str, Any], new: Candidate) -> list[str]:
    name, url = previous.get("account"), previous.get("base_url") or ""
    if name and new.account and name != new.account:
        return [f"it is of account {new.account}, the current one of {name}"]
    if url and _portal(url) != _portal(new.base_url):
        return [f"it is of {new.base_url}, the current one of {url}"]
    if new.shared_ids is not None and new.shared_ids < _LEAST_SHARE:
        return [f"only {new.shared_ids:.0%} of its ids are known: it seems to be of another account"]
    return []


def _portal(url: str) -> tuple[str, int | None, str]:
    """Give what tells portals apart: not the scheme, nor a loopback port, which a test chooses anew."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    local = host in {"localhost", "::1"} or host.startswith("127.")
    port = None if local or parts.port in (80, 443) else parts.port
    return "localhost" if local else host, port, parts.path.rstrip("/")


def _contacts(manifest: Mapping[str, Any]) -> int:
    for entry in manifest.get("files", []):
        if entry["table"] == "contacts" and entry["format"] == "parquet":
            return int(entry["rows"])
    return 0


def groups_of(manifest: Mapping[str, Any]) -> list[int]:
    """Give the groups that a set holds by its manifest; none where it holds the whole account.

    >>> groups_of({"scope": {"groups": [3, 7]}}), groups_of({"scope": "full"})
    ([3, 7], [])
    """
    scope = manifest.get("scope")
    groups: list[int] = scope.get("groups", []) if isinstance(scope, dict) else []
    return groups


def _scope(scope: Any) -> str:
    if scope == FULL_SCOPE:
        return "the whole account"
    groups = groups_of({"scope": scope})
    return f"only group{'s' if len(groups) > 1 else ''} {', '.join(str(group) for group in groups)}"
