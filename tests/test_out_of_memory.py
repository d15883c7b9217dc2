"""TensorFlow's own allocator runs out: a run goes on with smaller batches, or ends with what is finished kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import many_images
import numpy as np
import pytest
from PIL import Image

import fmreport
from fmreport.extract import SIZE

pytestmark = pytest.mark.slow

IMAGES = SIZE + 6
HUNGRY = (
    many_images.MODEL
    + """

class Hungry(keras.layers.Layer):
    def call(self, x, images):
        import tensorflow as tf

        # More bytes than any address space has, so that the allocation fails wherever it is tried.
        asked = tf.where({when}, tf.constant(1 << 50, tf.int64), tf.constant(1, tf.int64))
        return x + tf.reduce_min(tf.fill([asked], tf.reduce_mean(x) * 0))


def make_hungry():
    made = make_model()
    return keras.Model(made.inputs, Hungry(name="hungry")(made.outputs[0], made.inputs[0]))
"""
)
MODEL = ["model.function=many_model:make_hungry", "layers=[{type: Hungry}, {type: Conv2D}]"]
SETTINGS = [*MODEL, "batch=2"]
"""Each allocation that fails takes TensorFlow ten seconds, in which it waits for memory."""


WHITE = "tf.reduce_max(tf.reduce_min(images, axis=(1, 2, 3))) > 0.99"
"""Whether one of the images is."""


def place(folder: Path, when: str) -> Path:
    """Images and the config of a model that asks for too much."""
    many_images.write(folder, IMAGES, masks=False)
    (folder / "many_model.py").write_text(HUNGRY.replace("{when}", when))
    return folder / "many.yaml"


def test_a_run_goes_on_with_smaller_batches_and_has_the_same_bytes(tmp_path: Path) -> None:
    config = place(tmp_path, "tf.shape(x)[0] > 3")
    watch = many_images.Noted()
    made = fmreport.run(config, overrides=[*MODEL, "batch=4"], out=tmp_path / "halved", watch=watch)  # type: ignore[arg-type]
    told = [text for text in watch.said if "memory ran out" in text]
    assert [text.rpartition("; ")[2] for text in told] == ["from now on 2 images at a time, where it was 4"]
    assert told[0].startswith("memory ran out for 4 images of 32 x 32 at a time: OOM when allocating tensor")
    calm = fmreport.run(config, overrides=SETTINGS, out=tmp_path / "calm")
    assert many_images.files(made.folder) == many_images.files(calm.folder)


def test_finished_shards_are_kept_where_memory_runs_out_in_the_middle(tmp_path: Path) -> None:
    config = place(tmp_path, WHITE)
    last = tmp_path / f"images/{IMAGES - 1:05d}.png"
    colours = last.read_bytes()
    Image.fromarray(np.full((many_images.SIDE, many_images.SIDE, 3), 255, np.uint8)).save(last)
    line = [sys.executable, "-m", "fmreport", "run", str(config), "--out", str(tmp_path / "reports")]
    line += ["--cache", str(tmp_path / "cache"), *(part for setting in SETTINGS for part in ("--set", setting))]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "error: memory ran out for 2 images of 32 x 32 at a time: OOM when allocating tensor" in done.stderr
    assert "2 images at once need about" in done.stderr
    last.write_bytes(colours)
    made = fmreport.run(config, overrides=SETTINGS, out=tmp_path / "reports", cache=tmp_path / "cache")
    told = json.loads((made.folder / "execution.json").read_bytes())["shards"]
    assert (told["computed"], told["read"]) == (1, 1)
