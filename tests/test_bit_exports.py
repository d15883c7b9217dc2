"""The BiT networks that other tests tap compute what they should, in every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from bit_exports import EXPORTS, WRITERS, opened
from bit_reference import FULL, SMALL, reference, weights


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 1, (*shape, 3)).astype("float32")


def differs_by(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the spread of what was expected."""
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / expected.std())


@pytest.mark.parametrize("kind", EXPORTS)
def test_every_format_gives_the_features_for_images_of_any_number_and_size(kind: str, tmp_path: Path) -> None:
    drawn = weights(**SMALL)
    run = opened(EXPORTS[kind](tmp_path, drawn))
    # Images so dark that the 1e-5 of GroupNorm tells are among them.
    for batch in (images(2, 64, 64), images(3, 96, 80) / 1000):
        assert differs_by(run(batch), reference(batch, drawn)["features"]) < 5e-5


@pytest.mark.thorough
@pytest.mark.parametrize("kind", EXPORTS)
def test_every_format_gives_the_features_at_full_size(kind: str, tmp_path: Path) -> None:
    drawn, batch = weights(**FULL), images(2, 128, 128)
    run = opened(EXPORTS[kind](tmp_path, drawn))
    # Rounding grows with depth: the reference itself, in float32, is off by 2e-4.
    assert differs_by(run(batch), reference(batch, drawn)["features"]) < 2e-4


@pytest.mark.parametrize("kind", ["hub_resource", "hub_ref"])
def test_the_hub_library_takes_the_old_modules_for_what_they_are(kind: str, tmp_path: Path) -> None:
    import tensorflow_hub

    module = tensorflow_hub.load(str(EXPORTS[kind](tmp_path, weights(**SMALL))))
    assert module._is_hub_module_v1
    assert list(module.signatures) == ["default"]
    with pytest.raises(ValueError, match="more than one MetaGraph"):
        tf.saved_model.load(str(tmp_path / kind))


@pytest.mark.parametrize("kind", ["hub_ref", "frozen"])
def test_writing_an_old_format_leaves_tensorflow_2_as_it_was(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path, weights(**SMALL))
    assert tf.executing_eagerly()
    assert tf.compat.v1.resource_variables_enabled()


def test_other_weights_give_other_features() -> None:
    one, other = (reference(images(1, 64, 64), weights(**SMALL, seed=seed))["features"] for seed in (0, 1))
    assert differs_by(one, other) > 0.1


def test_the_full_size_is_the_published_one() -> None:
    drawn = weights(**FULL)
    made = reference(images(1, 224, 224), drawn)
    assert sum(array.size for array in drawn.values()) == 23_500_352
    assert sum(name.endswith("standardized_conv2d") for name in made) == 53
    assert sum(name.endswith("relu") for name in made) == 49
    shapes = {name: value.shape[1:] for name, value in made.items()}
    assert shapes["root_block/standardized_conv2d"] == (112, 112, 64)
    assert [shapes[f"block{block}/unit03"] for block in (1, 2, 3, 4)] == [
        (56, 56, 256),
        (28, 28, 512),
        (14, 14, 1024),
        (7, 7, 2048),
    ]
    assert list(made)[:5] == [
        "root_block/standardized_conv2d",
        "block1/unit01/a/relu",
        "block1/unit01/a/proj/standardized_conv2d",
        "block1/unit01/a/standardized_conv2d",
        "block1/unit01/b/relu",
    ]
    assert list(made)[-3:] == ["block4/unit03", "relu", "features"]


def test_about_half_of_every_relu_is_zero() -> None:
    made = reference(images(2, 96, 96), weights(**SMALL))
    shares = [float((value == 0).mean()) for name, value in made.items() if name.endswith("relu")]
    assert 0.35 < min(shares) < max(shares) < 0.65
