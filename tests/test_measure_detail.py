"""Fine detail of one tap: plain NumPy with a fast Fourier transform, closed forms, and what has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import spectra
from hypothesis import given
from hypothesis import strategies as st
from planted import extraction
from spectra import NAMES, columns, sums

from fmreport.extract import Extraction, Tables
from fmreport.measures.detail import CHANGE, DEVIATION, LINES, RUN, some_channels
from fmreport.measures.projection import WIDTH, lattice, projection
from fmreport.measures.spectrum import FREQUENCIES, MOMENT, PER_CYCLE, POWER, basis
from fmreport.records import IMAGE, Probe

SHAPES = [(4, 4, 1), (7, 7, 3), (14, 14, 5), (9, 16, 4), (15, 8, 70), (28, 29, 2), (61, 40, 1), (6, 6, 200)]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_spectrum_is_that_of_a_fourier_transform(shape: tuple[int, ...], dtype: str) -> None:
    values = (noise(3, *shape) + 2).astype(dtype)
    band = min(shape[:2]) / 2
    stands_in = values if shape[-1] <= WIDTH else values @ projection(shape[-1])
    found, made = columns(values), sums(values)["spectrum"]
    assert made.shape == (3, band * PER_CYCLE, 3)
    f = spectra.cycles(shape[:2])  # type: ignore[arg-type]
    for i, expected in enumerate(spectra.power(stands_in)):
        assert found["centroid"][i] == pytest.approx(spectra.centroid(expected, band), rel=1e-4)
        assert found["centroid_share"][i] == pytest.approx(found["centroid"][i] / band)
        assert found["high_frequency"][i] == pytest.approx(spectra.high_frequency(expected, band), rel=1e-4)
        for ring, row in enumerate(made[i]):
            inside = (f > ring / PER_CYCLE) & (f <= (ring + 1) / PER_CYCLE)
            assert row[FREQUENCIES] == inside.sum()
            assert row[POWER] == pytest.approx(expected[inside].sum(), rel=1e-3, abs=1e-6)
            assert row[MOMENT] == pytest.approx((f * expected)[inside].sum(), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 9, 3), (80, 3, 2), (2, 2, 5), (100, 130, 90)], ids=str)
def test_total_variation_is_that_of_neighbours_on_some_lines_of_some_channels(shape: tuple[int, ...]) -> None:
    values = noise(2, *shape) * np.arange(1, shape[-1] + 1, dtype=np.float32)
    some = values[..., some_channels(shape[-1])].astype(np.float64)
    rows, columns_ = lattice(shape[0], LINES), lattice(shape[1], LINES)
    deviation = some.std(axis=(1, 2)).mean(axis=-1)
    changes = [np.abs(np.diff(some[:, rows], axis=2)).mean(axis=(1, 2, 3))]
    if shape[0] > 1:
        changes.append(np.abs(np.diff(some[:, :, columns_], axis=1)).mean(axis=(1, 2, 3)))
    expected = np.mean(changes, axis=0) / deviation
    np.testing.assert_allclose(columns(values)["total_variation"], expected, rtol=1e-5)


@given(st.integers(1, 5000))
def test_some_channels_are_spread_over_all_of_them(channels: int) -> None:
    some = some_channels(channels)
    assert min(channels, WIDTH // 2) <= len(some) <= WIDTH
    gaps = np.diff([-1, *some, channels])
    assert gaps.min() >= 1
    assert gaps.max() <= (channels / RUN + 1 if channels > WIDTH else 1)


@pytest.mark.parametrize("side", [4, 5, 14, 57])
def test_a_basis_without_its_window_is_orthonormal(side: int) -> None:
    """What makes the real transform hold, ring by ring, the power of the complex one."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side)
    # Without the first element: there the window is 0.
    waves = basis(side)[:, 1:] / window[1:] * np.sqrt((window**2).mean())
    np.testing.assert_allclose(waves.T @ waves, np.eye(side - 1), atol=1e-12)


def test_white_noise_has_its_centroid_at_two_thirds() -> None:
    found = columns(noise(1, 112, 112, 64))
    assert found["centroid_share"][0] == pytest.approx(2 / 3, abs=0.003)
    assert found["high_frequency"][0] == pytest.approx(0.75, abs=0.004)
    assert found["total_variation"][0] == pytest.approx(2 / np.sqrt(np.pi), abs=0.01)


def test_white_noise_has_its_variance_as_power_at_every_frequency() -> None:
    profile = sums(3 * noise(1, 56, 56, 64))["spectrum"][0]
    full = profile[profile[:, FREQUENCIES] > 20]
    np.testing.assert_allclose(full[:, POWER] / full[:, FREQUENCIES], 9, rtol=0.1)
    assert profile[8:, POWER].sum() / profile[8:, FREQUENCIES].sum() == pytest.approx(9, rel=0.01)


def test_small_maps_of_noise_scatter() -> None:
    """7% of the band at 7 x 7: one map says little, and power is averaged before centroids are taken."""
    share = columns(noise(400, 7, 7, 1))["centroid_share"]
    assert 0.05 < share.std() < 0.08
    assert share.mean() == pytest.approx(2 / 3, abs=0.03)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("grid", [(56, 56), (160, 160), (64, 48), (43, 43)])
def test_a_sinusoid_of_20_cycles_is_found_at_20_01(grid: tuple[int, int], axis: int) -> None:
    assert round(columns(spectra.wave(grid, 20, axis=axis))["centroid"][0], 2) == 20.01


@pytest.mark.parametrize("k", [2, 3, 5, 10, 20, 40])
def test_a_wave_is_blurred_by_its_window_alone(k: int) -> None:
    """The window spreads each frequency over its neighbours, with 1/6, 2/3 and 1/6 of its power along each axis."""
    kernel = {-1: 1 / 6, 0: 2 / 3, 1: 1 / 6}
    expected = sum(p * q * np.hypot(k + i, j) for i, p in kernel.items() for j, q in kernel.items())
    assert columns(spectra.wave((96, 96), k))["centroid"][0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("grid", [(32, 32), (160, 160), (40, 100)])
def test_cycles_per_image_do_not_depend_on_the_grid(grid: tuple[int, int]) -> None:
    expected = columns(spectra.wave((64, 64), 5))["centroid"][0]
    assert columns(spectra.wave(grid, 5))["centroid"][0] == pytest.approx(expected, rel=1e-5)


def test_14_by_14_noise_is_measured_natively() -> None:
    """Upsampling invents detail: the blocks of nearest neighbours have edges that the map does not have."""
    values = noise(300, 14, 14, 1)
    native = columns(values)["centroid"]
    assert abs(4.21 - native.mean()) < 2 * native.std()  # the value of one such map
    assert native.mean() == pytest.approx(4.65, abs=0.05)
    nearest = columns(values[:20].repeat(16, axis=1).repeat(16, axis=2))["centroid"]
    assert nearest.mean() / native[:20].mean() == pytest.approx(11.25 / 4.21, rel=0.03)


def test_a_large_mean_hides_no_small_detail() -> None:
    values = noise(2, 28, 28, 3)
    expected, found = columns(values.astype(np.float64)), columns(values + 3000)
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, err_msg=name)


def test_scale_sign_and_orientation_change_nothing() -> None:
    values = noise(2, 20, 24, 3)
    for other in (values * 1e3, -values, values.swapaxes(1, 2)):
        for name in NAMES:
            np.testing.assert_allclose(columns(other)[name], columns(values)[name], rtol=1e-5, err_msg=name)


def test_a_checkerboard_changes_at_every_step() -> None:
    board = np.indices((10, 12)).sum(axis=0) % 2
    found = columns(board[None, ..., None].astype(np.float32))
    assert found["total_variation"][0] == pytest.approx(2, rel=1e-6)


def test_channels_of_any_strength_count_alike_in_total_variation() -> None:
    """Changes over deviations: noise has its constant however unequal its channels, and flat ones change nothing."""
    values = noise(1, 60, 60, 8) * np.array([1, 10, 100, 1e-3, 1, 0, 0, 5], np.float32)
    assert columns(values)["total_variation"][0] == pytest.approx(2 / np.sqrt(np.pi), rel=0.03)


def test_sparse_maps_are_told_from_noise_however_wide_they_are() -> None:
    """Of 5% ones, 2 sqrt(p(1-p)): combinations of many such channels would say 2/sqrt(pi)."""
    values = (np.random.default_rng(0).random((1, 28, 28, 256)) < 0.05).astype(np.float32)
    assert columns(values)["total_variation"][0] == pytest.approx(2 * np.sqrt(0.05 * 0.95), rel=0.03)


@pytest.mark.parametrize("channels", [1, 3, 130])
@pytest.mark.parametrize("level", [0.0, 0.1, -1e6])
@pytest.mark.parametrize("grid", [(8, 8), (1, 1), (40, 33)])
def test_a_constant_map_has_no_detail(grid: tuple[int, int], level: float, channels: int) -> None:
    """Whatever rounding makes of it."""
    values = np.full((2, *grid, channels), level, np.float32) + np.arange(channels, dtype=np.float32)
    for careful in (False, True):
        assert all(np.isnan(found).all() for found in columns(values, careful=careful).values())


def test_a_constant_image_among_others_takes_nothing_from_them() -> None:
    values = noise(3, 12, 12, 4)
    values[1] = 7
    found = columns(values)
    for name in NAMES:
        np.testing.assert_allclose(found[name][[0, 2]], columns(values[[0, 2]])[name], rtol=1e-5)
        assert np.isnan(found[name][1])


@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (2, 2), (3, 3), (3, 50), (50, 2)])
def test_maps_of_less_than_4_elements_a_side_have_no_spectrum(grid: tuple[int, int]) -> None:
    values = noise(2, *grid, 3)
    found = columns(values)
    for name in ("centroid", "centroid_share", "high_frequency"):
        assert np.isnan(found[name]).all()
    assert np.isnan(found["total_variation"]).all() == (grid == (1, 1))
    assert sums(values)["spectrum"].shape == (2, 2 * min(grid), 3)


def test_a_single_row_changes_along_itself() -> None:
    row = np.array([0, 1, 3, 3], np.float32).reshape(1, 1, 4, 1)
    expected = 1 / np.std([0, 1, 3, 3])
    assert columns(row)["total_variation"][0] == pytest.approx(expected, rel=1e-6)
    assert columns(row.swapaxes(1, 2))["total_variation"][0] == pytest.approx(expected, rel=1e-6)
    (made,) = sums(row)["variation"]
    assert np.isnan(made[CHANGE]).tolist() == [True, False]
    assert made[DEVIATION] == pytest.approx(np.std([0, 1, 3, 3]))


@pytest.mark.parametrize("shape", [(9,), (11, 3), (3, 2, 4, 3)])
def test_what_is_no_map_has_no_detail(shape: tuple[int, ...]) -> None:
    assert "spectrum" not in sums(noise(2, *shape))
    assert all(np.isnan(found).all() for found in columns(noise(2, *shape)).values())


def test_nan_and_inf_are_taken_for_zeros() -> None:
    values = noise(3, 12, 10, 2)
    values[1, 4, 5, 0], values[2, 0, 0, :] = np.nan, np.inf
    found, expected = columns(values, careful=True), columns(np.where(np.isfinite(values), values, 0))
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, err_msg=name)
    nothing = np.full((1, 8, 8, 2), np.nan, np.float32)
    assert all(np.isnan(found).all() for found in columns(nothing, careful=True).values())


class Flat:
    """Scenes of probes that are one grey pixel each, in three groups."""

    planes = ("kept", "edge", "red", "green", "blue")
    groups = 3
    group = {f"p{i}": i % 3 for i in range(9)}  # noqa: RUF012
    drawn, masked, place = 0, (), {}

    def only(self, names: Sequence[str]) -> Flat:
        """The same, and knows of no other probes than these."""
        part = Flat()
        part.group = {name: self.group[name] for name in names}
        return part

    def of(self, probe: Probe) -> np.ndarray:
        return np.ones((1, 1, 5), np.float32)


def with_scenes(made: dict[str, np.ndarray], batch: int) -> Extraction:
    return replace(extraction(made, batch=batch), scenes=Flat())  # type: ignore[arg-type]


def taps() -> dict[str, np.ndarray]:
    """Taps of several shapes and formats; two are measured together, one holds NaN, Inf and a constant image."""
    made = {"one": noise(7, 9, 12, 3, seed=1), "other": noise(7, 9, 12, 3, seed=2), "small": noise(7, 2, 3, 4)}
    made |= {"vector": noise(7, 5), "half": noise(7, 16, 16, 2).astype(np.float16), "faint": 1e-20 * noise(7, 8, 8, 2)}
    made["bad"] = noise(7, 6, 6, 100)
    made["bad"][2, 3, 3, 7], made["bad"][4], made["bad"][5, 0, 0] = np.nan, 2, np.inf
    return made


def tables_agree(one: Tables, other: Tables) -> None:
    for name in NAMES:
        np.testing.assert_allclose(one.samples[name], other.samples[name], rtol=1e-5, err_msg=name)
    assert one.grouped.keys() == other.grouped.keys()
    for tap, grouped in one.grouped.items():
        assert grouped.keys() == other.grouped[tap].keys()
        for name, value in grouped.items():
            np.testing.assert_allclose(value, other.grouped[tap][name], rtol=1e-5, err_msg=f"{tap} {name}")


@pytest.mark.parametrize("batch", [1, 3])
def test_parts_add_up_to_the_whole(batch: int) -> None:
    tables_agree(with_scenes(taps(), batch).measure([]), with_scenes(taps(), 7).measure([]))


def test_a_run_has_every_tap_by_image_and_by_group() -> None:
    tables = with_scenes(taps(), 7).measure([])
    for name, values in taps().items():
        careful = name in ("bad", "faint")
        rows = tables.samples[tables.samples["tap"] == name]
        expected = columns(values, careful=careful)
        for column in NAMES:
            np.testing.assert_allclose(rows[column], expected[column], rtol=1e-5, err_msg=f"{name} {column}")
        if values.ndim < 4:
            assert "spectrum" not in tables.grouped[name]
            continue
        of_images = sums(values, careful=careful)["spectrum"]
        of_groups = np.stack([of_images[g::3].sum(axis=0) for g in range(3)])
        np.testing.assert_allclose(tables.grouped[name]["spectrum"], of_groups, rtol=1e-5)
    assert tables.grouped[IMAGE]["spectrum"].shape == (3, 2, 3)


def test_without_scenes_a_run_has_the_columns_and_nothing_in_them() -> None:
    samples = extraction({"one": noise(2, 9, 9, 3)}).measure([]).samples
    assert samples[list(NAMES)].isna().all(axis=None)
