"""Limits hold at exactly the limit, and a breach is named with its tap, its value and the limit."""

from __future__ import annotations

from pathlib import Path

import gated
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_data import HOSTILE

from fmreport import numbers, pipeline
from fmreport.errors import GateError, StoreError
from fmreport.gate import words
from fmreport.gate.judging import Outcome
from fmreport.gate.limits import KINDS, Limit, in_order, laid_over, of_section, options, section_of
from fmreport.quantities import BEST, QUANTITIES, RUN, TAPS
from fmreport.store import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two channels of eight are silent at one tap, one of sixteen at another."""
    planted = {"stem/relu": {"silent": 1}, "body/conv": {"silent": 4}, "body/relu": {"silent": 1, "nan": 3}}
    return gated.write(tmp_path_factory.mktemp("archive") / "net/v1", planted=planted)


def only(run: Run, **limits: list[str]) -> Outcome:
    """What becomes of one limit."""
    (outcome,) = pipeline.gate(run, options(**limits)).outcomes
    return outcome


@pytest.mark.parametrize("name", [name for name, each in QUANTITIES.items() if each.held == TAPS])
def test_the_worst_tap_decides_and_a_limit_holds_at_exactly_its_value(run: Run, name: str) -> None:
    of_taps = numbers.of_taps(run, name)
    for kind, worst, beyond in (("maxima", max, -1e-9), ("minima", min, 1e-9)):
        value = worst(of_taps.values())
        held = only(run, **{kind: [f"{name}={value!r}"]})
        assert held.breaches == ()
        assert held.worst is not None
        assert (held.worst.value, of_taps[held.worst.tap]) == (value, value)
        assert held.taps == len(of_taps)
        breached = only(run, **{kind: [f"{name}={value + beyond!r}"]})
        assert {reading.tap for reading in breached.breaches} == {tap for tap in of_taps if of_taps[tap] == value}


@pytest.mark.parametrize("name", [name for name, each in QUANTITIES.items() if each.held == BEST])
def test_of_what_is_read_best_the_best_tap_decides(run: Run, name: str) -> None:
    of_taps = numbers.of_taps(run, name)
    best = max(of_taps.values())
    assert only(run, minima=[f"{name}={best!r}"]).breaches == ()
    (reading,) = only(run, minima=[f"{name}={best + 1e-9!r}"]).breaches
    assert (of_taps[reading.tap], reading.value) == (best, best)


@pytest.mark.parametrize("name", [name for name, each in QUANTITIES.items() if each.held == RUN and name != "gain"])
def test_a_number_of_the_run_is_held_as_a_whole(run: Run, name: str) -> None:
    value = numbers.of_run(run)[name]
    assert value is not None
    assert only(run, maxima=[f"{name}={value!r}"]).breaches == ()
    (reading,) = only(run, maxima=[f"{name}={value - 1!r}"]).breaches
    assert (reading.tap, reading.value) == ("", value)


def test_a_planted_breach_is_named_with_tap_value_and_limit(run: Run) -> None:
    outcome = only(run, maxima=["silent_channels=0.1"])
    assert [(reading.tap, reading.value) for reading in outcome.breaches] == [
        ("body/conv", 4 / 16),
        ("stem/relu", 1 / 8),
    ]
    assert words.of_limit(outcome.limit) == "silent_channels at most 0.1"
    assert words.of_outcome(outcome) == "0.25 at body/conv; 1 other beyond it, too"
    nonfinite = only(run, nonfinite=2)
    assert words.of_outcome(nonfinite) == "3 at body/relu"
    assert only(run, nonfinite=3).breaches == ()


def test_a_breach_by_a_hair_does_not_look_like_the_limit(run: Run) -> None:
    outcome = only(run, maxima=["silent_channels=0.2499999999"])
    assert words.of_limit(outcome.limit) == "silent_channels at most 0.2499999999"
    assert words.of_outcome(outcome) == "0.25 at body/conv"
    assert words.figure(0.25000000001, beside=0.25) == "0.25000000001"
    assert words.figure(0.25000000001, beside=0.5) == "0.25"


def test_what_is_undefined_holds_no_limit(tmp_path: Path) -> None:
    taps = {spec.name: {"gini": float("nan")} for spec in gated.SPECS}
    run = gated.write(tmp_path / "net/v1", planted=taps)
    for kind in ("maxima", "minima"):
        outcome = only(run, **{kind: ["gini=0.5"]})
        assert words.of_outcome(outcome) == "undefined at every tap"
        assert words.state(outcome) == words.BREACHED


def test_a_change_is_counted_from_the_same_tap_of_the_release_before(tmp_path: Path) -> None:
    gated.write(tmp_path / "net/v2", planted={"stem/relu": {"zero_fraction": 0.5}})
    run = gated.write(tmp_path / "net/v10", planted={"stem/relu": {"zero_fraction": 0.6}})
    judgement = pipeline.gate(run, options(changes=["zeros=0.1"]))
    # 0.6 - 0.5 is not quite 0.1 in binary, and holds it all the same.
    assert judgement.baseline == "net v2"
    assert judgement.breached == ()
    (outcome,) = pipeline.gate(run, options(changes=["zeros=0.09"])).breached
    assert words.of_outcome(outcome) == "0.6 at stem/relu, 0.1 more than before (0.5)"
    assert outcome.taps == len(gated.SPECS)


def test_a_change_counts_either_way(tmp_path: Path) -> None:
    gated.write(tmp_path / "net/v1", planted={"stem/relu": {"zero_fraction": 0.5}})
    run = gated.write(tmp_path / "net/v2", planted={"stem/relu": {"zero_fraction": 0.25}})
    (outcome,) = pipeline.gate(run, options(changes=["zeros=0.2"])).outcomes
    assert words.of_outcome(outcome) == "0.25 at stem/relu, 0.25 less than before (0.5)"


def test_a_number_that_is_no_longer_defined_has_changed(tmp_path: Path) -> None:
    gated.write(tmp_path / "net/v1", planted={"stem/relu": {"gini": 0.5}})
    run = gated.write(tmp_path / "net/v2", planted={"stem/relu": {"gini": float("nan")}})
    (outcome,) = pipeline.gate(run, options(changes=["gini=1"])).breached
    assert words.of_outcome(outcome) == "undefined at stem/relu, where it was 0.5 before"


def test_added_taps_have_no_change_and_removed_ones_are_told(tmp_path: Path) -> None:
    gated.write(tmp_path / "net/v1", without="head")
    run = gated.write(tmp_path / "net/v2", without="body/relu")
    judgement = pipeline.gate(run, options(changes=["zeros=1"]))
    told = " ".join(judgement.notes)
    assert "1 tap of net v1 without a counterpart: body/relu" in told
    assert "1 new tap, which no change can be told of: head" in told
    assert judgement.outcomes[0].taps == len(gated.SPECS) - 2


def test_without_a_release_before_a_change_is_skipped_and_said(run: Run) -> None:
    judgement = pipeline.gate(run, options(changes=["zeros=0"], nonfinite=9))
    skipped = judgement.outcomes[1]
    assert words.state(skipped) == words.SKIPPED
    assert skipped.skipped == "there is no release of net before v1"
    assert judgement.breached == ()
    assert words.verdict(judgement) == "1 limit held, 1 skipped"


def test_a_baseline_is_a_release_a_run_of_the_archive_or_a_folder(tmp_path: Path) -> None:
    other, _, v2, run = (gated.write(tmp_path / name) for name in ("other/v7", "net/v1", "net/v2", "net/v3"))
    limits = options(changes=["zeros=1"])
    assert pipeline.gate(run, limits).baseline == "net v2"
    assert pipeline.gate(run, limits, compare="v1").baseline == "net v1"
    assert pipeline.gate(run, limits, compare=str(other.folder)).baseline == "other v7"
    configured = gated.write(tmp_path / "net/v4", config={"gate": {"baseline": "other/v7"}})
    assert pipeline.gate(configured, limits).baseline == "other v7"
    assert pipeline.gate(configured, limits, compare="v2").baseline == "net v2"
    assert pipeline.gate(v2.folder, limits).baseline == "net v1"


@pytest.mark.parametrize(
    ("named", "message"), [("v9", "no run"), ("v1", "is the run itself"), ("./v1", "is no run"), ("", "has no name")]
)
def test_a_baseline_that_is_none_is_refused(run: Run, named: str, message: str) -> None:
    with pytest.raises(GateError, match=message):
        pipeline.gate(run, options(changes=["zeros=1"]), compare=named)


def test_other_images_and_other_preprocessing_are_told(tmp_path: Path) -> None:
    probes = gated.synthetic().facts.probes[:1]
    gated.write(tmp_path / "net/v1", probes=probes)
    run = gated.write(tmp_path / "net/v2", preprocess={"size": [8, 8]})
    notes = pipeline.gate(run, options(changes=["zeros=1"])).notes
    assert [note.partition(":")[0] for note in notes] == [
        "net v1 saw other images (1 of 1 and 2 are the same)",
        "net v1 was preprocessed differently",
    ]


def test_a_damaged_release_before_the_run_is_refused_and_others_are_told(tmp_path: Path) -> None:
    _, run = (gated.write(tmp_path / f"net/v{number}") for number in (1, 3))
    for release in ("v0", "v4"):
        (tmp_path / "net" / release).mkdir()
        (tmp_path / "net" / release / "manifest.json").write_text("{")
    limits = options(changes=["zeros=1"])
    told = pipeline.gate(run, limits).notes
    assert [note.partition(": manifest")[0] for note in told] == [f"not read beside the run: v{n}" for n in (0, 4)]
    (tmp_path / "net/v0").rename(tmp_path / "net/v2")
    with pytest.raises(GateError, match=r"the release v2 before v3 cannot be read: manifest\.json"):
        pipeline.gate(run, limits)
    assert pipeline.gate(run, limits, compare="v1").baseline == "net v1"
    assert pipeline.gate(run, options(nonfinite=9)).breached == ()


def test_a_run_that_is_a_link_is_compared_with_the_releases_beside_the_link(tmp_path: Path) -> None:
    gated.write(tmp_path / "archive/net/v1")
    gated.write(tmp_path / "elsewhere/net/v2")
    link = tmp_path / "archive/net/v2"
    link.symlink_to(tmp_path / "elsewhere/net/v2")
    assert pipeline.gate(link, options(changes=["zeros=1"])).baseline == "net v1"
    assert pipeline.gate(link, options(changes=["zeros=1"]), compare="v1").baseline == "net v1"


def test_a_baseline_of_another_model_is_told(tmp_path: Path) -> None:
    other, run = gated.write(tmp_path / "other/v1"), gated.write(tmp_path / "net/v1")
    notes = pipeline.gate(run, options(changes=["zeros=1"]), compare=str(other.folder)).notes
    assert notes == ("other v1 is a run of another model than net",)


def test_tables_that_are_not_what_the_run_wrote_are_held_to_no_limit(tmp_path: Path) -> None:
    before, run = (gated.write(tmp_path / f"net/v{number}") for number in (1, 2))
    for changed in (before, run):
        with (changed.folder / "tables/summary.csv").open("ab") as file:
            file.write(b"\n")
        with pytest.raises(StoreError, match=f"{changed.folder.name}/tables/summary.csv is not what the run wrote"):
            pipeline.gate(run, options(changes=["zeros=1"]))


def test_a_tap_without_a_row_is_refused(tmp_path: Path) -> None:
    run = gated.write(tmp_path / "net/v1")
    run.__dict__["summary"] = run.summary.query("tap != 'head'")
    with pytest.raises(StoreError, match="summary has no row of the tap 'head'"):
        pipeline.gate(run, options(maxima=["zeros=1"]))


@pytest.mark.parametrize("count", [float("nan"), -1])
@pytest.mark.parametrize("column", ["nan", "silent"])
def test_what_is_no_count_holds_no_limit(tmp_path: Path, column: str, count: float) -> None:
    run = gated.write(tmp_path / "net/v1")
    run.__dict__["summary"] = run.summary.astype({column: float})
    run.summary.loc[run.summary["tap"] == "head", column] = count
    outcome = only(run, maxima=[f"{'nonfinite' if column == 'nan' else 'silent_channels'}=9"])
    assert words.of_outcome(outcome) == "undefined at head"
    assert words.state(outcome) == words.BREACHED


def test_taps_at_which_a_quantity_is_undefined_are_counted(tmp_path: Path) -> None:
    run = gated.write(tmp_path / "net/v1", planted={"stem/relu": {"gini": float("nan")}})
    outcome = only(run, maxima=["gini=1"])
    assert words.of_outcome(outcome).endswith("; undefined at 1 tap")
    assert outcome.taps == len(gated.SPECS) - 1


@pytest.mark.parametrize("bound", [float("nan"), float("inf"), float("-inf")])
def test_a_recorded_limit_that_is_no_number_is_refused(tmp_path: Path, bound: float) -> None:
    run = gated.write(tmp_path / "net/v1", config={"gate": {"max": {"zeros": bound}}})
    with pytest.raises(GateError, match=r"manifest\.json: .*gate\.max\.zeros"):
        pipeline.gate(run)


def test_an_option_takes_the_place_of_the_config_and_the_rest_of_it_stays(tmp_path: Path) -> None:
    gate = {"max": {"zeros": 0.5, "gini": 0.9}, "min": {}, "max_change": {}, "nonfinite": 0, "baseline": None}
    run = gated.write(tmp_path / "net/v1", config={"gate": gate})
    own = of_section(section_of(run))
    assert own == (Limit("max", "zeros", 0.5), Limit("max", "nonfinite", 0.0), Limit("max", "gini", 0.9))
    others = options(maxima=["zeros=0.75"], minima=["taps=6"], nonfinite=4)
    assert [outcome.limit for outcome in pipeline.gate(run, others).outcomes] == [
        Limit("max", "zeros", 0.75),
        Limit("max", "nonfinite", 4.0),
        Limit("max", "gini", 0.9),
        Limit("min", "taps", 6.0),
    ]


limits_of_all = st.dictionaries(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(sorted(QUANTITIES))), st.floats(0, 9), max_size=12
)


@given(limits_of_all, limits_of_all)
def test_limits_stand_in_one_order_whoever_gives_them(own: dict[tuple[str, str], float], others: dict) -> None:
    made = laid_over(in_order(own), in_order(others))
    assert made == in_order(own | others)
    assert list(made) == sorted(made, key=lambda each: (KINDS.index(each.kind), list(QUANTITIES).index(each.quantity)))


@pytest.mark.parametrize(
    ("given", "message", "fix"),
    [
        ({"maxima": ["zero=1"]}, "--max zero=1: zero is no quantity", "nearest: zeros"),
        ({"minima": ["zeros"]}, "--min zeros: expected QUANTITY=X", "--min zeros=0.5"),
        ({"maxima": ["zeros=nan"]}, "nan is not a number", "zeros=0.5"),
        ({"maxima": ["zeros=1_0"]}, "1_0 is not a number", "zeros=0.5"),
        ({"maxima": ["zeros="]}, "nothing is not a number", "zeros=0.5"),
        ({"changes": ["zeros=-1"]}, "--max-change zeros=-1: -1 is not a number from 0 on", "zeros=0.5"),
        ({"maxima": ["nonfinite=1"], "nonfinite": 0}, "say the same", "one of them"),
    ],
)
def test_an_option_that_cannot_be_understood_is_refused(given: dict, message: str, fix: str) -> None:
    with pytest.raises(GateError) as refused:
        options(**given)
    assert message in str(refused.value)
    assert fix in refused.value.fix


def test_a_run_without_any_limit_is_refused(run: Run) -> None:
    with pytest.raises(GateError, match="no limit"):
        pipeline.gate(run)


def test_a_recorded_gate_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    run = gated.write(tmp_path / "net/v1", config={"gate": {"max": {"zeroes": 1}}})
    with pytest.raises(GateError, match=r"gate\.max\.zeroes"):
        pipeline.gate(run)


def test_names_of_taps_are_shown_without_what_turns_text_around(run: Run) -> None:
    reading = next(each for each in only(run, maxima=["gini=0"]).breaches if each.tap == HOSTILE)
    told = words.of_reading(reading, Limit("max", "gini", 0.0))
    assert "\\u202e" in told
    assert told.isprintable()
