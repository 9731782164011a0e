"""What a notebook begins with: an account to look at, your own or an invented one.

```python
account = connect(demo=True)      # or connect(): your own; a token that is not set is asked for, and not shown
book = account.current()          # the published set; an account without one is exported first
```
"""

from __future__ import annotations

import atexit
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal
from amoot_etl.errors import SettingsError
from amoot_etl.pipeline.export import ExportResult, export
from amoot_etl.pipeline.progress import ProgressBar
from amoot_etl.pipeline.read import Export, read_export
from amoot_etl.pipeline.run import DEMO_URL
from amoot_etl.pipeline.sync import SyncResult, sync
from amoot_etl.settings import Settings, load_settings
from amoot_etl.tehran import now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

__all__ = ["Account", "connect"]


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and where its exports go.

    Args:
        settings: Where the portal is, the token, the output folder.
        today: The day that counts as today in Tehran; an invented account has a day of its own, so that a notebook
            comes to the same result whenever it is run.
        book: The address book behind an invented account, with its verbs; None for your own.
    """

    settings: Settings
    today: dt.date
    book: AddressBook | None = field(default=None, repr=False)

    def export(self) -> ExportResult:
        """Export the whole account; your own shows a bar meanwhile.

        Raises:
            AmootError: As `export`.
        """
        with self._bar() as shown:
            return export(self.settings, portal=self._portal, today=self.today, **shown)

    def sync(self, *, full: bool = False) -> SyncResult:
        """Bring the published set up to date.

        Args:
            full: List everything anew.

        Raises:
            AmootError: As `sync`.
        """
        with self._bar() as shown:
            return sync(self.settings, full=full, portal=self._portal, today=self.today, **shown)

    def current(self) -> Export:
        """Give the published set; an account without one is exported first.

        Raises:
            AmootError: As `export` and `read_export`.

        >>> connect(demo=True, contacts=100).current().contacts.shape
        (100, 39)
        """
        if not (self.settings.out / "manifest.json").exists():
            self.export()
        return read_export(self.settings.out)

    @contextmanager
    def _bar(self) -> Iterator[dict[str, Any]]:
        """Show how far a run has come; an invented account is there at once, and its cells store no times."""
        if self.book is not None:
            yield {}
            return
        with ProgressBar() as bar:
            yield {"watch": bar.watch, "on_retry": bar.retry}

    @property
    def _portal(self) -> str | None:
        return None if self.book is None else DEMO_URL


def connect(*, demo: bool = False, contacts: int = 5000, seed: int = 1404) -> Account:
    """Give an account to work with in a notebook.

    Your own is what the settings say (`AMOOT_TOKEN`, `amoot.toml` …); when there is no token, it is asked for
    without being shown, and kept nowhere but in memory. An invented one is served by this very process, always
    the same for the same arguments, and its exports go into a folder that is deleted when the process ends.

    Args:
        demo: Invent an account.
        contacts: How many contacts to invent.
        seed: Chooses another invented account of the same kind.

    Raises:
        SettingsError: The settings need changing, or no token was given.

    >>> connect(demo=True, contacts=100).today
    datetime.date(2026, 11, 1)
    """
    if not demo:
        settings = load_settings()
        if not settings.token:
            token = getpass("The portal's token: ").strip()
            if not token:
                raise SettingsError("no token: set AMOOT_TOKEN, or type one when asked", subject="token")
            settings = replace(settings, token=token)
        return Account(settings, now().date())
    book = AddressBook.invent(contacts=contacts, seed=seed)
    portal = Portal(book)
    portal.start()
    atexit.register(portal.stop)
    folder = tempfile.TemporaryDirectory(prefix="amoot-etl-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    settings = Settings(base_url=portal.url, token=DEMO_TOKEN, out=Path(folder.name) / "output")
    return Account(settings, book.now.date(), book)
