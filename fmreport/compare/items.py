"""What is aligned: the taps of a run, or its layers without one, each with all by which it is known again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fmreport.compare.wide import Wide
from fmreport.store import Run

OF_CHANNELS = ("mean", "std")
"""Columns of the table `channels` by which a tap is known again: its channels keep their order."""
OF_IMAGES = ("mean", "std", "q25", "q75")
"""Columns of the table `samples` that serve where the number of channels has changed."""
ACTIVATION = re.compile(
    r"activation|(leaky_?|thresholded_?|p|c)?_?relu\d*|c?elu|selu|gelu|silu|swish|mish|(hard_?|log_?)?(sigmoid|swish|tanh)|"
    r"soft(max|plus|sign)|hard_?tanh",
    re.IGNORECASE,
)
"""Types of layers that apply a curve to every value: one of them may take the place of another."""

CONVOLUTION = re.compile(r"(?!depthwise|separable).*(conv[123]d)")
"""Types of layers that convolve, whatever they do to their kernel before: a framework without classes sees one kind."""


@dataclass(frozen=True, slots=True)
class Items:
    """N of them, in the order in which the model runs."""

    names: tuple[str, ...]
    layers: tuple[str, ...]
    types: tuple[str, ...]
    shapes: tuple[str, ...]
    channels: tuple[int, ...]
    """0: not known."""
    parameters: tuple[int, ...]
    of_channels: tuple[NDArray[np.float64] | None, ...]
    """(len(OF_CHANNELS), channels) each; None where nothing is known."""
    of_images: tuple[NDArray[np.float64] | None, ...]
    """(len(OF_IMAGES), images) each."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def key(self) -> tuple[tuple[str, str, str], ...]:
        """By which two of them are put into an order of their own, whichever comes first."""
        return tuple(zip(self.names, self.types, self.shapes, strict=True))


def family(kind: str) -> str:
    """What types have in common that stand for one thing: activations, convolutions, and a name however it is spelt."""
    if ACTIVATION.fullmatch(kind):
        return "activation"
    plain = kind.replace("_", "").lower()
    convolution = CONVOLUTION.fullmatch(plain)
    return convolution[1] if convolution else plain


def of_taps(run: Run, probes: Sequence[str]) -> Items:
    """The taps of a run; its images are `probes`, in this order."""
    layers = run.layers
    names = tuple(map(str, layers["tap"]))
    return Items(
        names=names,
        layers=_texts(layers, "layer"),
        types=_texts(layers, "type"),
        shapes=_texts(layers, "shape"),
        channels=_whole(layers, "channels"),
        parameters=_whole(layers, "parameters"),
        of_channels=_profiles(run.channels.sort_values("channel", kind="stable"), names, OF_CHANNELS),
        of_images=_of_images(run, names, probes),
    )


def of_untapped(run: Run) -> Items:
    """The layers of a model of which the run has no tap."""
    tapped = set(run.layers["layer"])
    inventory = run.inventory
    left = inventory[inventory["path"].fillna("").ne("") & ~inventory["path"].isin(tapped)]
    names = tuple(map(str, left["path"]))
    nothing = (None,) * len(names)
    return Items(
        names=names,
        layers=names,
        types=_texts(left, "type"),
        shapes=_texts(left, "shape"),
        channels=_whole(left, "channels"),
        parameters=_whole(left, "parameters"),
        of_channels=nothing,
        of_images=nothing,
    )


def _texts(table: pd.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(map(str, table[column].fillna(""))) if column in table else ("",) * len(table)


def _whole(table: pd.DataFrame, column: str) -> tuple[int, ...]:
    if column not in table:
        return (0,) * len(table)
    return tuple(int(value) for value in pd.to_numeric(table[column]).fillna(0))


def _of_images(run: Run, names: Sequence[str], probes: Sequence[str]) -> tuple[NDArray[np.float64] | None, ...]:
    wide = Wide(run.samples_of, names, probes)
    found = [each for each in map(wide.of, OF_IMAGES) if each is not None]
    if len(found) < len(OF_IMAGES):
        return (None,) * len(names)
    profiles = np.nan_to_num(np.stack(found, axis=1), posinf=0, neginf=0)
    return tuple(profile if there else None for profile, there in zip(profiles, wide.taps, strict=True))


def _profiles(
    table: pd.DataFrame, names: Sequence[str], columns: Sequence[str]
) -> tuple[NDArray[np.float64] | None, ...]:
    if not set(columns) <= set(table.columns):
        return (None,) * len(names)
    rows = {str(tap): part for tap, part in table.groupby("tap", sort=False)}
    found = (rows.get(name) for name in names)
    return tuple(
        None if part is None else np.nan_to_num(part[list(columns)].to_numpy(np.float64).T, posinf=0, neginf=0)
        for part in found
    )
