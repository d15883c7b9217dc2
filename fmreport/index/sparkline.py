"""A line over releases, small enough for a cell of a table."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 64, 25, 4
BOX = f"0 0 {WIDTH} {HEIGHT}"
FLATTEST = 0.05
"""Range that fills the height at least, as a share of the largest magnitude: less than that is to look like little."""


def line(values: Sequence[float | None]) -> tuple[str, tuple[str, str]]:
    """SVG path data over values from left to right, and the place of the last; a gap where one is undefined.

    Empty where fewer than two values are defined.
    """
    defined = [value for value in values if value is not None]
    if len(defined) < 2:
        return "", ("", "")
    low, high = min(defined), max(defined)
    span = max(high - low, FLATTEST * max(map(abs, defined))) or 1.0
    path, at, before = [], ("", ""), None
    for i, value in enumerate(values):
        if value is not None:
            x = MARGIN + (WIDTH - 2 * MARGIN) * i / (len(values) - 1)
            # From the lowest: half the sum of the least numbers there are is none.
            y = HEIGHT / 2 - (HEIGHT - 2 * MARGIN) * ((value - low) / span - (high - low) / span / 2)
            at = (f"{x:.1f}", f"{y:.1f}")
            # A line of no length is a dot: a value between two gaps.
            path.append(f"{'M' if before is None else 'L'}{at[0]} {at[1]}" + ("h0" if before is None else ""))
        before = value
    return "".join(path), at
