"""Laws of a comparison of two runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from altered import another, many_images, raised, renamed, silenced, with_probes, without
from pydantic import TypeAdapter
from run_data import SyntheticRun, TapSpec, make_run, small_run

from fmreport.compare import rules
from fmreport.compare.as_json import as_json, json_schema
from fmreport.compare.comparing import compare
from fmreport.compare.comparison import CHANGED, EQUAL, NOT_IN_A, ROUNDING, Change, Comparison, TapChange
from fmreport.errors import CompareError

CHAIN = ("stem/conv", "stem/relu", "mid/conv", "mid/relu", "last/conv", "last/relu")
SCHEMA = Path(__file__).parent.parent / "docs" / "diff.schema.json"


def chain() -> SyntheticRun:
    """Convolutions, each with a ReLU that reads it, on four photographs."""
    specs = [TapSpec(name, "Conv2D" if i % 2 == 0 else "ReLU", (8, 8, 6), "relu" if i % 2 else "signed")
             for i, name in enumerate(CHAIN)]  # fmt: skip
    made = make_run(specs, shown=4, tile=8)
    made.inventory["read_by"] = [*CHAIN[1:], *[""] * (len(made.inventory) - len(CHAIN) + 1)]
    made.layers.loc[made.layers["type"] == "ReLU", ["parameters", "macs"]] = 0
    return made


@pytest.fixture(scope="module")
def run() -> Any:
    return chain()


def of(found: Comparison, tap: str) -> TapChange:
    """What became of one tap of B."""
    (told,) = (each for each in found.taps if each.pair.b == tap)
    return told


def measure(found: Comparison, tap: str, name: str) -> Change:
    """What became of one of its measures."""
    (told,) = (each for each in of(found, tap).measures if each.measure == name)
    return told


@pytest.mark.parametrize("made", [chain, small_run])
def test_a_run_does_not_differ_from_itself(made: Any) -> None:
    found = compare(made(), made())
    assert found.same
    assert found.verdict[0].startswith("No difference: all ")
    assert {tap.state for tap in found.taps} == {EQUAL}
    assert not any(tap.facts or tap.channels or tap.measures for tap in found.taps)


def test_other_names_looks_and_surroundings_are_told_and_are_no_difference(run: SyntheticRun) -> None:
    config = {**run.facts.config, "release": "v2", "batch": 3, "figures": {"channels": 1}}
    found = compare(run, another(run, config=config, release="v2", versions={"fmreport": "9"}))
    assert found.same
    assert {(each.part, each.key, each.counts) for each in found.differences} >= {
        ("config", "release", False),
        ("config", "batch", False),
        ("environment", "fmreport", False),
    }
    assert any("different surroundings" in note for note in found.notes)


def test_a_setting_that_bears_on_numbers_is_a_difference_even_where_no_number_is(run: SyntheticRun) -> None:
    found = compare(run, another(run, config={**run.facts.config, "seed": 4}))
    assert not found.same
    assert found.counts.equal == len(CHAIN)
    assert found.verdict[-1] == "1 setting that bears on numbers differ: seed."


def test_licences_a_gate_and_a_default_that_was_not_yet_known_bear_on_no_number(run: SyntheticRun) -> None:
    config = {**run.facts.config, "gate": {"nonfinite": 0}, "target": None}
    config["model"] = {**config["model"], "licence": "MIT"}
    found = compare(run, replace(run, facts=replace(run.facts, config=config)))
    assert found.same
    assert {each.key for each in found.differences} >= {"gate.nonfinite", "model.licence", "target"}


def test_the_path_of_one_and_the_same_file_is_no_difference(run: SyntheticRun) -> None:
    config = {**run.facts.config, "model": {"kind": "keras", "path": "elsewhere.keras", "inputs": {}}}
    other = another(run, config=config, model={**run.facts.model, "source": "elsewhere.keras"})
    found = compare(run, other)
    assert {each.counts for each in found.differences} == {False}
    other.facts.model["sha256"] = "00"
    assert any(each.counts for each in compare(run, other).differences)


def test_a_change_is_the_mean_of_the_changes_of_single_images(run: SyntheticRun) -> None:
    more = dict(zip(run.facts.displayed, (0.1, 0.2, 0.3, 0.8), strict=True))
    found = measure(compare(run, raised(run, "mid/conv", "gini", more)), "mid/conv", "gini")
    rows = run.samples[run.samples["tap"] == "mid/conv"]["gini"]
    assert (found.a, found.b) == pytest.approx((rows.mean(), rows.mean() + 0.35))
    assert (found.change, found.least, found.most) == pytest.approx((0.35, 0.1, 0.8))
    assert (found.lower, found.upper, found.images, found.state) == (None, None, 4, CHANGED)


def test_from_ten_images_on_a_change_has_an_interval(run: SyntheticRun) -> None:
    before = many_images(run, 12)
    after = raised(before, "mid/conv", "gini", {f"p{i}": 0.01 * i for i in range(12)})
    found = measure(compare(before, after), "mid/conv", "gini")
    assert found.change == pytest.approx(0.055)
    assert found.lower is not None
    assert found.upper is not None
    assert 0.01 < found.lower < 0.055 < found.upper < 0.1
    assert found.clear
    equal = raised(before, "mid/conv", "gini", 0.25)
    told = measure(compare(before, equal), "mid/conv", "gini")
    assert (told.lower, told.change, told.upper) == pytest.approx((0.25, 0.25, 0.25))


def test_resamples_are_those_of_images_whatever_their_order(run: SyntheticRun) -> None:
    before = many_images(run, 12)
    after = raised(before, "mid/conv", "gini", {f"p{i}": 0.01 * i for i in range(12)})
    turned = another(after, probes=after.facts.probes[::-1])
    turned.samples = turned.samples.iloc[::-1].reset_index(drop=True)
    assert measure(compare(before, after), "mid/conv", "gini") == measure(compare(before, turned), "mid/conv", "gini")


def test_the_mirror_of_a_comparison_is_the_comparison_of_the_mirror(run: SyntheticRun) -> None:
    before = many_images(run, 12)
    after = raised(renamed(without(before, "last/relu"), {"mid/conv": "x"}), "x", "gini", {"p1": 0.5, "p2": -0.1})
    there, back = compare(before, after), compare(after, before)
    assert [lone.name for lone in there.removed] == [lone.name for lone in back.added] == ["last/relu"]
    one, other = measure(there, "x", "gini"), measure(back, "mid/conv", "gini")
    assert (one.a, one.b, one.change) == (other.b, other.a, pytest.approx(-(other.change or 0)))
    assert (one.lower, one.upper) == pytest.approx((-(other.upper or 0), -(other.lower or 0)))
    assert there.counts.changed == back.counts.changed == 1


def test_a_difference_of_the_last_digits_is_rounding_and_no_difference(run: SyntheticRun) -> None:
    found = compare(run, raised(run, "mid/conv", "gini", 1e-7))
    assert found.same
    assert of(found, "mid/conv").state == ROUNDING
    assert "1 of them but for rounding" in found.verdict[0]
    assert not compare(run, raised(run, "mid/conv", "hoyer_limit", 1e-3)).same


def test_a_measure_that_one_side_lacks_is_not_in_it(run: SyntheticRun) -> None:
    older = another(run)
    older.samples = older.samples.drop(columns=["gini", "centroid_share"])
    older.channels = older.channels.drop(columns="constant")
    found = compare(older, raised(run, "mid/conv", "std", 1.0))
    told = measure(found, "mid/conv", "gini")
    assert (told.a, told.change, told.missing) == (None, None, NOT_IN_A)
    assert told.b is not None
    assert "Measured in B alone: gini, centroid_share." in found.notes
    assert compare(older, run).same


def test_a_measure_that_is_undefined_on_one_side_has_changed(run: SyntheticRun) -> None:
    after = another(run)
    after.samples.loc[after.samples["tap"] == "mid/conv", "gini"] = np.nan
    told = measure(compare(run, after), "mid/conv", "gini")
    assert (told.change, told.missing, told.state) == (None, "undefined in B", CHANGED)
    there, back = told.a, measure(compare(after, run), "mid/conv", "gini")
    assert (back.b, back.missing) == (there, "undefined in A")


def test_runs_with_some_probes_in_common_are_compared_on_these_with_a_warning(run: SyntheticRun) -> None:
    other = raised(with_probes(run, {"coffee": "aa", "rocket": "bb"}), "mid/conv", "gini", {"cat": 0.5, "coffee": 9.0})
    found = compare(run, other)
    assert found.probes.shared == 2
    assert found.probes.only_a == found.probes.only_b == ("coffee", "rocket")
    assert any("share 2 probes of 4 and 4" in warning for warning in found.warnings)
    assert measure(found, "mid/conv", "gini").change == pytest.approx(0.25)
    assert not found.same
    assert not any(change.measure == "edge" for tap in found.taps for change in tap.measures)


def test_probes_are_told_by_what_they_are_and_not_by_their_names(run: SyntheticRun) -> None:
    names = {"cat": "one", "coffee": "two"}
    other = another(run, probes=tuple(replace(each, name=names.get(each.name, each.name)) for each in run.facts.probes))
    other.samples = other.samples.replace({"probe": names})
    assert compare(run, other).counts.equal == len(CHAIN)


def test_runs_without_a_common_probe_are_refused_unless_that_is_allowed(run: SyntheticRun) -> None:
    other = with_probes(run, dict.fromkeys(run.facts.displayed, "") | {name: name for name in run.facts.displayed})
    with pytest.raises(CompareError, match="no probe in common") as refused:
        compare(run, other)
    assert "--allow different-probes" in refused.value.fix
    found = compare(run, raised(other, "mid/conv", "gini", 0.5), allow=[rules.PROBES])
    assert not found.probes.paired
    assert "between the means of different images" in found.warnings[0]
    assert measure(found, "mid/conv", "gini").change == pytest.approx(0.5)


def test_means_of_different_images_have_wider_intervals_than_changes_of_the_same(run: SyntheticRun) -> None:
    before = many_images(run, 12)
    after = raised(before, "mid/conv", "gini", 0.05)
    paired = measure(compare(before, after), "mid/conv", "gini")
    alien = with_probes(after, {f"p{i}": f"other {i}" for i in range(12)})
    unpaired = measure(compare(before, alien, allow=[rules.PROBES]), "mid/conv", "gini")
    assert unpaired.change == pytest.approx(paired.change)
    widths = [(each.upper or 0) - (each.lower or 0) for each in (paired, unpaired)]
    assert widths[0] == pytest.approx(0)
    assert widths[1] > 0.005


def test_other_preprocessing_is_refused_unless_that_is_allowed(run: SyntheticRun) -> None:
    other = another(run, preprocess={**run.facts.preprocess, "range": [-1, 1], "sentence": "other words"})
    with pytest.raises(CompareError, match=r"range: \[0, 255\] in A, \[-1, 1\] in B"):
        compare(run, other)
    found = compare(run, other, allow=[rules.PREPROCESSING])
    assert found.warnings[0].startswith("The runs were preprocessed differently")
    assert not found.same
    words = another(run, preprocess={**run.facts.preprocess, "sentence": "other words", "like": "raw"})
    assert compare(run, words).same


def test_what_cannot_be_allowed_is_refused_with_what_can(run: SyntheticRun) -> None:
    with pytest.raises(CompareError) as refused:
        compare(run, run, allow=["different-probe"])
    assert refused.value.fix.startswith("nearest: different-probes")


def test_with_other_masks_what_takes_masks_is_left_out(run: SyntheticRun) -> None:
    masked = another(run)
    masked.samples["region_variance_ratio"] = 0.25
    found = compare(masked, raised(with_probes(masked, {}, masks=False), "mid/conv", "gini", 0.5))
    assert any("is left out" in warning for warning in found.warnings)
    assert {"gini"} == {change.measure for change in of(found, "mid/conv").measures if change.state == CHANGED}
    assert "region_variance_ratio" not in {change.measure for change in of(found, "mid/conv").measures}


def test_channels_that_fall_silent_are_told_where_they_do_and_not_where_they_are_handed_on(run: SyntheticRun) -> None:
    after = silenced(silenced(run, "mid/conv", 1, 3), "mid/relu", 1, 3)
    found = compare(run, after)
    (at_conv,), (at_relu,) = of(found, "mid/conv").channels, of(found, "mid/relu").channels
    assert (at_conv.new, at_conv.handed_on) == ((1, 3), ())
    assert (at_relu.new, at_relu.handed_on) == ((1, 3), ("mid/conv",))
    assert found.counts.newly_silent == 2
    assert "2 channels are newly silent: 2 of mid/conv (mid/relu hands them on)." in found.verdict
    back = compare(after, run)
    assert of(back, "mid/conv").channels[0].gone == (1, 3)
    assert (back.counts.newly_silent, back.counts.no_longer_silent) == (0, 4)


def test_an_activation_that_is_another_is_told_once(run: SyntheticRun) -> None:
    after = another(run)
    at = after.layers["tap"].isin(["mid/relu"])
    after.layers.loc[at, ["type", "zeros", "zeros_reason"]] = ("Activation", "by chance", "a product")
    found = compare(run, after)
    assert [tap.pair.b for tap in found.taps if tap.activation] == ["mid/relu"]
    changed = "ReLU → Activation; zeros by design → by chance; why: Relu clips to zero → a product"
    assert f"1 tap has another activation: mid/relu ({changed})." in found.verdict


def test_a_bias_is_no_activation(run: SyntheticRun) -> None:
    after = another(run)
    after.layers.loc[after.layers["tap"] == "mid/conv", "zeros_reason"] = "a weighted sum"
    found = compare(run, after)
    assert [fact.name for fact in of(found, "mid/conv").facts] == ["zeros_reason"]
    assert found.counts.activations == 0


def test_changes_begin_where_nothing_that_is_read_has_changed(run: SyntheticRun) -> None:
    after = raised(raised(run, "mid/relu", "std", 1.0), "last/conv", "std", 1.0)
    assert [tap.pair.b for tap in compare(run, after).taps if tap.begins] == ["mid/relu"]
    unknown = another(after)
    unknown.inventory = unknown.inventory.drop(columns="read_by")
    assert [tap.pair.b for tap in compare(run, unknown).taps if tap.begins] == ["mid/relu"]


def test_layers_without_a_tap_are_compared_too(run: SyntheticRun) -> None:
    after = another(run)
    after.inventory = after.inventory[after.inventory["path"] != "unused"]
    found = compare(run, after)
    assert [(lone.name, lone.tapped) for lone in found.removed] == [("unused", False)]
    assert "1 layer without a tap is removed: unused (Dense)." in found.verdict


def test_what_is_written_is_the_record_and_of_the_shape_that_is_documented(run: SyntheticRun) -> None:
    after = silenced(raised(renamed(run, {"mid/conv": "x"}), "x", "gini", 0.5), "x", 2)
    after.samples.loc[3, "std"] = np.nan
    found = compare(run, after)
    assert TypeAdapter(Comparison).validate_json(as_json(found)) == found
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema()


def test_a_field_that_is_not_of_the_shape_is_no_comparison(run: SyntheticRun) -> None:
    told = json.loads(as_json(compare(run, run)))
    told["counts"]["more"] = 1
    json_schema()
    with pytest.raises(ValueError, match="more"):
        TypeAdapter(Comparison).validate_json(json.dumps(told))
