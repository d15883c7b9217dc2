"""The cost model: the simulation against its closed form, both against their ceilings, bytes against real shards."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import many_images
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from benchmarks.cost import told
from benchmarks.cost.constants import MACHINES, MODELS, load
from benchmarks.cost.formulas import AHEAD, Cost, Rates, Stations, Work, makespan, worker_seconds
from benchmarks.cost.simulated import Chance, simulate
from benchmarks.cost.sizes import Part, Shape, arrays, by_kind, result_bytes
from fmreport import config as settings
from fmreport import probes
from fmreport.extract import Job, split
from fmreport.extract.measuring import Measuring
from fmreport.extract.working import InProcess
from fmreport.opening import opened
from fmreport.pipeline.measuring import extraction_of

PAGE = Path(__file__).parent.parent / "docs/scale.md"
seconds = st.floats(0.001, 10)
places = st.builds(Stations, *[seconds] * 6)
shards, workers = st.integers(1, 60), st.integers(1, 30)
chances = st.builds(Chance, st.floats(0, 0.5), st.floats(0, 0.2), st.floats(1, 5), seed=st.integers(0, 99))
TOLERANCE = 0.01
"""Of predicted bytes: what pickle adds to an array differs a little from array to array."""


@tried(max_examples=1000)
@given(shards, workers, places)
def test_without_chance_the_simulation_is_the_formula(count: int, crew: int, at: Stations) -> None:
    assert simulate(count, crew, at).seconds == pytest.approx(makespan(count, crew, at), rel=1e-9)


@given(shards, workers, places)
def test_one_worker_more_never_makes_it_slower_without_chance(count: int, crew: int, at: Stations) -> None:
    assert makespan(count, crew + 1, at) <= makespan(count, crew, at) * (1 + 1e-12)


@given(shards, workers, places, chances)
def test_no_number_of_workers_and_no_luck_beats_what_is_there_once(
    count: int, crew: int, at: Stations, chance: Chance
) -> None:
    went = simulate(count, crew, at, chance)
    assert went.seconds >= count * max(at.once.values()) * (1 - 1e-9)
    assert went.seconds >= went.busy["workers"] / crew * (1 - 1e-9)
    for place, taken in at.once.items():
        assert went.busy[place] == pytest.approx(count * taken)


@given(shards, workers, places, chances)
def test_no_more_results_wait_than_the_driver_lets_go_ahead(
    count: int, crew: int, at: Stations, chance: Chance
) -> None:
    assert simulate(count, crew, at, chance).waiting <= min(AHEAD * crew, count) - 1


@pytest.mark.parametrize("behind", [Stations(0, 2, 0, 0, 2, 0), Stations(0, 2, 0, 0, 0, 2), Stations(0, 2, 0, 0, 1, 1)])
def test_a_worker_does_not_wait_until_its_result_is_written_and_merged(behind: Stations) -> None:
    """Only the last shard's writing and merging come behind all work."""
    assert simulate(10, 1, behind).seconds == makespan(10, 1, behind) == 10 * 2 + 2


def test_a_worker_waits_until_its_result_is_taken_and_the_driver_takes_none_while_it_merges() -> None:
    at = Stations(0, 2, 0, 1, 0, 0)
    assert simulate(10, 1, at).seconds == makespan(10, 1, at) == 10 * (2 + 1)
    at = Stations(0, 2, 0, 0, 0, 3)
    assert simulate(10, 5, at).seconds == makespan(10, 5, at) == 2 + 10 * 3


def test_one_slow_shard_holds_up_all_once_enough_others_wait_for_it() -> None:
    """The others go on until `AHEAD` shards per worker are begun, and no further."""
    went = simulate(200, 4, Stations(0, 1, 0, 0, 0, 0), Chance(0, 0.005, 1000, seed=0))
    assert went.busy["workers"] == pytest.approx(199 + 1000), "one shard is slow"
    assert went.waiting == AHEAD * 4 - 1
    assert went.seconds == pytest.approx(1000 + (200 - AHEAD * 4) / 4)


def test_workers_that_die_cost_their_work_and_the_drivers_time_and_lose_nothing() -> None:
    at = Stations(0, 10, 0, 0, 0, 0.1)
    whole = simulate(300, 10, at)
    went = simulate(300, 10, at, Chance(deaths=10, replaced=20, seed=1))
    assert went.deaths > 0
    assert whole.deaths == 0
    assert went.busy["driver"] == pytest.approx(whole.busy["driver"] + 20 * went.deaths)
    assert went.busy["workers"] > whole.busy["workers"] == pytest.approx(300 * 10)
    assert went.seconds > whole.seconds


def test_the_same_seed_gives_the_same_run() -> None:
    at = Stations(0.1, 10, 0.2, 0.1, 0.1, 0.1)
    one, same, other = (simulate(100, 7, at, Chance(0.3, seed=seed)).seconds for seed in (1, 1, 2))
    assert one == same != other


def test_the_driver_lets_as_many_go_ahead_as_the_real_one() -> None:
    cluster = pytest.importorskip("fmreport.engines.cluster", reason="the extra fmreport[ray] is not installed")
    assert cluster.AHEAD == AHEAD


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cached", [False, True])
def test_no_run_beats_its_ceilings_and_the_first_bottleneck_is_the_workers(model: str, *, cached: bool) -> None:
    constants = load()
    runs = [
        Cost(constants.work(model, 1_000_000, cached=cached), MACHINES, constants.rates, 2**power)
        for power in range(15)
    ]
    for run in runs:
        assert run.throughput < min(run.ceilings.values())
        assert run.total >= run.busy[run.bottleneck]
    of_workers = worker_seconds(runs[0].work, constants.rates)
    assert runs[0].bottleneck in of_workers
    assert runs[-1].bottleneck not in of_workers
    totals = [run.total for run in runs]
    assert totals == sorted(totals, reverse=True)


def test_bytes_and_seconds_of_many_images_are_as_many_times_those_of_few() -> None:
    constants = load()
    few, many = (Cost(constants.work(MODELS[0], 64 * n), MACHINES, constants.rates, 1) for n in (10, 1000))
    for name, size in few.bytes.items():
        assert many.bytes[name] == pytest.approx(100 * size)
    assert many.messages - 2 == 100 * (few.messages - 2)
    assert many.busy["model"] == pytest.approx(100 * few.busy["model"])


def test_fewer_taps_cost_less_of_everything() -> None:
    constants = load()
    whole = constants.work(MODELS[0], 6400)
    some = replace(whole, taps=whole.taps[::4])
    one, other = (Cost(work, MACHINES, constants.rates, 4) for work in (some, whole))
    assert one.total < other.total
    for name in ("workers to driver", "samples"):
        assert one.bytes[name] < other.bytes[name]


MODEL = """\
import keras


def make_model():
    keras.utils.set_random_seed(0)
    x = image = keras.Input((32, 32, 3))
    for i, channels in enumerate((3, 70, 130)):
        x = keras.layers.Conv2D(channels, 3, strides=1 + i % 2, padding="same", activation="relu", name=f"conv{i}")(x)
    return keras.Model(image, x)
"""


@pytest.mark.parametrize(("taps", "masks"), [("conv*", False), ("conv*", True), ("conv2", False)])
def test_a_real_shard_has_the_bytes_that_the_formula_says(tmp_path: Path, taps: str, *, masks: bool) -> None:
    many_images.write(tmp_path, 5, masks=masks)
    (tmp_path / "many_model.py").write_text(MODEL)
    config = settings.load(tmp_path / "many.yaml", [f"layers[0]={{name: '{taps}'}}", "batch=4"])
    made = extraction_of(config, opened(config), probes.collect(config.probes, config.folder))
    job = Job(Measuring(tuple(made.measures)), next(split(made.probes, made.scenes)))
    found = InProcess(made).one(job, lambda images: None).made
    shapes, part = [Shape.of(tap) for tap in made.measured_taps], Part(5, 5 if masks else 0)
    held = {id(value): value for piece in found.values() for name, value in piece.items() if "/positions/" not in name}
    assert sum(value.nbytes for value in held.values()) == sum(by_kind(shapes, part).values())
    assert sum(map(len, found.values())) == arrays(shapes, part)
    assert len(pickle.dumps(found, 5)) == pytest.approx(result_bytes(shapes, part), rel=TOLERANCE)


def test_the_page_says_what_the_constants_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert told.filled(page, load()) == page
    for name in told.TABLES:
        assert f"<!-- cost:{name} -->" in page


def test_every_constant_is_told_and_above_zero() -> None:
    rates: Rates = load().rates
    assert set(told.MEANINGS) == set(Rates.__dataclass_fields__)
    for name in told.MEANINGS:
        assert np.isfinite(getattr(rates, name))
        assert getattr(rates, name) >= 0


def test_a_work_counts_the_image_itself_as_a_tap() -> None:
    work = Work("small", 100, (16, 16), (Shape(8, 8, 8),), 0.001, 256, 1000)
    assert work.every[0] == Shape(16, 16, 3)
    assert (work.shards, work.rows) == (2, 200)
