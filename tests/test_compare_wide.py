"""Samples of very many images are resampled and read in parts that add up to the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmreport.analysis import Evidence, resampling
from fmreport.analysis.outliers import READ, Outliers
from fmreport.analysis.over_images import Read
from fmreport.analysis.spread import Spread
from fmreport.compare import values
from fmreport.compare.wide import Wide
from fmreport.store.rows import ParquetRows, read

TAPS, IMAGES = ("a", "b", "c"), 40


def samples() -> pd.DataFrame:
    """Rows in no order, some of whose values are not finite, and one of which is far from the others."""
    rng = np.random.default_rng(3)
    names = {"probe": [f"p{i}" for i in range(IMAGES) for _ in TAPS], "tap": [*TAPS] * IMAGES}
    made = pd.DataFrame({**names, **{name: rng.normal(size=IMAGES * len(TAPS)) for name in READ[2:]}})
    made = made.assign(nan=0, inf=0, finite=9).sample(frac=1, random_state=1, ignore_index=True)
    made.loc[[3, 50, 70], "gini"] = (np.nan, np.inf, 50)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The same in a file, in several groups of rows."""
    samples().to_parquet(tmp_path / "samples.parquet", row_group_size=17, index=False)
    return tmp_path / "samples.parquet"


def test_columns_that_are_read_are_those_that_there_are_with_text_as_categories(file: Path) -> None:
    found = read(file, ["gini", "nothing", "tap"])
    assert list(found) == ["gini", "tap"]
    assert sorted(found["tap"].cat.categories) == sorted(TAPS)
    assert found["tap"].astype("str").tolist() == samples()["tap"].tolist()
    pd.testing.assert_series_equal(found["gini"], samples()["gini"])


def test_rows_that_were_added_are_read_by_columns(tmp_path: Path) -> None:
    rows = ParquetRows(tmp_path / "samples.parquet")
    for _, part in samples().groupby("probe", sort=False):
        rows.add(part)
    assert list(rows.read(["tap", "none", "mean"])) == ["tap", "mean"]
    assert rows.read().groupby("tap")["mean"].count().to_dict() == dict.fromkeys(TAPS, IMAGES)


@pytest.mark.parametrize("analysis", [Outliers(), Spread()])
def test_analyses_of_a_file_are_those_of_a_frame(file: Path, analysis: Outliers | Spread) -> None:
    def made(frame: Read) -> pd.DataFrame:
        return analysis.table(Evidence(TAPS, {}, np.ones(1), 0, (), 0, samples=frame))

    whole = made(samples().__getitem__)
    assert len(whole)
    pd.testing.assert_frame_equal(made(lambda names: read(file, names)), whole)


def test_a_measure_stands_where_its_tap_and_its_image_do(file: Path) -> None:
    taps, images = ("c", "gone", "a"), ("p7", "p3", "nobody")
    wide = Wide(lambda names: read(file, names), taps, images)
    table = samples().set_index(["tap", "probe"])["gini"]
    expected = [[table.get((tap, image), np.nan) for image in images] for tap in taps]
    np.testing.assert_array_equal(wide.of("gini"), expected)
    assert wide.of("nothing") is None
    assert wide.taps.tolist() == [True, False, True]


@pytest.mark.parametrize("groups", [7, resampling.FEW + 3])
def test_resamples_in_parts_are_those_that_are_drawn_at_once(groups: int) -> None:
    masked, draws = groups // 3, resampling.PART + 9
    found = resampling.resamples(groups, masked=masked, seed=5, draws=draws)
    rng = np.random.default_rng((5, groups))
    kinds = [rng.multinomial(n, np.full(n, 1 / n), draws) for n in (masked, groups - masked)]
    np.testing.assert_array_equal(found, np.concatenate(kinds, axis=1))


def test_sums_over_resampled_images_are_those_of_all_at_once() -> None:
    rng = np.random.default_rng(0)
    images = 2 * values.PART + 5
    told = rng.integers(-9, 9, (3, images)).astype(np.float64)
    there = rng.random((3, images)) < np.array([[1.0], [0.5], [0.0]])
    draws = rng.integers(0, 4, (4, images)).astype(np.uint16)
    whole = draws.T.astype(np.float64)
    np.testing.assert_array_equal(values.summed(told, draws), told @ whole)
    np.testing.assert_array_equal(values.counted(there, draws), there.astype(np.float64) @ whole)
