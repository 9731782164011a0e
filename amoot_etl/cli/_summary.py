"""What a person wants to know after a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from amoot_etl.pipeline.export import ExportResult

__all__ = ["summarise"]

_LOST: Final = {
    "long_text": "texts cut to what a cell holds",
    "characters": "texts without their control characters",
    "far_dates": "dates outside the years 1-9999 left out",
    "not_finite": "numbers that are none left out",
}
"""The losses that take something from a value; the others, such as a stamp's zone, stand in the manifest alone."""


def summarise(result: ExportResult) -> None:
    """Print what a run collected, and where it is."""
    manifest = result.manifest
    counts = manifest["counts"]
    proof = manifest["reconciliation"]["updates"]
    groups = [line for line in manifest["reconciliation"]["groups"] if "contacts_count" in line]
    agreed = sum(line["reconciled"] for line in groups)
    size = sum({file["path"]: file["bytes"] for file in manifest["files"]}.values())
    lines = [
        ("contacts", f"{counts['kept']:,} ({counts['added']:,} added, {counts['removed']:,} removed)"),
        (
            "received",
            f"{counts['received']:,} records ({counts['repeated']:,} repeated, {counts['unreadable']:,} unreadable)",
        ),
        ("groups", f"{len(groups)}, {agreed} reconciled with the portal's counts"),
        ("complete", proof["state"] if proof["state"] == "proved" else f"not proved: {proof['why']}"),
        ("issues", f"{sum(manifest['issues'].values()):,}"),
        *((f"  {rule}", f"{count:,}") for rule, count in manifest["issues"].items()),
        *_lost(manifest),
        ("seconds", f"{result.seconds:.1f}"),
    ]
    if "carried" in counts:
        taken_over = f"{counts['carried']:,} contacts as they were"
        lines.insert(2, ("taken over", taken_over))
    landed = [line["at"] for line in manifest["reconciliation"]["groups"] if "landed_by" in line]
    if landed:
        from_before = (
            f"{len(landed)} listing{'s' * (len(landed) != 1)} of an earlier run, the oldest of {min(landed)}"
        )
        lines.insert(2, ("taken over", from_before))
    for name, text in lines:
        click.echo(f"{name:<28} {text}")
    if result.published:
        files = len({file["path"] for file in manifest["files"]})
        click.echo(
            f"Published {files} files, {size / 1e6:.1f} MB: look at {result.folder / 'contacts.parquet'}"
        )
    else:
        click.echo("A dry run: nothing was published")


def _lost(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Give a line for each format that could not hold all of every value."""
    lost: dict[str, dict[str, int]] = {}
    for file in manifest["files"]:
        of_format = lost.setdefault(file["format"], {})
        for kind, count in file.get("losses", {}).items():
            of_format[kind] = of_format.get(kind, 0) + count
    told = {
        name: ", ".join(f"{kinds[kind]:,} {words}" for kind, words in _LOST.items() if kinds.get(kind))
        for name, kinds in lost.items()
    }
    return [(f"lost in {name}", words) for name, words in told.items() if words]
