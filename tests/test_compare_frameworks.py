"""The same weights in two frameworks: every path is another, and layers are added, or taken into the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from told_models import Told, run

from fmreport.compare.align import RENAMED, Alignment, align

BLOCKS = 13
KINDS = (("conv", "Conv2D"), ("bn", "BatchNormalization"), ("act", "Activation"))


def keras(kinds: str = "conv bn act") -> list[Told]:
    """Blocks of those layers, ever wider and smaller; a layer has one seed in every framework."""
    made = []
    for block in range(BLOCKS):
        stage = 4 * block // BLOCKS
        for place, (name, kind) in enumerate(KINDS):
            if name in kinds:
                made.append(
                    Told(f"block{stage + 1}_{name}{block}", 3 * block + place, kind, 8 << stage, side=32 >> stage)
                )
    return made


def torch(before: list[Told], *, pads: bool = True, biases: bool = False) -> Iterator[Told]:
    """The same layers under paths of their own, with paddings and biases that are layers there."""
    for i, layer in enumerate(before):
        block = f"layer{layer.seed // 12}/{layer.seed // 3 % 4}"
        if layer.type == "Conv2D" and pads:
            yield Told(f"{block}/pad", 10_000 + i, "ZeroPadding2D", layer.channels, side=layer.side + 2)
        if layer.type == "Conv2D" and biases:
            yield Told(f"{block}/unbiased", 20_000 + i, "Conv", layer.channels, side=layer.side)
        yield layer.called(f"{block}/{layer.type.lower()}")
        if layer.type == "Conv2D" and biases:
            yield Told(f"{block}/add", 30_000 + i, "BiasAdd", layer.channels, side=layer.side)


def rounded(made: Any, share: float) -> Any:
    """With values that are so much off, as those of 8 bits are."""
    rng = np.random.default_rng(5)
    for table in (made.channels, made.samples):
        for name in (each for each in ("mean", "std", "q25", "q75") if each in table):
            table[name] *= 1 + share * rng.normal(size=len(table))
    return made


def pairs(found: Alignment) -> dict[str, str]:
    return {pair.a: pair.b for pair in found.pairs}


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.05])
@pytest.mark.parametrize(("pads", "biases"), [(False, False), (True, False), (True, True)])
def test_every_layer_is_found_under_its_other_path(share: float, *, pads: bool, biases: bool) -> None:
    before = keras()
    after = list(torch(before, pads=pads, biases=biases))
    found = align(run(before), rounded(run(after), share))
    own = [layer for layer in after if layer.seed < 10_000]
    assert pairs(found) == {one.name: other.name for one, other in zip(before, own, strict=True)}
    assert {pair.how for pair in found.pairs} == {RENAMED}
    assert found.removed == ()
    assert found.added == tuple(layer.name for layer in after if layer.seed >= 10_000)


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.05])
def test_a_convolution_that_has_taken_in_its_normalisation_is_that_normalisation(share: float) -> None:
    before = keras()
    after = [replace(layer, type="Conv2D") if "_bn" in layer.name else layer for layer in keras("bn act")]
    after = list(torch(after))
    found = pairs(align(run(before), rounded(run(after), share)))
    own = [layer for layer in after if layer.seed < 10_000]
    assert found == {one.name: other.name for one, other in zip(keras("bn act"), own, strict=True)}


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.05])
def test_a_convolution_with_its_activation_is_what_another_framework_has_behind_the_activation(share: float) -> None:
    whole = [replace(layer, type="Conv2D") for layer in keras("act")]
    after = list(torch(keras("conv act")))
    found = pairs(align(run(whole), rounded(run(after), share)))
    activations = [layer.name for layer in after if layer.type == "Activation"]
    assert found == {one.name: other for one, other in zip(whole, activations, strict=True)}


def test_layers_of_other_types_and_other_content_are_no_pair() -> None:
    before = [replace(layer, type="Conv2D") for layer in keras("conv")]
    after = [replace(layer, type="Pooling", seed=layer.seed + 500) for layer in torch(before, pads=False)]
    assert pairs(align(run(before), run(after))) == {}
