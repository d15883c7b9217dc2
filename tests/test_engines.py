"""Whoever works on shards, the same comes of it: batches are halved, caches read and work followed without a trace."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import Numbers, Planted, extraction

from fmreport import config
from fmreport.cache import Cache
from fmreport.engines import ENGINES, EXTRAS, Plan, caching, started
from fmreport.engines.caching import Cached
from fmreport.engines.following import SLOWEST, Followed
from fmreport.errors import EngineError, OutOfMemoryError, StoreError
from fmreport.extract import Done, Extraction, InProcess, Job, Made, Shard, Step, Tables, Task

COUNT = 70
"""Probes: two shards, the second of them small."""


@dataclass
class Small(Planted):
    """A model on a machine that has memory for so many images at once."""

    fits: int = 2
    tried: list[int] = field(default_factory=list)
    raised: Callable[[], BaseException] = lambda: OutOfMemoryError("memory ran out for 8 images", fix="buy some")

    def tapped(self, taps: Sequence[Any], then: Callable[..., Any], **shapes: Any) -> Callable[..., Any]:
        function, batch = super().tapped(taps, then, **shapes), shapes["batch"]

        def run(*arrays: Any) -> Any:
            self.tried.append(batch)
            if batch > self.fits:
                raise self.raised()
            return function(*arrays)

        return run


def activations() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "map": np.maximum(rng.normal(size=(COUNT, 5, 4, 3)), 0).astype(np.float32),
        "vector": rng.normal(size=(COUNT, 6)).astype(np.float32),
    }


def on(model: Small, batch: int) -> Extraction:
    return replace(extraction(activations(), batch=batch), model=model)


def same(one: Tables, other: Tables) -> None:
    for name in ("samples", "channels", "histograms"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


@pytest.mark.parametrize(
    ("batch", "fits", "tried"),
    [(8, 8, [8]), (8, 2, [8, 4, 2]), (7, 3, [7, 3]), (3, 2, [3, 2]), (64, 20, [64, 32, 16])],
)
def test_a_batch_that_does_not_fit_is_halved_which_is_told_and_leaves_no_trace(
    batch: int, fits: int, tried: list[int]
) -> None:
    whole = extraction(activations(), batch=batch).measure([])
    said: list[str] = []
    model, steps = Small(activations(), fits=fits), list[tuple[int, int]]()
    it = on(model, batch)
    tables = it.measure([], lambda done, total: steps.append((done, total)), engine=InProcess(it, said.append))
    same(tables, whole)
    assert list(dict.fromkeys(model.tried)) == tried
    told = [f"from now on {less} images at a time, where it was {more}" for more, less in pairwise(tried)]
    assert [text.partition("; ")[2] for text in said] == told
    assert all(text.startswith("memory ran out for 8 images; ") for text in said)
    assert steps[-1] == (COUNT, COUNT)
    assert max(done for done, _ in steps) == COUNT, "what is worked on again is not counted twice"


def test_numpy_may_run_out_of_memory_too() -> None:
    said: list[str] = []
    it = on(Small(activations(), fits=4, raised=MemoryError), 8)
    same(it.measure([], engine=InProcess(it, said.append)), extraction(activations(), batch=8).measure([]))
    assert said == ["memory ran out; from now on 4 images at a time, where it was 8"]


@pytest.mark.parametrize("model", [Small(activations(), fits=1), Small(activations(), fits=1, batch=8)])
def test_what_does_not_fit_at_all_is_an_error_that_says_what_it_takes(model: Small) -> None:
    it = on(model, 8)
    with pytest.raises(OutOfMemoryError) as caught:
        it.measure([], engine=InProcess(it))
    images = model.batch or 2
    assert str(caught.value) == (
        f"memory ran out for 8 images; {images} images at once need about 0 MB for activations "
        "(map alone holds 60 values of each image)"
    )
    assert "smaller" in caught.value.fix
    assert model.tried[-1] == images


def test_other_errors_halve_nothing() -> None:
    model = Small(activations(), raised=ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        on(model, 8).measure([])
    assert model.tried == [8]


@dataclass(frozen=True)
class Adding:
    """A task in two pieces, which needs no model: a shard's number, and what `extra` adds to it."""

    extra: int = 10
    pieces: tuple[str, ...] = ("number", "more")
    control: int | None = None
    worked: list[tuple[int, tuple[str, ...]]] = field(default_factory=list, compare=False)

    def only(self, pieces: Sequence[str]) -> Task:
        return replace(self, pieces=tuple(pieces))

    def identity(self, piece: str, shard: Shard) -> dict[str, Any]:
        return {"piece": piece, "shard": shard.number} | ({"extra": self.extra} if piece == "more" else {})

    def work(self, extraction: Extraction, shard: Shard, step: Step) -> Made:
        self.worked.append((shard.number, self.pieces))
        step(len(shard.probes))
        values = {"number": shard.number, "more": shard.number + self.extra}
        return {piece: {"value": np.array(values[piece])} for piece in self.pieces}


def jobs(task: Adding, count: int) -> Iterator[Job]:
    return (Job(task, Shard(number, Numbers((f"p{number}",), (number,)))) for number in range(count))  # type: ignore[arg-type]


def here() -> InProcess:
    return InProcess(extraction(activations()))


@dataclass
class Shuffled:
    """An engine that takes some jobs ahead and returns them in another order."""

    order: Sequence[int]

    def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
        taken, inner = list(jobs), here()
        for place in sorted(range(len(taken)), key=lambda place: self.order[place % len(self.order)]):
            yield inner.one(taken[place], step)


def cached(folder: Path, engine: Any = None, say: Callable[[str], None] = lambda text: None) -> Cached:
    return Cached(engine or here(), Cache(folder), "context", {"name": "run"}, say)


def values(done: Iterable[Done]) -> list[tuple[int, int, int]]:
    return [(each.shard.number, int(each.made["number"]["value"]), int(each.made["more"]["value"])) for each in done]


def expected(count: int, extra: int = 10) -> list[tuple[int, int, int]]:
    return [(number, number, number + extra) for number in range(count)]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 9),
    st.sets(st.integers(0, 8)),
    st.sets(st.integers(0, 8)),
    st.permutations(range(9)),
)
def test_a_cache_returns_shards_in_order_whatever_it_holds_and_whoever_computes_the_rest(
    tmp_path_factory: pytest.TempPathFactory, count: int, whole: set[int], half: set[int], order: list[int]
) -> None:
    folder, task = tmp_path_factory.mktemp("cache"), Adding()
    every = list(jobs(task, 9))
    list(cached(folder).work([every[number] for number in sorted(whole)], lambda images: None))
    others = [Job(task.only(["number"]), every[number].shard) for number in sorted(half - whole)]
    list(cached(folder).work(others, lambda images: None))
    task.worked.clear()
    stepped: list[int] = []
    done = list(cached(folder, Shuffled(order)).work(jobs(task, count), stepped.append))
    assert values(done) == expected(count)
    lacking = {number: ("more",) if number in half else task.pieces for number in range(count) if number not in whole}
    assert dict(task.worked) == lacking, "only what is lacking is computed"
    assert sum(stepped) == count
    assert [each.shard.number for each in done if not each.seconds] == [n for n in range(count) if n not in lacking]


def noted(count: int, taken: list[int]) -> Iterator[Job]:
    for job in jobs(Adding(), count):
        taken.append(job.shard.number)
        yield job


def test_a_cache_takes_no_job_before_its_result_is_asked_for(tmp_path: Path) -> None:
    taken: list[int] = []
    done = cached(tmp_path).work(noted(5, taken), lambda images: None)
    assert taken == []
    for number in range(5):
        assert next(done).shard.number == number
        assert taken == list(range(number + 1))


def test_however_much_a_cache_holds_it_is_passed_on_little_by_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "AHEAD", 4)
    held = [job for job in jobs(Adding(), 30) if job.shard.number not in (0, 17, 18)]
    list(cached(tmp_path).work(held, lambda images: None))
    taken: list[int] = []
    done = cached(tmp_path).work(noted(30, taken), lambda images: None)
    for number in range(30):
        assert next(done).shard.number == number
        assert len(taken) <= number + 4
    assert list(done) == []
    assert taken == list(range(30))


class Losing(Cache):
    """A cache in which some files are damaged, or gone, when they are read: not when they are looked for."""

    def __init__(self, folder: Path, harm: Mapping[int, Callable[[Path], object]]) -> None:
        super().__init__(folder)
        self.harm, self.read = dict(harm), 0

    def get(self, key: str) -> dict[str, np.ndarray]:
        self.read += 1
        if self.read in self.harm:
            self.harm[self.read](self.path(key))
        return super().get(key)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.integers(1, 18), st.sampled_from([cut, Path.unlink])),
    st.sets(st.integers(0, 8)),
    st.permutations(range(9)),
)
def test_what_is_lost_between_looking_and_reading_is_told_and_computed_again(
    tmp_path_factory: pytest.TempPathFactory,
    harm: dict[int, Callable[[Path], object]],
    half: set[int],
    order: list[int],
) -> None:
    folder, task, said = tmp_path_factory.mktemp("cache"), Adding(), list[str]()
    first = [Job(task.only(["number"]) if n in half else task, job.shard) for n, job in enumerate(jobs(task, 9))]
    list(cached(folder).work(first, lambda images: None))
    task.worked.clear()
    made, stepped = Losing(folder, harm), list[int]()
    done = list(
        Cached(Shuffled(order), made, "context", {"name": "run"}, said.append).work(jobs(task, 9), stepped.append)
    )
    assert values(done) == expected(9)
    lost = [number for number in harm if number <= made.read]
    assert len(said) == len(lost)
    assert all("computed again" in text for text in said)
    assert sum("no longer in the cache" in text for text in said) == sum(harm[n] is Path.unlink for n in lost)
    assert sum(len(pieces) for _, pieces in task.worked) == len(lost) + len(half), "and nothing else"
    assert sum(stepped) == 9
    assert values(cached(folder).work(jobs(Adding(), 9), lambda images: None)) == expected(9)


def test_a_result_is_kept_before_it_is_passed_on(tmp_path: Path) -> None:
    done = cached(tmp_path).work(jobs(Adding(), 5), lambda images: None)
    next(done), next(done)
    done.close()  # type: ignore[attr-defined]
    again = Adding()
    assert values(cached(tmp_path).work(jobs(again, 5), lambda images: None)) == expected(5)
    assert [number for number, _ in again.worked] == [2, 3, 4]


def test_a_task_that_is_otherwise_finds_nothing_of_another(tmp_path: Path) -> None:
    list(cached(tmp_path).work(jobs(Adding(), 3), lambda images: None))
    other = Adding(extra=20)
    assert values(cached(tmp_path).work(jobs(other, 3), lambda images: None)) == expected(3, 20)
    assert other.worked == [(number, ("more",)) for number in range(3)]


def test_a_disk_that_is_full_in_the_middle_ends_the_work_and_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file, written = os.replace, list[str]()

    def filling(source: str, target: str) -> None:
        if len(written) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(target)
        replace_file(source, target)

    with monkeypatch.context() as full:
        full.setattr(os, "replace", filling)
        done = cached(tmp_path).work(jobs(Adding(), 5), lambda images: None)
        assert next(done).shard.number == 0
        with pytest.raises(StoreError, match=r"^the cache .* cannot be used: No space left on device$"):
            next(done)
    again = Adding()
    assert values(cached(tmp_path).work(jobs(again, 5), lambda images: None)) == expected(5)
    assert again.worked == [(1, ("more",)), *((number, again.pieces) for number in (2, 3, 4))]


def test_followed_work_is_counted_by_whether_it_was_computed(tmp_path: Path) -> None:
    cache = cached(tmp_path)
    list(cache.work(jobs(Adding(), 3), lambda images: None))
    followed = Followed(cache)
    assert values(followed.work(jobs(Adding(), 8), lambda images: None)) == expected(8)
    assert (followed.so_far.read, followed.so_far.computed) == (3, 5)
    assert followed.so_far.seconds > 0
    told = followed.so_far.told()
    assert (told["read"], told["computed"], len(told["slowest"])) == (3, 5, SLOWEST)
    list(followed.work(jobs(Adding(), 8), lambda images: None))
    assert (followed.so_far.read, followed.so_far.computed) == (11, 5), "all passes are counted together"


@given(st.lists(st.floats(0.001, 100), max_size=20))
def test_the_slowest_shards_are_named_slowest_first(seconds: list[float]) -> None:
    @dataclass
    class Took:
        def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
            return (Done(job.shard, {}, took) for job, took in zip(jobs, seconds, strict=True))

    followed = Followed(Took())
    list(followed.work(jobs(Adding(), len(seconds)), lambda images: None))
    slowest = followed.so_far.slowest
    assert [took for took, _ in slowest] == sorted(seconds, reverse=True)[:SLOWEST]
    assert followed.so_far.seconds == pytest.approx(sum(seconds))
    names = {f"shard {number + 1} (p{number})": took for number, took in enumerate(seconds)}
    assert all(names[name] == took for took, name in slowest)


def plan(folder: Path, kind: str) -> Plan:
    data = {"name": "n", "model": {"kind": "keras", "path": "m"}, "engine": {"kind": kind}}
    data["probes"] = [{"kind": "skimage", "names": ["cat"]}]  # type: ignore[assignment]
    return Plan(config.from_dict(data, folder), extraction(activations()), lambda text: None)


def test_every_engine_has_a_section_and_the_other_way_round() -> None:
    sections = get_args(get_args(config.Engine)[0])
    assert [get_args(each.model_fields["kind"].annotation)[0] for each in sections] == list(ENGINES)


def test_the_engine_that_a_config_asks_for_works(tmp_path: Path) -> None:
    with started(plan(tmp_path, "local")) as made:
        assert made.platform is None, "it computes with this process"
        assert values(made.engine.work(jobs(Adding(), 3), lambda images: None)) == expected(3)


@pytest.mark.parametrize("package", EXTRAS)
def test_an_engine_whose_package_is_missing_says_which_extra_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.delitem(sys.modules, "fmreport.engines.cluster", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"engine\.kind: ray needs a package that is not installed: {package}"
    with pytest.raises(EngineError, match=message) as caught, started(plan(tmp_path, "ray")):
        pass
    assert caught.value.fix == f"pip install 'fmreport[{EXTRAS[package]}]'"
