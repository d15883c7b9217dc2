"""Numbers and sentences as a reader sees them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DASH = "–"
"""Stands for what is undefined; the reason stands beside it."""
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 3) -> str:
    """A value to `digits` significant digits, with a true minus; powers of ten where it is very large or small."""
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    text = f"{value:.{digits - 1}e}"
    mantissa, exponent = text.split("e")
    power = int(exponent)
    if -4 <= power < 5:
        text = f"{float(text):,.{max(0, digits - 1 - power)}f}"
    else:
        text = f"{mantissa}·10{str(power).translate(_SUPERSCRIPT)}"
    return text.replace("-", "−")


def percent(fraction: float) -> str:
    """A fraction 0-1 in percent, one decimal; never rounded to a 0 or 100 that it is not."""
    if math.isnan(fraction):
        return DASH
    if 0 < fraction < 0.0005:
        return "<0.1%"
    if 0.9995 < fraction < 1:
        return ">99.9%"
    return f"{100 * fraction:.1f}%"


def count(value: float) -> str:
    """A whole number with thousands set apart."""
    return DASH if math.isnan(value) else f"{int(value):,}"


def plural(value: int, noun: str) -> str:
    """`1 tap`, `2 taps`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def are(value: int) -> str:
    """`1 is`, `2 are`."""
    return f"{value:,} {'is' if value == 1 else 'are'}"


def full_stop(note: str) -> str:
    """The note as a sentence of its own."""
    return note if note.endswith((".", "!", "?")) else f"{note}."


def sizes(shape: str) -> str:
    """`160 x 160 x 32` with a true times sign."""
    return shape.replace(" x ", " × ")


def zeros_sentence(fraction: float, made: str, reason: str) -> str:
    """`0.0% (not by design: a weighted sum plus a bias)`: 0% is no finding where nothing makes zeros."""
    # Not "by chance": a weighted sum of zeros is zero too.
    words = {"by design": "by design", "by chance": "not by design"}.get(made, "unknown whether by design")
    return f"{percent(fraction)} ({words}: {reason})" if reason else f"{percent(fraction)} ({words})"


def by_design(made: str) -> str:
    """The same verdict as the answer to a column's head."""
    return {"by design": "yes", "by chance": "no"}.get(made, "unknown")


ZEROS_NOTE = (
    "Zeros: share of exact zeros over all images, positions and channels. Where they are not by design, 0% is no "
    "finding, and more than that stems from zeros that the layer reads or from numbers too small to be held."
)


def undefined(column: str, row: Mapping[str, Any]) -> str:
    """Why `column` is NaN in a row of the summary."""
    if not row["finite"]:
        return "no finite value"
    if row["minimum"] == 0 and row["maximum"] == 0:
        return "all zero"
    if column.endswith("_sparseness"):
        if row["minimum"] < 0:
            return "signed"
        return "too few values"
    if row["nan"] or row["inf"]:
        return "NaN or Inf"
    return "undefined here"
