"""The key numbers of a run: what they are called and mean. `fmreport.numbers` reads them from its tables."""

from __future__ import annotations

from dataclasses import dataclass

TAPS, BEST, RUN = "every tap", "best tap", "run"
"""What a limit is held against: each tap, the tap that has the most, or the run as a whole."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number that a run is summed up in."""

    name: str
    """In configs, in manifests and on the command line."""
    label: str
    """At the head of a column."""
    unit: str
    """`1` for fractions and indices, `count`."""
    meaning: str
    """Of one tap; of the run where no tap has it."""
    whole: str
    """What the run's number is of those of its taps; empty where no tap has one."""
    held: str
    """`every tap`, `best tap` or `run`."""


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity(
            "silent_channels", "silent", "1", "share of channels whose every value is 0 on these probes",
            "share of the channels of all taps", TAPS,
        ),
        Quantity(
            "zeros", "zeros", "1", "share of exact zeros among finite values",
            "share of the finite values of all taps", TAPS,
        ),
        Quantity("nonfinite", "NaN, Inf", "count", "values that are NaN or infinite", "sum over all taps", TAPS),
        Quantity(
            "gini", "Gini", "1", "Gini index of magnitudes: 0 where all are equal, 1 where one holds everything",
            "median of all taps", TAPS,
        ),
        Quantity(
            "edge", "edge R²", "1", "R² with which edges can be read from the tap, on images held out",
            "largest of all taps", BEST,
        ),
        Quantity(
            "mask", "mask R²", "1", "R² with which the mask can be read from the tap, on images held out",
            "largest of all taps", BEST,
        ),
        Quantity(
            "iou", "IoU", "1", "intersection over union of the tap's best channel with the mask, on images held out",
            "largest of all taps", BEST,
        ),
        Quantity(
            "constant_channels", "constant", "1",
            "share of channels whose values are all equal on these probes, silent ones included",
            "share of the channels of all taps", TAPS,
        ),
        Quantity(
            "gain", "mask gain", "1",
            "R² that masks gain on edges from the first third of the maps to the last: from edges to mask",
            "", RUN,
        ),
        Quantity("parameters", "params", "count", "parameters of the whole model", "", RUN),
        Quantity("macs", "MACs", "count", "multiply-adds of the whole model for one image", "", RUN),
        Quantity("taps", "taps", "count", "outputs of layers that were measured", "", RUN),
    )
}  # fmt: skip
"""In the order in which they are shown."""
