"""The colour maps that a page offers, as the curves by which it colours grey maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmreport.figures.mosaics import DIVERGING, GREYS, SEQUENTIAL

KNOTS = 52
"""Points of a curve: every fifth grey value, between which a page draws straight lines."""


@dataclass(frozen=True, slots=True)
class Colours:
    """A pair of colour maps: one from 0, one both ways from 0."""

    key: str
    label: str
    sequential: str
    diverging: str
    """Names in matplotlib."""


CHOICES = (
    Colours("dark", "0 dark", SEQUENTIAL, DIVERGING),
    Colours("light", "0 light", "YlGnBu", "RdBu_r"),
    Colours("cividis", "cividis, managua", "cividis", "managua_r"),
    Colours("grey", "grey", "gray", "gray"),
)
"""All can be told apart without seeing red or green; the first is that of print."""


def curves(name: str) -> tuple[str, str, str]:
    """Red, green and blue (0 to 1) at `KNOTS` grey values from 0 to 255, each as one line of numbers."""
    from matplotlib import colormaps

    at = np.minimum(np.linspace(0, 255, KNOTS) / (GREYS - 1), 1)
    red, green, blue = (" ".join(f"{value:.3g}" for value in curve) for curve in colormaps[name](at)[:, :3].T)
    return red, green, blue
