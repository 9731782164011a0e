"""`amoot-etl doctor`."""

from __future__ import annotations

from typing import Any

import click

from amoot_etl.cli._options import as_json, out_option, portal_options, settled_of, show_json


@click.command()
@out_option
@as_json
@portal_options
def command(*, as_json: bool, **shared: Any) -> int:
    """Look at everything that a run needs, and say what to put right; change nothing.

    The exit code is that of the worst finding: 0 when a run would work.
    """
    from amoot_etl.cli import exit_code_of  # noqa: PLC0415 - this module is imported from there
    from amoot_etl.pipeline.doctor import examine, worst  # noqa: PLC0415 - help needs none of it

    findings = []
    for finding in examine(settled_of(**shared)):
        findings.append(finding)
        if not as_json:
            mark = {"ok": "ok", "warning": "WARNING", "problem": "PROBLEM", "unknown": "?"}[finding.state]
            way_out = f": {finding.way_out}" if finding.way_out else ""
            click.echo(f"{mark:<8} {finding.check:<19} {finding.told}{way_out}")
    first = worst(findings)
    code = exit_code_of(first.error) if first and first.error else 0
    if as_json:
        lines = [
            {
                "check": finding.check,
                "state": finding.state,
                "told": finding.told,
                "way_out": finding.way_out,
                "code": exit_code_of(finding.error) if finding.error else 0,
                "details": finding.details or {},
            }
            for finding in findings
        ]
        show_json({"exit": code, "worst": first.check if first else None, "findings": lines})
    return code
