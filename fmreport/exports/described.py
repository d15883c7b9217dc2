"""What each file of a run's folder is, in a line."""

from __future__ import annotations

from fmreport.exports import ml_bom, model_card
from fmreport.store import EXECUTION, LATEX, MANIFEST, PROBES, TABLES, Run
from fmreport.store.layout import ATTRIBUTED, PICTURES, TILES

WHOLE = {
    "report.html": "the report as one web page that needs nothing else",
    "report.pdf": "the report for print, with methods, manifest and tables attached",
    model_card.FILE: "a part of a model card: what the run found, and how to make it again",
    ml_bom.FILE: "the model as a component in CycloneDX",
    PICTURES: "small pictures of the first probes and of those unlike the rest, and their masks",
    MANIFEST: "the run's record: config, versions, and media type, bytes and SHA-256 of what was read and written",
    PROBES: "every image and mask that the model was shown: name, path, size, bytes, media type and SHA-256",
    EXECUTION: "what is true of one execution alone: when it was, how long it took, and on what host",
}
"""Files by their paths."""
TOLD = {
    "layers": "what needs no image, one row per tap",
    "inventory": "every layer of the model, with its taps or the reason why it has none",
    "blocks": "parts of the model: what they hold and do",
    "summary": "measures pooled over the probes, one row per tap",
    "samples": "measures of every probe, one row per probe and tap",
    "channels": "measures of every channel over all probes",
    "histograms": "how the values of every tap are distributed",
    "progression": "edges, masks and fineness along the taps",
    "readability": "how well edges and masks are read from every tap, beside their nulls",
    "detail": "how fine the maps of every tap are",
    "selectivity": "how well single channels tell the foreground",
    "similarity": "how alike taps are",
    "dimension": "dimensions in use, one row per tap",
    "redundancy": "channels that repeat others",
    "dissection": "which channels detect the mask; without a row where nothing was asked",
    "outliers": "images unlike the rest, tap by tap",
    "spread": "how far images differ in single quantities, tap by tap",
    "facets": "groups of images held against all others; without a row where the config declares none",
    "sketch": "random sums of every tap, by which runs are compared number by number",
    "controls": "the progression of models with permuted weights; without a row where nothing was asked",
    "attribution": "what the target's score owes to each tap",
}
"""Tables by their names."""
OTHERS = {"figures": "a plot of the report", "templates": "a part of the user's own templates"}
"""Files by their folders."""


class Described:
    """Tells of every file of one run what it is."""

    def __init__(self, run: Run) -> None:
        shown = zip(run.layers["order"], run.layers["tap"], strict=True)
        self._known = dict(WHOLE)
        self._known |= {f"tables/{TABLES[name]}": text for name, text in TOLD.items()}
        self._known |= {path: f"the table {name}, for a paper" for name, path in LATEX.items()}
        for order, tap in shown:
            self._known[TILES.format(int(order))] = f"maps of {tap} that the report shows"
            self._known[ATTRIBUTED.format(int(order))] = f"what the target's score owes to {tap}"

    def __getitem__(self, path: str) -> str:
        """What a file is; one that nobody knows is called by its place."""
        return self._known.get(path) or OTHERS.get(path.partition("/")[0], "a file of the run")
