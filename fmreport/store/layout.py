"""The files of a run folder, and what of them is text."""

from __future__ import annotations

from fmreport import analysis, manifest
from fmreport.records import ATTRIBUTION, BLOCKS, INVENTORY, LAYERS

MANIFEST = manifest.FILE
EXECUTION = "execution.json"
"""What is true of one execution alone, such as how long it took: no hash and no report knows it."""
COMPARISON = "diff.json"
"""What a folder with a comparison of two runs holds beside its views."""
MADE_OF = ("tables", "maps", "templates")
"""Folders of what a report is made from."""
SCRATCH = "scratch.parquet"
"""Lies in a draft for a while, and never in a run."""
PROBES = manifest.PROBES
PICTURES = "maps/probes.npz"
TILES = "maps/{:04d}.npz"
ATTRIBUTED = "maps/{:04d}_attribution.npz"
TABLES = {
    "layers": "layers.csv",
    "inventory": "inventory.csv",
    "blocks": "blocks.csv",
    "summary": "summary.csv",
    "samples": "samples.parquet",
    "channels": "channels.parquet",
    "histograms": "histograms.parquet",
    **{name: f"{name}.csv" for name in analysis.ANALYSES},
    "sketch": "sketch.parquet",
    "controls": "controls.csv",
    "attribution": "attribution.csv",
}
LATEX = {name: f"tables/{name}.tex" for name in ("blocks", "layers", "progression", "findings")}
"""Views of tables, for a paper, that lie beside them: made from them as a report is, and not read again."""

TEXT = tuple(
    column.name for column in (*LAYERS, *INVENTORY, *BLOCKS, *ATTRIBUTION, *analysis.columns()) if not column.unit
)
"""Columns of the CSV tables that hold text."""
