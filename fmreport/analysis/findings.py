"""A short list of sentences, each made from the tables by a stated rule, and each able to come out negative."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fmreport.analysis.collapse import dimension, resolution
from fmreport.analysis.edges_to_mask import from_edges_to_mask
from fmreport.analysis.finding import NOTHING, SUPPORTED, Finding, Tables
from fmreport.analysis.idle import idle_channels
from fmreport.analysis.mask_like import best_channel, best_tap


def findings(tables: Tables) -> tuple[Finding, ...]:
    """All of them, in the order in which they are read."""
    rules: Sequence[Callable[[Tables], Finding]] = (
        from_edges_to_mask,
        best_tap,
        best_channel,
        idle_channels,
        _not_finite,
        resolution,
        dimension,
    )
    return tuple(rule(tables) for rule in rules)


def _not_finite(tables: Tables) -> Finding:
    subject = "NaN and Inf"
    rule = "taps with a value that is NaN or infinite on any probe"
    bad = tables.summary[(tables.summary["nan"] > 0) | (tables.summary["inf"] > 0)]
    if not len(bad):
        return Finding(subject, NOTHING, f"Every value of all {len(tables.summary)} taps is finite.", rule)
    taps = tuple(map(str, bad["tap"]))
    where = f"at {taps[0]}" if len(taps) == 1 else f"at {len(taps)} taps, first at {taps[0]}"
    return Finding(subject, SUPPORTED, f"NaN or Inf {where}.", rule, taps[:3])
