"""Every operation of ONNX that is drawn, in the ways in which it is used: small graphs by what is special in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx_models import FLOAT, IMAGE, draw, node, onnx


@dataclass(frozen=True)
class Case:
    """A graph of an image `(n, 3, 12, 17)`."""

    nodes: Sequence[Any]
    held: Mapping[str, np.ndarray] = field(default_factory=dict)
    opset: int = 20


def of(kind: str, *held: Any, opset: int = 20, **attributes: Any) -> Case:
    """One operation on the image, beside what it reads; None for an input that is left out."""
    names = [IMAGE, *("" if value is None else f"held{i}" for i, value in enumerate(held))]
    values = {f"held{i}": np.asarray(value) for i, value in enumerate(held) if value is not None}
    return Case([node(kind, names, "y", **attributes)], values, opset)


def after(case: Case, kind: str, *held: Any, **attributes: Any) -> Case:
    """Another operation behind."""
    names = [f"more{len(case.nodes)}_{i}" for i in range(len(held))]
    last = case.nodes[-1].output[0]
    more = node(kind, [last, *names], f"{last}_", **attributes)
    return Case([*case.nodes, more], {**case.held, **dict(zip(names, map(np.asarray, held), strict=True))}, case.opset)


def several(kind: str, count: int, **attributes: Any) -> Case:
    """Of the image so many times, each another one."""
    parts = [node("Mul", [IMAGE, f"factor{i}"], f"part{i}") for i in range(count)]
    held = {f"factor{i}": np.float32(i + 1) for i in range(count)}
    return Case([*parts, node(kind, [f"part{i}" for i in range(count)], "y", **attributes)], held)


def parted(opset: int, *held: Any, parts: int = 2, **attributes: Any) -> Case:
    """A split along width, of which the last part is handed on."""
    names = [f"held{i}" for i in range(len(held))]
    split = node("Split", [IMAGE, *names], [f"part{i}" for i in range(parts)], axis=3, **attributes)
    return Case(
        [split, node("Relu", [f"part{parts - 1}"], "y")], dict(zip(names, map(np.asarray, held), strict=True)), opset
    )


def as_floats(case: Case) -> Case:
    """What compares or counts, as numbers that are tapped."""
    return after(case, "Cast", to=FLOAT)


INT = np.int64

EXACT: dict[str, Case] = {
    "a convolution": of("Conv", draw(4, 3, 3, 3)),
    "a convolution with a bias": of("Conv", draw(4, 3, 3, 3), draw(4), pads=[1, 1, 1, 1]),
    "a convolution of its own groups": of("Conv", draw(6, 1, 3, 3), group=3),
    "a depthwise convolution with two strides": of("Conv", draw(6, 1, 3, 3), group=3, strides=[1, 2]),
    "a dilated depthwise convolution": of("Conv", draw(3, 1, 3, 3), group=3, dilations=[2, 2]),
    "a convolution of groups": after(of("Conv", draw(6, 3, 1, 1)), "Conv", draw(4, 3, 3, 3), group=2),
    "a dilated convolution": of("Conv", draw(4, 3, 3, 3), dilations=[2, 3], pads=[2, 3, 2, 3]),
    "a convolution padded on one side": of("Conv", draw(4, 3, 2, 3), pads=[1, 0, 0, 2]),
    "a stride": of("Conv", draw(4, 3, 3, 3), strides=[2, 3]),
    "the same size, more behind": of("Conv", draw(4, 3, 4, 4), auto_pad="SAME_UPPER"),
    "the same size, more before": of("Conv", draw(4, 3, 4, 4), auto_pad="SAME_LOWER"),
    "the same size over a stride": of("Conv", draw(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
    "no padding by name": of("Conv", draw(4, 3, 3, 3), auto_pad="VALID"),
    "a transposed convolution": of("ConvTranspose", draw(3, 4, 3, 3), strides=[2, 2]),
    "a transposed convolution with a bias": of("ConvTranspose", draw(3, 4, 4, 4), draw(4), strides=[2, 2]),
    "a transposed convolution, cut": of("ConvTranspose", draw(3, 4, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
    "a transposed convolution, cut on one side": of("ConvTranspose", draw(3, 4, 4, 4), pads=[1, 0, 2, 3]),
    "a transposed convolution of groups": of("ConvTranspose", draw(3, 2, 3, 3), strides=[2, 2], group=3),
    "a dilated transposed convolution": of("ConvTranspose", draw(3, 4, 3, 3), dilations=[2, 2]),
    "a transposed convolution to the same size": of("ConvTranspose", draw(3, 4, 3, 3), auto_pad="SAME_UPPER"),
    "a transposed convolution to twice the size": of(
        "ConvTranspose", draw(3, 4, 3, 3), auto_pad="SAME_LOWER", strides=[2, 2]
    ),
    "pooling": of("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "pooling with padding": of("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "pooling to the same size": of("MaxPool", kernel_shape=[3, 2], auto_pad="SAME_LOWER"),
    "pooling up to the edge": of("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "a mean over neighbours": of("AveragePool", kernel_shape=[3, 2], strides=[2, 1]),
    "a mean up to the edge": of("AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "padding with zeros": of("Pad", np.array([0, 0, 1, 2, 0, 0, 3, 0], INT)),
    "padding with a number": of("Pad", np.array([0, 0, 1, 2, 0, 0, 3, 0], INT), np.float32(2)),
    "padding as an attribute": of("Pad", opset=10, pads=[0, 0, 1, 2, 0, 0, 3, 0], value=1.5),
    "padding of some axes": of("Pad", np.array([1, 2, 3, 4], INT), None, np.array([2, 3], INT)),
    "cutting by padding": of("Pad", np.array([0, 0, -1, 2, 0, 0, -3, 0], INT)),
    "nearest": of("Resize", None, np.array([1, 1, 2, 2], np.float32), mode="nearest"),
    "nearest by size": of("Resize", None, None, np.array([24, 51], INT), mode="nearest", axes=[2, 3]),
    "nearest, rounded down from the corner": of(
        "Resize", None, np.array([1, 1, 2.5, 3], np.float32), coordinate_transformation_mode="asymmetric",
        nearest_mode="floor", mode="nearest",
    ),
    "nearest between corners": of(
        "Resize", None, None, np.array([23, 33], INT), axes=[2, 3], coordinate_transformation_mode="align_corners",
        nearest_mode="round_prefer_ceil", mode="nearest",
    ),
    "upsampling, as it once was": of("Upsample", np.array([1, 1, 2, 2], np.float32), opset=9, mode="nearest"),
    "upsampling by an attribute": of("Upsample", opset=7, scales=[1.0, 1.0, 2.0, 2.0], mode="nearest"),
    "resizing of version 10": of("Resize", np.array([1, 1, 2, 2], np.float32), opset=10, mode="nearest"),
    "linear": of("Resize", None, np.array([1, 1, 2, 2], np.float32), mode="linear"),
    "linear as PyTorch does it": of(
        "Resize", None, np.array([1, 1, 2, 2], np.float32), mode="linear",
        coordinate_transformation_mode="pytorch_half_pixel",
    ),
    "linear between corners": of(
        "Resize", None, None, np.array([23, 33], INT), mode="linear", axes=[2, 3],
        coordinate_transformation_mode="align_corners",
    ),
    "linear from the corner": of(
        "Resize", None, np.array([1, 1, 2, 2], np.float32), mode="linear", coordinate_transformation_mode="asymmetric"
    ),
    "cubic": of("Resize", None, np.array([1, 1, 2, 2], np.float32), mode="cubic"),
    "resizing of two axes": of(
        "Resize", None, np.array([2, 2], np.float32), mode="nearest", axes=[2, 3], opset=18
    ),
    "a cut": of("Slice", np.array([1, 2], INT), np.array([-1, 2**62], INT), np.array([2, 3], INT)),
    "a cut with a stride": of(
        "Slice", np.array([1, 0], INT), np.array([12, 17], INT), np.array([2, -1], INT), np.array([2, 3], INT)
    ),
    "a cut by attributes": of("Slice", opset=9, starts=[1, 2], ends=[-1, 1000], axes=[2, 3]),
    "a split into equal parts": parted(20, num_outputs=2),
    "a split of version 13": parted(13, np.array([8, 9], INT)),
    "a split by an attribute": parted(11, split=[8, 9]),
    "channels to pixels": after(of("Conv", draw(8, 3, 1, 1)), "DepthToSpace", blocksize=2),
    "channels to pixels, column by column": after(
        of("Conv", draw(8, 3, 1, 1)), "DepthToSpace", blocksize=2, mode="CRD"
    ),
    "channels last": of("Transpose", perm=[0, 2, 3, 1]),
    "channels last and back": after(of("Transpose", perm=[0, 2, 3, 1]), "Transpose", perm=[0, 3, 1, 2]),
    "a batch normalisation": of("BatchNormalization", draw(3), draw(3), draw(3), draw(3)),
    "a batch normalisation of version 7": of("BatchNormalization", draw(3), draw(3), draw(3), draw(3), opset=7),
    "a normalisation by neighbouring channels": of("LRN", size=3),
    "a normalisation over channels": after(
        of("Transpose", perm=[0, 2, 3, 1]), "LayerNormalization", draw(3), draw(3), axis=-1
    ),
    "a normalisation over channels by their size": Case(
        [*of("Transpose", perm=[0, 2, 3, 1]).nodes, node("RMSNormalization", ["y", "s"], "z")], {"s": draw(3)}, 23
    ),
    "a dense layer at each pixel": after(of("Transpose", perm=[0, 2, 3, 1]), "MatMul", draw(3, 5)),
    "a sum over channels": after(of("Transpose", perm=[0, 2, 3, 1]), "Einsum", draw(3, 5), equation="nhwc, cd -> nhwd"),
    "a softmax over channels": of("Softmax", axis=1),
    "a softmax of the logarithm": of("LogSoftmax", axis=1),
    "a clip to six": of("Clip", np.float32(0), np.float32(6)),
    "a clip by attributes": of("Clip", opset=10, min=0.0, max=6.0),
    "a clip below": of("Clip", np.float32(-1)),
    "a clip above": of("Clip", None, np.float32(1)),
    "a clip at zero": of("Clip", np.float32(0)),
    "a clip": of("Clip", np.float32(-1), np.float32(1)),
    "no clip": of("Clip"),
    "a learned slope": of("PRelu", draw(3, 1, 1)),
    "a mean of channels": of("ReduceMean", np.array([1], INT)),
    "a mean of channels by an attribute": of("ReduceMean", opset=13, axes=[1]),
    "a sum of channels": of("ReduceSum", np.array([1], INT), opset=13),
    "a sum of channels by an attribute": of("ReduceSum", opset=11, axes=[1]),
    "nothing summed": of("ReduceSum", np.array([], INT), noop_with_empty_axes=1),
    "the largest channel": of("ReduceMax", np.array([1], INT)),
    "the smallest channel": of("ReduceMin", opset=13, axes=[-3]),
    "a product of channels": of("ReduceProd", np.array([1], INT)),
    "a sum of sizes of channels": of("ReduceL1", np.array([1], INT)),
    "a length of channels": of("ReduceL2", np.array([1], INT)),
    "a sum of squares of channels": of("ReduceSumSquare", np.array([1], INT)),
    "joined": several("Concat", 2, axis=1),
    "chosen channels": of("Gather", np.array([2, 0], INT), axis=1),
    "repeated channels": of("Tile", np.array([1, 2, 1, 1], INT)),
    "the same shape": of("Reshape", np.array([0, 3, 12, -1], INT)),
    "spread": of("Expand", np.array([1, 3, 12, 17], INT)),
    "a sum of several": several("Sum", 3),
    "the largest of several": several("Max", 3),
    "the smallest of several": several("Min", 2),
    "the mean of several": several("Mean", 3),
    "quantised": after(
        of("QuantizeLinear", np.float32(0.1), np.uint8(0)), "DequantizeLinear", np.float32(0.1), np.uint8(0)
    ),
    "quantised by channel": after(
        of("QuantizeLinear", draw(3) / 10, np.zeros(3, np.int8), axis=1), "DequantizeLinear", draw(3) / 10,
        np.zeros(3, np.int8), axis=1,
    ),
    "to whole numbers and back": as_floats(of("Cast", to=onnx.TensorProto.INT32)),
    "chosen by sign": Case(
        [node("Greater", [IMAGE, "one"], "c"), node("Where", ["c", IMAGE, "one"], "y")], {"one": np.float32(1)}
    ),
    **{
        f"{kind} of each value": as_floats(of(kind)) if kind in ("IsNaN", "IsInf") else of(kind)
        for kind in (
            "Relu", "LeakyRelu", "ThresholdedRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Softplus",
            "Softsign", "Tanh", "Gelu", "Mish", "Exp", "Log", "Sqrt", "Reciprocal", "Erf", "Abs", "Neg", "Sign",
            "Floor", "Ceil", "Round", "Sin", "Cos", "Sinh", "Cosh", "Atan", "IsNaN", "IsInf",
        )
    },
    "Swish of each value": of("Swish", opset=24),
    **{
        f"{kind} with a number": as_floats(of(kind, np.float32(0.7))) if kind[0] in "EGL" else of(kind, np.float32(0.7))
        for kind in (
            "Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
        )
    },
    "the remainder": of("Mod", np.float32(0.7), fmod=1),
    **{
        f"{kind} of comparisons": Case(
            [
                node("Greater", [IMAGE, "low"], "a"), node("Less", [IMAGE, "high"], "b"),
                node(kind, ["a", "b"], "c"), node("Cast", ["c"], "y", to=FLOAT),
            ],
            {"low": np.float32(0.7), "high": np.float32(1.2)},
        )
        for kind in ("And", "Or")
    },
    "a comparison, turned round": Case(
        [node("Greater", [IMAGE, "low"], "a"), node("Not", ["a"], "b"), node("Cast", ["b"], "y", to=FLOAT)],
        {"low": np.float32(0.7)},
    ),
    "handed on": after(of("Identity"), "Relu"),
    "dropped out of training": after(of("Dropout"), "Relu"),
}  # fmt: skip
"""What is drawn and seen exactly; every element is looked at."""
DRAWN: dict[str, Case] = {
    "an axis more and less": after(of("Unsqueeze", np.array([1], INT)), "Squeeze", np.array([1], INT)),
    "an axis more and less by attributes": after(of("Unsqueeze", opset=11, axes=[1]), "Squeeze", axes=[1]),
    "a mean over neighbours with padding": of("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "a mean over neighbours to the same size": of("AveragePool", kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
    "padding with neighbours": of("Pad", np.array([0, 0, 1, 2, 0, 0, 3, 0], INT), mode="edge"),
    "padding with a mirror": of("Pad", np.array([0, 0, 1, 2, 0, 0, 3, 0], INT), mode="reflect"),
    "pixels to channels": after(
        of("Slice", np.array([0], INT), np.array([16], INT), np.array([3], INT)), "SpaceToDepth", blocksize=2
    ),
    "turned round": of("Slice", np.array([-1], INT), np.array([-1000], INT), np.array([3], INT), np.array([-1], INT)),
    "a mean of all positions": of("GlobalAveragePool"),
    "the largest of all positions": of("GlobalMaxPool"),
    "a mean of everything": of("ReduceMean", np.array([1, 2, 3], INT)),
    "a group normalisation": after(
        of("Conv", draw(4, 3, 1, 1), opset=21), "GroupNormalization", draw(4), draw(4), num_groups=2
    ),
    "a group normalisation of version 18": after(
        of("Conv", draw(4, 3, 1, 1), opset=18), "GroupNormalization", draw(2), draw(2), num_groups=2
    ),
    "an instance normalisation": of("InstanceNormalization", draw(3), draw(3)),
    "a layer normalisation of everything": of("LayerNormalization", draw(3, 12, 17), axis=1),
    "flattened": of("Flatten"),
    "a dense layer": after(of("Flatten"), "Gemm", draw(5, 612), draw(5), transB=1),
    "a dense layer of version 9": after(of("Flatten", opset=9), "Gemm", draw(612, 5), draw(1, 5)),
    "attention": Case(
        [
            node("Reshape", [IMAGE, "shape"], "t"), node("Transpose", ["t"], "k", perm=[0, 2, 1]),
            node("MatMul", ["t", "k"], "a"), node("Softmax", ["a"], "s", axis=-1), node("MatMul", ["s", "t"], "y"),
        ],
        {"shape": np.array([0, 3, -1], INT)},
    ),
    "a softmax over all that follows": of("Softmax", opset=11),
    "one row": of("Gather", np.array(3, INT), axis=2),
    "a volume": Case(
        [node("Unsqueeze", [IMAGE, "axis"], "v"), node("Conv", ["v", "kernel"], "y", pads=[1] * 6)],
        {"axis": np.array([2], INT), "kernel": draw(4, 3, 3, 3, 3)},
    ),
    "pooling of a volume": Case(
        [
            node("Unsqueeze", [IMAGE, "axis"], "v"),
            node("MaxPool", ["v"], "m", kernel_shape=[1, 2, 2], strides=[1, 2, 2]),
            node("AveragePool", ["m"], "y", kernel_shape=[1, 2, 2], strides=[1, 2, 2]),
        ],
        {"axis": np.array([2], INT)},
    ),
    "a row": Case(
        [
            node("ReduceMean", [IMAGE, "axis"], "r", keepdims=0),
            node("Conv", ["r", "kernel", "bias"], "c", strides=[2], pads=[1, 1]),
            node("BatchNormalization", ["c", "one", "one", "one", "one"], "b"),
            node("MaxPool", ["b"], "y", kernel_shape=[2]),
        ],
        {"axis": np.array([2], INT), "kernel": draw(4, 3, 3), "bias": draw(4), "one": draw(4)},
    ),
}  # fmt: skip
"""What is drawn, and not all of whose elements see the same around them."""
OPAQUE: dict[str, Case] = {
    "TopK": Case([node("TopK", [IMAGE, "k"], ["y", "i"], axis=1)], {"k": np.array([2], INT)}),
    "MaxPool": of("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]),
    "Resize": of(
        "Resize", np.array([0.1, 0.1, 0.9, 0.9], np.float32), None, np.array([12, 17], INT), axes=[2, 3],
        mode="linear", coordinate_transformation_mode="tf_crop_and_resize",
    ),
    "CumSum": of("CumSum", np.array(2, INT)),
}  # fmt: skip
"""What is not known here, by its operation."""
