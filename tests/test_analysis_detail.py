"""Fine detail along a network: planted spectra are found, pooled before ratios are taken, and resampled by weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import spectra
from spectra import cycles, evidence, shaped

from fmreport.analysis import ANALYSES, Evidence, load
from fmreport.analysis.detail import MEASURED, common_band, values


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def table(made: Evidence) -> pd.DataFrame:
    return load()["detail"].table(made)


def powers(side: int, exponent: float) -> np.ndarray:
    """f to that power on a square grid, nothing at 0."""
    f = cycles((side, side))
    return np.power(f, exponent, out=np.zeros_like(f), where=f > 0)


@pytest.mark.parametrize(("exponent", "expected"), [(0, 0), (-1, -1.00), (-2, -1.97), (-3, -2.99)])
@pytest.mark.parametrize(("side", "tolerance"), [(56, 0.09), (112, 0.05), (224, 0.04)])
def test_the_slope_of_a_power_law_is_found(side: int, tolerance: float, exponent: float, expected: float) -> None:
    """To what is left of noise and of the window, which spreads steep spectra at 2 and 3 cycles per image."""
    found = table(evidence({"law": shaped((2, side, side, 32), powers(side, exponent))}))
    assert found["slope"][0] == pytest.approx(expected, abs=tolerance)


def test_the_table_is_what_a_fourier_transform_says_of_the_mean_power() -> None:
    taps = {
        "fine": shaped((3, 60, 44, 4), 1 / (1 + cycles((60, 44)) ** 2)),
        "coarse": noise(3, 13, 17, 2),
        "single": noise(3, 29, 29, 1),
    }
    taps["fine"][1] *= 20
    found = table(evidence(taps)).set_index("tap")
    assert list(found.index) == list(taps)
    assert (found["band"] == 6.5).all()
    for name, maps in taps.items():
        row, mean = found.loc[name], spectra.power(maps).mean(axis=0)
        limit = min(maps.shape[1:3]) / 2
        assert row["nyquist"] == limit
        assert row["centroid"] == pytest.approx(spectra.centroid(mean, limit), rel=1e-5)
        assert row["centroid_share"] == pytest.approx(spectra.centroid(mean, limit) / limit, rel=1e-5)
        assert row["centroid_common"] == pytest.approx(spectra.centroid(mean, 6.5), rel=1e-5)
        assert row["high_frequency"] == pytest.approx(spectra.high_frequency(mean, limit), rel=1e-5)
        assert row["high_frequency_common"] == pytest.approx(spectra.high_frequency(mean, 6.5), rel=1e-5)
        if name == "coarse":
            assert np.isnan(row["slope"])
        else:
            assert row["slope"] == pytest.approx(spectra.slope(mean), rel=1e-5)


@pytest.mark.parametrize(("side", "defined"), [(27, False), (28, True)])
def test_a_slope_is_shown_from_28_by_28(side: int, defined: bool) -> None:
    found = table(evidence({"large": noise(1, 64, 64, 1), "t": noise(1, side, 40, 1)}))
    assert found["slope"].notna().tolist() == [True, defined]


@pytest.mark.parametrize("sides", [(256, 128, 64), (256, 256, 256)])
def test_a_pyramid_of_blurs_halves_its_centroid_at_every_step(sides: tuple[int, ...]) -> None:
    """Power exp(-f^2/s^2) has its centroid at s sqrt(pi)/2; the window adds 2/3 to s^2.

    The rest is noise, 0.5%, and the mean that is removed: less than 1/(pi s^2) of the power.
    """
    widths = np.array([32.0, 16.0, 8.0])
    pairs = zip(sides, widths, strict=True)
    taps = {str(s): shaped((4, n, n, 16), np.exp(-((cycles((n, n)) / s) ** 2))) for n, s in pairs}
    found = table(evidence(taps))
    np.testing.assert_allclose(found["centroid"], np.sqrt(np.pi) / 2 * np.sqrt(widths**2 + 2 / 3), rtol=0.01)
    np.testing.assert_allclose(found["centroid"][:-1] / found["centroid"][1:].to_numpy(), 2, rtol=0.015)
    halves = [n / sides[0] for n in sides]
    np.testing.assert_allclose(found["centroid_share"] * halves, found["centroid"] / 128, rtol=1e-6)


def test_within_the_common_band_blurs_show_as_far_as_they_reach_into_it() -> None:
    """White noise of any grid has its centroid at 4 of 6 cycles per image, and a wide blur leaves it there."""
    f, widths = cycles((96, 96)), (48.0, 24.0, 6.0)
    taps = {str(s): shaped((4, 96, 96, 16), np.exp(-((f / s) ** 2))) for s in widths}
    found = table(evidence({**taps, "coarse": noise(4, 12, 12, 16)}))
    assert (found["band"] == 6).all()
    # As noise of 16 channels of 4 images has it: about a hundred frequencies lie within the band.
    for i, s in enumerate(widths):
        expected = spectra.windowed(np.exp(-((f / s) ** 2)))
        assert found["centroid_common"][i] == pytest.approx(spectra.centroid(expected, 6), rel=0.01)
        assert found["high_frequency_common"][i] == pytest.approx(spectra.high_frequency(expected, 6), rel=0.01)
    assert found["centroid_common"][[0, 1, 3]].to_numpy() == pytest.approx([4, 4, 4], rel=0.03)
    assert found["centroid_common"][2] < 3.8


def test_waves_an_octave_apart_are_an_octave_apart() -> None:
    """Exactly: the window spreads a wave of k cycles by 1/3 in the square of its frequency, half of that across it."""
    found = table(evidence({str(k): spectra.wave((128, 128), k) for k in (48, 24, 12, 6)}))
    for k, centroid in zip((48, 24, 12, 6), found["centroid"], strict=True):
        assert centroid == pytest.approx(k + 1 / (6 * k), rel=3e-4)
        assert round(centroid) == k


def test_total_variation_and_gradient_of_a_wave() -> None:
    """A wave of k cycles rises and falls by 4k in all, and deviates by 1/sqrt(2); across, it does not change."""
    for grid in ((64, 64), (160, 160)):
        row = table(evidence({"wave": spectra.wave(grid, 4)})).iloc[0]
        assert row["total_variation_y"] == 0
        assert row["total_variation_x"] == pytest.approx(16 * np.sqrt(2) / grid[1], rel=0.02)
        assert row["total_variation"] == row["total_variation_x"] / 2
        assert row["gradient"] == pytest.approx(16 * np.sqrt(2) / 2, rel=0.02)
    assert table(evidence({"wave": spectra.wave((64, 64), 4, axis=0)}))["total_variation_x"][0] == 0


def test_the_common_band_is_that_of_the_coarsest_map_that_has_a_spectrum() -> None:
    made = evidence({"image": noise(2, 32, 32, 3), "map": noise(2, 9, 40, 2), "dot": noise(2, 3, 3, 5)})
    assert common_band(made) == 4.5
    found = table(made)
    assert (found["band"] == 4.5).all()
    assert found["nyquist"].tolist() == [16, 4.5, 1.5]
    assert found["centroid_common"].notna().tolist() == [True, True, False]
    assert found["total_variation"].notna().all()


def test_what_is_no_map_keeps_its_row_and_has_nothing_in_it() -> None:
    found = table(evidence({"map": noise(2, 8, 8, 2), "vector": noise(2, 5), "constant": np.ones((2, 6, 6, 1), "f4")}))
    assert list(found["tap"]) == ["map", "vector", "constant"]
    assert found.iloc[1][["nyquist", *MEASURED]].isna().all()
    assert found["nyquist"][2] == 3
    assert found.iloc[2][list(MEASURED)].isna().all()


@pytest.mark.parametrize("shape", [(5,), (1, 1, 4), (3, 3, 2)])
def test_a_model_without_a_map_that_is_large_enough_has_no_band(shape: tuple[int, ...]) -> None:
    found = table(evidence({"t": noise(2, *shape)}))
    assert list(found.columns) == [column.name for column in load()["detail"].columns]
    assert len(found) == (0 if len(shape) == 1 else 1)
    assert found["band"].isna().all()
    assert found["centroid_common"].isna().all()


def some() -> dict[str, np.ndarray]:
    made = {"a": noise(4, 30, 30, 3), "b": noise(4, 10, 10, 2, seed=1), "v": noise(4, 6)}
    made["a"] *= np.array([1, 5, 2, 9], np.float32)[:, None, None, None]
    return made


def test_ones_as_weights_make_the_table() -> None:
    made = evidence(some())
    found = values(made, np.ones(4))
    assert tuple(found) == MEASURED
    for name, value in found.items():
        np.testing.assert_array_equal(value, table(made)[name], err_msg=name)


def test_a_weight_counts_an_image_so_many_times() -> None:
    weights = np.array([2, 0, 1, 3])
    drawn = {name: maps.repeat(weights, axis=0) for name, maps in some().items()}
    found = values(evidence(some()), weights)
    for name in MEASURED:
        np.testing.assert_allclose(found[name], table(evidence(drawn))[name], rtol=1e-6, err_msg=name)


def test_many_resamples_at_once_are_each_what_they_are_alone() -> None:
    weights = np.random.default_rng(0).multinomial(4, [0.25] * 4, size=(2, 3))
    together = values(evidence(some()), weights)
    assert {value.shape for value in together.values()} == {(2, 3, 3)}
    for place in np.ndindex(2, 3):
        for name, value in values(evidence(some()), weights[place]).items():
            np.testing.assert_allclose(together[name][place], value, rtol=1e-12, err_msg=name)


def test_images_that_hold_nothing_leave_nothing_to_a_resample_of_them() -> None:
    flat = {"a": some()["a"]}
    flat["a"][0] = 1
    found = values(evidence(flat), np.array([[4, 0, 0, 0], [3, 1, 0, 0]]))
    assert all(np.isnan(value[0]).all() and not np.isnan(value[1]).any() for value in found.values())


def test_power_beyond_float64_is_undefined() -> None:
    made = evidence(some())
    huge = {name: {k: v * np.where(v > 0, np.inf, 1) for k, v in sums.items()} for name, sums in made.grouped.items()}
    found = table(replace(made, grouped=huge))
    assert found[list(MEASURED)].isna().all(axis=None)


def test_every_column_is_declared_and_named_by_the_registry() -> None:
    found = table(evidence(some()))
    assert "detail" in ANALYSES
    declared = load()["detail"].columns
    assert [column.name for column in declared] == list(found.columns)
    assert all(column.meaning for column in declared)
