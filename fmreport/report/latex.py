"""The parts of a model and its tapped layers as LaTeX tables, for a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version

from fmreport.blocks import blocks
from fmreport.inventory import inventory_table, layers_table, summed
from fmreport.report.listing import Listing
from fmreport.report.rows import records
from fmreport.report.tables import multiply_adds
from fmreport.report.wording import DASH, is_known, legend, rounded, sees, sides, sizes, text

NEEDS = ("array", "booktabs", "longtable")
"""Packages that the tables use."""
OPENING = r"""% Layers of {model}, listed by fmreport {version}. In the preamble: \usepackage{{{packages}}}
\begingroup\footnotesize\setlength{{\tabcolsep}}{{3pt}}"""
TABLE = r"""\begin{{longtable}}{{{columns}}}
\caption{{{caption}}}\label{{tab:{label}}}\\
\toprule
{head} \\
\midrule
\endfirsthead
\toprule
{head} \\
\midrule
\endhead
\bottomrule
\endfoot
{rows}
\midrule
{total} \\
\end{{longtable}}"""
NAMES = r">{{\raggedright\arraybackslash}}p{{{width}\linewidth}}"
"""A column whose texts break."""
CAPTIONS = {
    "parts": "Parts of {model}, for an image of {height} by {width} pixels: layers that belong together, with what "
    "they hand on. The last row is the whole model. {legend}",
    "layers": "Layers of {model} that are tapped, for an image of {height} by {width} pixels. A layer that holds "
    "others counts what they do. The last row is the whole model, with the layers that are not tapped. Stride: pixels "
    "of the image from one element to the next. {legend}",
}
EXPLAINED = slice(4, 6)
"""Where the multiply-adds and the receptive field stand in a row."""


def latex(listing: Listing) -> str:
    """Two tables, of the parts and of the selected taps, with the packages that they need in the first line."""
    opening = OPENING.format(
        model=" ".join(listing.model.source.split()), version=version("fmreport"), packages=",".join(NEEDS)
    )
    return "\n".join((opening, _parts(listing), _layers(listing), r"\endgroup", ""))


def _parts(listing: Listing) -> str:
    inventory = inventory_table(listing.inventory.layers)
    rows = [
        (
            _broken(row["block"]),
            str(row["layers"]),
            sizes(text(row["shape"])),
            _rounded(row["parameters"]),
            _rounded(row["macs"]),
            sees(row) if text(row["rf_status"]) else "",
        )
        for row in records(blocks(inventory))
    ]
    total = ("Whole model", "", "", *_total(listing), "")
    head = ("Part", "Layers", "Output", "Parameters", "MACs", "RF")
    columns = NAMES.format(width=0.3) + "rrrrr"
    return _table(listing, "parts", columns, [head, *rows, total])


def _layers(listing: Listing) -> str:
    taps = [tap for tap in listing.inventory.taps if tap.name in listing.inventory.selected]
    rows = [
        (
            _broken(row["tap"]),
            str(row["type"]),
            sizes(str(row["shape"])),
            _rounded(row["parameters"]),
            _rounded(row["macs"]),
            sees(row),
            sides(row["rf_stride_y"], row["rf_stride_x"]) if is_known(row["rf_stride_y"]) else "",
        )
        for row in records(layers_table(taps, listing.inventory.size))
    ]
    total = ("Whole model", "", "", *_total(listing), "", "")
    head = ("Layer", "Type", "Output", "Parameters", "MACs", "RF", "Stride")
    columns = NAMES.format(width=0.22) + "lrrrrr"
    return _table(listing, "layers", columns, [head, *rows, total])


def _table(listing: Listing, kind: str, columns: str, rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head, the last the total."""
    head, *body, total = (" & ".join(map(_escaped, row)) for row in rows)
    height, width = listing.inventory.size
    caption = CAPTIONS[kind].format(
        model=_escaped(_broken(listing.model.source)),
        height=height,
        width=width,
        legend=_escaped(legend([cell for row in rows[1:] for cell in row[EXPLAINED]], "RF")),
    )
    return TABLE.format(
        columns=columns,
        caption=caption,
        label=f"{re.sub('[^A-Za-z0-9]+', '-', listing.name).strip('-')}-{kind}",
        head=head,
        rows="\n".join(f"{row} \\\\" for row in body),
        total=total,
    )


def _total(listing: Listing) -> tuple[str, str]:
    """Parameters and multiply-adds of the whole model."""
    inventory = inventory_table(listing.inventory.layers)
    return _rounded(summed(inventory)["parameters"]), multiply_adds(inventory)


def _rounded(value: float | None) -> str:
    return rounded(float(value)) if is_known(value) and value is not None else "?"


BREAK = "\u200b"
"""Where a name may break: a space without width."""


def _broken(name: str) -> str:
    """A name that may break behind each slash, underscore, point and hyphen."""
    return re.sub(r"(?<=[/_.-])(?=.)", BREAK, name)


SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "]": "{]}", "*": "{*}", "|": r"\textbar{}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$", "†": r"$\dagger$", DASH: "--", BREAK: r"\allowbreak{}",
}  # fmt: skip
"""Letters that LaTeX reads as something else."""


def _escaped(value: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in value)
