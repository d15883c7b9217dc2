"""Numbers and sentences as a reader sees them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
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


def rounded(value: float) -> str:
    """A whole number to three digits, with a letter for thousands, millions and so on: `25.6 M`."""
    if math.isnan(value):
        return DASH
    for power, letter in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        # What would be rounded to a thousand of the smaller unit is one of the larger.
        if value >= 999.5 * 10 ** (power - 3):
            scaled = value / 10**power
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {letter}"
    return f"{int(value):,}"


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


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


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


MACS_NOTE = "MACs: multiply-adds of convolutions and matrix products for one image"
SEES_NOTE = (
    "receptive field in pixels of the image, by convolutions and pooling, with padding beyond its borders; "
    "normalisations over positions are left out"
)
ORDER = " (height × width)"
APART = "†"
"""Stands where paths are not aligned, behind the widest of them."""
MARKS = {
    r"\d × \d": "9 × 5: height × width",
    r"\ball\b": "all: every pixel, by global pooling or attention",
    r"all \(": "all (43): 43 by the paths that keep positions",
    r"\d \(\d": "43 (45): paths centred on different pixels, the widest and all together",
    APART: f"43{APART}: the widest of paths centred on different pixels",
    "≤": "≤: at most",
    "≥": "≥: at least, as a part of it is not known",
    r"\?": "?: not known",
    f"^{DASH}$": f"{DASH}: none, as it does not depend on the image",
}
"""What the marks in a table of receptive fields and multiply-adds mean, by what they look like."""
ZEROS_NOTE = (
    "Zeros: share of exact zeros over all images, positions and channels. Where they are not by design, 0% is no "
    "finding, and more than that stems from zeros that the layer reads or from numbers too small to be held."
)


def legend(cells: Iterable[str], head: str = "Sees") -> str:
    """What `cells` of multiply-adds and of receptive fields mean, the latter under this head: marks that they have."""
    shown = list(cells)
    marks = [meaning for mark, meaning in MARKS.items() if any(re.search(mark, cell) for cell in shown)]
    return f"{MACS_NOTE}. {head}: {'; '.join((SEES_NOTE, *marks))}."


def at_least(known: int, *, whole: bool) -> str:
    """A large number in a table, of which `known` is the whole or a part: `25.6 M`, `≥ 6.30 M`, `?`."""
    return rounded(known) if whole else f"≥ {rounded(known)}" if known else "?"


def in_words(shown: str) -> str:
    """The same in a sentence: `25.6 M`, `at least 6.30 M`, `not known`."""
    return "not known" if shown == "?" else shown.replace("≥", "at least")


def sees(row: Mapping[str, Any]) -> str:
    """A receptive field in a table: `427`, `9 × 5`, `≤ 9`, `43 (45)` or `43†` where paths differ, `all (427)`, `?`."""
    if row["rf_status"] == "none":
        return DASH
    if row["rf_status"] == "unknown":
        return "?"
    local = "" if not is_known(row["rf_height"]) else sides(row["rf_height"], row["rf_width"])
    if row["rf_status"] == "global":
        return f"all ({local})" if local else "all"
    if row["rf_status"] == "upper bound":
        return f"≤ {local}"
    if row["rf_status"] != "unaligned":
        return local
    # A part of the model does not say what all paths see together.
    union = sides(row.get("rf_union_height", row["rf_height"]), row.get("rf_union_width", row["rf_width"]))
    return f"{local}{APART}" if union == local else f"{local} ({union})"


def seen_sentence(row: Mapping[str, Any]) -> str:
    """A receptive field in full: `427 × 427 pixels, one element every 32 pixels; normalisation left out`."""
    status, reason = str(row["rf_status"]), text(row["rf_reason"])
    if status in ("none", "unknown"):
        return f"{'nothing' if status == 'none' else 'not known'}: {reason}"
    if not is_known(row["rf_height"]):
        return f"the whole image: {reason}"
    square, stride = row["rf_height"] == row["rf_width"], sides(row["rf_stride_y"], row["rf_stride_x"])
    size = f"{'at most ' if status == 'upper bound' else ''}{int(row['rf_height'])} × {int(row['rf_width'])} pixels"
    size += "" if square else ORDER
    if status == "global":
        size = f"the whole image; {size} by convolutions and pooling"
    every = f"one element every {stride} pixel{'' if stride == '1' else 's'}"
    facts = [size, every + (ORDER if square and " × " in stride else "")]
    if status == "unaligned":
        facts.append(f"centres of paths up to {sides(row['rf_disagreement_y'], row['rf_disagreement_x'])} apart")
        if _is_wider(row):
            facts.append(f"together {int(row['rf_union_height'])} × {int(row['rf_union_width'])}")
    left_out = "normalisation left out" if text(row["rf_normalised"]) else ""
    return "; ".join(filter(None, (", ".join(facts), reason, left_out)))


def seen_by_map(row: Mapping[str, Any]) -> str:
    """What a caption says of it: `stride 32, receptive field 427 (normalisation excluded)`; empty where not known."""
    status = row["rf_status"]
    if status in ("none", "unknown"):
        return ""
    if not is_known(row["rf_height"]):
        return "receptive field the whole image"
    field = sides(row["rf_height"], row["rf_width"])
    if status == "global":
        field = f"the whole image, {field} by convolutions and pooling"
    elif status == "upper bound":
        field = f"at most {field}"
    elif status == "unaligned" and _is_wider(row):
        field += f", all paths together {sides(row['rf_union_height'], row['rf_union_width'])}"
    left_out = " (normalisation excluded)" if text(row["rf_normalised"]) else ""
    return f"stride {sides(row['rf_stride_y'], row['rf_stride_x'])}, receptive field {field}{left_out}"


def _is_wider(row: Mapping[str, Any]) -> bool:
    """Whether all paths together see more than the one that sees most."""
    return any(row[f"rf_union_{side}"] != row[f"rf_{side}"] for side in ("height", "width"))


def sides(height: float, width: float) -> str:
    """`32`, or where they differ height × width: `32 × 16`."""
    both = [f"{float(side):.3g}" if float(side) % 1 else f"{int(side)}" for side in (height, width)]
    return both[0] if both[0] == both[1] else " × ".join(both)


def is_known(value: Any) -> bool:
    """Whether a field of a table is not empty."""
    return value is not None and str(value) not in ("<NA>", "nan", "None")


def text(value: Any) -> str:
    """A text of a table; empty where the field is."""
    return str(value) if is_known(value) else ""


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
