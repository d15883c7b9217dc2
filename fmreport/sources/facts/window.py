"""Which input positions an index of an axis sees: windows that repeat with a fixed step along the axis.

A convolution moves every window by the same step. Behind an upsampling neighbouring indices share what they see, so
windows repeat only every few indices; a window is therefore kept for each index of one period. Windows reach beyond
the borders of the input as padding does.

The recurrence is that of Araujo, Norris & Sim 2019, doi 10.23915/distill.00021, for intervals instead of sizes.
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

    One period further on, everything is `step` positions further on. Where windows repeat only after more indices than
    the axis has, the period is the whole axis, and a step that is no whole number is that of the stride.
    """

    step: int | Fraction
    first: tuple[int, ...]
    last: tuple[int, ...]

    @property
    def size(self) -> int:
        """Positions from first to last, at the index that sees most."""
        return max(last - first + 1 for first, last in zip(self.first, self.last, strict=True))

    @property
    def stride(self) -> Fraction:
        """Positions from one index to the next, on average."""
        return Fraction(self.step) / len(self.first)

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
        if not periods:
            return self.first[phase], self.last[phase]
        ahead = periods * self.step
        return self.first[phase] + math.floor(ahead), self.last[phase] + math.ceil(ahead)

    def read(self, reads: Reads, size: int | None = None) -> Window:
        """What the output of an operation sees, whose input sees this; only `size` indices of it are ever asked for."""
        period, phases = len(self.first), len(reads.first)
        # So many periods of the operation until its input begins a period anew.
        count = phases * (period // math.gcd(period, reads.step) if reads.step else 1)
        if size is not None and (count > size or self.step != int(self.step)):
            count = max(size, 1)
        first, last = [], []
        for index in range(count):
            times, phase = divmod(index, phases)
            begin, end = reads.first[phase] + times * reads.step, reads.last[phase] + times * reads.step
            # Not only the ends: an index that falls on another exactly may see less than its neighbours do.
            first.append(min(self.at(i)[0] for i in range(begin, min(end, begin + period - 1) + 1)))
            last.append(max(self.at(i)[1] for i in range(max(begin, end - period + 1), end + 1)))
        return Window(_whole(self.stride * Fraction(reads.step * count, phases)), tuple(first), tuple(last))

    def repeated(self, period: int, stride: Fraction | None = None) -> Window:
        """The windows of as many indices as `period`, as one period of the same stride or of another."""
        both = [self.at(index) for index in range(period)]
        step = _whole((self.stride if stride is None else stride) * period)
        return Window(step, tuple(first for first, _ in both), tuple(last for _, last in both))


def _whole(step: Fraction) -> int | Fraction:
    return int(step) if step.denominator == 1 else step


ITSELF = Window(1, (0,), (0,))
"""The input: every index sees itself."""


def union(windows: Sequence[Window], size: int | None = None) -> Window:
    """What several tensors of one shape, of `size` indices, see together; their strides must agree."""
    period = math.lcm(*(len(window.first) for window in windows))
    if size is not None and (period > size or any(window.step != int(window.step) for window in windows)):
        period = max(size, 1)
    same = [window.repeated(period) for window in windows]
    return Window(
        same[0].step,
        tuple(map(min, zip(*(window.first for window in same), strict=True))),
        tuple(map(max, zip(*(window.last for window in same), strict=True))),
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
