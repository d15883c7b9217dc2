"""Randomised weights of saved graphs of every age: variables, resources or refs, and constants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from bit_exports import EXPORTS
from bit_parts import SIZE, images, values
from bit_reference import SMALL, reference, weights
from models_to_tap import LIBRARIES
from permuting import bits, check, drawn, entries, every_tap, kept, same
from saved_models import plain

from fmreport import config
from fmreport.errors import SourceError
from fmreport.sources import Identity, TappableModel, open_source
from fmreport.sources.graph import inlining
from fmreport.sources.keras_model import KerasModel
from fmreport.sources.randomised import permuted

SIDE = 12
IMAGE = tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, "image")


def opened(path: Path, size: tuple[int, int] = SIZE, **model: Any) -> TappableModel:
    data = {
        "name": "test",
        "model": {"kind": "savedmodel", "path": path.name, **model},
        "preprocess": {"size": list(size)},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return open_source(config.from_dict(data, path.parent))


def ends(model: TappableModel) -> np.ndarray:
    """The features of a BiT."""
    tap = model.inventory(SIZE)[1][-1]
    return values(model, [tap], images(2, *SIZE))[tap.name]


@pytest.mark.parametrize("kind", EXPORTS)
def test_every_weight_of_a_network_is_permuted_in_every_format(kind: str, tmp_path: Path) -> None:
    network, batch = weights(**SMALL), images(2, *SIZE)
    held = {name: tf.Variable(array) for name, array in network.items()}
    with permuted(held.values(), 3, "it"):
        mixed = {name: weight.numpy() for name, weight in held.items()}
    model: Any = opened(EXPORTS[kind](tmp_path, network))
    check(model, SIZE)
    with model.randomised(3):
        assert sorted(kept(model._weights())) == sorted(bits(array) for array in mixed.values())
        expected = reference(batch, mixed)["features"]
        np.testing.assert_allclose(ends(model), expected, rtol=0, atol=4e-4 * expected.std())
    assert sorted(kept(model._weights())) == sorted(bits(array) for array in network.values())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_keras_model_and_what_was_exported_of_it_are_randomised_alike(library: str, tmp_path: Path) -> None:
    made = plain(LIBRARIES[library])
    if library == "keras":
        made.export(tmp_path / "model", verbose=False)
    else:
        made.save(tmp_path / "model", save_format="tf")
    inside = check(KerasModel(made, Identity("test", "test", "", "test", 0)), (16, 16))
    saved = check(opened(tmp_path / "model", (16, 16)), (16, 16))
    for name in ("pool", "norm", "second", "mean"):
        np.testing.assert_allclose(saved[name], inside[name], rtol=1e-4, atol=1e-4)


def test_two_modules_of_old_with_variables_of_one_name_are_apart(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 1)):
        (tmp_path / name).mkdir()
        EXPORTS["hub_ref"](tmp_path / name, weights(**SMALL, seed=seed))
    one, two = (opened(tmp_path / name / "hub_ref") for name in ("one", "two"))
    features, others = ends(one), ends(two)
    with one.randomised(1):
        assert bits(ends(one)) != bits(features)
        assert bits(ends(two)) == bits(others)
    assert bits(ends(one)) == bits(features)


class Module(tf.Module):
    """Calls a function of itself; holds what is given."""

    def __init__(self, call: Callable[[Any, Any], Any], **held: Any) -> None:
        super().__init__()
        for name, value in held.items():
            setattr(self, name, value)
        self.__call__ = tf.function(lambda image: call(self, image), input_signature=[IMAGE])


def saved(folder: Path, call: Callable[[Any, Any], Any], **held: Any) -> TappableModel:
    tf.saved_model.save(Module(call, **held), str(folder / "model"))
    return opened(folder / "model", (SIDE, SIDE))


def frozen(folder: Path, build: Callable[[Any], Any]) -> TappableModel:
    tf.compat.v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph:
            build(tf.compat.v1.placeholder(tf.float32, IMAGE.shape, "image"))
    finally:
        tf.compat.v1.enable_control_flow_v2()
    (folder / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return opened(folder / "model.pb", (SIDE, SIDE))


def conv(x: Any, kernel: Any, name: str = "conv") -> Any:
    with tf.name_scope(name):
        return tf.nn.conv2d(x, kernel, 1, "SAME")


def test_constants_are_weights_where_there_are_no_variables(tmp_path: Path) -> None:
    # TensorFlow writes small constants into the graph, and keeps large ones beside it.
    small, large = drawn(1, 1, 3, 4), tf.constant(drawn(3, 3, 4, 40))
    model: Any = saved(tmp_path, lambda m, x: conv(conv(x, tf.constant(small)), m.large, "second"), large=large)
    assert model.identity.parameters == small.size + 3 * 3 * 4 * 40
    assert [(tap.name, tap.parameters) for tap in model.inventory((SIDE, SIDE))[1]] == [("conv", 12), ("second", 1440)]
    check(model, (SIDE, SIDE))
    assert sorted(map(entries, (each.numpy() for each in model._weights()))) == sorted(map(entries, (small, large)))


def test_constants_beside_variables_are_no_weights(tmp_path: Path) -> None:
    mean = np.array([0.1, 0.2, 0.3], np.float32)
    model = saved(tmp_path, lambda m, x: conv(x - mean, m.kernel), kernel=tf.Variable(drawn(3, 3, 3, 4)))
    with model.randomised(1):
        (first, *_) = every_tap(model, (SIDE, SIDE), np.zeros((1, SIDE, SIDE, 3), np.float32))().values()
    np.testing.assert_array_equal(first[0, 0, 0], -mean)


def test_a_constant_of_a_layer_that_is_called_twice_stays_one(tmp_path: Path) -> None:
    kernel = drawn(3, 3, 3, 3)

    @tf.function(input_signature=[IMAGE])
    def layer(x: Any) -> Any:
        return conv(x, tf.constant(kernel))

    model = saved(tmp_path, lambda m, x: layer(tf.nn.relu(layer(x))), layer=layer)
    check(model, (SIDE, SIDE))
    ones = np.ones((1, SIDE, SIDE, 3), np.float32)
    with model.randomised(1):
        found = every_tap(model, (SIDE, SIDE), ones)()
        held = [each.numpy() for each in model._weights()]  # type: ignore[attr-defined]
    first, last = [value for name, value in found.items() if "conv" in name]
    np.testing.assert_allclose(first, tf.nn.conv2d(ones, held[0], 1, "SAME"), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(last, tf.nn.conv2d(tf.nn.relu(first), held[0], 1, "SAME"), rtol=1e-4, atol=1e-4)


def test_constants_by_which_layers_are_told_stay_constants(tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        with tf.compat.v1.name_scope("act"):
            x = tf.maximum(conv(x, drawn(3, 3, 3, 4)), np.zeros(4, np.float32))
        return conv(x, drawn(3, 3, 4, 4, seed=1), "last")

    model = frozen(tmp_path, build)
    check(model, (SIDE, SIDE))
    assert {tap.zeros_reason for tap in model.inventory((SIDE, SIDE))[1]} >= {"Maximum with zero"}


def test_what_enters_a_loop_of_old_is_permuted_and_what_it_holds_is_not(tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        kernel, scale = tf.constant(drawn(3, 3, 3, 3)), np.array([0.5, 0.25, 2.0], np.float32)
        (_, x) = tf.compat.v1.while_loop(
            lambda i, _: i < 2, lambda i, y: (i + 1, conv(y, kernel, "body") * scale), (0, conv(x, kernel))
        )
        return tf.nn.relu(x)

    model: Any = frozen(tmp_path, build)
    assert [each.numpy().shape for each in model._weights()] == [(3, 3, 3, 3)]
    run = model.tapped(model.inventory((SIDE, SIDE))[1], dict, size=(SIDE, SIDE), batch=2)
    before = run(drawn(2, SIDE, SIDE, 3))
    with model.randomised(1):
        assert not same(run(drawn(2, SIDE, SIDE, 3)), before)
    assert same(run(drawn(2, SIDE, SIDE, 3)), before)


def test_a_weight_in_one_side_of_a_branch_of_old_stays_there(tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        plane = drawn(1, SIDE, SIDE, 3, seed=2)
        no, yes = tf.raw_ops.Switch(data=x, pred=tf.reduce_mean(x) > 0)
        with tf.control_dependencies([tf.identity(yes)]):
            here = tf.constant(plane)
        chosen, _ = tf.raw_ops.Merge(inputs=[no * 2.0, here])
        return conv(x + tf.ensure_shape(chosen, (None, SIDE, SIDE, 3)), drawn(3, 3, 3, 4), "after")

    model: Any = frozen(tmp_path, build)
    taps = [tap for tap in model.inventory((SIDE, SIDE))[1] if tap.name == "after"]
    run = model.tapped(taps, lambda tensors: tensors["after"], size=(SIDE, SIDE), batch=1)
    ones = np.ones((1, SIDE, SIDE, 3), np.float32)

    def check_values() -> None:
        plane, kernel = sorted((each.numpy() for each in model._weights()), key=lambda array: -array.size)
        # Often: where both sides ran, chance would choose.
        for image, chosen in ((ones, plane), (-ones, -2 * ones)) * 10:
            expected = tf.nn.conv2d(image + chosen, kernel, 1, "SAME")
            np.testing.assert_allclose(run(image), expected, rtol=1e-4, atol=1e-4)

    check_values()
    with model.randomised(1):
        check_values()
    check_values()


def test_without_the_private_way_to_inline_weights_are_permuted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = EXPORTS["functions"](tmp_path, weights(**SMALL))
    model = opened(path)
    with model.randomised(1):
        expected = ends(model)
    monkeypatch.setattr(inlining, "inliner", lambda: None)
    other = opened(path)
    check(other, SIZE)
    with other.randomised(1):
        np.testing.assert_allclose(ends(other), expected, rtol=1e-3, atol=1e-4 * expected.std())


def test_a_graph_without_weights_says_so(tmp_path: Path) -> None:
    counted = tf.Variable(np.arange(9))
    model = saved(tmp_path, lambda m, x: tf.nn.relu(x) + tf.cast(m.counted[0], tf.float32), counted=counted)
    with pytest.raises(SourceError, match=r"^model cannot be randomised"), model.randomised(1):
        pass
