"""The report: one HTML page about a published set, for people who will never open Parquet.

```
generation ──figures──> counts alone, small groups folded ──page──> one file: no script, no network
```

`figures` counts, reading only the columns that a figure needs. `fold` keeps people out: what is told is never about
fewer than five contacts. `words` speaks one language (`texts/`). `charts` and `tables` lay out what `page` puts in
order, and `markup` writes it, so that no text of an address book can become markup. The same set in the same
language always gives the same page, byte for byte.
"""

from __future__ import annotations

from amoot_etl.pipeline.report.write import report, report_text

__all__ = ["report", "report_text"]
