"""The figure: images per second by workers, and what the time goes into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.cost.constants import MACHINES, MODELS, Constants
from benchmarks.cost.formulas import Cost
from benchmarks.cost.simulated import simulate, usual
from fmreport.figures import plots

IMAGES = 1_000_000
WORKERS = tuple(2**power for power in range(13))
DPI = 160
LINE, GAP = 1.5, 1.04
"""From one line of text to the next, and from a line to the text above it, as factors."""
PARTS = (
    ("driver reads every image", plots.SECOND),
    ("workers start", plots.MUTED),
    ("workers measure", plots.FIRST),
    ("workers wait for driver and network", plots.RULE),
    ("report", plots.THIRD),
)
"""What a run's seconds go into, in this order, from below."""
CEILINGS = {"driver: reading": "driver reads", "network": "network", "driver: merging": "driver merges"}
"""Those that are drawn, beside that of a run with a cache."""
DASHED: Any = {"color": plots.MUTED, "linewidth": 0.8, "linestyle": (0, (4, 2)), "zorder": 1}
BEHIND: Any = {"facecolor": plots.PAPER, "edgecolor": "none", "pad": 0.4}
SMALL: Any = {"color": plots.MUTED, "fontsize": 7, "va": "bottom", "zorder": 1.5, "bbox": BEHIND}
TICKS = (1, 10, 100, 1000, 10_000)


def draw(constants: Constants, path: Path) -> None:
    """Writes the PNG."""
    with plots.style():
        figure = Figure(figsize=(7.2, 5.4))
        grid = figure.subplots(2, len(MODELS), sharex=True, gridspec_kw={"height_ratios": [3, 2], "hspace": 0.12})
        for column, model in enumerate(MODELS):
            runs = [Cost(constants.work(model, IMAGES), MACHINES, constants.rates, workers) for workers in WORKERS]
            throughput(grid[0, column], runs, simulated(runs))
            shares(grid[1, column], runs)
            grid[0, column].set_title(f"{model}, {len(runs[0].work.taps)} taps", pad=6)
        grid[0, 0].set_ylabel("images per second")
        grid[1, 0].set_ylabel("share of the run's time")
        handles, labels = grid[1, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False)
        figure.subplots_adjust(left=0.1, right=0.965, top=0.94, bottom=0.18, wspace=0.2)
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=DPI, facecolor=plots.PAPER, metadata={"Software": None})


def simulated(runs: Sequence[Cost]) -> list[float]:
    """Images per second where workers differ, linger and die."""
    found = []
    for run in runs:
        measuring = simulate(run.work.shards, run.workers, run.at, usual(run.seconds["starting"])).seconds
        found.append(run.work.images / (run.total - run.seconds["measuring"] + measuring))
    return found


def throughput(axes: Axes, runs: Sequence[Cost], chance: Sequence[float]) -> None:
    """The formulas as a line, the simulation as points, ceilings dashed, what is in proportion grey."""
    alone = runs[0].throughput
    axes.plot(WORKERS, [alone * workers for workers in WORKERS], color=plots.RULE, linewidth=1)
    axes.plot(WORKERS, [run.throughput for run in runs], color=plots.FIRST, linewidth=1.4)
    axes.plot(WORKERS, chance, "o", color=plots.SECOND, markersize=3.5, zorder=3)
    limits = {label: runs[0].ceilings[name] for name, label in CEILINGS.items()}
    kept = Cost(replace(runs[0].work, cached=True), runs[0].hardware, runs[0].rates, 1)
    limits["with a cache"] = kept.ceilings["driver: merging"]
    above = 0.0
    for limit, label in sorted((limit, label) for label, limit in limits.items()):
        axes.axhline(limit, **DASHED)
        # Above its line, or above the label before it, where lines are too close for that.
        above = max(limit * GAP, above * LINE)
        axes.text(WORKERS[0] * 1.1, above, f"{label}: {limit:,.0f}", **SMALL)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_yticks(TICKS, [f"{tick:,}" for tick in TICKS])
    axes.set_ylim(alone / 2, above * LINE)
    axes.minorticks_off()


def shares(axes: Axes, runs: Sequence[Cost]) -> None:
    """What part of the time each stage takes."""
    parts = np.array([seconds_of(run) for run in runs])
    (labels, colours), share = zip(*PARTS, strict=True), parts / parts.sum(axis=1, keepdims=True)
    axes.stackplot(WORKERS, share.T, labels=labels, colors=colours, linewidth=0)
    axes.set_xlim(WORKERS[0], WORKERS[-1])
    axes.set_ylim(0, 1)
    axes.set_xticks([1, 4, 16, 64, 256, 1024, 4096], ["1", "4", "16", "64", "256", "1,024", "4,096"])
    axes.minorticks_off()
    axes.set_xlabel("workers of two cores")


def seconds_of(run: Cost) -> tuple[float, ...]:
    """By `PARTS`."""
    seconds = run.seconds
    measuring = run.work.shards * run.at.worker / run.workers
    waiting = max(seconds["measuring"] - measuring, 0.0)
    return seconds["reading"], seconds["starting"], seconds["measuring"] - waiting, waiting, seconds["report"]
