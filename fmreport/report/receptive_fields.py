"""What one element in the middle of a map sees of the image, as a rectangle on a photograph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmreport.report import page
from fmreport.report.maps import Settings
from fmreport.report.wording import is_known
from fmreport.store import Run

DRAWN = ("exact", "upper bound", "unaligned", "global")
"""States of a receptive field of which a size is known."""


def seen(run: Run, settings: Settings, row: Mapping[str, Any]) -> page.Field | None:
    """The field of the element in the middle, cut at the edges; None where it is not known or nothing is displayed."""
    first = next(iter(run.facts.displayed), "")
    if first not in settings.photos or row["rf_status"] not in DRAWN or not is_known(row["rf_height"]):
        return None
    height, width = run.facts.preprocess["size"]
    top, down = _side(row, "height", "y", height)
    left, across = _side(row, "width", "x", width)
    field = f"{int(row['rf_height'])} × {int(row['rf_width'])}"
    by = ", by convolutions and pooling" if row["rf_status"] == "global" else ""
    # A field may be cut at an edge by less than a pixel.
    whole = down >= height - 1 and across >= width - 1
    caption = f"{field} pixels seen by the element in the middle{by}{': all of the image' if whole else ''}"
    return page.Field(
        photo=settings.photos[first].id,
        width=int(width),
        height=int(height),
        left=left,
        top=top,
        across=across,
        down=down,
        alt=f"{caption}, as a frame on {first}",
        caption=caption,
    )


def _side(row: Mapping[str, Any], side: str, axis: str, image: int) -> tuple[float, float]:
    """Start and length of the field along one axis, in pixels, within the image."""
    centre, length = image / 2, float(row[f"rf_{side}"])
    if all(is_known(row[name]) for name in (f"rf_centre_{axis}", f"rf_stride_{axis}", side)) and row[side] > 1:
        # Centres are those of pixels, half a pixel behind their left edges.
        centre = float(row[f"rf_centre_{axis}"]) + 0.5 + (int(row[side]) // 2) * float(row[f"rf_stride_{axis}"])
    start, end = max(centre - length / 2, 0.0), min(centre + length / 2, float(image))
    return round(start, 2), round(max(end - start, 0.0), 2)
