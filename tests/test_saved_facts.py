"""A model tells the same facts whatever it is saved as."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import pytest
from bit_exports import EXPORTS
from bit_reference import SMALL, weights
from traced_facts import facts

from fmreport.inventory import inventory_table, summed
from fmreport.records import Layer, ReceptiveField, Tap, Work
from fmreport.zoo.sd_unet import sd_unet

Told = dict[str, tuple[str, ReceptiveField, Work | None]]


def told(taps: dict[str, Tap]) -> Told:
    """What is compared; the reason apart, which names operations."""
    found = {}
    for name, tap in taps.items():
        field = tap.receptive_field
        found[name] = (str(tap.shape), replace(field, reason=""), tap.work)
    return found


def sums(layers: tuple[Layer, ...]) -> dict[str, int | None]:
    return summed(inventory_table(layers))


def test_a_keras_model_and_its_export_tell_the_same(tmp_path: Path) -> None:
    model = sd_unet(8, size=(64, 64))
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "export", verbose=False)
    layers, taps = facts({"kind": "keras", "path": str(tmp_path / "model.keras")}, 64)
    others, exported = facts({"kind": "savedmodel", "path": str(tmp_path / "export")}, 64)
    assert told(exported) == told(taps)
    assert sums(others) == sums(layers)
    assert sums(layers)["parameters"] == model.count_params()


@pytest.mark.parametrize("kind", EXPORTS)
def test_every_format_tells_the_same_of_a_network(kind: str, tmp_path: Path) -> None:
    drawn = weights(**SMALL)
    layers, taps = facts({"kind": "savedmodel", "path": str(EXPORTS[kind](tmp_path, drawn))}, 64)
    convs = [tap for tap in taps.values() if tap.type == "Conv2D"]
    fields = [tap.receptive_field for tap in convs]
    assert [(field.status, field.size, field.stride) for field in fields][-1] == ("exact", (83, 83), (32.0, 32.0))
    assert len(convs) == 20
    assert sums(layers) == {
        "parameters": 509_008,
        "trainable_parameters": 0 if kind == "frozen" else 509_008,
        "macs": 10_403_840,
        "products": 128_512,
    }


def test_a_compiled_convolution_is_looked_into(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 4))
    model = keras.Model(image, keras.layers.Conv2D(8, 3, groups=2, padding="same", name="grouped")(image))
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "export", verbose=False)
    direct = facts({"kind": "keras", "path": str(tmp_path / "model.keras")}, 16)[1]["grouped"]
    assert (direct.receptive_field.size, direct.work) == ((3, 3), Work(256 * 9 * 2 * 8, 256 * 8))
    saved = facts({"kind": "savedmodel", "path": str(tmp_path / "export")}, 16)[1]["grouped"]
    assert (saved.receptive_field.size, saved.work) == (direct.receptive_field.size, direct.work)
