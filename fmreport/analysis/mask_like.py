"""Which tap, and which single channel, is most like the mask, and whether luck or other weights do as well."""

from __future__ import annotations

import numpy as np

from fmreport.analysis import resampling
from fmreport.analysis.edges_to_mask import FEW_MASKS, MISSING, beats_nulls, between, curves, images_with_masks, prior
from fmreport.analysis.finding import NOTHING, SIGNIFICANT, UNTESTED, Checks, Finding, Tables, judged, number, told
from fmreport.analysis.selectivity import POLARITIES
from fmreport.measures.places import SIDE
from fmreport.records import IMAGE

STRICT = 0.02
"""Level for a channel, which is picked from very many: with 0.05, 4 of 100 networks of random weights have one."""
BY_CONSTRUCTION = "the last layers of a model that was trained to draw masks are mask-like by construction"
TAP, CHANNEL = "the most mask-like tap", "the most mask-like channel"
_TAP_RULE = (
    "the tap from which masks are read best on held-out images; supported if the best tap reads masks of no meaning "
    f"less well (p at most {SIGNIFICANT}), its interval is above 0, and neither the image's own colours nor the mean "
    "mask of other images nor the best tap of any randomised model do as well; consistent with, if no check fails but "
    "one could not be made"
)
_CHANNEL_RULE = (
    "the channel with the highest IoU, less the prevalence, on the half of the images that it was not chosen on, over "
    f"all taps; supported if the best of all taps does less well with masks of no meaning (p at most {STRICT}), "
    "and so do the colours of the image itself and the best channel of every randomised model, on 10 images with masks "
    "or more; consistent with, if no check fails but one could not be made"
)
_FAILED = {
    "interval": "its interval is not above 0",
    "image": "the colours of the image itself do as well",
    "prior": "the mean mask of other images does as well",
    "controls": "a randomised model does as well",
}


def best_tap(tables: Tables) -> Finding:
    """The tap from which masks are read best."""
    taps, _, mask = curves(tables.layers, tables.analyses["progression"])
    if not len(taps):
        sentence = "No tap is compared with masks: from none can both masks and edges be read."
        return Finding(TAP, UNTESTED, sentence, _TAP_RULE)
    beats, p = beats_nulls(tables, taps, mask)
    best = int(mask.argmax())
    name = taps[best]
    if not beats:
        few = beats is None
        sentence = (
            f"Whether a tap reads masks better than masks of no meaning cannot be told (best: {name}, "
            f"R² {number(mask[best])})."
            if few
            else "No tap is shown to tell masks better than masks of no meaning "
            f"(best: {name}, R² {number(mask[best])}, p {p:.3f})."
        )
        return Finding(TAP, UNTESTED if few else NOTHING, sentence, _TAP_RULE, (name,), FEW_MASKS if few else "")
    table = tables.analyses["progression"]
    row = table[(table["quantity"] == "mask") & (table["tap"] == name)].iloc[0]
    images, ends = images_with_masks(tables), (float(row["lower"]), float(row["upper"]))
    controls = _best_of_controls(tables, "mask", taps)
    colours = table.loc[(table["tap"] == IMAGE) & (table["quantity"] == "mask"), "value"].to_numpy(np.float64)
    place = prior(tables, name)
    checks: Checks = {
        "interval": None if images < resampling.FEWEST or np.isnan(ends[0]) else ends[0] > 0,
        "image": bool((mask[best] > colours).all()),
        "prior": not mask[best] <= place,
        "controls": bool(mask[best] > controls.max()) if len(controls) else None,
    }
    interval = "" if np.isnan(ends[0]) else f", 95% interval {number(ends[0])} to {number(ends[1])}"
    sentence = (
        f"Masks are read best at {name} (R² {number(mask[best])}{interval}, {images} images; p {p:.3f})"
        f"{_image(colours)}{_place(place)}{_beside(controls)}."
    )
    why = "; ".join(filter(None, (told(checks, _FAILED, MISSING), BY_CONSTRUCTION)))
    return Finding(TAP, judged(checks), sentence, _TAP_RULE, (name,), why)


def best_channel(tables: Tables) -> Finding:
    """The channel that outlines the foreground best on images that it was not chosen on."""
    table = tables.analyses["selectivity"]
    of_image = table["tap"] == IMAGE
    colours = (table["iou"] - table["prevalence"])[of_image].to_numpy(np.float64)
    table = table[~of_image & table["iou"].notna()]
    if not len(table):
        sentence = (
            "No single channel is compared with masks: it takes two images whose masks have both foreground and "
            "background, and maps of more than one position."
        )
        return Finding(CHANNEL, UNTESTED, sentence, _CHANNEL_RULE)
    best = table.iloc[int((table["iou"] - table["prevalence"]).to_numpy().argmax())]
    tap, p, above = str(best["tap"]), float(best["iou_p_best"]), float(best["iou"] - best["prevalence"])
    of_chance = "" if np.isnan(p) else f" (p {p:.3f})"
    numbers = (
        f"IoU {best['iou']:.2f} at up to {SIDE} × {SIDE} places of each image that it was not chosen on, where calling "
        f"everything foreground gives {best['prevalence']:.2f}{of_chance}; AUROC {best['auroc']:.2f}"
    )
    if np.isnan(p) or 1 / (1 + int(best["draws"])) > STRICT:
        sentence = f"Whether a channel outlines the foreground cannot be told (best: one of {tap}, {numbers})."
        return Finding(CHANNEL, UNTESTED, sentence, _CHANNEL_RULE, (tap,), FEW_MASKS)
    if p > STRICT or above <= 0:
        rival = "calling everything foreground does" if above <= 0 else "the best channel outlines masks of no meaning"
        told_p = "" if above <= 0 else f"; a p of {STRICT} at most is asked for"
        best_one = f"(best: one of {tap}, {numbers}{told_p})"
        sentence = f"No channel is shown to outline the foreground better than {rival} {best_one}."
        return Finding(CHANNEL, NOTHING, sentence, _CHANNEL_RULE, (tap,))
    controls = _best_of_controls(tables, "iou_above", tuple(map(str, table["tap"])))
    checks: Checks = {
        "interval": True if int(best["masked"]) >= resampling.FEWEST else None,
        "image": bool((above > colours).all()),
        "controls": bool(above > controls.max()) if len(controls) else None,
    }
    low = ", by its low values," if best["chosen_polarity"] == POLARITIES[-1] else ""
    twice = "" if best["chosen"] == best["chosen_again"] else f" (on the other half, channel {best['chosen_again']})"
    named = f"Channel {int(best['chosen'])} of {tap}{twice}{low}"
    beside = f"; with randomised weights {between(controls, number)}" if len(controls) else ""
    gains = f"Above the prevalence: {above:.2f}{beside}; colours of the image {colours.max(initial=0):.2f}."
    sentence = f"{named} outlines the foreground best: {numbers}. {gains}"
    why = "; ".join(filter(None, (told(checks, _FAILED, MISSING), BY_CONSTRUCTION)))
    return Finding(CHANNEL, judged(checks), sentence, _CHANNEL_RULE, (tap,), why)


def _best_of_controls(tables: Tables, quantity: str, taps: tuple[str, ...]) -> np.ndarray:
    """The highest of a quantity over those taps, of each randomised model that has it."""
    rows = tables.controls[(tables.controls["quantity"] == quantity) & tables.controls["tap"].isin(taps)]
    return rows.groupby("seed")["value"].max().to_numpy(np.float64)


def _image(colours: np.ndarray) -> str:
    return f"; from the colours of the image itself with R² {number(colours[0])}" if len(colours) else ""


def _place(prior: float) -> str:
    return "" if np.isnan(prior) else f"; the mean mask of other images has R² {number(prior)}"


def _beside(controls: np.ndarray) -> str:
    return f"; with randomised weights, each at its best tap, {between(controls, number)}" if len(controls) else ""
