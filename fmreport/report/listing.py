"""What is known of a model without an image: what `fmreport layers` shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import pandas as pd

from fmreport.blocks import blocks
from fmreport.inventory import Inventory, inventory_table, layers_table, summed
from fmreport.records import BLOCKS, INVENTORY, LAYERS, Column, explained
from fmreport.sources import Identity

SELECTION = explained(
    "taps-and-tables",
    Column("selected", "true or false", "whether the config selects the tap"),
    Column("feeds", "list of text", "types of the layers that read the tap, as `before:` in a config knows them"),
)
"""Columns of taps that no run has."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A model as a config opens it."""

    name: str
    """Of the config."""
    model: Identity
    inventory: Inventory


def described(listing: Listing) -> dict[str, Any]:
    """Ready for JSON: which model, as which fmreport saw it at which size, the tables, and what their columns mean."""
    inventory = listing.inventory
    layers = inventory_table(inventory.layers)
    taps = layers_table(inventory.taps, inventory.size)
    taps["selected"] = taps["tap"].isin(list(inventory.selected))
    taps["feeds"] = [list(tap.feeds) for tap in inventory.taps]
    return {
        "fmreport": version("fmreport"),
        "name": listing.name,
        "model": asdict(listing.model),
        "size": list(inventory.size),
        "totals": summed(layers),
        "blocks": _records(blocks(layers)),
        "taps": _records(taps),
        "layers": _records(layers),
        "columns": {column.name: asdict(column) for column in (*LAYERS, *INVENTORY, *BLOCKS, *SELECTION)},
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    # By way of pandas' own JSON, which knows what its empty cells are.
    found: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
    return found
