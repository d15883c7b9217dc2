"""The key numbers of a run, read from its tables: of every tap, and of the whole run. No model, no framework."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmreport.analysis.crossing import shift
from fmreport.analysis.edges_to_mask import FEWEST_TAPS, curves
from fmreport.errors import StoreError
from fmreport.inventory import summed
from fmreport.store import Run

Values = np.ndarray
"""(T,) float64 of T taps, in the order of the table `layers`; NaN where one is undefined."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How one of `QUANTITIES` is read."""

    of_taps: Callable[[Run], Values] | None
    """None where no tap has it."""
    of_run: Callable[[Run], float]
    """NaN where it is undefined."""


def of_taps(run: Run, name: str) -> dict[str, float]:
    """A quantity of every tap that has a value, in the order in which the model runs; empty where no tap can."""
    read = READERS[name].of_taps
    if read is None:
        return {}
    values = zip(run.layers["tap"], read(run).tolist(), strict=True)
    return {str(tap): value for tap, value in values if not math.isnan(value)}


def of_run(run: Run) -> dict[str, float | None]:
    """Every quantity of the whole run; None where it is undefined."""
    found = {name: float(reader.of_run(run)) for name, reader in READERS.items()}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _column(run: Run, table: pd.DataFrame, name: str) -> Values:
    """Rows of what is no tap, such as the image, are left out; a tap without a row is undefined."""
    found: Values = table.set_index("tap")[name].reindex(run.layers["tap"]).to_numpy(np.float64, na_value=np.nan)
    return found


def _summary(name: str) -> Callable[[Run], Values]:
    """A column of the table that has a row of every tap; raises `StoreError` where one has none."""

    def read(run: Run) -> Values:
        taps = run.layers["tap"]
        lacking = taps[~taps.isin(run.summary["tap"])].tolist()
        if lacking:
            raise StoreError(f"the table summary has no row of the tap {lacking[0]!r}", fix="run it again")
        return _column(run, run.summary, name)

    return read


def _counts(name: str) -> Callable[[Run], Values]:
    """A column of counts: what is less than 0 is none."""

    def read(run: Run) -> Values:
        values = _summary(name)(run)
        return np.where(values < 0, np.nan, values)

    return read


def _ratio(part: float, whole: float) -> float:
    """NaN where there is nothing to have a share of."""
    return part / whole if whole else math.nan


def _share(state: str) -> Reader:
    """Channels in a state, among all."""

    def counts(run: Run) -> tuple[list[float], list[float]]:
        return _counts(state)(run).tolist(), _column(run, run.layers, "channels").tolist()

    def of_taps(run: Run) -> Values:
        return np.array([_ratio(*each) for each in zip(*counts(run), strict=True)], np.float64)

    return Reader(of_taps, lambda run: _ratio(*map(sum, counts(run))))


def _zeros(run: Run) -> float:
    """Of all finite values of all taps; counted in whole zeros, which a share has to rounding only."""
    finite = _summary("finite")(run)
    zeros = np.round(finite * np.nan_to_num(_summary("zero_fraction")(run)))
    return _ratio(float(zeros.sum()), float(finite.sum()))


def _nonfinite(run: Run) -> Values:
    return np.asarray(_counts("nan")(run) + _counts("inf")(run))


def _median(run: Run) -> float:
    values = _summary("gini")(run)
    defined = values[~np.isnan(values)]
    return float(np.median(defined)) if defined.size else math.nan


def _read_best(quantity: str) -> Reader:
    """Held-out R² of one of the quantities of `progression`."""

    def of_taps(run: Run) -> Values:
        table = run.table("progression")
        return _column(run, table[table["quantity"] == quantity], "value")

    return _best(of_taps)


def _iou(run: Run) -> Values:
    return _column(run, run.table("selectivity"), "iou")


def _best(of_taps: Callable[[Run], Values]) -> Reader:
    return Reader(of_taps, lambda run: float(np.fmax.reduce(of_taps(run), initial=math.nan)))


def _gain(run: Run) -> float:
    taps, edge, mask = curves(run.layers, run.table("progression"))
    return float(shift(edge, mask)) if len(taps) >= FEWEST_TAPS else math.nan


def _of_model(name: str) -> Reader:
    """Summed over all layers; undefined where that of one is not known."""

    def of_run(run: Run) -> float:
        value = summed(run.inventory)[name]
        return math.nan if value is None else value

    return Reader(None, of_run)


READERS: Mapping[str, Reader] = {
    "silent_channels": _share("silent"),
    "zeros": Reader(_summary("zero_fraction"), _zeros),
    "nonfinite": Reader(_nonfinite, lambda run: float(_nonfinite(run).sum())),
    "gini": Reader(_summary("gini"), _median),
    "edge": _read_best("edge"),
    "mask": _read_best("mask"),
    "iou": _best(_iou),
    "constant_channels": _share("constant"),
    "gain": Reader(None, _gain),
    "parameters": _of_model("parameters"),
    "macs": _of_model("macs"),
    "taps": Reader(None, lambda run: float(len(run.layers))),
}
"""In the order of `QUANTITIES`."""
