"""The address book of the Amoot SMS portal as clean tables: whole, and right about Persian data.

```
portal ──HTTP──> landed bodies ──> DataFrame chunks ──> clean chunks ──> tables ──> one generation ──> current
        client     (on disk)        extractors          transformers     loaders      publish (atomic)
```

`export` walks the whole road. Each stage can be used alone: an extractor gives a pandas DataFrame, a transformer
takes and gives Series and DataFrames, a loader writes a DataFrame or chunks of one. `read_export` gives the tables
of a published set.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from amoot_etl._version import __version__

if TYPE_CHECKING:
    from amoot_etl.client import Client as Client
    from amoot_etl.extractors.contacts import (
        extract_contact as extract_contact,
    )
    from amoot_etl.extractors.contacts import (
        extract_contacts as extract_contacts,
    )
    from amoot_etl.extractors.contacts import (
        iter_contacts as iter_contacts,
    )
    from amoot_etl.extractors.groups import extract_groups as extract_groups
    from amoot_etl.extractors.updates import (
        extract_updates as extract_updates,
    )
    from amoot_etl.extractors.updates import (
        iter_updates as iter_updates,
    )
    from amoot_etl.pipeline.export import (
        ExportResult as ExportResult,
    )
    from amoot_etl.pipeline.export import (
        export as export,
    )
    from amoot_etl.pipeline.read import (
        read_export as read_export,
    )
    from amoot_etl.settings import (
        Settings as Settings,
    )

_HOMES = {
    "Client": "client",
    "ExportResult": "pipeline.export",
    "Settings": "settings",
    "export": "pipeline.export",
    "extract_contact": "extractors.contacts",
    "extract_contacts": "extractors.contacts",
    "extract_groups": "extractors.groups",
    "extract_updates": "extractors.updates",
    "iter_contacts": "extractors.contacts",
    "iter_updates": "extractors.updates",
    "read_export": "pipeline.read",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the keys are text


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a command that needs no table starts without pandas."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
