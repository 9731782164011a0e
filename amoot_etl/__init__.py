"""The address book of the Amoot SMS portal as clean tables: whole, and right about Persian data.

```
portal ──HTTP──> landed bodies ──> DataFrame chunks ──> clean chunks ──> tables ──> one generation ──> current
        client     (on disk)        extractors          transformers     loaders      publish (atomic)
```

`export` walks the whole road, `sync` only as far as something changed. Each stage can be used alone: an
extractor gives a pandas DataFrame, a transformer takes and gives Series and DataFrames, a loader writes a
DataFrame or chunks of one. `read_export` gives the tables of a published set.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from amoot_etl._version import __version__

if TYPE_CHECKING:
    from amoot_etl.client import Client as Client
    from amoot_etl.extractors.contacts import extract_contact as extract_contact
    from amoot_etl.extractors.contacts import extract_contacts as extract_contacts
    from amoot_etl.extractors.contacts import iter_contacts as iter_contacts
    from amoot_etl.extractors.groups import extract_groups as extract_groups
    from amoot_etl.extractors.updates import extract_updates as extract_updates
    from amoot_etl.extractors.updates import iter_updates as iter_updates
    from amoot_etl.loaders.csv import write_csv as write_csv
    from amoot_etl.loaders.csv_reader import read_csv as read_csv
    from amoot_etl.loaders.excel import write_excel as write_excel
    from amoot_etl.loaders.excel_reader import read_excel as read_excel
    from amoot_etl.loaders.parquet import read_parquet as read_parquet
    from amoot_etl.loaders.parquet import write_parquet as write_parquet
    from amoot_etl.pipeline.diff import changes as changes
    from amoot_etl.pipeline.diff import diff as diff
    from amoot_etl.pipeline.export import ExportResult as ExportResult
    from amoot_etl.pipeline.export import export as export
    from amoot_etl.pipeline.generations import generations as generations
    from amoot_etl.pipeline.generations import rollback as rollback
    from amoot_etl.pipeline.progress import ProgressBar as ProgressBar
    from amoot_etl.pipeline.read import Export as Export
    from amoot_etl.pipeline.read import read_export as read_export
    from amoot_etl.pipeline.report import report as report
    from amoot_etl.pipeline.sync import SyncResult as SyncResult
    from amoot_etl.pipeline.sync import sync as sync
    from amoot_etl.pipeline.verify import verify as verify
    from amoot_etl.settings import Settings as Settings
    from amoot_etl.settings import load_settings as load_settings
    from amoot_etl.transformers.calendar import calendar as calendar
    from amoot_etl.transformers.campaign import campaign_list as campaign_list
    from amoot_etl.transformers.contacts import clean_contacts as clean_contacts
    from amoot_etl.transformers.dates import read_dates as read_dates
    from amoot_etl.transformers.email import normalise_email as normalise_email
    from amoot_etl.transformers.jalali import is_leap as is_leap
    from amoot_etl.transformers.jalali import to_gregorian as to_gregorian
    from amoot_etl.transformers.jalali import to_jalali as to_jalali
    from amoot_etl.transformers.jalali import to_jdatetime as to_jdatetime
    from amoot_etl.transformers.mobile import describe_mobile as describe_mobile
    from amoot_etl.transformers.mobile import normalise_mobile as normalise_mobile
    from amoot_etl.transformers.occasions import anniversary_in as anniversary_in
    from amoot_etl.transformers.occasions import jalali_month as jalali_month
    from amoot_etl.transformers.occasions import occasions as occasions
    from amoot_etl.transformers.overlap import group_overlap as group_overlap
    from amoot_etl.transformers.quality import completeness as completeness
    from amoot_etl.transformers.quality import duplicates_by_mobile as duplicates_by_mobile
    from amoot_etl.transformers.quality import likely_same_person as likely_same_person
    from amoot_etl.transformers.stamps import read_update_times as read_update_times
    from amoot_etl.transformers.text import clean_text as clean_text
    from amoot_etl.transformers.text import text_key as text_key

_HOMES = {
    "client": ("Client",),
    "extractors.contacts": (
        "extract_contact",
        "extract_contacts",
        "iter_contacts",
    ),
    "extractors.groups": ("extract_groups",),
    "extractors.updates": (
        "extract_updates",
        "iter_updates",
    ),
    "loaders.csv": ("write_csv",),
    "loaders.csv_reader": ("read_csv",),
    "loaders.excel": ("write_excel",),
    "loaders.excel_reader": ("read_excel",),
    "loaders.parquet": (
        "read_parquet",
        "write_parquet",
    ),
    "pipeline.diff": (
        "changes",
        "diff",
    ),
    "pipeline.export": (
        "ExportResult",
        "export",
    ),
    "pipeline.generations": (
        "generations",
        "rollback",
    ),
    "pipeline.progress": ("ProgressBar",),
    "pipeline.read": (
        "Export",
        "read_export",
    ),
    "pipeline.report": ("report",),
    "pipeline.sync": ("SyncResult", "sync"),
    "pipeline.verify": ("verify",),
    "settings": (
        "Settings",
        "load_settings",
    ),
    "transformers.calendar": ("calendar",),
    "transformers.campaign": ("campaign_list",),
    "transformers.contacts": ("clean_contacts",),
    "transformers.dates": ("read_dates",),
    "transformers.email": ("normalise_email",),
    "transformers.jalali": (
        "is_leap",
        "to_gregorian",
        "to_jalali",
        "to_jdatetime",
    ),
    "transformers.mobile": (
        "describe_mobile",
        "normalise_mobile",
    ),
    "transformers.occasions": (
        "anniversary_in",
        "jalali_month",
        "occasions",
    ),
    "transformers.overlap": ("group_overlap",),
    "transformers.quality": (
        "completeness",
        "duplicates_by_mobile",
        "likely_same_person",
    ),
    "transformers.stamps": ("read_update_times",),
    "transformers.text": (
        "clean_text",
        "text_key",
    ),
}
"""Module to the public names it is the home of."""

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]  # noqa: PLE0604 - the keys are text


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a command that needs no table starts without pandas."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
