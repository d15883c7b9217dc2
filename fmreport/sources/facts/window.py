"""Which input positions an index of an axis sees: windows that repeat with a fixed step along the axis.

A convolution moves every window by the same step. Behind an upsampling neighbouring indices share what they see, so
windows repeat only every few indices; a window is therefore kept for each index of one period. Windows reach beyond
the borders of the input as padding does.

The recurrence is that of Araujo, Norris and Sim 2019, doi 10.23915/distill.00021, for intervals instead of sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Reads:
    """What an operation reads along an axis: index j of its output reads indices `first[j]` to `last[j]` of its input.

    Both lists hold one period; one period further on, everything is `step` further on.
    """

    step: int
    first: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Index i of an axis sees input positions `first[i]` to `last[i]`, for the indices of one period.

    One period further on, everything is `step` positions further on.
    """

    step: int
    first: tuple[int, ...]
    last: tuple[int, ...]

    @property
    def size(self) -> int:
        """Positions from first to last, at the index that sees most."""
        return max(last - first + 1 for first, last in zip(self.first, self.last, strict=True))

    @property
    def stride(self) -> Fraction:
        """Positions from one index to the next, on average."""
        return Fraction(self.step, len(self.first))

    @property
    def padding(self) -> int:
        """Positions that the first index sees before the input begins; negative where it begins inside."""
        return -self.first[0]

    @property
    def centre(self) -> Fraction:
        """Where the windows of the first period are centred on average, less what the indices move on average.

        That is the middle of the first window where all are alike.
        """
        period = len(self.first)
        middle = Fraction(sum(self.first) + sum(self.last), 2 * period)
        return middle - self.stride * Fraction(period - 1, 2)

    def at(self, index: int) -> tuple[int, int]:
        """First and last position that an index sees; any whole number is an index."""
        periods, phase = divmod(index, len(self.first))
        return self.first[phase] + periods * self.step, self.last[phase] + periods * self.step

    def read(self, reads: Reads) -> Window:
        """What the output of an operation sees, whose input sees this."""
        period = len(self.first)
        # So many periods of the operation until its input begins a period anew.
        times = period // math.gcd(period, reads.step) if reads.step else 1
        phases = [
            (first + i * reads.step, last + i * reads.step)
            for i in range(times)
            for first, last in zip(reads.first, reads.last, strict=True)
        ]
        # Not only the ends: an index that falls on another exactly may see less than its neighbours, on either side.
        return Window(
            self.step * reads.step * times // period,
            tuple(
                min(self.at(i)[0] for i in range(first, min(last, first + period - 1) + 1)) for first, last in phases
            ),
            tuple(max(self.at(i)[1] for i in range(max(first, last - period + 1), last + 1)) for first, last in phases),
        )

    def repeated(self, period: int) -> Window:
        """The same windows, written for a multiple of the period."""
        both = [self.at(index) for index in range(period)]
        step = self.step * period // len(self.first)
        return Window(step, tuple(first for first, _ in both), tuple(last for _, last in both))


ITSELF = Window(1, (0,), (0,))
"""The input: every index sees itself."""


def union(windows: Sequence[Window]) -> Window:
    """What several tensors of one shape see together; their strides must agree."""
    period = math.lcm(*(len(window.first) for window in windows))
    same = [window.repeated(period) for window in windows]
    return Window(
        same[0].step,
        tuple(map(min, *(window.first for window in same))) if len(same) > 1 else same[0].first,
        tuple(map(max, *(window.last for window in same))) if len(same) > 1 else same[0].last,
    )


def kernel(size: int, *, stride: int = 1, dilation: int = 1, padding: int = 0) -> Reads:
    """A convolution or pooling with `padding` positions before the axis."""
    return Reads(stride, (-padding,), (-padding + (size - 1) * dilation,))


def transposed(size: int, *, stride: int, dilation: int = 1, padding: int = 0) -> Reads:
    """A transposed convolution, of which `padding` positions are cut off before the axis.

    An index that no position of the kernel reaches reads nothing; it is given its nearest neighbour.
    """
    first, last = [], []
    for index in range(stride):
        reached = [
            (index + padding - tap * dilation) // stride
            for tap in range(size)
            if (index + padding - tap * dilation) % stride == 0
        ] or [(index + padding) // stride]
        first.append(min(reached))
        last.append(max(reached))
    return Reads(1, tuple(first), tuple(last))


def shifted(offset: int, stride: int = 1) -> Reads:
    """A slice that begins at `offset`; a negative offset pads."""
    return Reads(stride, (offset,), (offset,))


def repeat(times: int) -> Reads:
    """Every index `times` times over."""
    return Reads(1, (0,) * times, (0,) * times)


def resized(before: int, after: int, *, taps: int, half_pixel: bool, align_corners: bool) -> Reads:
    """Interpolation from `before` to `after` indices by the nearest one, or by 2 or 4 around each position.

    Source: TensorFlow's `image_resizer_state.h`. An index that falls on another exactly reads that one alone.
    """
    source, target = (before - 1, after - 1) if align_corners and after > 1 else (before, after)
    common = math.gcd(source, target) or 1
    scale, half = Fraction(source, target or 1), Fraction(1, 2)
    first, last = [], []
    for index in range(max(target // common, 1)):
        position = (index + half) * scale if half_pixel else index * scale
        if taps == 1:
            nearest = math.floor(position + half) if align_corners else math.floor(position)
            first.append(nearest)
            last.append(nearest)
            continue
        position -= half if half_pixel else 0
        below = math.floor(position)
        exact = position == below
        first.append(below if exact else below - (taps // 2 - 1))
        last.append(below if exact else below + taps // 2)
    return Reads(source // common, tuple(first), tuple(last))
