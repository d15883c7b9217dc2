"""Textures that are alike, and a few images that are not: for a small network with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

SIZE = 48
NETWORK = """
import keras

def make():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((None, None, 3))
    for i, channels in enumerate((8, 8, 16)):
        x = keras.layers.Conv2D(channels, 3, strides=1 + i % 2, padding="same", activation="relu", name=f"conv{i}")(x)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="mean")(x))
"""
CONFIG = """\
name: odd
model: {kind: builder, function: "odd_network:make"}
preprocess: {size: [48, 48]}
probes: [{kind: files, images: "probes/*.png"}]
layers: [{type: "*"}]
figures: {channels: 2}
report: {formats: [html]}
"""


def texture(seed: int, *, blur: float = 1.0) -> np.ndarray:
    """`(H, W, 3)` uint8: noise of one fineness, contrast and hue in all of them."""
    rng = np.random.default_rng(seed)
    made = gaussian_filter(rng.normal(size=(SIZE, SIZE, 3)), (blur, blur, 0))
    return np.asarray((np.array([150, 110, 70]) + 20 * made / made.std()).clip(1, 254).round(), np.uint8)


def odd() -> dict[str, np.ndarray]:
    """One image each that a set of photographs may hold by mistake."""
    small = Image.fromarray(texture(1001)).resize((SIZE // 6, SIZE // 6), Image.Resampling.BOX)
    return {
        "black": np.zeros((SIZE, SIZE, 3), np.uint8),
        "inverted": 255 - texture(1000),
        "noise": np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8),
        "upscaled": np.asarray(small.resize((SIZE, SIZE), Image.Resampling.BICUBIC)),
    }


def write(folder: Path, images: dict[str, np.ndarray]) -> Path:
    """The config of a run over them, in a folder with all that it needs."""
    (folder / "probes").mkdir(parents=True)
    for name, image in images.items():
        Image.fromarray(image).save(folder / "probes" / f"{name}.png")
    (folder / "odd_network.py").write_text(NETWORK)
    (folder / "odd.yaml").write_text(CONFIG)
    return folder / "odd.yaml"
