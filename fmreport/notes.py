"""What a reader of a run must know of how it was made, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from fmreport.config import Config
from fmreport.extract import Tables
from fmreport.mapped import Mapped
from fmreport.records import Layer


def channel_rule(config: Config, images: int, displayed: int) -> str:
    """How the shown channels were chosen, as a sentence; of so many images, so many are displayed."""
    options, others = config.figures, images - displayed
    words = {
        "index": "the first by number",
        "zeros": "those with the most zeros",
        "max": "those with the largest maximum",
    }
    what = words.get(options.order, f"those with the largest {options.order}")
    seen = (
        f"the {others} probes that are not shown" if others else "the shown probes themselves, as there are no others"
    )
    drawn = (
        f"; {options.random} more were drawn at random (seed {config.seed}) for comparison" if options.random else ""
    )
    measured = "" if options.order == "index" else f", measured on {seen}"
    best = options.channels - options.random
    return (
        f"Shown {'is 1 channel' if best == 1 else f'are up to {best} channels'} of each tap, {what}{measured}{drawn}."
    )


def of_measuring(tables: Tables, inventory: Sequence[Layer]) -> list[str]:
    """Values that are left out, and layers that could not be tapped."""
    notes = []
    rows = tables.rows.read(("probe", "tap", "nan", "inf"))
    bad = rows[(rows["nan"] > 0) | (rows["inf"] > 0)]
    for tap, some in bad.groupby("tap", sort=False):
        nan, inf, probe = int(some["nan"].sum()), int(some["inf"].sum()), ", ".join(some["probe"][:3])
        notes.append(f"{nan} NaN and {inf} infinite values at {tap} are left out of every measure (on {probe})")
    layers_only = [layer for layer in inventory if layer.path]
    if silent := [layer for layer in layers_only if layer.reason and not layer.reason.startswith("an input")]:
        notes.append(f"{len(silent)} of {len(layers_only)} layers cannot be tapped; the report's inventory says why")
    return notes


def of_maps(measured: Mapped, *, dissection: bool) -> list[str]:
    """Of which images maps were measured, where that is not all."""
    if not measured.some:
        return []
    also = ", dissection" if dissection else ""
    what = f"detail, edges and masks, regions, best channels{also}, similarity, dimensions, near-duplicates"
    of_which = f"{measured.told}, {measured.spread}, {measured.masks:,} of them with a mask"
    return [f"What is said of maps ({what}) is of {of_which}; measures.maps asks for more, or for all"]


def of_masks(ignored: Sequence[str]) -> list[str]:
    """Images of which nothing is looked at, by name."""
    if not ignored:
        return []
    some = ", ".join(ignored[:3]) + (f" and {len(ignored) - 3} more" if len(ignored) > 3 else "")
    return [f"By its mask every pixel is ignored, so that neither edges nor masks are read in it: {some}"]
