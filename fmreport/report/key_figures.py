"""The three most telling numbers of a run, as the command line and the head of a report show them."""

from __future__ import annotations

import numpy as np

from fmreport.analysis.crossing import crossing
from fmreport.analysis.edges_to_mask import FEWEST_TAPS, curves, from_edges_to_mask
from fmreport.analysis.finding import CONSISTENT, SUPPORTED
from fmreport.layers import PADDING
from fmreport.report import page
from fmreport.report.findings import made_from
from fmreport.report.wording import number, percent, plural, sizes
from fmreport.store import Run


def key_figures(run: Run) -> tuple[page.KeyFigure, ...]:
    """The three most telling numbers of a run."""
    found, seen = change_over(run), (resolution(run), sparsity(run), silence(run))
    if found is None:
        return seen
    # Silent channels are news, that there are none is not.
    return found, seen[0], seen[2] if run.summary["silent"].any() else seen[1]


def change_over(run: Run) -> page.KeyFigure | None:
    """Where edges are read best and from where on masks are; None where too few maps tell, or where they disagree."""
    tables = made_from(run)
    taps, edge, mask = curves(tables.layers, tables.analyses["progression"])
    if len(taps) < FEWEST_TAPS:
        return None
    at, peak = int(crossing(edge, mask).at), int(edge.argmax())
    verdict = from_edges_to_mask(tables).verdict
    if verdict not in (SUPPORTED, CONSISTENT):
        return None
    place = f"from {taps[at]} on" if at < len(taps) else "nowhere"
    numbers = {tap: number for number, tap in enumerate(run.layers["tap"], 1)}
    return page.KeyFigure(
        f"{numbers[taps[peak]]} → {numbers[taps[at]] if at < len(taps) else 'nowhere'}",
        f"of {len(run.layers)} taps: where edges are read best, and from which on masks are read better",
        f"{taps[peak]}, and {place}; from edges to mask: {verdict}",
    )


def resolution(run: Run) -> page.KeyFigure:
    """How coarse maps become, and whether they become fine again."""
    heights = run.layers["height"].to_numpy(np.float64, na_value=np.nan)
    # One pixel is what global pooling leaves: no map. A padded map is finer than any that the model computes.
    maps = np.isfinite(heights) & (run.layers["elements"] > run.layers["channels"]).to_numpy()
    padded = maps & run.layers["type"].str.fullmatch(PADDING).to_numpy(bool)
    padded &= bool((maps & ~padded).any())
    maps_only = np.flatnonzero(maps & ~padded)
    if not maps_only.size:
        return page.KeyFigure("no maps", "every tap is a vector", plural(len(run.layers), "tap"))
    sides = heights[maps_only].astype(int)
    coarsest = int(sides.argmin())
    before, least, after = int(sides[: coarsest + 1].max()), int(sides[coarsest]), int(sides[coarsest:].max())
    path = [(before, "finest")] if before > least else []
    path += [(least, "coarsest" if before > least or after > least else "the same everywhere")]
    path += [(after, "finest after it")] if after > least else []
    at = run.layers.iloc[int(maps_only[coarsest])]
    pixels = list(run.layers.loc[np.isfinite(heights) & (run.layers["elements"] == run.layers["channels"]), "tap"])
    aside = " and ".join(["1 × 1"] * bool(pixels) + ["padding"] * bool(padded.any()))
    others = f" and {plural(len(pixels) - 1, 'other tap')}" if len(pixels) > 1 else ""
    return page.KeyFigure(
        " → ".join(str(side) for side, _ in path),
        f"rows of the maps{f', {aside} aside' if aside else ''}: {', '.join(word for _, word in path)}",
        f"coarsest at {at['tap']}: {sizes(str(at['shape']))}"
        + (f"; 1 × 1, without positions, at {pixels[0]}{others}" if pixels else ""),
    )


def sparsity(run: Run) -> page.KeyFigure:
    """Exact zeros where they are made by design; elsewhere how concentrated activity is."""
    table = run.layers[["tap", "zeros"]].merge(run.summary, on="tap")
    designed = table[table["zeros"] == "by design"]
    if len(designed):
        most = designed.sort_values("zero_fraction", kind="stable").iloc[-1]
        return page.KeyFigure(
            percent(float(designed["zero_fraction"].median())),
            "exact zeros at the one tap that makes them by design"
            if len(designed) == 1
            else f"exact zeros, median of the {len(designed)} taps that make them by design",
            f"most at {most['tap']}: {percent(most['zero_fraction'])}",
        )
    defined = table[table["gini"].notna()]
    if not len(defined):
        return page.KeyFigure("–", "Gini index", "undefined at every tap")
    most = defined.sort_values("gini", kind="stable").iloc[-1]
    return page.KeyFigure(
        f"{defined['gini'].min():.2f} to {defined['gini'].max():.2f}",
        "Gini index of the taps: how concentrated activity is (Gaussian noise: 0.41)",
        f"most at {most['tap']}; no tap makes exact zeros by design",
    )


def silence(run: Run) -> page.KeyFigure:
    """How many channels are silent."""
    silent, channels = int(run.summary["silent"].sum()), int(run.layers["channels"].sum())
    images = len(run.facts.probes)
    # The exact 95% bound on the rate of what was not seen in n independent images.
    bound = number(100 * (1 - 0.05 ** (1 / images)), 2)
    unseen = f": a silent channel may yet be active on up to {bound}% of others like these (95% confidence)"
    return page.KeyFigure(
        f"{silent:,} of {channels:,}",
        "channels silent on this probe set",
        plural(images, "image") + (unseen if silent else ""),
    )
