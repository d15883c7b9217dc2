"""The tapped layers as a LaTeX table."""

from __future__ import annotations

import pandas as pd

from fmreport.inventory import Inventory, layers_table
from fmreport.report.taps import records
from fmreport.report.wording import is_known, rounded, sees

CAPTION = (
    "Layers, for an image of {height} by {width} pixels. MACs: multiply-adds of convolutions and matrix products. RF: "
    "receptive field in pixels by convolutions and pooling, normalisations left out; all: every pixel."
)


def latex(inventory: Inventory) -> str:
    """A table of the selected taps for a paper, to be used with the package booktabs."""
    taps = [tap for tap in inventory.taps if tap.name in inventory.selected]
    rows = [
        {
            "Layer": row["tap"],
            "Type": row["type"],
            "Output": row["shape"],
            "Parameters": rounded(float(row["parameters"])),
            "MACs": rounded(float(row["macs"])) if is_known(row["macs"]) else "?",
            "RF": sees(row),
            "Stride": f"{row['rf_stride_y']:g}" if is_known(row["rf_stride_y"]) else "",
        }
        for row in records(layers_table(taps, inventory.size))
    ]
    height, width = inventory.size
    table = pd.DataFrame(rows).map(_escaped)
    text: str = table.to_latex(
        index=False,
        escape=False,
        column_format="lllrrrr",
        caption=CAPTION.format(height=height, width=width),
        label="tab:layers",
        position="htbp",
    )
    return text


SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$", "≤": r"$\leq$", "–": "--",
}  # fmt: skip
"""Letters that LaTeX reads as something else."""


def _escaped(text: str) -> str:
    shown = text.replace(" x ", " × ") if " x " in text else text
    return "".join(SPECIAL.get(letter, letter) for letter in shown)
