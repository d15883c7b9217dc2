"""Numerical drift between two runs: what was planted is found, where it starts is told, and nothing else is claimed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from altered import another
from drifting import moved, network, renamed, run_of
from run_data import SyntheticRun

from fmreport.analysis.similarity import cka
from fmreport.compare.comparing import compare
from fmreport.compare.comparison import CHANGED, EQUAL, ROUNDING, Comparison, Drift
from fmreport.compare.drift import FLOOR, TOLERANCE, onset
from fmreport.measures.signature import ROWS
from fmreport.records import IMAGE

ERROR = (2 * ROWS) ** -0.5
MAPS = tuple(f"layer{i}" for i in range(6))


@pytest.fixture(scope="module")
def before() -> dict[str, np.ndarray]:
    return network(1)


@pytest.fixture(scope="module")
def a(before: dict[str, np.ndarray]) -> Any:
    return run_of(before)


def of(found: Comparison, tap: str) -> Drift:
    """The drift of one tap of B."""
    (told,) = (each.drift for each in found.taps if each.pair.b == tap)
    assert told is not None
    return told


def exact(one: np.ndarray, other: np.ndarray) -> float:
    """The norm of the difference over that of the first."""
    return float(np.linalg.norm(other.astype(float) - one) / np.linalg.norm(one.astype(float)))


def known(relative: float | None, *, infinite: bool = False) -> Drift:
    return Drift(relative, None, None, None, "values", infinite=infinite, why="")


def test_a_run_has_not_drifted_from_itself(a: SyntheticRun) -> None:
    found = compare(a, another(a))
    for tap in found.taps:
        assert tap.drift is not None
        assert (tap.drift.relative, tap.drift.shift, tap.drift.largest, tap.drift.cka) == (0, 0, 0, 1)
        assert (tap.drift.infinite, tap.drift.why, tap.state) == (False, "", EQUAL)
    assert (found.onset.agree, found.onset.until, found.onset.start) == (0, "head", "")
    assert (found.onset.steepest, found.onset.growth, found.onset.taps) == ("", None, 8)
    assert found.same
    assert len(found.verdict) == 1


@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.05, 2.0])
def test_the_drift_that_was_planted_is_found_within_the_stated_error(
    a: SyntheticRun, before: dict[str, np.ndarray], size: float
) -> None:
    after = moved(before, dict.fromkeys((*MAPS, "head"), size))
    found = compare(a, run_of(after))
    told = [(of(found, tap).relative or 0.0) / exact(before[tap], after[tap]) for tap in (*MAPS, "head")]
    assert np.mean(told) == pytest.approx(1, abs=4 * ERROR / len(told) ** 0.5)
    assert max(told) - 1 < 4 * ERROR
    assert 1 - min(told) < 4 * ERROR


def test_a_shift_of_channels_is_told_exactly_and_its_square_and_the_rest_add_up(
    a: SyntheticRun, before: dict[str, np.ndarray]
) -> None:
    shift = np.linspace(-0.2, 0.5, 6, dtype=np.float32)
    noisy = moved(before, dict.fromkeys(MAPS, 0.01))
    both = {tap: values + shift if tap in MAPS else values for tap, values in noisy.items()}
    only = {tap: values + shift if tap in MAPS else values for tap, values in before.items()}
    (found, noise, shifted) = (compare(a, run_of(each)) for each in (both, noisy, only))
    for tap in MAPS:
        assert of(shifted, tap).relative == pytest.approx(exact(before[tap], only[tap]), rel=1e-4)
        assert of(shifted, tap).shift == pytest.approx(of(shifted, tap).relative, rel=1e-4)
        told, rest = of(found, tap), of(noise, tap)
        assert told.relative is not None
        assert told.shift is not None
        assert rest.relative is not None
        assert rest.shift is not None
        left = told.relative**2 - told.shift**2
        assert left == pytest.approx(rest.relative**2 - rest.shift**2, rel=1e-3)


def test_a_tap_that_is_scaled_has_drifted_by_the_factor_whatever_its_units(a: SyntheticRun) -> None:
    for factor in (1.001, 0.5, -1.0):
        after = {tap: np.float32(factor) * values for tap, values in network(1).items()}
        found = compare(a, run_of(after))
        for tap in MAPS:
            assert of(found, tap).relative == pytest.approx(abs(factor - 1), rel=4 * ERROR)
            assert of(found, tap).cka == pytest.approx(1, abs=1e-9)


def test_what_holds_a_few_images_means_alone_says_so(a: SyntheticRun) -> None:
    found = compare(a, another(a))
    assert [of(found, tap).of for tap in ("layer0", "tokens", "head")] == ["values", "means", "means"]


def test_some_value_has_changed_by_the_largest_change_at_least(a: SyntheticRun, before: dict[str, np.ndarray]) -> None:
    after = moved(before, dict.fromkeys(before, 0.02))
    after["layer2"][3, 4, 5, 2] += 40
    found = compare(a, run_of(after))
    for tap, values in before.items():
        most = np.abs(after[tap].astype(float) - values).max() / np.abs(values).max()
        assert 0 < (of(found, tap).largest or 0) <= most * (1 + 1e-5)
    most = np.abs(after["layer2"].astype(float) - before["layer2"]).max() / np.abs(before["layer2"]).max()
    assert of(found, "layer2").largest == pytest.approx(most, rel=0.15)


def test_cka_is_that_of_both_taps_within_the_stated_error(a: SyntheticRun, before: dict[str, np.ndarray]) -> None:
    after = moved(before, {"head": 0.3})
    kept = [each["head"] - each["head"].mean(axis=0) for each in (before, after)]
    lacking = 1 - cka([each.astype(float) for each in kept])[0, 1]
    assert 1 - (of(compare(a, run_of(after)), "head").cka or 0) == pytest.approx(lacking, rel=4 * (2 / ROWS) ** 0.5)


def test_drift_starts_at_the_first_tap_beyond_the_tolerance(a: SyntheticRun, before: dict[str, np.ndarray]) -> None:
    sizes = {"layer0": 1e-6, "layer1": 2e-6, "layer2": 1e-2, "layer3": 2e-2, "layer4": 1e-6, "layer5": 3e-2}
    found = compare(a, run_of(moved(before, sizes)))
    assert (found.onset.until, found.onset.start, found.onset.steepest) == ("layer1", "layer2", "layer5")
    assert found.onset.agree == pytest.approx(2e-6, rel=4 * ERROR)
    (sentence,) = (each for each in found.verdict if "drift starts" in each)
    assert sentence.startswith("Numbers agree to 2")
    assert "e-6 up to layer1; drift starts at layer2 (0.0" in sentence
    assert "grows most at layer5, " in sentence
    assert [tap.state for tap in found.taps[:3]] == [ROUNDING, ROUNDING, CHANGED]


def test_numbers_that_agree_everywhere_are_no_difference_and_their_drift_is_told(
    a: SyntheticRun, before: dict[str, np.ndarray]
) -> None:
    found = compare(a, run_of(moved(before, dict.fromkeys(before, 1e-6))))
    assert found.same
    assert found.onset.start == ""
    assert found.verdict[1].startswith("Numbers agree to ")
    assert "at all 8 taps whose drift is known" in found.verdict[1]


def test_what_no_measure_sees_is_a_change_all_the_same(a: SyntheticRun, before: dict[str, np.ndarray]) -> None:
    """Maps turned upside down have the same mean, spread and histogram."""
    turned = {tap: values[:, ::-1] if tap == "layer3" else values for tap, values in before.items()}
    found = compare(a, run_of(turned))
    assert [tap.pair.b for tap in found.taps if tap.state == CHANGED] == ["layer3"]
    assert of(found, "layer3").shift == pytest.approx(0, abs=1e-6)
    assert not found.same


def test_nothing_of_nothing_is_equal_and_something_of_nothing_is_infinite(before: dict[str, np.ndarray]) -> None:
    silent = before | {"layer1": np.zeros_like(before["layer1"]), "layer3": np.zeros_like(before["layer3"])}
    found = compare(run_of(silent), run_of(silent | {"layer3": before["layer3"]}))
    nothing, something = of(found, "layer1"), of(found, "layer3")
    assert (nothing.relative, nothing.largest, nothing.infinite) == (0, 0, False)
    assert (something.relative, something.largest, something.infinite) == (None, None, True)
    assert something.why == "A is 0 everywhere and B is not: its relative error is infinite"
    assert (found.onset.until, found.onset.start) == ("layer2", "layer3")
    assert any("drift starts at layer3 (infinite: A is 0 there)" in each for each in found.verdict)
    back = compare(run_of(silent | {"layer3": before["layer3"]}), run_of(silent))
    assert of(back, "layer3").relative == pytest.approx(1, rel=4 * ERROR)


def test_what_is_not_finite_on_one_side_alone_is_not_compared(a: SyntheticRun, before: dict[str, np.ndarray]) -> None:
    broken = {tap: values.copy() for tap, values in before.items()}
    broken["layer0"][0, 0, 0, 1] = np.nan
    broken["layer2"][2, 3, 3, 4] = np.inf
    found = compare(a, run_of(broken))
    for tap in ("layer0", "layer2"):
        assert of(found, tap).relative is None
        assert of(found, tap).why == "A and B have NaN or infinite values in different channels"
    assert found.onset.taps == 6
    both = compare(run_of(broken), run_of(moved(broken, {"layer4": 0.01})))
    assert of(both, "layer0").relative == 0
    everywhere = broken | {"layer0": np.full_like(before["layer0"], np.nan)}
    assert of(compare(run_of(everywhere), run_of(everywhere)), "layer0").why == (
        "every channel has NaN or infinite values"
    )


def test_taps_of_other_shapes_are_not_compared(a: SyntheticRun, before: dict[str, np.ndarray]) -> None:
    found = compare(a, run_of(before | {"layer2": before["layer2"][:, :4]}))
    assert of(found, "layer2").relative is None
    assert of(found, "layer2").why == "A and B have not the same shape: 8 x 8 x 6, 4 x 8 x 6"


def test_without_what_it_takes_no_drift_is_told_and_the_page_says_why(a: SyntheticRun) -> None:
    probes = a.facts.probes
    older, sums = another(a), another(a)
    older.analyses["sketch"] = older.analyses["sketch"].iloc[:0]
    sums.facts = replace(sums.facts, measures={**sums.facts.measures, "sketch": 2})
    pixels = another(a)
    table = pixels.analyses["sketch"]
    table.loc[table["tap"] == IMAGE, "value"] *= 1.01
    cases = {
        "the runs were preprocessed differently": another(a, preprocess={"size": [1, 1]}),
        "the runs have not the same images with the same masks in the same order": another(a, probes=probes[::-1]),
        "B has no random sums (table sketch), which older versions did not take: run it again": older,
        "the runs took their random sums in different ways: run the older one again": sums,
        "the images have the same bytes and were not decoded to the same pixels": pixels,
    }
    for why, b in cases.items():
        found = compare(a, b, allow=("different-preprocessing",))
        assert found.onset.why == why
        assert {tap.drift for tap in found.taps} == {None}
        assert f"Numerical drift is not told: {why}." in found.notes
        assert not any("drift" in sentence for sentence in found.verdict)


def test_other_paths_change_nothing_of_it(a: SyntheticRun, before: dict[str, np.ndarray]) -> None:
    after = moved(before, {"layer3": 1e-3})
    found, other = compare(a, run_of(after)), compare(a, run_of(renamed(after)))
    assert [tap.drift for tap in found.taps] == [tap.drift for tap in other.taps]
    assert other.onset.start == "model.3.op"


def test_growth_is_counted_from_what_a_float_can_tell() -> None:
    told = onset([("a", known(1e-9)), ("b", known(2e-8)), ("c", known(3e-7)), ("d", known(2e-6)), ("e", known(1e-6))])
    assert (told.start, told.until, told.agree) == ("", "e", 2e-6)
    assert told.steepest == "d"
    assert told.growth == pytest.approx(2e-6 / 3e-7)
    assert onset([("a", known(FLOOR / 2))]).steepest == ""


def test_where_the_first_tap_has_drifted_nothing_agrees() -> None:
    told = onset([("a", known(None, infinite=True)), ("b", known(TOLERANCE))])
    assert (told.agree, told.until, told.start) == (None, "", "a")
    assert onset([], "no reason").taps == 0
    assert onset([("a", known(TOLERANCE))]).start == ""


def test_what_another_framework_calls_otherwise_and_computes_alike_is_the_same_activation(
    before: dict[str, np.ndarray],
) -> None:
    one = run_of(before, {"layer1": "ReLU", "layer3": "ReLU"})
    model = {**one.facts.model, "framework": "torch 2.9"}
    other = run_of(moved(before, {"layer3": 0.1}), {"layer1": "Activation", "layer3": "Activation"})
    elsewhere = another(other, model=model)
    assert [tap.pair.b for tap in compare(one, other).taps if tap.activation] == ["layer1", "layer3"]
    assert [tap.pair.b for tap in compare(one, elsewhere).taps if tap.activation] == ["layer3"]
    untold = run_of(moved(before, {"layer3": 0.1}), {"layer1": "ReLU", "layer3": "ReLU"})
    untold.layers["zeros"], untold.layers["zeros_reason"] = "unknown", "not followed"
    assert any(tap.activation for tap in compare(one, untold).taps)
    assert not any(tap.activation for tap in compare(one, another(untold, model=model)).taps)
