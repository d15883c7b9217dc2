"""ONNX models: what they compute by another reference, however they are stored, and what is said of those that fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from eager_walk import shake
from onnx_models import FLOAT, IMAGE, draw, graph, helper, node, numpy_helper, onnx, opened, plain, saved

from fmreport.errors import SourceError
from fmreport.records import Tap
from fmreport.sources import Identity, files
from fmreport.sources.keras_model import KerasModel
from fmreport.zoo.bit import bit
from fmreport.zoo.sd_unet import sd_unet

SIZE = (16, 16)
FREE = ("n", 3, "h", "w")
INT = np.int64


def images(count: int = 2, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(count, *size, 3)).astype(np.float32)


def values(model: Any, size: tuple[int, int] = SIZE, batch: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Of every tap."""
    batch = images(size=size) if batch is None else batch
    found: dict[str, np.ndarray] = model.tapped(model.inventory(size)[1], dict, size=size, batch=len(batch))(batch)
    return found


def taps(model: Any, size: tuple[int, int] = SIZE) -> dict[str, Tap]:
    return {tap.name: tap for tap in model.inventory(size)[1]}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


def by_reference(model: Any) -> dict[str, np.ndarray]:
    """Every tensor that the nodes of a model make, by name, as the reference of ONNX computes it."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    names = [name for each in model.graph.node for name in each.output]
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    reference = pytest.importorskip("onnx.reference").ReferenceEvaluator(whole)
    return dict(zip(names, reference.run(names, {IMAGE: np.moveaxis(images(), -1, 1)}), strict=True))


@pytest.fixture(name="stored")
def _stored(tmp_path: Path) -> Path:
    return saved(plain(), tmp_path)


def test_every_tap_holds_what_the_reference_computes(stored: Path) -> None:
    expected = by_reference(plain())
    made = {"/".join(filter(None, each.name.split("/"))): each.output[0] for each in plain().graph.node}
    found = values(opened(stored))
    assert len(found) == 8
    for name, value in found.items():
        wanted = expected[made[name]]
        wanted = np.moveaxis(wanted, 1, -1) if wanted.ndim == 4 else wanted
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5)


def test_layers_are_named_and_counted(stored: Path) -> None:
    model = opened(stored)
    layers, listed = model.inventory(SIZE)
    assert [(layer.path, layer.type, layer.parameters) for layer in layers] == [
        ("first/Conv", "Conv2D", 112),
        ("first/Relu", "ReLU", 0),
        ("pool/MaxPool", "MaxPooling2D", 0),
        ("norm/BatchNormalization", "BatchNormalization", 16),
        ("second/Conv", "Conv2D", 216),
        ("mean/GlobalAveragePool", "GlobalAveragePooling2D", 0),
        ("mean/Flatten", "Reshape", 0),
        ("dense/Gemm", "Dense", 35),
        ("drop/Dropout", "Dropout", 0),
    ]
    assert layers[-1].reason == "it returns what it reads"
    assert model.identity.parameters == 112 + 16 + 216 + 35
    assert [tap.returned for tap in listed] == [0] * 7 + [1]
    assert listed[0].feeds == ("ReLU",)
    assert listed[3].read_by == ("second/Conv",)


@pytest.mark.parametrize("asked", [["first/Conv"], ["first/Relu", "dense/Gemm"], ["mean/Flatten"]])
def test_a_tap_holds_the_same_bits_whatever_is_asked_for_beside(stored: Path, asked: list[str]) -> None:
    model = opened(stored)
    some = [tap for name, tap in taps(model).items() if name in asked]
    found = model.tapped(some, dict, size=SIZE, batch=2)(images())
    same(found, {name: value for name, value in values(model).items() if name in asked})


def beside_it(folder: Path, threshold: int = 0) -> Path:
    onnx.save(
        plain(), folder / "model.onnx", save_as_external_data=True, location="numbers.bin", size_threshold=threshold
    )
    return folder / "model.onnx"


@pytest.mark.parametrize("threshold", [0, 200])
def test_numbers_beside_the_file_are_read(stored: Path, tmp_path: Path, threshold: int) -> None:
    (tmp_path / "apart").mkdir()
    apart = opened(beside_it(tmp_path / "apart", threshold))
    whole = opened(stored)
    same(values(apart), values(whole))
    assert apart.inventory(SIZE) == whole.inventory(SIZE)
    with apart.randomised(1), whole.randomised(1):
        same(values(apart), values(whole))
    same(values(apart), values(whole))


def test_numbers_beside_the_file_are_a_part_of_what_it_is(tmp_path: Path) -> None:
    path = beside_it(tmp_path)
    before = opened(path).identity
    data = tmp_path / "numbers.bin"
    assert before.bytes == path.stat().st_size + data.stat().st_size
    assert before.sha256 == files.hash_of(tmp_path)
    opened(path, sha256=before.sha256)
    changed = bytearray(data.read_bytes())
    changed[2] ^= 1
    data.write_bytes(bytes(changed))
    assert opened(path).identity.sha256 != before.sha256
    with pytest.raises(SourceError, match=r"the file and numbers\.bin beside it, .* the config pins"):
        opened(path, sha256=before.sha256)


def test_numbers_that_are_missing_cut_or_elsewhere_are_told(tmp_path: Path) -> None:
    path = beside_it(tmp_path)
    data = (tmp_path / "numbers.bin").read_bytes()
    (tmp_path / "numbers.bin").write_bytes(data[:-1])
    with pytest.raises(SourceError, match=r"numbers\.bin ends before what \S+ reads of it"):
        opened(path)
    (tmp_path / "numbers.bin").unlink()
    with pytest.raises(SourceError, match=r"reads numbers from numbers\.bin, which is missing") as caught:
        opened(path)
    assert "copy the file" in caught.value.fix
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "../numbers.bin"
    (tmp_path / "inner").mkdir()
    (tmp_path / "numbers.bin").write_bytes(data)
    (tmp_path / "inner/model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(SourceError, match=r"\.\./numbers\.bin, which does not lie beside it"):
        opened(tmp_path / "inner/model.onnx")


def test_old_files_whose_weights_are_inputs_too_are_the_same(stored: Path, tmp_path: Path) -> None:
    old = plain()
    old.graph.input.extend(
        helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in old.graph.initializer
    )
    old.ir_version = 3
    del old.opset_import[:]
    old.opset_import.append(helper.make_opsetid("", 9))
    model = opened(saved(old, tmp_path / "old"))
    assert model.inventory(SIZE) == opened(stored).inventory(SIZE)
    same(values(model), values(opened(stored)))


def test_constants_are_weights_as_initializers_are(stored: Path, tmp_path: Path) -> None:
    model = plain()
    held = [node("Constant", [], each.name, value=each) for each in model.graph.initializer]
    nodes = [*held, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)
    constant = opened(saved(model, tmp_path / "constants"))
    assert constant.inventory(SIZE) == opened(stored).inventory(SIZE)
    same(values(constant), values(opened(stored)))


def test_functions_of_the_file_are_inlined(tmp_path: Path) -> None:
    block = helper.make_function(
        "own", "Block", ["x", "k"], ["y"],
        [node("Conv", ["x", "k"], "c"), node("Relu", ["c"], "y")], [helper.make_opsetid("", 20)],
    )  # fmt: skip
    model = graph(
        [helper.make_node("Block", [IMAGE, "kernel"], ["y"], domain="own", name="b")], {"kernel": draw(4, 3, 3, 3)}
    )
    model.functions.append(block)
    model.opset_import.append(helper.make_opsetid("own", 1))
    layers, _ = opened(saved(model, tmp_path)).inventory(SIZE)
    assert [(layer.type, layer.parameters) for layer in layers] == [("Conv2D", 108), ("ReLU", 0)]


def branching() -> Any:
    """A branch by a number of the image, one side of which holds a convolution."""
    kernel = numpy_helper.from_array(draw(3, 3, 1, 1), "inner")
    one = helper.make_graph(
        [node("Conv", [IMAGE, "inner"], "t")], "yes", [], [helper.make_tensor_value_info("t", FLOAT, None)], [kernel]
    )
    other = helper.make_graph(
        [node("Conv", [IMAGE, "outer"], "e")], "no", [], [helper.make_tensor_value_info("e", FLOAT, None)]
    )
    nodes = [
        node("ReduceMax", [IMAGE], "m", keepdims=0),
        node("Greater", ["m", "zero"], "c"),
        node("If", ["c"], "y", "choice", then_branch=one, else_branch=other),
        node("Conv", ["y", "last"], "z", "last"),
    ]
    return graph(nodes, {"zero": np.float32(0), "outer": draw(3, 3, 1, 1), "last": draw(4, 3, 3, 3)}, image=FREE)


def test_branches_are_opaque_and_say_so(tmp_path: Path) -> None:
    model = opened(saved(branching(), tmp_path))
    layers, listed = model.inventory(SIZE)
    named = {layer.path: layer for layer in layers}
    assert named["choice/*"].reason == "opaque: what a branch holds cannot be tapped"
    assert (named["choice"].type, named["choice"].own_work, named["choice"].parameters) == ("If", None, 9)
    assert listed[-1].receptive_field.status == "unknown"
    assert any("Branches and loops of the model hold 9 numbers" in note for note in model.notes)
    assert model.identity.parameters == 9 + 108
    assert values(model)["last"].shape == (2, 14, 14, 4)


def test_what_is_no_tensor_is_listed(tmp_path: Path) -> None:
    nodes = [
        node("SplitToSequence", [IMAGE, "one"], "s", "parts", axis=1),
        node("ConcatFromSequence", ["s"], "y", "joined", axis=1),
    ]
    model = opened(saved(graph(nodes, {"one": np.array(1, INT)}, image=FREE), tmp_path))
    layers, listed = model.inventory(SIZE)
    assert [(layer.path, layer.reason) for layer in layers if layer.reason] == [
        ("parts", "its values are variant, not floating point")
    ]
    assert [tap.name for tap in listed] == ["joined"]
    np.testing.assert_array_equal(values(model)["joined"], np.moveaxis(images(), -1, 1))


NAMES = ["a:b", "a@1", "*", "  ", "/", "//x//", "été/日本", "x" * 10_000, "../../etc", "a\nb", "a", "a", "~", ""]


def test_nodes_of_any_name_have_paths_of_their_own(tmp_path: Path) -> None:
    nodes = [node("Relu", [f"t{i - 1}" if i else IMAGE], f"t{i}", name) for i, name in enumerate(NAMES)]
    nodes.append(node("Split", [f"t{len(NAMES) - 1}"], ["a@2", "p"], "a", axis=2, num_outputs=2))
    nodes.append(node("Concat", ["a@2", "p"], "y", "whole", axis=2))
    model = opened(saved(graph(nodes, image=FREE), tmp_path))
    layers, listed = model.inventory(SIZE)
    assert len({layer.path for layer in layers}) == len(layers) == len(NAMES) + 2
    assert len({tap.name for tap in listed}) == len(listed) == len(NAMES) + 3
    assert [layer.path for layer in layers if set(layer.path) & set("*:@?[] \n")] == []
    assert {"été/日本", "x" * 10_000, "a", "a~2", "a~3"} <= {layer.path for layer in layers}
    assert len(values(model)) == len(listed)


@pytest.mark.parametrize(("format_", "dtype"), [("FLOAT16", "float16"), ("DOUBLE", "float64")])
def test_other_formats_are_run_as_they_are(tmp_path: Path, format_: str, dtype: str) -> None:
    model = graph(
        [node("Mul", [IMAGE, "k"], "y", "scaled"), node("Relu", ["y"], "z", "relu")],
        {"k": draw(3, 1, 1).astype(dtype)},
        dtype=getattr(onnx.TensorProto, format_),
        image=FREE,
    )
    found = opened(saved(model, tmp_path))
    assert {tap.dtype for tap in taps(found).values()} == {dtype}
    assert {value.dtype.name for value in values(found).values()} == {dtype}
    with found.randomised(1):
        assert values(found)["scaled"].dtype == dtype


def test_whole_numbers_are_fed_rounded(tmp_path: Path) -> None:
    nodes = [node("Cast", [IMAGE], "f", "cast", to=FLOAT), node("Conv", ["f", "k"], "y", "conv")]
    model = opened(saved(graph(nodes, {"k": draw(4, 3, 3, 3)}, dtype=onnx.TensorProto.UINT8, image=FREE), tmp_path))
    assert model.image_input.bounds == (0, 255)
    found = values(model, batch=np.full((2, *SIZE, 3), 6.6, np.float32))
    assert (found["cast"] == 7).all()


def test_a_model_of_one_batch_and_size_says_so(tmp_path: Path) -> None:
    model = opened(saved(graph([node("Relu", [IMAGE], "y")], image=(1, 3, 12, 17)), tmp_path))
    assert (model.batch, model.image_input.size) == (1, (12, 17))
    assert values(model, (12, 17), images(1, (12, 17)))["y"].shape == (1, 12, 17, 3)


def test_channels_may_come_last(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", [IMAGE], "t", "first", perm=[0, 3, 1, 2]),
        node("Conv", ["t", "k"], "c", "conv"),
        node("Transpose", ["c"], "y", "last", perm=[0, 2, 3, 1]),
    ]
    model = opened(saved(graph(nodes, {"k": draw(4, 3, 3, 3)}, image=("n", "h", "w", 3)), tmp_path))
    assert model.image_input.size == (None, None)
    assert {tap.name: tap.shape for tap in model.inventory((20, 30))[1]} == {
        "first": (20, 30, 3), "conv": (18, 28, 4), "last": (18, 28, 4),
    }  # fmt: skip
    found = values(model, (20, 30))
    np.testing.assert_array_equal(found["conv"], found["last"])
    # Another size is another inventory.
    assert taps(model, (8, 9))["conv"].shape == (6, 7, 4)


def test_several_inputs_are_fed_as_the_config_says(tmp_path: Path) -> None:
    model = graph([node("Mul", [IMAGE, "gate"], "y", "gated")], image=FREE)
    model.graph.input.append(helper.make_tensor_value_info("gate", FLOAT, [1]))
    path = saved(model, tmp_path)
    with pytest.raises(SourceError, match="the model has 2 inputs") as caught:
        opened(path)
    assert "inputs: {image: image, gate: zeros}" in caught.value.fix
    gated = opened(path, inputs={"image": "image", "gate": "ones"})
    np.testing.assert_array_equal(values(gated)["gated"], images())


def test_scales_of_a_resizing_are_no_weights(tmp_path: Path) -> None:
    nodes = [
        node("Conv", [IMAGE, "k", "b"], "c", "conv"),
        node("Resize", ["c", "", "scales"], "y", "up", mode="nearest"),
    ]
    held = {"k": draw(1, 3, 1, 1), "b": draw(1), "scales": np.array([1, 1, 2, 2], np.float32)}
    model = opened(saved(graph(nodes, held, image=FREE), tmp_path))
    assert model.identity.parameters == 4  # a bias of one number is one
    with model.randomised(1):
        assert values(model)["up"].shape == (2, 32, 32, 1)


def quantised(folder: Path, **options: Any) -> Path:
    quantization = pytest.importorskip("onnxruntime.quantization", reason="needs the extra fmreport[onnx]")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.left = [{IMAGE: np.moveaxis(images(), -1, 1)}]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    source = saved(plain(), folder, "whole.onnx")
    quantization.quantize_static(
        source, folder / "model.onnx", Reader(), quant_format=quantization.QuantFormat.QDQ, **options
    )
    return folder / "model.onnx"


@pytest.mark.parametrize("per_channel", [False, True])
def test_quantised_models_are_tapped_where_they_hold_floats(tmp_path: Path, *, per_channel: bool) -> None:
    model = opened(quantised(tmp_path, per_channel=per_channel))
    layers, listed = model.inventory(SIZE)
    types = {layer.type: layer for layer in layers}
    assert types["QuantizeLinear"].reason in (
        "its values are int8, not floating point", "its values are uint8, not floating point",
    )  # fmt: skip
    assert {"DequantizeLinear", "Conv2D", "Dense"} <= {tap.type for tap in listed}
    convs = [tap for tap in listed if tap.type == "Conv2D"]
    # The batch normalisation is folded; every weight is counted once, scales and zero points not at all.
    assert [tap.parameters for tap in convs] == [112, 216]
    assert sum(layer.own_parameters for layer in layers) == model.identity.parameters
    assert any("quantised" in note for note in model.notes)
    whole = values(opened(tmp_path / "whole.onnx"))["dense/Gemm"]
    found = values(model)[next(tap.name for tap in listed if tap.type == "Dense")]
    assert np.abs(found - whole).max() < 0.2 * np.abs(whole).max()
    assert {tap.receptive_field.status for tap in convs} == {"exact"}


def exported(model: Any, folder: Path, size: tuple[int, int]) -> Any:
    """A Keras model as `tf2onnx` writes it."""
    tf2onnx = pytest.importorskip("tf2onnx", reason="is installed with fmreport[test]")
    import tensorflow as tf

    function = tf.function(lambda x: model(x, training=False), autograph=False)
    spec = tf.TensorSpec((None, *size, 3), tf.float32, name=IMAGE)
    tf2onnx.convert.from_function(function, [spec], opset=18, output_path=str(folder / "model.onnx"))
    return opened(folder / "model.onnx", size)


def convolutions(model: Any, size: tuple[int, int]) -> dict[str, Tap]:
    return {tap.name: tap for tap in model.inventory(size)[1] if tap.type.endswith("Conv2D")}


def facts(tap: Tap) -> tuple[Any, ...]:
    seen = tap.receptive_field
    known = (seen.status, seen.size, seen.union, seen.stride, seen.padding, seen.centre)
    return (tap.shape, tap.parameters, tap.work, tap.zeros, *known)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "size", "ends_in_softmax"),
    [(lambda: sd_unet(8, size=(64, 64)), (64, 64), {"head/conv"}), (lambda: bit("R50x1"), (64, 64), set())],
    ids=["SD-UNet", "R50x1"],
)
def test_the_same_weights_give_the_same_rows_as_in_keras(
    make: Any, size: tuple[int, int], ends_in_softmax: set[str], tmp_path: Path
) -> None:
    model = shake(make())
    source, other = KerasModel(model, Identity("keras", "test", "", "", 0)), exported(model, tmp_path, size)
    before, after = convolutions(source, size), convolutions(other, size)
    assert len(before) == len(after) > 50
    assert other.identity.parameters == model.count_params()
    called = {f"{name.split('/')[1].removesuffix('_1')}".replace(".", "/"): name for name in after}
    assert called.keys() == before.keys()
    assert {name: facts(after[called[name]]) for name in before} == {name: facts(tap) for name, tap in before.items()}
    batch = images(size=size)
    expected = source.tapped([*before.values()], dict, size=size, batch=2)(batch)
    found = other.tapped([*after.values()], dict, size=size, batch=2)(batch)
    for name, value in expected.items():
        # Its own activation is a part of a layer of Keras.
        if name not in ends_in_softmax:
            np.testing.assert_allclose(found[called[name]], value, rtol=1e-4, atol=1e-4 * np.abs(value).max())
    keras.backend.clear_session()


def failing(path: Path, **settings: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        opened(path, **settings).inventory(SIZE)
    return caught.value


def test_a_file_that_is_cut_anywhere_is_told(stored: Path) -> None:
    data = stored.read_bytes()
    for length in (*range(0, 64, 7), *range(64, len(data), len(data) // 20)):
        stored.write_bytes(data[:length])
        error = failing(stored)
        assert str(error).startswith("CONFIG: model.path: model.onnx ")
        assert "cannot be read as ONNX" in str(error) or "holds no ONNX graph" in str(error)
        assert error.fix


def test_damaged_files_lead_to_errors_and_to_no_crash(tmp_path: Path) -> None:
    script = f"""
import random, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
import onnx_models
from fmreport.errors import FmreportError
data, path, draw, told = onnx_models.plain().SerializeToString(), Path("model.onnx"), random.Random(5), 0
for _ in range(60):
    damaged = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    path.write_bytes(bytes(damaged))
    try:
        model = onnx_models.opened(path.resolve(), (16, 16))
        taps = model.inventory((16, 16))[1]
        model.tapped(taps, dict, size=(16, 16), batch=2)(np.ones((2, 16, 16, 3), np.float32))
    except FmreportError as error:
        assert error.fix
        told += 1
print("told", told)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 20


def test_a_file_of_another_name_or_hash_is_told(stored: Path, tmp_path: Path) -> None:
    other = tmp_path / "model.bin"
    other.write_bytes(stored.read_bytes())
    assert "is no .onnx file by its name" in str(failing(other))
    assert "the file has SHA-256" in str(failing(stored, sha256="0" * 64))


RELU = [node("Relu", [IMAGE], "y")]
UNRUN: dict[str, tuple[Any, str, str]] = {
    "an opset to come": (graph(RELU, opset=99), "Opset 99 is under development", "version of ONNX"),
    "somebody's own operation": (
        graph([helper.make_node("Fly", [IMAGE], ["y"], domain="birds", name="wing")]),
        "wing is a Fly of birds, which is no part of ONNX",
        "ONNX's own operations",
    ),
    "an operation of no version": (graph([node("Fly", [IMAGE], "y")]), "Fly", "version of ONNX"),
    "a format without a kernel": (
        graph([node("Conv", [IMAGE, "k"], "y")], {"k": draw(4, 3, 3, 3).astype(float)}, dtype=onnx.TensorProto.DOUBLE),
        "Could not find an implementation for Conv(11)",
        "version of ONNX",
    ),
    "no image": (graph(RELU, image=("n", 10)), "the input image takes float32 of shape (any, 10)", "model.inputs"),
    "text": (
        graph([node("Identity", [IMAGE], "y")], dtype=onnx.TensorProto.STRING),
        "the input image takes string, which no picture is fed as",
        "an input of numbers",
    ),
    "a kernel larger than the image": (
        graph([node("Conv", [IMAGE, "k"], "y")], {"k": draw(4, 3, 40, 40)}, image=FREE),
        "fails while it runs",
        "preprocess.size",
    ),
    "a tensor that nobody makes": (graph([node("Relu", ["nothing"], "y")]), "cannot be run by ONNX Runtime", "opset"),
}


@pytest.mark.parametrize("name", UNRUN)
def test_what_cannot_be_run_is_told_with_the_next_step(name: str, tmp_path: Path) -> None:
    model, told, step = UNRUN[name]
    error = failing(saved(model, tmp_path))
    assert told in str(error)
    assert "/onnxruntime_src" not in str(error)
    assert step in error.fix


def said(folder: Path, *, before: str = "") -> str:
    """What `fmreport layers` prints of a model for images of 8 x 8, where it ends with the status of an error."""
    (folder / "c.yaml").write_text(
        "name: n\nmodel: {kind: onnx, path: model.onnx}\npreprocess: {size: [8, 8]}\n"
        "probes: [{kind: skimage, names: [cat]}]\n"
    )
    script = f"import sys; sys.argv = ['fmreport', 'layers', 'c.yaml']; {before}\nfrom fmreport.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_another_size_than_the_model_takes_is_told_before_it_runs(tmp_path: Path) -> None:
    saved(graph([node("Relu", [IMAGE], "y")], image=(1, 3, 12, 17)), tmp_path)
    assert "preprocess.size is 8 × 8, but the model takes 12 × 17" in said(tmp_path)


def test_weights_that_are_no_numbers_are_noted(tmp_path: Path) -> None:
    kernel = draw(4, 3, 3, 3)
    kernel[0] = np.nan
    model = opened(saved(graph([node("Conv", [IMAGE, "k"], "y")], {"k": kernel}, image=FREE), tmp_path))
    assert model.notes == ("1 weights hold NaN or Inf, k among them",)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_extra_one_line_says_what_to_install(stored: Path, package: str) -> None:
    told = said(stored.parent, before=f"sys.modules[{package!r}] = None")
    assert f"model.kind: onnx needs {package}, which is not installed" in told
    assert "pip install 'fmreport[onnx]'" in told


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SD-UNet", "R50x1"])
def test_the_same_weights_written_by_pytorch_give_the_same_rows_as_in_keras(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra fmreport[torch]")
    from torch_twins import Bit as TorchBit
    from torch_twins import SDUNet

    size = (64, 64)
    model = shake(sd_unet(4, size=size) if name == "SD-UNet" else bit("R50x1"))
    twin = (SDUNet if name == "SD-UNet" else TorchBit)(model).eval()
    # The exporter that needs no other package; another one writes the same operations.
    torch.onnx.export(
        twin, (torch.rand(2, 3, *size),), str(tmp_path / "model.onnx"), dynamo=False, opset_version=18,
        input_names=[IMAGE], dynamic_axes={IMAGE: {0: "n"}},
    )  # fmt: skip
    source, other = KerasModel(model, Identity("keras", "test", "", "", 0)), opened(tmp_path / "model.onnx", size)
    before, after = convolutions(source, size), convolutions(other, size)
    batch = images(size=size)
    expected = source.tapped([*before.values()], dict, size=size, batch=2)(batch)
    found = other.tapped([*after.values()], dict, size=size, batch=2)(batch)
    assert len(before) == len(after) > 50
    for path, value in expected.items():
        if path == "head/conv":
            continue  # its own activation is a part of a layer of Keras
        near = [
            each for each, made in found.items()
            if made.shape == value.shape and np.abs(made - value).max() <= 1e-4 * np.abs(value).max()
        ]  # fmt: skip
        assert [facts(after[each]) for each in near] == [facts(before[path])], path
    keras.backend.clear_session()
