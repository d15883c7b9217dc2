"""Trains SD-UNet on a folder in the Oxford-IIIT Pet layout: `python -m fmreport.zoo.train_sd_unet FOLDER OUT`.

FOLDER holds `images/*.jpg` and `annotations/trimaps/*.png` (1 pet, 2 background, 3 border). 15% of the images, drawn by
the seed, are kept for testing and never trained on. OUT receives the model as a `.keras` file; OUT.json the recipe, the
held-out names, and IoU per class beside that of the answer "background" everywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from fmreport.probes import Preprocess
from fmreport.zoo.sd_unet import sd_unet

CLASSES = ("pet", "background", "border")
STORED = 224  # pixels a side at which photographs wait in memory, so that crops keep detail


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the trained weights, apart from the photographs."""

    width: int = 8
    size: int = 160
    epochs: int = 200
    batch: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    ema: float = 0.995
    held_out: float = 0.15
    seed: int = 1


def read_pets(folder: Path, side: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names in order, photographs `(N, side, side, 3)` 0-255 and labels `(N, side, side, 1)` 0-2."""
    names = sorted(p.stem for p in (folder / "annotations/trimaps").glob("*.png") if not p.name.startswith("."))
    if not names:
        raise SystemExit(f"{folder}: no annotations/trimaps/*.png; give a folder in the Oxford-IIIT Pet layout")
    photographs = np.empty((len(names), side, side, 3), np.uint8)
    labels = np.empty((len(names), side, side, 1), np.uint8)
    for i, name in enumerate(names):
        with Image.open(folder / "images" / f"{name}.jpg") as image:
            photographs[i] = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
        with Image.open(folder / "annotations/trimaps" / f"{name}.png") as trimap:
            labels[i, ..., 0] = np.asarray(trimap.resize((side, side), Image.Resampling.NEAREST)) - 1
    return names, photographs, labels


def _random_views(images: tf.Tensor, labels: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Random crop, stretch, turn and flip (the same for a photograph and its labels), then random colours."""
    n = tf.shape(images)[0]
    stored = float(STORED)
    scale = tf.random.uniform([n], 0.55, 1.05)
    stretch = tf.exp(tf.random.uniform([n], -0.15, 0.15))
    turn = tf.random.uniform([n], -0.25, 0.25)
    flip = tf.where(tf.random.uniform([n]) < 0.5, -1.0, 1.0)
    centre_x, centre_y = (stored * (0.5 + (1 - tf.minimum(scale, 1)) * tf.random.uniform([n], -0.5, 0.5)) for _ in "xy")
    unit = scale * stored / size
    a, b = unit * stretch * tf.cos(turn) * flip, -unit / stretch * tf.sin(turn)
    c, d = unit * stretch * tf.sin(turn) * flip, unit / stretch * tf.cos(turn)
    half = size / 2
    zero = tf.zeros([n])
    transform = tf.stack([a, b, centre_x - half * (a + b), c, d, centre_y - half * (c + d), zero, zero], axis=1)

    def view(values: tf.Tensor, interpolation: str) -> tf.Tensor:
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(values, tf.float32),
            transforms=transform,
            output_shape=[size, size],
            fill_value=0.0,
            interpolation=interpolation,
            fill_mode="REFLECT",
        )

    pictures, targets = view(images, "BILINEAR"), view(labels, "NEAREST")
    grey = tf.image.rgb_to_grayscale(pictures)
    colour = tf.random.uniform([n, 1, 1, 1], 0.5, 1.4)
    pictures = grey + (pictures - grey) * colour
    mean = tf.reduce_mean(pictures, axis=[1, 2, 3], keepdims=True)
    pictures = (pictures - mean) * tf.random.uniform([n, 1, 1, 1], 0.65, 1.4) + mean
    pictures = pictures * tf.random.uniform([n, 1, 1, 3], 0.9, 1.1) + tf.random.uniform([n, 1, 1, 1], -30.0, 30.0)
    return tf.clip_by_value(pictures, 0, 255), tf.one_hot(tf.cast(targets[..., 0], tf.int32), len(CLASSES))


def _loss(truth: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
    """Cross-entropy plus one minus the mean soft IoU of the classes over the batch."""
    cross_entropy = tf.reduce_mean(keras.losses.categorical_crossentropy(truth, probability, label_smoothing=0.02))
    both = tf.reduce_sum(truth * probability, axis=[0, 1, 2])
    either = tf.reduce_sum(truth + probability, axis=[0, 1, 2]) - both
    return cross_entropy + 1 - tf.reduce_mean((both + 1) / (either + 1))


def iou_per_class(truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    """Intersection over union per class, pooled over all pixels of all images."""
    scores = {}
    for label, name in enumerate(CLASSES):
        t, a = truth == label, answer == label
        scores[name] = float((t & a).sum() / max((t | a).sum(), 1))
    return scores


def train(folder: Path, out: Path, recipe: Recipe) -> dict[str, Any]:
    """Trains, saves and scores; returns what the JSON beside `out` holds."""
    keras.utils.set_random_seed(recipe.seed)
    names, photographs, labels = read_pets(folder, STORED)
    order = np.random.default_rng(recipe.seed).permutation(len(names))
    held = np.sort(order[: math.ceil(recipe.held_out * len(names))])
    used = np.sort(order[len(held) :])
    steps = math.ceil(len(used) / recipe.batch)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, recipe.epochs * steps, warmup_target=recipe.learning_rate, warmup_steps=3 * steps
    )
    model = sd_unet(recipe.width, size=(recipe.size, recipe.size))
    model.compile(
        keras.optimizers.AdamW(
            schedule, recipe.weight_decay, global_clipnorm=1.0, use_ema=True, ema_momentum=recipe.ema
        ),
        _loss,
    )
    data = (
        tf.data.Dataset.from_tensor_slices((photographs[used], labels[used]))
        .shuffle(len(used), seed=recipe.seed)
        .batch(recipe.batch)
        .map(lambda image, label: _random_views(image, label, recipe.size))
        .prefetch(2)
    )
    model.fit(data, epochs=recipe.epochs, verbose=2)

    # A model that was never compiled carries no optimiser, which would make the file four times as large.
    bare = sd_unet(recipe.width, size=(recipe.size, recipe.size))
    bare.set_weights(model.get_weights())
    bare.save(out)
    _compress(out)
    result = {
        "recipe": asdict(recipe),
        "images": {"trained": len(used), "held_out": [names[i] for i in held]},
        **score(bare, folder, [names[i] for i in held]),
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
    }
    out.with_name(out.name + ".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _compress(path: Path) -> None:
    """Packs a `.keras` archive again, deflated and without dates: Keras stores it as it is."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def score(model: Any, folder: Path, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """IoU per class of a model, and of the answer "background" everywhere; images are read as a report reads them."""
    height, width = model.input_shape[1:3]
    preprocess = Preprocess(size=(height, width))
    truth, answers = [], []
    for name in names:
        with Image.open(folder / "images" / f"{name}.jpg") as image:
            photograph = preprocess.apply(np.asarray(image.convert("RGB"), np.float32))
        with Image.open(folder / "annotations/trimaps" / f"{name}.png") as trimap:
            truth.append(np.asarray(trimap.resize((width, height), Image.Resampling.NEAREST)) - 1)
        answers.append(model.predict_on_batch(photograph[None])[0].argmax(-1))
    labels = np.stack(truth)
    return {
        "held_out_iou": iou_per_class(labels, np.stack(answers)),
        "majority_baseline_iou": iou_per_class(labels, np.full_like(labels, CLASSES.index("background"))),
    }


def main() -> None:
    """Command line of the training script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    for name, default in asdict(Recipe()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = vars(parser.parse_args())
    print(json.dumps(train(options.pop("folder"), options.pop("out"), Recipe(**options)), indent=1))


if __name__ == "__main__":
    main()
