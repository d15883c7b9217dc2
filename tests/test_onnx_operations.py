"""Operations of ONNX are drawn for what they are: shapes, windows and multiply-adds, held against what runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import IMAGE, draw, graph, onnx, opened, saved
from onnx_operations import DRAWN, EXACT, OPAQUE, Case, after, of

from fmreport.records import EXACT as EXACTLY
from fmreport.records import GLOBAL, UNALIGNED, UNKNOWN, UPPER_BOUND, Tap

SIZE = (12, 17)
CASES = EXACT | DRAWN
UNREFERENCED = {
    "cutting by padding",
    "a transposed convolution of groups",
    "upsampling by an attribute",
    "resizing of version 10",
    "a batch normalisation of version 7",
    "a softmax over all that follows",
}
"""What the reference of ONNX does not do, or not as its version says."""


def model_of(case: Case, folder: Path) -> Any:
    return opened(saved(graph(case.nodes, case.held, opset=case.opset), folder))


def last(model: Any) -> Tap:
    tap: Tap = model.inventory(SIZE)[1][-1]
    return tap


def run(model: Any, tap: Tap, images: np.ndarray) -> np.ndarray:
    found: np.ndarray = model.tapped([tap], dict, size=SIZE, batch=len(images))(images)[tap.name]
    return found


def images(count: int) -> np.ndarray:
    """Of numbers around 1, `(count, H, W, C)`, each another one."""
    return np.random.default_rng(1).uniform(0.6, 1.4, (count, *SIZE, 3)).astype(np.float32)


def test_every_operation_that_is_drawn_is_tried() -> None:
    from fmreport.sources.onnx.operations import HANDS_ON, RULES, SHAPED

    tried = {node.op_type for case in CASES.values() for node in case.nodes}
    assert {*RULES, *SHAPED, *HANDS_ON} - tried == set()


@pytest.mark.parametrize("name", CASES)
def test_an_operation_is_drawn_and_not_given_up(name: str, tmp_path: Path) -> None:
    layers, taps = model_of(CASES[name], tmp_path).inventory(SIZE)
    assert taps
    assert [layer.path for layer in layers if layer.own_work is None] == []
    # Rows in another order are known as such by no framework.
    assert taps[-1].receptive_field.status != UNKNOWN or name == "turned round"


@pytest.mark.parametrize("name", [name for name in CASES if name not in UNREFERENCED])
def test_values_are_those_of_the_reference(name: str, tmp_path: Path) -> None:
    case, batch = CASES[name], images(2)
    model = model_of(case, tmp_path)
    tap = last(model)
    found = run(model, tap, batch)
    assert found.shape[1:] == tap.shape
    reference = pytest.importorskip("onnx.reference").ReferenceEvaluator(graph(case.nodes, case.held, opset=case.opset))
    (expected,) = reference.run(None, {IMAGE: np.moveaxis(batch, -1, 1)})
    if expected.shape != found.shape:
        expected = np.moveaxis(expected, 1, -1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def seen(model: Any, tap: Tap) -> list[np.ndarray]:
    """For rows and columns, which `(index of the tap, index of the image)` matter, whichever the other index is."""
    found = []
    for axis, side in enumerate(SIZE):
        base = np.broadcast_to(images(1), (side + 1, *SIZE, 3)).copy()
        for index in range(side):
            # Every value by another amount, in both directions, so that a maximum changes too.
            line = np.moveaxis(base[index + 1], axis, 0)
            line[index] *= np.random.default_rng(index).choice([0.2, 3.0], line[index].shape)
        made = run(model, tap, base)
        changed = (made[1:] != made[:1]).any(axis=-1)
        found.append(changed.any(axis=2 - axis).T)
    return found


@pytest.mark.parametrize("name", EXACT)
def test_an_element_sees_the_pixels_that_change_it(name: str, tmp_path: Path) -> None:
    model = model_of(EXACT[name], tmp_path)
    tap = last(model)
    field = tap.receptive_field
    assert field.status in (EXACTLY, UPPER_BOUND, UNALIGNED), field
    assert field.size is not None
    assert field.stride is not None
    assert field.padding is not None
    if any(node.op_type in ("Sign", "Floor", "Ceil", "Round", "Cast", "IsNaN", "IsInf") for node in EXACT[name].nodes):
        return  # few changes of what it reads show
    for axis, matters in enumerate(seen(model, tap)):
        for index, row in enumerate(matters):
            first = index * field.stride[axis] - field.padding[axis]
            inside = np.flatnonzero(row)
            # Where paths alternate, as in upsampling, the stride is a mean.
            slack = 0 if field.status == EXACTLY and float(field.stride[axis]).is_integer() else field.size[axis]
            reach = max(first, 0), min(first + field.size[axis], SIZE[axis]) - 1
            assert inside.size == 0 or (inside[0] >= reach[0] - slack and inside[-1] <= reach[1] + slack)
            # What lies beyond the image may be all that a dilated kernel reads there.
            cut = first < 0 or first + field.size[axis] > SIZE[axis]
            if slack == 0 and inside.size and not cut:
                assert (inside[0], inside[-1]) == reach


MACS = {
    "a convolution": 10 * 15 * 4 * 27,
    "a convolution with a bias": 12 * 17 * 4 * 27,
    "a convolution of its own groups": 10 * 15 * 6 * 9,
    "a depthwise convolution with two strides": 10 * 8 * 6 * 9,
    "a dilated depthwise convolution": 8 * 13 * 3 * 9,
    "a convolution of groups": 12 * 17 * 6 * 3 + 10 * 15 * 4 * 27,
    "a dilated convolution": 12 * 17 * 4 * 27,
    "the same size over a stride": 6 * 9 * 4 * 27,
    "a transposed convolution": 12 * 17 * 3 * 4 * 9,
    "a transposed convolution of groups": 12 * 17 * 3 * 2 * 9,
    "a dense layer": 612 * 5,
    "a dense layer at each pixel": 12 * 17 * 3 * 5,
    "a sum over channels": 12 * 17 * 3 * 5,
    "attention": 2 * 3 * 3 * 204,
    "a volume": 12 * 17 * 4 * 81,
    "a row": 9 * 4 * 9,
    "pooling": 0,
    "linear": 0,
}


@pytest.mark.parametrize("name", MACS)
def test_multiply_adds_are_counted(name: str, tmp_path: Path) -> None:
    layers, _ = model_of(CASES[name], tmp_path).inventory(SIZE)
    works = [layer.own_work.macs for layer in layers]
    assert sum(works) == MACS[name]


@pytest.mark.parametrize("kind", OPAQUE)
def test_what_is_not_known_is_said_by_name(kind: str, tmp_path: Path) -> None:
    tap = last(model_of(OPAQUE[kind], tmp_path))
    assert (tap.type, tap.work, tap.zeros) == (kind, None, "unknown")
    assert (tap.receptive_field.status, tap.zeros_reason) == (UNKNOWN, f"operation {kind}")
    assert tap.receptive_field.reason == f"what {kind} in {tap.layer} reads is not known"


def test_nothing_behind_an_unknown_operation_is_known_of_the_image_but_its_work_is(tmp_path: Path) -> None:
    taps = model_of(after(OPAQUE["CumSum"], "Conv", draw(4, 3, 3, 3)), tmp_path).inventory(SIZE)[1]
    assert taps[-1].type == "Conv2D"
    assert taps[-1].receptive_field.status == UNKNOWN
    assert taps[-1].work is not None
    assert taps[-1].work.macs == MACS["a convolution"]


@pytest.mark.parametrize("name", ["a mean of all positions", "a dense layer", "a mean of everything", "attention"])
def test_what_reads_all_positions_says_so(name: str, tmp_path: Path) -> None:
    assert last(model_of(DRAWN[name], tmp_path)).receptive_field.status == GLOBAL


ZEROS = {
    "Relu of each value": "by design",
    "Sigmoid of each value": "by chance",
    "a clip to six": "by design",
    "a clip": "by chance",
    "a convolution with a bias": "by chance",
    "padding with zeros": "by design",
    "padding with a number": "by chance",
    "quantised": "by design",
    "ThresholdedRelu of each value": "by design",
    "a learned slope": "by chance",
    "pooling": "by chance",
}


@pytest.mark.parametrize("name", ZEROS)
def test_zeros_are_told_by_what_makes_them(name: str, tmp_path: Path) -> None:
    assert last(model_of(EXACT[name], tmp_path)).zeros == ZEROS[name]


TYPES = {
    "a convolution": "Conv2D",
    "a dilated depthwise convolution": "DepthwiseConv2D",
    "a transposed convolution": "Conv2DTranspose",
    "a dense layer": "Dense",
    "a dense layer at each pixel": "Dense",
    "a batch normalisation": "BatchNormalization",
    "a group normalisation": "GroupNormalization",
    "an instance normalisation": "GroupNormalization",
    "a normalisation over channels": "LayerNormalization",
    "a mean of all positions": "GlobalAveragePooling2D",
    "pooling": "MaxPooling2D",
    "linear": "UpSampling2D",
    "a clip to six": "ReLU",
    "Swish of each value": "SiLU",
    "Gelu of each value": "GELU",
    "Mish of each value": "Mish",
    "HardSwish of each value": "HardSiLU",
    "a learned slope": "PReLU",
    "Relu of each value": "ReLU",
    "joined": "Concatenate",
    "quantised": "DequantizeLinear",
}


@pytest.mark.parametrize("name", TYPES)
def test_a_layer_is_called_what_keras_would_call_it(name: str, tmp_path: Path) -> None:
    assert last(model_of(CASES[name], tmp_path)).type == TYPES[name]


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 16, 18, 21, 23])
def test_a_network_is_the_same_in_every_version(opset: int, tmp_path: Path) -> None:
    case = after(after(of("Conv", draw(4, 3, 3, 3), opset=opset), "Relu"), "MaxPool", kernel_shape=[2, 2])
    case = after(after(case, "BatchNormalization", *[draw(4)] * 4), "GlobalAveragePool")
    layers, taps = model_of(case, tmp_path).inventory(SIZE)
    assert [layer.type for layer in layers] == [
        "Conv2D", "ReLU", "MaxPooling2D", "BatchNormalization", "GlobalAveragePooling2D",
    ]  # fmt: skip
    assert [math.prod(tap.shape) for tap in taps] == [600, 600, 504, 504, 4]
    assert onnx.defs.onnx_opset_version() >= opset
