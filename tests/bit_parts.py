"""Whether a BiT that was opened from any format has all its parts, by their names, and the values that they should."""

from __future__ import annotations

import numpy as np
from bit_reference import Weights, reference

from fmreport.records import Tap
from fmreport.sources import TappableModel

SIZE = (64, 64)


def values(model: TappableModel, taps: list[Tap], images: np.ndarray) -> dict[str, np.ndarray]:
    size = (int(images.shape[1]), int(images.shape[2]))
    made = model.tapped(taps, lambda tensors: [tensors[tap.name] for tap in taps], size=size, batch=len(images))
    return {tap.name: value for tap, value in zip(taps, made(images), strict=True)}


def named(kind: str, taps: tuple[Tap, ...], name: str) -> Tap:
    """The tap that stands for a part of the reference, by the names that a format can give it."""
    by_name = {tap.name: tap for tap in taps}
    if kind == "tf_keras" and name.endswith("relu"):
        # Keras 2 numbers activations through the whole model.
        scope = name.rpartition("/")[0]
        return next(tap for tap in taps if tap.type == "ReLU" and tap.name.rpartition("/")[0] == scope)
    return by_name[name] if name in by_name else by_name[f"{name}/add"]


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 1, (*shape, 3)).astype("float32")


def check_parts(model: TappableModel, kind: str, drawn: Weights, parameters: int) -> None:
    """Every convolution, every ReLU and every unit of a model of `kind` with the weights `drawn`."""
    batch = images(2, *SIZE)
    taps = model.inventory(SIZE)[1]
    expected = reference(batch, drawn)
    convolutions = {tap.name for tap in taps if tap.type == "Conv2D"}
    assert convolutions == {name for name in expected if name.endswith("standardized_conv2d")}
    assert model.identity.parameters == parameters
    wanted = {name: named(kind, taps, name) for name in expected if name != "features"}
    found = values(model, list({tap.name: tap for tap in wanted.values()}.values()), batch)
    for name, tap in wanted.items():
        assert found[tap.name].shape == expected[name].shape
        # Rounding grows with depth: the reference itself, in float32, is off by 2e-4 at full size.
        assert np.abs(found[tap.name] - expected[name]).max() < 4e-4 * expected[name].std(), name
