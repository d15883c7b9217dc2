"""Measuring several taps at once, or several images, says of each what measuring it alone does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from activation_kinds import KINDS
from hypothesis import given
from hypothesis import strategies as st

from fmreport.measures import load
from fmreport.measures.bins import BINS
from fmreport.measures.gather import SMALL, TOGETHER, gather, groups
from fmreport.measures.scene import Scene


def test_taps_measured_together_are_measured_alike() -> None:
    rng = np.random.default_rng(5)
    signed = rng.normal(size=(4, 7, 5, 4)).astype(np.float32)
    made = {"signed": signed, "half": signed.astype(np.float16), "relu/after": np.maximum(signed, 0)}
    made |= {
        "vector": signed[:, 0, 0],
        "silent": 0 * signed,
        "sequence": signed[:, 0],
        "wide": signed.astype(np.float64),
    }
    tensors = {name: tf.constant(values) for name, values in made.items()}
    order = list(groups({name: (*values.shape, values.dtype.name) for name, values in made.items()}))
    assert ("signed", "relu/after", "silent") in order
    assert len(order) == 5
    for group, sums in zip(order, gather(tuple(load().values()), tensors, order), strict=True):
        for i, name in enumerate(group):
            (alone,) = gather(tuple(load().values()), tensors, [(name,)])
            for column, value in alone.items():
                rows = sums[column].numpy()[4 * i : 4 * i + 4]
                np.testing.assert_allclose(rows, value.numpy(), rtol=1e-6, atol=1e-5, err_msg=f"{name} {column}")
                assert rows.dtype == value.numpy().dtype


shapes = st.tuples(
    st.sampled_from([(4, 8, 8, 16), (4, 16, 16, 64), (4, 64, 64, 64), (1, 7), (512, 511)]),
    st.sampled_from(["float16", "float32"]),
)


@given(st.lists(shapes, max_size=40))
def test_groups_hold_every_tap_once_and_only_equals(drawn: list[tuple[tuple[int, ...], str]]) -> None:
    named = {f"t{i}": (*shape, dtype) for i, (shape, dtype) in enumerate(drawn)}
    made = list(groups(named))
    assert sorted(name for group in made for name in group) == sorted(named)
    for group in made:
        assert len({named[name] for name in group}) == 1
        size = math.prod(named[group[0]][:-1])
        assert len(group) == 1 or (size <= SMALL and len(group) * size <= TOGETHER)


def test_every_measure_declares_what_it_returns() -> None:
    planes = ("kept", "edge", "mask", "prior", "shuffled 1", "shifted 1", "red", "green", "blue")
    scene = Scene(tf.ones((6, 14, 10, len(planes))), planes)
    ends = {"x": (-1.0, 1.0)}
    (together,) = gather(tuple(load().values()), {"x": tf.ones((6, 7, 5, 4))}, [("x",)], scene=scene, ends=ends)
    measures = tuple(load().values())
    assert set(together) == {s.name for measure in measures for s in measure.sums}
    for measure in measures:
        for s in measure.sums:
            shape = together[s.name].shape
            assert shape == {"channel": (6, 4), "image": (6,), "bin": (6, BINS)}.get(s.per, (6, *shape[1:]))


@pytest.mark.parametrize("kind", ["relu", "signed", "some_signed_images", "zeros"])
def test_a_batch_says_of_an_image_what_it_says_alone(kind: str) -> None:
    """Branches are taken for a whole batch: what one image needs must not show in another."""
    values = KINDS[kind](np.random.default_rng(3), (4, 6, 5, 3)).astype(np.float32)
    values[0] = np.abs(values[0]) + 0.1
    (together,) = gather(tuple(load().values()), {"x": tf.constant(values)}, [("x",)])
    for i, image in enumerate(values):
        (alone,) = gather(tuple(load().values()), {"x": tf.constant(image[None])}, [("x",)])
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][i].numpy(), value[0].numpy(), rtol=1e-6, atol=1e-5, err_msg=name)
