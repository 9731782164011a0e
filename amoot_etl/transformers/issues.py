"""Findings as rows of the table `issues`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import Finding, decoded

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from amoot_etl.shape import Shape

__all__ = ["ISSUE_TYPES", "issue_table", "wanted_issues"]

ISSUE_TYPES: Final = pa.schema(
    [
        ("contact_id", pa.int64()),
        ("column", pa.string()),
        ("rule", pa.string()),
        ("value", pa.string()),
        ("detail", pa.string()),
    ]
)


def issue_table(ids: pa.Array, findings: Sequence[Finding], columns: Sequence[str]) -> pa.Table:
    """Give findings as rows of `issues`, by row of the chunk and in the order of the columns they are about.

    Args:
        ids: The contact of each row.
        findings: What was found.
        columns: The columns of contacts, in order.
    """
    findings = [finding for finding in findings if len(finding.rows)]
    if not findings:
        return ISSUE_TYPES.empty_table()
    order = {name: number for number, name in enumerate(columns)}
    findings = sorted(findings, key=lambda finding: order.get(finding.column, -1))
    rows = np.concatenate([finding.rows for finding in findings])
    arrays: dict[str, Any] = {
        "contact_id": ids.take(pa.array(rows)),
        "column": _repeat([(finding.column, len(finding.rows)) for finding in findings]),
        "rule": _repeat([(finding.rule, len(finding.rows)) for finding in findings]),
        "value": pa.concat_arrays([decoded(finding.values) for finding in findings]),
        "detail": pa.concat_arrays([_detail(finding) for finding in findings]),
    }
    table = pa.table(arrays, schema=ISSUE_TYPES)
    return table.take(pa.array(np.argsort(rows, kind="stable")))


def wanted_issues(issues: pa.Table, shape: Shape) -> pa.Table:
    """Give the issues of wanted columns: what a column holds that nobody wants is not to stand in issues either."""
    if shape.is_whole or not issues.num_rows:
        return issues
    issues = issues.filter(_of(issues, shape.told_of))
    if shape.shown == shape.told_of:
        return issues
    values = pc.if_else(_of(issues, shape.shown), issues.column("value"), pa.scalar(None, pa.string()))
    return issues.set_column(issues.schema.get_field_index("value"), "value", values)


def _of(issues: pa.Table, columns: Collection[str]) -> pa.ChunkedArray:
    """Say which issues are of one of these columns, or of none."""
    column = issues.column("column")
    return pc.or_(pc.is_null(column), pc.is_in(column, pa.array(sorted(columns), pa.string())))


def _detail(finding: Finding) -> pa.Array:
    if isinstance(finding.detail, str):
        return _repeat([(finding.detail, len(finding.rows))])
    return decoded(finding.detail)


def _repeat(runs: list[tuple[str, int]]) -> pa.Array:
    return pa.array([text for text, _ in runs], pa.string()).take(
        pa.array(np.repeat(np.arange(len(runs)), [length for _, length in runs]))
    )
