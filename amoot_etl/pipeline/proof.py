"""Prove a build complete: compare it with the portal's list of changes, and fetch what that shows to be missing."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from amoot_etl import errors
from amoot_etl.extractors.contacts import contact_reader
from amoot_etl.pipeline.prove import ask_for_updates, compare, fetch_each, few, not_asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from amoot_etl.client import Client
    from amoot_etl.extractors.body import Raw
    from amoot_etl.pipeline.build import Build

__all__ = ["ListAgain", "Patch", "Proof", "Prover"]

MOST_PATCHES: Final = 2


@dataclass(slots=True)
class Proof:
    """What comparing with `ContactListUpdates` showed."""

    proved: bool = False
    why: str = ""
    fetched: int = 0
    """Contacts that were missing or had moved, and were fetched by themselves."""
    unsettled: int = 0
    """Contacts that are still missing or newer in the portal."""
    unmentioned: int | None = None
    """Contacts that the list does not mention; None where there was no list."""
    unexplained: int = 0
    """Those of them with stamps that the list reaches back to."""

    def judge(self, why_not: str = "") -> None:
        """Settle whether it proves the set complete, unless it cannot for the reason given."""
        self.why = why_not
        if self.unsettled and not why_not:
            self.why = f"{self.unsettled:,} contacts are missing or newer in the portal"
        elif self.unmentioned and not why_not:
            self.why = f"the portal's list does not mention {self.unmentioned} of the contacts"
        self.proved = not self.why

    def as_json(self) -> dict[str, Any]:
        """Give it for the manifest."""
        words = {"state": "proved"} if self.proved else {"state": "not proved", "why": self.why}
        counts = {"fetched": self.fetched, "unsettled": self.unsettled}
        if self.unmentioned is not None:
            counts |= {"unmentioned": self.unmentioned, "unexplained": self.unexplained}
        return {**words, **counts}


class Patch(NamedTuple):
    """Contacts fetched by themselves, and contacts found gone."""

    raws: list[Raw]
    gone: list[int]


class ListAgain(Exception):  # noqa: N818 - a turn of the road, not a fault
    """The portal changed so much meanwhile that listing again is cheaper, or a group is gone."""


class Prover:
    """Proves the builds of one round of listings, however often they start over.

    Args:
        client: A connection to the portal.
        landing: Where the portal's list of changes lands.
        partial: Whether only some groups were asked for, so that contacts that nothing held are none of ours.
        may_list_again: Whether listing everything again is worth while if much is missing.
    """

    def __init__(self, client: Client, landing: Path, *, partial: bool, may_list_again: bool) -> None:
        self._client = client
        self._landing = landing
        self._partial = partial
        self._may_list_again = may_list_again
        self._proof = Proof()
        self._waiting = threading.Event()
        self._asking = threading.Lock()
        self._updates: Future[Path] | None = None
        self._asked = False
        self.patches: list[Patch] = []
        """What was fetched by itself so far; a build that starts over begins with it."""

    def ask(self, after: Callable[[], object]) -> Future[Path]:
        """Ask for the portal's list of changes when every listing has landed, while other work goes on.

        The list tells what changed up to when it was asked for, so it has to come after the listings. A build that
        starts over before that waits for the same one.
        """

        def asked() -> None:
            after()
            with self._asking:
                self._asked = True

        # As long as the listings are being read every core is at work, and nobody waits for the list.
        self._waiting.clear()
        with self._asking:
            if self._updates is None or self._asked or self._updates.done():
                self._asked = False
                self._updates = ask_for_updates(
                    self._client, self._landing, after=asked, in_haste=self._waiting.is_set
                )
            return self._updates

    def prove(self, build: Build, updates: Future[Path]) -> Proof:
        """Compare a build with the list, and add to it what the list shows to be missing or newer.

        Raises:
            ListAgain: So much is, that listing again is cheaper.
            StartOver: The build cannot take it: it has to begin anew, with the patches.
        """
        self._waiting.set()
        for number, patch in enumerate(self.patches, 1):
            _apply(build, patch, number)
        proof = self._proof
        while True:
            try:
                gap = compare(updates.result(), build.roll)
            except (errors.CredentialsError, errors.PortalUnavailable, errors.UnexpectedAnswer) as error:
                proof.why = not_asked(error)
                return proof
            wanted = gap.moved if self._partial else gap.ids
            proof.unsettled = len(wanted)
            proof.unmentioned, proof.unexplained = gap.unmentioned, gap.unexplained
            if not len(wanted) or len(self.patches) >= MOST_PATCHES:
                break
            if not few(len(wanted), build.roll.size):
                if self._may_list_again:
                    raise ListAgain(f"{len(wanted):,} contacts are missing or newer in the portal")
                break
            try:
                fetched = fetch_each(self._client, wanted.tolist())
            except errors.CredentialsError as error:
                proof.why = not_asked(error)
                return proof
            proof.fetched += len(fetched.records)
            patch = Patch([contact_reader().gather(fetched.records)], fetched.gone)
            # Remembered before it is applied: applying may start the build over.
            self.patches.append(patch)
            _apply(build, patch, len(self.patches))
            updates = ask_for_updates(self._client, self._landing)
        proof.judge("only some groups were asked for" if self._partial else "")
        return proof


def _apply(build: Build, patch: Patch, number: int) -> None:
    build.add(patch.raws, number)
    if patch.gone:
        build.strike(np.array(sorted(patch.gone), np.int64))
