"""Tables for a paper, in LaTeX: the parts of a model, its layers, what is read from them, and what that says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from fmreport import mapped
from fmreport.blocks import blocks
from fmreport.figures.plots import signed
from fmreport.inventory import inventory_table, layers_table, summed
from fmreport.report import findings
from fmreport.report.listing import Listing
from fmreport.report.rows import records
from fmreport.report.tables import multiply_adds
from fmreport.report.tex import broken, document, table, texts
from fmreport.report.wording import DASH, is_known, legend, percent, rounded, sees, sides, sizes, text
from fmreport.store import Run

PARTS = (
    "Parts of {model}, for an image of {height} by {width} pixels: layers that belong together, with what they hand "
    "on. The last row is the whole model. {legend}"
)
LAYERS = (
    "Layers of {model} that are tapped, for an image of {height} by {width} pixels. A layer that holds others counts "
    "what they do. The last row is the whole model, with the layers that are not tapped. Stride: pixels of the image "
    "from one element to the next. {legend}"
)
PROGRESSION = (
    "What is read from the layers of {model}, from the first to the last.{read} Fineness: mean frequency of the maps, "
    "as a share of what their grid can hold (white noise: 0.67). Gini: how unequal activity is (Gaussian noise: 0.41). "
    "Zeros: share of exact zeros, in brackets where they are not made by design."
)
READ = " Edges and mask: R² of a linear readout on images that it was not learned from ({having} have masks){ends}."
FINDINGS = "What the tables of {run} say, on {images} images{maps}: each sentence is made by a stated rule."
EXPLAINED = slice(4, 6)
"""Where the multiply-adds and the receptive field stand in a row."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is told of a model without an image."""

    name: str
    """Of the config."""
    source: str
    size: tuple[int, int]
    """Height and width of the image."""
    inventory: pd.DataFrame
    blocks: pd.DataFrame
    layers: pd.DataFrame
    """Those that are tapped."""


def latex(listing: Listing) -> str:
    """Two tables, of the parts and of the selected taps, with the packages that they need in the first line."""
    found = listing.inventory
    taps = [tap for tap in found.taps if tap.name in found.selected]
    inventory = inventory_table(found.layers)
    layers = layers_table(taps, found.size)
    model = Model(listing.name, listing.model.source, found.size, inventory, blocks(inventory), layers)
    return document(f"Layers of {model.source}", _parts(model), _layers(model))


def of_run(run: Run) -> dict[str, str]:
    """The tables of a run, by the names of `store.LATEX`."""
    facts = run.facts
    height, width = facts.preprocess["size"]
    source = str(facts.model.get("source") or facts.name)
    model = Model(facts.name, source, (height, width), run.inventory, run.blocks, run.layers)
    made = {
        "blocks": _parts(model),
        "layers": _layers(model),
        "progression": _progression(run, source),
        "findings": _findings(run),
    }
    return {name: document(f"{name} of {facts.name} {facts.release}", text) for name, text in made.items()}


def _parts(model: Model) -> str:
    rows = [
        (
            broken(row["block"]),
            str(row["layers"]),
            sizes(text(row["shape"])),
            _rounded(row["parameters"]),
            _rounded(row["macs"]),
            sees(row) if text(row["rf_status"]) else "",
        )
        for row in records(model.blocks)
    ]
    total = ("Whole model", "", "", *_total(model), "")
    head = ("Part", "Layers", "Output", "Parameters", "MACs", "RF")
    whole = [head, *rows, total]
    return table(f"{texts(0.3)}rrrrr", _told(model, PARTS, whole), f"{model.name}-parts", whole, total=True)


def _layers(model: Model) -> str:
    rows = [
        (
            broken(row["tap"]),
            str(row["type"]),
            sizes(str(row["shape"])),
            _rounded(row["parameters"]),
            _rounded(row["macs"]),
            sees(row),
            sides(row["rf_stride_y"], row["rf_stride_x"]) if is_known(row["rf_stride_y"]) else "",
        )
        for row in records(model.layers)
    ]
    total = ("Whole model", "", "", *_total(model), "", "")
    head = ("Layer", "Type", "Output", "Parameters", "MACs", "RF", "Stride")
    whole = [head, *rows, total]
    return table(f"{texts(0.22)}lrrrrr", _told(model, LAYERS, whole), f"{model.name}-layers", whole, total=True)


def _told(model: Model, caption: str, rows: Sequence[tuple[str, ...]]) -> str:
    """The caption, with what the marks in the rows mean."""
    height, width = model.size
    marks = legend([cell for row in rows[1:] for cell in row[EXPLAINED]], "RF")
    return caption.format(model=broken(model.source), height=height, width=width, legend=marks)


def _total(model: Model) -> tuple[str, str]:
    """Parameters and multiply-adds of the whole model."""
    return _rounded(summed(model.inventory)["parameters"]), multiply_adds(model.inventory)


def _progression(run: Run, source: str) -> str:
    """What the figure of that name draws, tap by tap; quantities that are undefined everywhere are left out."""
    told = run.analyses["progression"]
    sparsity = run.layers[["tap", "zeros"]].merge(run.summary, on="tap")
    columns: dict[str, dict[str, str]] = {
        "Edges": _values(told, "edge"),
        "Mask": _values(told, "mask"),
        "Fineness": _values(told, "centroid_share", ends=False),
        "Gini": {row["tap"]: signed(row["gini"]) for row in records(sparsity) if is_known(row["gini"])},
        "Zeros": {row["tap"]: _zeros(row["zero_fraction"], row["zeros"]) for row in records(sparsity)},
    }
    shown = {head: values for head, values in columns.items() if values}
    rows = [(broken(tap), *(values.get(tap, DASH) for values in shown.values())) for tap in run.layers["tap"]]
    masked = told.loc[told["quantity"] == "mask", "images"]
    ends = ", with its 95% interval" if told["lower"].notna().any() else ""
    images, within = int(masked.max()) if len(masked) else 0, mapped.of_facts(run.facts).within
    read = READ.format(having=f"{images}{within or ' images'}", ends=ends) if "Edges" in shown else ""
    caption = PROGRESSION.format(model=broken(source), read=read)
    label = f"{run.facts.name}-progression"
    return table(f"{texts(0.28)}{'r' * len(shown)}", caption, label, [("Layer", *shown), *rows])


def _values(told: pd.DataFrame, quantity: str, *, ends: bool = True) -> dict[str, str]:
    """A quantity of each tap that has it, with its interval where there is one."""
    found = {}
    for row in records(told[told["quantity"] == quantity]):
        interval = f" ({signed(row['lower'])}, {signed(row['upper'])})" if ends and is_known(row["lower"]) else ""
        found[str(row["tap"])] = signed(row["value"]) + interval
    return found


def _zeros(fraction: float, made: str) -> str:
    return percent(fraction) if made == "by design" or not is_known(fraction) else f"({percent(fraction)})"


def _findings(run: Run) -> str:
    rows = [("Finding", "Verdict", "What the tables say"), *_sentences(run)]
    seen = mapped.of_facts(run.facts)
    maps = f" (of maps: on {seen.images:,} of them)" if seen.some else ""
    caption = FINDINGS.format(run=f"{run.facts.name} {run.facts.release}", images=len(run.facts.probes), maps=maps)
    return table(f"{texts(0.18)}{texts(0.16)}{texts(0.58)}", caption, f"{run.facts.name}-findings", rows)


def _sentences(run: Run) -> Iterator[tuple[str, str, str]]:
    for each in findings.told(run):
        caveat = f" Caveat: {each.caveat}." if each.caveat else ""
        subject = each.subject[0].upper() + each.subject[1:]
        sentence = re.sub(r"(?<![\w-])-(?=\d)", "−", f"{each.sentence}{caveat}")
        yield subject, each.verdict, broken(sentence, behind="/_")


def _rounded(value: float | None) -> str:
    return rounded(float(value)) if is_known(value) and value is not None else "?"
