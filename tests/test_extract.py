"""Parts add up to the whole: however probes are batched, whatever taps are measured together, tables are the same."""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import Numbers, Planted, extraction

from fmreport import columns
from fmreport.errors import SourceError
from fmreport.extract import Extraction, Feed, Tables, batch_size, batches, handed, portions
from fmreport.measures import Sum, fold, load, merge
from fmreport.measures.regions import Regions
from fmreport.measures.summary import summarise
from fmreport.probes import Preprocess

PROBES = 6


@cache
def activations() -> dict[str, np.ndarray]:
    """Taps that differ in shape, format and sign; of one, an image holds NaN and another Inf."""
    rng = np.random.default_rng(5)
    signed = rng.normal(size=(PROBES, 7, 5, 4)).astype(np.float32)
    bad = np.maximum(signed, 0)
    bad[2, 3, 3, 1], bad[4, 0, 0, :] = np.nan, np.inf
    mixed = signed.copy()
    mixed[::2] = np.maximum(mixed[::2], 0)
    return {
        "vector": np.maximum(rng.normal(size=(PROBES, 9)), 0).astype(np.float32),
        "signed": signed,
        "relu/after": np.maximum(signed, 0),
        "bad": bad,
        "mixed": mixed,
        "half": np.maximum(rng.normal(size=(PROBES, 7, 5, 4)), 0).astype(np.float16),
        "wide": rng.normal(size=(PROBES, 7, 5, 4)),
        "volume": rng.normal(size=(PROBES, 3, 2, 4, 3)).astype(np.float32),
        "sequence": np.abs(rng.normal(size=(PROBES, 11, 3))).astype(np.float32),
        "faint": (1e-25 * signed).astype(np.float32),
        "silent": np.zeros((PROBES, 2, 2, 3), np.float32),
    }


@cache
def whole() -> Tables:
    return extraction(activations(), batch=PROBES).measure(["p1"])


def same_frame(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Whole numbers, states and text exactly, all else to rounding of what the sums are made of."""
    assert list(one.columns) == list(other.columns)
    assert one.dtypes.to_dict() == other.dtypes.to_dict()
    for name in one.columns:
        if one[name].dtype.kind == "f":
            close = np.isclose(one[name], other[name], rtol=1e-6, atol=_rounding(other, name), equal_nan=True)
            assert close.all(), f"{name}: {one[~close]} is not {other[~close]}"
        else:
            assert (one[name] == other[name]).all(), name


def _rounding(frame: pd.DataFrame, name: str) -> np.ndarray | float:
    """What float32 leaves of a sum of values that cancel."""
    if name in ("total", "mean", "std"):
        count = np.maximum(frame["finite"], 1)
        scale = 1e-6 * np.sqrt(frame["squares"] / count).fillna(0).to_numpy()
        return scale * count.to_numpy() if name == "total" else scale
    return 2e-6 if name in ("hoyer_limit", "population_sparseness", "lifetime_sparseness") else 0.0


def same(one: Tables, other: Tables) -> None:
    same_frame(one.samples, other.samples)
    same_frame(one.channels, other.channels)
    same_frame(one.histograms, other.histograms)
    assert one.unseen.keys() == other.unseen.keys()
    for name, sums in one.unseen.items():
        for column, value in sums.items():
            np.testing.assert_allclose(value, other.unseen[name][column], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("batch", range(1, PROBES + 3))
def test_batches_of_any_size_give_the_same_tables(batch: int) -> None:
    tables = extraction(activations(), batch=batch).measure(["p1"])
    same(tables, whole())
    if batch > 1:
        for one, other in ((tables.samples, whole().samples), (tables.channels, whole().channels)):
            pd.testing.assert_frame_equal(one, other, check_exact=True)


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(PROBES)), st.integers(1, PROBES))
def test_probes_in_any_order_give_the_same_rows_in_that_order(order: list[int], batch: int) -> None:
    tables = extraction(activations(), batch=batch, order=order).measure(["p1"])
    taps = list(activations())
    assert list(tables.samples["probe"]) == [f"p{i}" for i in order for _ in taps]
    assert list(tables.samples["tap"]) == taps * PROBES
    rows = [i * len(taps) + t for i in order for t in range(len(taps))]
    same_frame(tables.samples, whole().samples.iloc[rows].reset_index(drop=True))
    same_frame(tables.channels, whole().channels)
    same_frame(tables.histograms, whole().histograms)


def test_a_traced_function_gives_what_a_plain_call_gives() -> None:
    some = {name: activations()[name] for name in ("vector", "signed", "bad", "mixed", "half", "wide", "volume")}
    same(extraction(some, batch=2, graph=True).measure(["p1"]), extraction(some, batch=2).measure(["p1"]))


def test_an_image_with_nan_leaves_its_neighbours_as_they_are() -> None:
    clean = dict(activations())
    clean["bad"] = np.maximum(clean["signed"], 0)
    rows = whole().samples["tap"].eq("bad") & ~whole().samples["probe"].isin(["p2", "p4"])
    expected = extraction(clean, batch=PROBES).measure(["p1"]).samples[rows]
    pd.testing.assert_frame_equal(whole().samples[rows], expected, check_exact=True)
    assert whole().samples[rows][["nan", "inf"]].sum().sum() == 0
    bad = whole().samples[whole().samples["tap"] == "bad"].set_index("probe")
    assert (bad.loc["p2", "nan"], bad.loc["p4", "inf"]) == (1, 4)


@st.composite
def splits(draw: st.DrawFn) -> list[list[int]]:
    """The numbers 0 to 11 in consecutive parts."""
    cuts = sorted(draw(st.sets(st.integers(1, 11), max_size=11)))
    return [list(range(a, b)) for a, b in zip([0, *cuts], [*cuts, 12], strict=True)]


@given(splits(), st.integers(0, 2**32 - 1))
def test_merged_parts_are_the_whole(parts: list[list[int]], seed: int) -> None:
    sums = [s for measure in load().values() for s in measure.sums]
    rng = np.random.default_rng(seed)
    values = {s.name: _random_sum(rng, s) for s in sums}
    merged = [merge(sums, {name: value[part] for name, value in values.items()}, axis=0) for part in parts]
    again = merge(sums, {name: np.stack([m[name] for m in merged]) for name in values}, axis=0)
    for name, value in merge(sums, values, axis=0).items():
        np.testing.assert_allclose(again[name], value, rtol=1e-12)
        assert again[name].dtype == value.dtype


@given(splits(), st.integers(0, 2**32 - 1))
def test_folded_parts_are_the_whole_bit_for_bit(parts: list[list[int]], seed: int) -> None:
    sums = [s for measure in load().values() for s in measure.sums]
    rng = np.random.default_rng(seed)
    values = {s.name: _random_sum(rng, s) for s in sums}
    again: dict[str, np.ndarray] = {}
    for part in parts:
        again = fold(sums, again, {name: value[part] for name, value in values.items()})
    merged = merge(sums, values, axis=0)
    for name, value in fold(sums, {}, values).items():
        np.testing.assert_array_equal(again[name], value)
        np.testing.assert_allclose(merged[name], value, rtol=1e-12)
        assert again[name].dtype == value.dtype == merged[name].dtype


def _random_sum(rng: np.random.Generator, one: Sum) -> np.ndarray:
    if one.column.unit == "count":
        return rng.integers(0, 2**40, (12, 3))
    values = rng.random((12, 3))
    if one.combine != "add":
        values[rng.random(values.shape) < 0.3] = np.nan
    return values


def test_channels_that_are_silent_constant_or_always_on_are_found() -> None:
    rng = np.random.default_rng(0)
    values = np.maximum(rng.normal(size=(4, 20, 20, 7)), 0).astype(np.float32)
    values[..., 1] = 0
    values[..., 2] = 2.5
    values[..., 3] += 1
    values[..., 4] = 0
    values[2, :3, :5, 4] = 1  # 15 of 1600 are on: 99.06 % are zero
    values[..., 5] = 0
    values[2, :4, :4, 5] = 1  # 16 of 1600 are on: exactly 99 % are zero
    values[3, 1, 1, 6] = np.nan
    tables = extraction({"t": values}, batch=3).measure([])
    found = {s: set(np.flatnonzero(tables.channels[s])) for s in ("silent", "near_silent", "always_on", "constant")}
    assert found == {"silent": {1}, "near_silent": {1, 4}, "always_on": {2, 3}, "constant": {1, 2}}
    summary = summarise(pd.Series(["t"]), tables.rows.read, tables.channels, tables.histograms)
    assert summary[["silent", "near_silent", "always_on", "constant"]].to_numpy().tolist() == [[1, 2, 2, 2]]


def test_an_unlike_image_ends_silence() -> None:
    """A state is one of all probes: a channel that is constant on each image need not be constant."""
    values = np.zeros((3, 4, 4, 2), np.float32)
    values[2, ..., 1] = 1
    channels = extraction({"t": values}, batch=2).measure([]).channels
    assert list(channels["silent"]) == [True, False]
    assert list(channels["constant"]) == [True, False]
    assert channels["std"].iloc[1] == pytest.approx(np.sqrt(2) / 3)


def test_every_column_of_every_table_has_a_meaning() -> None:
    tables = whole()
    summary = summarise(pd.Series(list(activations())), tables.rows.read, tables.channels, tables.histograms)
    known = {table: set(found) for table, found in columns.described().items()}
    of_maps = {s.name for measure in load().values() if measure.of_maps for s in measure.sums if s.per == "image"}
    of_masks = {derived.column.name for derived in Regions.columns}
    (quantised,) = load(["saturation"]).values()
    of_quantised = {each.column.name for each in (*quantised.sums, *quantised.columns)}
    assert known["samples"] == set(tables.samples.columns) | of_maps | of_masks | of_quantised
    assert known["channels"] == set(tables.channels.columns) | of_quantised
    assert known["histograms"] == set(tables.histograms.columns)
    assert known["summary"] >= set(summary.columns)


def test_counts_and_states_have_their_types() -> None:
    for frame in (whole().samples, whole().channels):
        assert {frame[name].dtype.name for name in ("finite", "nan", "inf", "zeros")} == {"int64"}
        assert {frame[name].dtype.name for name in ("total", "squares", "minimum", "maximum")} == {"float64"}
    states = ("silent", "near_silent", "always_on", "constant")
    assert {whole().channels[name].dtype.name for name in states} == {"bool"}
    assert whole().histograms["count"].dtype == np.int64


@pytest.mark.parametrize("most", [1, 1000, 2000])
def test_taps_that_are_handed_over_in_portions_have_the_same_tables_bit_for_bit(most: int) -> None:
    whole, parts = extraction(activations(), batch=2), extraction(activations(), batch=2)
    parts = replace(parts, feed=Feed(handed=most))
    one, other = whole.measure(["p1"]), parts.measure(["p1"])
    for name in ("samples", "channels", "histograms"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    # The same measures, in a function for each portion; careful ones for images that float32 does not hold.
    asked = parts.model.asked[: len(portions(parts.taps, most))]
    assert [name for names in asked for name in names] == list(activations())
    assert len(asked) > 1


@pytest.mark.parametrize("most", [None, 1])
def test_shown_maps_are_the_activations(most: int | None) -> None:
    made = {name: activations()[name] for name in ("signed", "sequence", "volume", "half", "wide")}
    chosen = {name: np.array([2, 0]) for name in made}
    shown = list(replace(extraction(made, batch=4), feed=Feed(handed=most)).show(chosen, ["p3", "p1"]))
    assert [name for name, _ in shown] == ["p3", "p1"]
    for name, maps in shown:
        for t, values in maps.items():
            assert values.dtype == np.float32
            np.testing.assert_array_equal(values, made[t][int(name[1])][..., [2, 0]].astype(np.float32))


def test_a_batch_is_filled_up_with_its_last_image() -> None:
    filled = list(batches(Numbers.upto(5), Preprocess((1, 1)), 3))  # type: ignore[arg-type]
    assert [names for names, _ in filled] == [("p0", "p1", "p2"), ("p3", "p4")]
    assert [list(images[:, 0, 0, 0]) for _, (images,) in filled] == [[0, 1, 2], [3, 4, 4]]


def test_a_batch_fits_into_memory() -> None:
    model = Planted({"t": np.zeros((1, 64, 64, 64), np.float32)})
    assert batch_size(model, model.taps, memory_mb=8, probes=9) == 1
    assert batch_size(model, model.taps, memory_mb=16, probes=9) == 2
    assert batch_size(model, model.taps, memory_mb=10**6, probes=9) == 4
    assert batch_size(model, model.taps, memory_mb=10**6, probes=3) == 3
    assert batch_size(model, model.taps, memory_mb=10**6, probes=9, wanted=8) == 8
    assert batch_size(model, model.taps, memory_mb=10**6, probes=3, wanted=8) == 3
    assert batch_size(Planted(model.activations, batch=7), model.taps, memory_mb=1, probes=9) == 7
    with pytest.raises(SourceError, match="one image needs about 8 MB") as caught:
        batch_size(model, model.taps, memory_mb=7, probes=9)
    assert "write memory_mb: 8" in caught.value.fix


def test_what_another_framework_hands_over_takes_memory_beside_the_forward_pass() -> None:
    model = Planted({"t": np.zeros((1, 64, 64, 64), np.float32)}, hosted=True)
    assert batch_size(model, model.taps, memory_mb=10, probes=9) == 1
    with pytest.raises(SourceError, match="one image needs about 10 MB"):
        batch_size(model, model.taps, memory_mb=9, probes=9)
    # Two images: 16 MB for the pass, and of the rest a half for each of the two that hold it.
    assert handed(model, model.taps, batch=2, memory_mb=32) == (32 - 16) * 2**20 // 2 // 2
    assert handed(model, model.taps, batch=2, memory_mb=16) == 2**20
    assert handed(Planted(model.activations), model.taps, batch=2, memory_mb=32) is None


@given(st.lists(st.integers(1, 50), max_size=12), st.integers(1, 100))
def test_portions_hold_every_tap_once_in_order_and_no_more_than_fits(sizes: list[int], most: int) -> None:
    taps = Planted({f"t{i}": np.zeros((1, size), np.float32) for i, size in enumerate(sizes)}).taps
    parts = portions(taps, 4 * most)
    assert [tap for part in parts for tap in part] == list(taps)
    assert all(len(part) == 1 or sum(tap.elements for tap in part) <= most for part in parts)
    # None could have been put to the one before it.
    for before, part in pairwise(parts):
        assert sum(tap.elements for tap in before) + part[0].elements > most
    assert portions(taps, None) == [taps]


def test_an_image_is_never_alone_in_a_batch_that_memory_makes_larger() -> None:
    model = Planted({"t": np.zeros((1, 64, 64, 64), np.float32)})
    assert batch_size(model, model.taps, memory_mb=10**6, probes=1) == 2
    assert batch_size(model, model.taps, memory_mb=10**6, probes=9, wanted=1) == 2
    assert batch_size(Planted(model.activations, batch=1), model.taps, memory_mb=10**6, probes=9, wanted=4) == 1


def test_measuring_holds_no_more_images_than_a_batch() -> None:
    held: list[weakref.ref[np.ndarray]] = []
    most = 0

    def alive(image: np.ndarray) -> None:
        nonlocal most
        held.append(weakref.ref(image))
        most = max(most, sum(one() is not None for one in held))

    many = {"t": np.zeros((200, 2, 2, 1), np.float32)}
    base = extraction(many, batch=4)
    probes = Numbers(base.probes.names, tuple(range(200)), alive)
    Extraction(base.model, base.taps, probes, base.preprocess, 4).measure([])  # type: ignore[arg-type]
    assert len(held) == 200
    assert most <= 5


def test_a_measure_is_reported_as_it_advances() -> None:
    steps: list[tuple[int, int]] = []
    extraction(activations(), batch=4).measure([], lambda done, total: steps.append((done, total)))
    assert steps == [(4, 6), (6, 6)]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_keras_model_is_measured_as_its_own_outputs_are(batch: int) -> None:
    """The real path: the recorder's tensors, in a graph, against the outputs of the model's own layers."""
    import keras

    from fmreport.sources import Identity
    from fmreport.sources.keras_model import KerasModel

    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((1, 1, 3)),
            keras.layers.UpSampling2D(6),
            keras.layers.Conv2D(5, 3, name="conv"),
            keras.layers.ReLU(name="relu"),
            keras.layers.Flatten(name="flat"),
        ]
    )
    tappable = KerasModel(model, Identity("builder", "test", "", "keras", 0))
    _, taps = tappable.inventory((1, 1))
    numbers = np.arange(4, dtype=np.float32)
    by_name, x = {}, np.broadcast_to(numbers[:, None, None, None], (4, 1, 1, 3))
    for layer in model.layers:
        x = np.asarray(layer(x))
        by_name[layer.name] = x
    wanted = tuple(t for t in taps if t.name in ("conv", "relu", "flat"))
    found = Extraction(tappable, wanted, Numbers.upto(4), Preprocess((1, 1)), batch).measure(["p0"])  # type: ignore[arg-type]
    expected = extraction({t.name: by_name[t.name] for t in wanted}, batch=4).measure(["p0"])
    for column in ("finite", "zeros", "mean", "std", "minimum", "maximum", "gini", "hoyer_limit", "q99"):
        np.testing.assert_allclose(found.samples[column], expected.samples[column], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        found.channels["lifetime_sparseness"], expected.channels["lifetime_sparseness"], atol=1e-5
    )
