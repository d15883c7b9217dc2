"""Mask files to foreground, background and ignored pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmreport.errors import ProbeError

IGNORED = 255


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the whole numbers of a mask file stand for; all that is not declared is background."""

    foreground: tuple[int, ...] = ()
    """Empty: every value but 0."""
    ignore: tuple[int, ...] = ()

    def apply(self, levels: np.ndarray) -> np.ndarray:
        """`(H, W)` uint8 of a mask's levels: 0 background, 1 foreground, 255 ignored."""
        foreground = np.isin(levels, self.foreground) if self.foreground else levels != 0
        return np.where(np.isin(levels, self.ignore), IGNORED, foreground).astype(np.uint8)

    def has_foreground(self, values: frozenset[int]) -> bool:
        """Whether any of these values is foreground."""
        return bool(values & set(self.foreground) if self.foreground else values - {0} - set(self.ignore))


def found(levels: np.ndarray) -> frozenset[int]:
    """The values that a mask holds."""
    return frozenset(int(value) for value in np.unique(levels))


def no_foreground(meaning: Meaning, values: frozenset[int]) -> ProbeError:
    """The error for a set of masks of which none holds a foreground pixel."""
    wanted = _listed(sorted(meaning.foreground)) if meaning.foreground else "any value but 0"
    return ProbeError(
        f"no mask holds foreground ({wanted}); the values found are {_listed(sorted(values))}",
        fix="set mask_values, e.g. mask_values: {foreground: [255]}",
    )


def _listed(values: list[int]) -> str:
    shown = ", ".join(str(value) for value in values[:8])
    return f"{shown} and {len(values) - 8} more" if len(values) > 8 else shown
