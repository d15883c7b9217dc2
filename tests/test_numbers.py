"""The key numbers of a run are those of its tables."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from run_data import SyntheticRun, TapSpec, make_run, sd_unet_run, small_run

from fmreport import numbers
from fmreport.analysis.edges_to_mask import from_edges_to_mask
from fmreport.facts import Facts
from fmreport.quantities import QUANTITIES, RUN
from fmreport.report.findings import made_from
from fmreport.store import Run


def looks_like(run: SyntheticRun) -> Run:
    return run  # type: ignore[return-value]


@pytest.fixture
def run() -> Run:
    return looks_like(small_run())


def test_every_quantity_is_read_and_every_number_has_a_meaning() -> None:
    assert list(numbers.READERS) == list(QUANTITIES)
    for name, quantity in QUANTITIES.items():
        assert quantity.name == name
        assert (numbers.READERS[name].of_taps is None) == (quantity.held == RUN) == (not quantity.whole)


def test_the_numbers_of_a_tap_are_those_of_its_row(run: Run) -> None:
    rows = run.summary.set_index("tap")
    assert numbers.of_taps(run, "zeros") == rows["zero_fraction"].to_dict()
    assert numbers.of_taps(run, "nonfinite") == (rows["nan"] + rows["inf"]).to_dict()
    assert numbers.of_taps(run, "gini") == rows["gini"].dropna().to_dict()
    channels = run.layers.set_index("tap")["channels"]
    assert numbers.of_taps(run, "silent_channels") == {tap: n / channels[tap] for tap, n in rows["silent"].items()}
    assert numbers.of_taps(run, "constant_channels")["dead"] == 1
    for quantity in ("edge", "mask"):
        found = run.table("progression").query("quantity == @quantity").set_index("tap")["value"]
        assert numbers.of_taps(run, quantity) == found.drop("(image)").to_dict()
    assert numbers.of_taps(run, "iou") == run.table("selectivity").set_index("tap")["iou"].to_dict()


def test_numbers_of_the_run_alone_are_those_of_no_tap(run: Run) -> None:
    alone = [name for name, quantity in QUANTITIES.items() if quantity.held == RUN]
    assert alone
    assert [numbers.of_taps(run, name) for name in alone] == [{}] * len(alone)


def test_parts_add_up_to_the_run(run: Run) -> None:
    whole = numbers.of_run(run)
    summary, layers = run.summary, run.layers
    assert whole["silent_channels"] == summary["silent"].sum() / layers["channels"].sum()
    assert whole["constant_channels"] == summary["constant"].sum() / layers["channels"].sum()
    zeros = round((summary["zero_fraction"] * summary["finite"]).sum())
    assert whole["zeros"] == zeros / summary["finite"].sum()
    assert whole["nonfinite"] == sum(numbers.of_taps(run, "nonfinite").values()) == 15
    assert whole["gini"] == np.median(list(numbers.of_taps(run, "gini").values()))
    for name in ("edge", "mask", "iou"):
        assert whole[name] == max(numbers.of_taps(run, name).values())
    assert whole["taps"] == len(layers)
    assert whole["parameters"] == run.inventory["own_parameters"].sum()


def test_a_tap_of_twice_the_values_counts_twice() -> None:
    silent, busy = TapSpec("silent", "ReLU", (6, 6, 4), "silent"), TapSpec("busy", "Conv2D", (6, 6, 4))
    wide = TapSpec("wide", "ReLU", (6, 12, 4), "silent")
    one, two = (make_run([first, busy], shown=4, tile=16, probes=("cat",)) for first in (silent, wide))
    assert numbers.of_run(looks_like(one))["zeros"] == pytest.approx(1 / 2)
    assert numbers.of_run(looks_like(two))["zeros"] == pytest.approx(2 / 3)


def test_the_gain_of_masks_is_that_of_the_finding() -> None:
    run = looks_like(sd_unet_run(shown=4, tile=16))
    gain = numbers.of_run(run)["gain"]
    assert gain is not None
    assert f"masks gain +{gain:.2f} on edges" in from_edges_to_mask(made_from(run)).sentence


def test_what_is_undefined_is_none_and_never_zero(run: Run) -> None:
    # The multiply-adds of one layer are not known.
    assert {name for name, value in numbers.of_run(run).items() if value is None} == {"macs"}
    bare = replace(
        small_run(),
        summary=run.summary.assign(gini=np.nan, finite=0, zero_fraction=np.nan),
        layers=run.layers,
        analyses={name: table.iloc[:0] for name, table in run.analyses.items()},
    )
    undefined = {name for name, value in numbers.of_run(looks_like(bare)).items() if value is None}
    assert undefined == {"macs", "gain", "zeros", "gini", "edge", "mask", "iou"}
    assert all(numbers.of_taps(looks_like(bare), name) == {} for name in undefined)


def test_an_infinite_number_is_none() -> None:
    table = small_run().analyses["selectivity"].assign(iou=math.inf)
    run = replace(small_run(), analyses=small_run().analyses | {"selectivity": table})
    assert numbers.of_run(looks_like(run))["iou"] is None


def test_numbers_are_json_and_the_same_again(run: Run) -> None:
    assert json.loads(json.dumps(numbers.of_run(run), allow_nan=False)) == numbers.of_run(run)


def test_the_order_of_rows_settles_nothing(run: Run) -> None:
    shuffled = replace(small_run(), summary=run.summary.iloc[::-1], layers=run.layers)
    pd.testing.assert_frame_equal(shuffled.layers, run.layers)
    assert numbers.of_run(looks_like(shuffled)) == numbers.of_run(run)
    assert list(numbers.of_taps(looks_like(shuffled), "zeros")) == list(run.layers["tap"])


def test_a_gate_settles_nothing_of_what_a_run_finds() -> None:
    facts: Facts = small_run().facts
    judged = replace(facts, config={**facts.config, "gate": {"nonfinite": 0}})
    other = replace(facts, config={**facts.config, "seed": 1})
    assert judged.id == facts.id != other.id
    assert replace(facts, numbers={"zeros": 0.5}).id == facts.id
