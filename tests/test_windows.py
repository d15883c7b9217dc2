"""Windows that repeat, against following every index by itself."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from fmreport.sources.facts.window import ITSELF, Reads, Window, kernel, repeat, resized, shifted, transposed, union

KERNELS = st.builds(
    kernel,
    st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    padding=st.integers(0, 4),
)
RESIZES = st.builds(
    resized,
    st.integers(2, 9),
    st.integers(2, 9),
    taps=st.sampled_from([1, 2, 4]),
    half_pixel=st.booleans(),
    align_corners=st.just(False),
) | st.builds(
    resized,
    st.integers(2, 9),
    st.integers(2, 9),
    taps=st.sampled_from([1, 2, 4]),
    half_pixel=st.just(False),
    align_corners=st.just(True),
)
TRANSPOSED = st.builds(
    transposed, st.integers(3, 5), stride=st.integers(1, 3), dilation=st.just(1), padding=st.integers(0, 2)
)
STEPS = KERNELS | RESIZES | TRANSPOSED | st.builds(repeat, st.integers(1, 3)) | st.builds(shifted, st.integers(-3, 3))


def read_at(reads: Reads, index: int) -> range:
    """The indices that one index of an operation's output reads."""
    periods, phase = divmod(index, len(reads.first))
    ahead = periods * reads.step
    return range(reads.first[phase] + ahead, reads.last[phase] + ahead + 1)


def followed(steps: Sequence[Reads], index: int) -> tuple[int, int]:
    """First and last position that an index sees, from the last operation back to the input."""
    indices = {index}
    for reads in reversed(steps):
        indices = {each for i in indices for each in read_at(reads, i)}
    return min(indices), max(indices)


def through(steps: Sequence[Reads]) -> Window:
    window = ITSELF
    for reads in steps:
        window = window.read(reads)
    return window


@settings(deadline=None, max_examples=300)
@given(st.lists(STEPS, max_size=5), st.integers(-20, 20))
def test_a_window_is_what_following_its_index_finds(steps: list[Reads], index: int) -> None:
    assert through(steps).at(index) == followed(steps, index)


@settings(deadline=None)
@given(st.lists(KERNELS, min_size=1, max_size=6))
def test_size_stride_and_padding_follow_the_published_recurrence(steps: list[Reads]) -> None:
    size, stride, padding = 1, 1, 0
    for reads in steps:
        size += (reads.last[0] - reads.first[0]) * stride
        padding -= reads.first[0] * stride
        stride *= reads.step
    window = through(steps)
    assert (window.size, window.stride, window.padding) == (size, stride, padding)
    assert window.centre == Fraction(size - 1, 2) - padding


@settings(deadline=None)
@given(st.lists(KERNELS, max_size=3), st.lists(KERNELS, max_size=3), st.integers(-9, 9))
def test_a_union_holds_both_and_no_more(one: list[Reads], other: list[Reads], index: int) -> None:
    windows = [through(one), through(other)]
    if windows[0].stride == windows[1].stride:
        first, last = zip(*(window.at(index) for window in windows), strict=True)
        assert union(windows).at(index) == (min(first), max(last))


@settings(deadline=None)
@given(st.lists(STEPS, max_size=4), st.integers(1, 4))
def test_a_longer_period_says_the_same(steps: list[Reads], times: int) -> None:
    window = through(steps)
    again = window.repeated(len(window.first) * times)
    assert [again.at(i) for i in range(-9, 10)] == [window.at(i) for i in range(-9, 10)]
    assert (again.size, again.stride, again.centre) == (window.size, window.stride, window.centre)


def test_what_is_enlarged_twice_and_halved_is_centred_where_it_was() -> None:
    there_and_back = ITSELF.read(kernel(2, stride=2)).read(repeat(2))
    assert (there_and_back.stride, there_and_back.centre, there_and_back.size) == (1, 0, 2)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=4), STEPS, st.integers(1, 40))
def test_only_the_indices_that_there_are_need_be_kept(steps: list[Reads], last: Reads, size: int) -> None:
    window = through(steps)
    whole, cut = window.read(last), window.read(last, size)
    assert len(cut.first) <= max(size, 1)
    assert [cut.at(i) for i in range(size)] == [whole.at(i) for i in range(size)]
    assert cut.stride == whole.stride


def test_periods_do_not_multiply_from_map_to_map() -> None:
    window = ITSELF
    for _ in range(40):
        window = window.read(kernel(2, stride=2), 38)
        window = window.read(resized(38, 75, taps=2, half_pixel=True, align_corners=False), 75)
    assert len(window.first) == 75
    assert window.stride == Fraction(76, 75) ** 40
