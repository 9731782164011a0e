"""Draw how the cost grows: seconds and peak memory over contacts, both axes by factors of ten.

Run by the interpreter that has matplotlib: `python plot.py results.json growth.svg`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter


def main(source: str, target: str) -> None:
    """Draw."""
    mpl.rcParams["svg.hashsalt"] = "amoot-etl"  # the same figures give the same file
    results = json.loads(Path(source).read_text("utf-8"))
    points = sorted(
        (line["facts"] for line in results["parts"]["growth"] if line["facts"]), key=lambda p: p["contacts"]
    )
    sizes = [point["contacts"] for point in points]
    figure, axes = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
    seconds = axes.plot(sizes, [point["seconds"] for point in points], "o-", color="#1b6ca8", label="seconds")
    axes.set(xscale="log", yscale="log", xlabel="contacts", ylabel="seconds, start to end")
    axes.set_xticks(sizes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    # Twice the most: room for the last label, and for the legend.
    axes.set_ylim(1, 2 * max(point["seconds"] for point in points))
    axes.set_yticks([1, 2, 5, 10, 20, 50])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(visible=True, alpha=0.3)
    for point in points:
        place = (point["contacts"], point["seconds"])
        axes.annotate(f"{point['seconds']:.1f} s", place, (0, 7), textcoords="offset points", ha="center")
    memory = axes.twinx()
    peaks = [point["peak"] / 2**20 for point in points]
    held = memory.plot(sizes, peaks, "s--", color="#b5651d", label="peak memory, MiB")
    memory.set(ylabel="peak memory of all processes, MiB", ylim=(0, 1000))
    memory.axhline(600, color="#b5651d", linewidth=0.8, alpha=0.5)
    axes.legend(handles=[*seconds, *held], loc="upper left")
    axes.set_title("amoot-etl export, portal to published Parquet")
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
