"""The spread of single quantities over images is that of plain NumPy, tap by tap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fmreport.analysis import Evidence
from fmreport.analysis.outliers import QUANTITIES
from fmreport.analysis.spread import READ, SHARES, Spread


def samples(images: int, taps: int = 3) -> pd.DataFrame:
    """Values at random."""
    rng = np.random.default_rng(0)
    names = {"probe": np.repeat([f"p{i}" for i in range(images)], taps), "tap": [f"t{i}" for i in range(taps)] * images}
    return pd.DataFrame({**names, **{name: rng.normal(size=images * taps) for name in QUANTITIES}})


def table(frame: pd.DataFrame, taps: tuple[str, ...] = ("t2", "t0", "t1")) -> pd.DataFrame:
    """What the analysis makes of it."""
    return Spread().table(Evidence(taps, {}, np.ones(1), 0, (), 0, samples=frame.__getitem__))


def test_shares_and_ends_are_those_of_numpy_with_the_images_that_have_them() -> None:
    frame = samples(37)
    made = table(frame).set_index(["tap", "quantity"])
    for (tap, quantity), row in made.iterrows():
        values = frame[frame["tap"] == tap].set_index("probe")[quantity]
        assert [row[name] for name in SHARES] == pytest.approx(np.quantile(values, list(SHARES.values())).tolist())
        assert (row["images"], row["lowest"], row["highest"]) == (37, values.idxmin(), values.idxmax())


def test_rows_are_in_the_order_of_the_taps() -> None:
    made = table(samples(5))
    assert made["tap"].drop_duplicates().tolist() == ["t2", "t0", "t1"]
    assert made["quantity"].head(len(QUANTITIES)).tolist() == list(QUANTITIES)


def test_what_is_undefined_is_left_out_and_counted() -> None:
    frame = samples(4)
    frame.loc[frame["tap"] == "t0", "gini"] = np.nan
    frame.loc[(frame["tap"] == "t1") & (frame["probe"] == "p0"), "gini"] = np.inf
    made = table(frame).set_index(["tap", "quantity"])
    assert ("t0", "gini") not in made.index
    assert made.loc[("t1", "gini"), "images"] == 3


def test_one_column_is_read_at_a_time_and_none_that_is_not_stated() -> None:
    frame, asked = samples(5), []

    def read(names: list[str]) -> pd.DataFrame:
        asked.append(tuple(names))
        return frame[names]

    Spread().table(Evidence(("t0",), {}, np.ones(1), 0, (), 0, samples=read))
    assert {len(names) for names in asked} == {1}
    assert {name for (name,) in asked} == set(READ)
