"""Which function of a saved graph is opened, what its inputs are fed, and what is said where that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hostile_graphs import edited

from fmreport import config, opening
from fmreport.errors import FmreportError
from fmreport.records import Tap
from fmreport.sources import TappableModel, open_source

KERNEL = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)


def settings(path: Path, size: int | None = 32, **sections: Any) -> config.Config:
    """A config beside the model; `sections` holds what stands under `model`, but for `preprocess`."""
    preprocess = {**({"size": size} if size else {}), **sections.pop("preprocess", {})}
    data = {
        "name": "test",
        "model": {"kind": "savedmodel", "path": path.name, **sections},
        "preprocess": preprocess,
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return config.from_dict(data, path.parent)


def opened(path: Path, size: int | None = 32, **sections: Any) -> tuple[TappableModel, dict[str, Tap]]:
    given = settings(path, size, **sections)
    model = open_source(given)
    taps = model.inventory(opening.preprocessing(given, model).size)[1]
    return model, {tap.name: tap for tap in taps}


def values(model: TappableModel, tap: Tap, images: np.ndarray) -> np.ndarray:
    run = model.tapped([tap], lambda tensors: tensors[tap.name], size=images.shape[1:3], batch=len(images))
    return np.asarray(run(images))


def refused(path: Path, **sections: Any) -> tuple[str, str]:
    with pytest.raises(FmreportError) as caught:
        opened(path, **sections)
    return str(caught.value), caught.value.fix


def saved(folder: Path, call: Any, *specs: tf.TensorSpec, **held: Any) -> Path:
    """A SavedModel whose call is the function of `self` and tensors."""
    module = tf.Module()
    module.kernel = tf.Variable(KERNEL, name="conv/kernel")
    for name, value in held.items():
        setattr(module, name, value)
    module.__call__ = tf.function(lambda *inputs: call(module, *inputs), input_signature=specs)
    tf.saved_model.save(module, str(folder / "model"))
    return folder / "model"


def conv(module: Any, x: Any) -> Any:
    with tf.name_scope("conv"):
        return tf.nn.conv2d(x, module.kernel, 1, "SAME")


def spec(*shape: int | None, name: str = "image", dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name)


def frozen(folder: Path, build: Any) -> Path:
    with tf.Graph().as_default() as graph:
        build()
    (folder / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "model.pb"


def test_an_axis_of_three_before_the_batch_is_not_the_batch(tmp_path: Path) -> None:
    def heads(module: Any, x: Any) -> Any:
        y = conv(module, x)
        with tf.name_scope("heads"):
            y = tf.transpose(tf.reshape(tf.concat([y, y, y], -1), (-1, 1024, 3, 4)), (2, 0, 1, 3)) * 2.0
        return tf.reduce_sum(y, 0)

    model, taps = opened(saved(tmp_path, heads, spec(None, 32, 32, 3)))
    reasons = {layer.path: layer.reason for layer in model.inventory((32, 32))[0]}
    assert "heads" not in {tap.layer for tap in taps.values()}
    assert reasons["heads"] == "the first axis of its output is not the batch"


def test_weights_that_are_constants_are_counted(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda module, x: tf.nn.conv2d(x, tf.constant(KERNEL), 1, "SAME"), spec(None, 32, 32, 3))
    assert open_source(settings(path)).identity.parameters == KERNEL.size


def test_an_input_of_unknown_shape_takes_images(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda m, x: conv(m, tf.ensure_shape(x, (None, 32, 32, 3))), tf.TensorSpec(None, name="x"))
    assert opened(path)[1]["conv"].shape == (32, 32, 4)


def test_an_input_that_says_if_the_model_is_trained_is_false(tmp_path: Path) -> None:
    def call(module: Any, x: Any, flag: Any) -> Any:
        return tf.where(flag, conv(module, x) * 0.0, conv(module, x))

    path = saved(tmp_path, call, spec(None, 32, 32, 3), spec(name="is_training", dtype=tf.bool))
    images = np.ones((1, 32, 32, 3), np.float32)
    for feed, zero in (({}, False), ({"inputs": {"image": "image", "is_training": "ones"}}, True)):
        model, taps = opened(path, **feed)
        last = max(taps.values(), key=lambda tap: tap.order)
        assert bool((values(model, last, images) == 0).all()) is zero


def test_a_flag_of_another_name_must_be_told(tmp_path: Path) -> None:
    def call(module: Any, x: Any, flag: Any) -> Any:
        return tf.where(flag, conv(module, x), conv(module, x) * 0.0)

    path = saved(tmp_path, call, spec(None, 32, 32, 3), spec(name="inference", dtype=tf.bool))
    said, fix = refused(path)
    assert "nothing says what image, inference takes" in said
    assert "inputs: {image: image, inference: zeros}" in fix


def test_what_is_no_image_keeps_its_own_shape(tmp_path: Path) -> None:
    def call(module: Any, x: Any, keep: Any, table: Any) -> Any:
        return conv(module, x) * keep * table

    path = saved(tmp_path, call, spec(None, 32, 32, 3), spec(name="keep"), spec(4, name="table"))
    model, taps = opened(path, inputs={"image": "image", "keep": "ones", "table": "ones"})
    assert model.batch is None
    last = max(taps.values(), key=lambda tap: tap.order)
    assert values(model, last, np.ones((2, 32, 32, 3), np.float32)).shape == (2, 32, 32, 4)


def test_integers_are_fed_rounded(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda m, x: conv(m, tf.cast(x, tf.float32)), spec(None, 32, 32, 3, dtype=tf.uint8))
    model, taps = opened(path)
    images = np.full((1, 32, 32, 3), 127.7, np.float32)
    expected = tf.nn.conv2d(np.full_like(images, 128), KERNEL, 1, "SAME").numpy()
    np.testing.assert_allclose(values(model, taps["conv"], images), expected, rtol=1e-5)


def test_a_range_that_integers_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda m, x: conv(m, tf.cast(x, tf.float32)), spec(None, 32, 32, 3, dtype=tf.uint8))
    said, fix = refused(path, preprocess={"range": [-1, 1]})
    assert said == "CONFIG: preprocess: the model takes integers from 0 to 255, and images come as -1 to 1"
    assert fix.startswith("write range: [0, 255]")
    assert refused(path, preprocess={"range": [0, 1]})[0].endswith("images come as 0 to 1")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (spec(None, name="file", dtype=tf.string), "the input file takes string of shape (any)"),
        (spec(32, 32, 3), "the input image takes float32 of shape (32, 32, 3)"),
    ],
)
def test_an_input_that_takes_no_batch_of_images_is_shown_whole(given: tf.TensorSpec, said: str, tmp_path: Path) -> None:
    def call(module: Any, x: Any) -> Any:
        return conv(module, tf.zeros((1, 32, 32, 3)) + (0.0 if x.dtype == tf.string else tf.reduce_sum(x)))

    assert refused(saved(tmp_path, call, given))[0] == f"{said}, and a batch of images has four axes"


def test_truth_values_are_no_picture(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda m, x: conv(m, tf.cast(x, tf.float32)), spec(None, 32, 32, 3, dtype=tf.bool))
    assert refused(path)[0] == "the input image takes bool, which no picture is fed as"


def test_a_function_without_inputs_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda module: conv(module, tf.zeros((1, 32, 32, 3))))
    assert refused(path) == ("the model takes no input", "name another of its functions under model.signature")


def test_a_call_that_returns_what_it_reads_has_nothing_to_tap(tmp_path: Path) -> None:
    said, fix = refused(saved(tmp_path, lambda module, x: tf.identity(x), spec(None, 32, 32, 3)))
    assert said.startswith("nothing lies between the image and what the model returns")
    assert "model.signature" in fix


class Variants(tf.Module):
    """A call that was traced with `features`, for training and not."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(KERNEL, name="conv/kernel")

    @tf.function
    def __call__(self, x: Any, features: bool = False, training: bool = False) -> Any:
        y = conv(self, x)
        if training:
            y *= 0.0
        return y if features else tf.reduce_mean(y, (1, 2))


def test_only_the_argument_training_stands_for_training(tmp_path: Path) -> None:
    module = Variants()
    module(tf.zeros((1, 32, 32, 3)), features=True, training=True)
    module(tf.zeros((1, 32, 32, 3)), features=True, training=False)
    tf.saved_model.save(module, str(tmp_path / "model"))
    model, taps = opened(tmp_path / "model")
    assert values(model, taps["conv"], np.ones((1, 32, 32, 3), np.float32)).any()
    assert not [tap for tap in taps.values() if tap.type == "Multiply"]


def test_of_several_calls_the_one_that_takes_the_size_is_opened(tmp_path: Path) -> None:
    module = Variants()
    for side in (48, 32):
        module(tf.zeros((1, side, side, 3)))
    tf.saved_model.save(module, str(tmp_path / "model"))
    assert opened(tmp_path / "model", 32)[1]["conv"].shape == (32, 32, 4)
    assert opened(tmp_path / "model", 48)[1]["conv"].shape == (48, 48, 4)


def test_of_several_graphs_the_one_for_use_is_opened(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    builder = v1.saved_model.builder.SavedModelBuilder(str(tmp_path / "model"))
    for tags, name in ((["serve", "train"], "trained"), (["serve"], "used")):
        with tf.Graph().as_default(), v1.Session() as session:
            image = v1.placeholder(tf.float32, (None, 32, 32, 3), "image")
            kernel = v1.get_variable("kernel", initializer=KERNEL, use_resource=True)
            found = tf.nn.conv2d(image, kernel, 1, "SAME", name=name)
            signature = v1.saved_model.predict_signature_def({"image": image}, {"found": found})
            session.run(v1.global_variables_initializer())
            if name == "trained":
                builder.add_meta_graph_and_variables(session, tags, {"serving_default": signature})
            else:
                builder.add_meta_graph(tags, {"serving_default": signature})
    builder.save()
    assert list(opened(tmp_path / "model")[1]) == ["used"]


def test_a_setting_without_effect_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path, conv, spec(None, 32, 32, 3))
    said, fix = refused(folder, outputs=["conv"])
    assert said == "CONFIG: model.outputs: model is a SavedModel, whose functions say what they return"
    assert fix == "leave it out; signature: names another function"
    graph = frozen(tmp_path, lambda: tf.nn.relu(tf.compat.v1.placeholder(tf.float32, (None, 32, 32, 3), "image")))
    said, fix = refused(graph, signature="serving_default")
    assert said == "CONFIG: model.signature: model.pb is a frozen graph, which has no functions"
    assert fix == "leave it out; outputs: names the operations in which the graph ends"


def test_a_frozen_graph_with_a_branch_runs(tmp_path: Path) -> None:
    def build() -> None:
        image = tf.compat.v1.placeholder(tf.float32, (None, 32, 32, 3), "image")
        y = tf.nn.relu(image, name="before")
        tf.cond(tf.reduce_mean(y) > 0, lambda: y, lambda: -y)

    model, taps = opened(frozen(tmp_path, build))
    assert values(model, taps["before"], np.ones((1, 32, 32, 3), np.float32)).all()


def test_a_graph_that_cannot_be_built_says_so(tmp_path: Path) -> None:
    build = lambda: tf.nn.relu(tf.compat.v1.placeholder(tf.float32, (None, 32, 32, 3), "image"), "act")  # noqa: E731
    said, fix = refused(frozen(tmp_path, build), outputs=["act:7"])
    assert said.startswith("the graph cannot be built: Invalid return output 7")
    assert fix == "check model.outputs, and that the file is as it was written"


def test_a_tf_lite_file_is_opened_by_another_kind(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"TFL3")
    said, fix = refused(tmp_path / "net.tflite")
    assert said == "CONFIG: model.path: net.tflite is no saved graph by its name"
    assert fix == "kind: tflite opens .tflite files; else give a folder with saved_model.pb or a frozen .pb file"


def test_an_input_without_a_number_format_is_damage(tmp_path: Path) -> None:
    graph = tf.compat.v1.GraphDef(node=[tf.compat.v1.NodeDef(name="image", op="Placeholder")])
    (tmp_path / "model.pb").write_bytes(graph.SerializeToString())
    assert refused(tmp_path / "model.pb")[0].endswith("model.pb is damaged: its input image has no number format")


def test_a_model_of_tensorflow_1_with_a_vocabulary_opens(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, 32, 32, 3), "image")
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["cat"], [0]), -1)
        kernel = v1.get_variable("kernel", initializer=KERNEL, use_resource=True)
        found = tf.nn.conv2d(image, kernel, 1, "SAME", name="conv")
        label = table.lookup(tf.constant(["cat"]))
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        v1.saved_model.simple_save(
            session,
            str(tmp_path / "model"),
            {"image": image},
            {"found": found, "label": label},
            legacy_init_op=v1.tables_initializer(),
        )
    assert opened(tmp_path / "model")[1]["conv"].shape == (32, 32, 4)


def without_seeds(graph: Any) -> None:
    """As a process writes it that asks for none."""
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if "seed2" in node.attr:
                node.attr["seed"].i = node.attr["seed2"].i = 0


def test_a_model_that_draws_random_numbers_draws_them_from_the_seed(tmp_path: Path) -> None:
    def call(module: Any, x: Any) -> Any:
        y = conv(module, x)
        with tf.name_scope("noisy"):
            return y + tf.random.normal(tf.shape(y), seed=1)

    path = edited(saved(tmp_path, call, spec(None, 32, 32, 3)), without_seeds)
    images = np.ones((2, 32, 32, 3), np.float32)

    def drawn(seed: int) -> np.ndarray:
        model = open_source(settings(path).model_copy(update={"seed": seed}))
        assert model.notes == ("operations that draw random numbers: 1; values depend on the images before and beside",)
        taps = {tap.name: tap for tap in model.inventory((32, 32))[1]}
        return values(model, taps["noisy"], images) - values(model, taps["conv"], images)

    first = drawn(1)
    assert 0.9 < first.std() < 1.1
    np.testing.assert_array_equal(first, drawn(1))
    assert not np.array_equal(first, drawn(2))


def test_what_cannot_be_seeded_is_told(tmp_path: Path) -> None:
    def call(module: Any, x: Any) -> Any:
        y = conv(module, x)
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y + tf.random.normal((4,), seed=1)), (0, y))[1]

    model, taps = opened(edited(saved(tmp_path, call, spec(None, 32, 32, 3)), without_seeds))
    last = max(taps.values(), key=lambda tap: tap.order)
    with pytest.raises(FmreportError, match=r"fails while it runs: .*random ops must have a seed") as caught:
        values(model, last, np.ones((1, 32, 32, 3), np.float32))
    assert caught.value.fix == "export the model without this operation: it would give other numbers each time"
