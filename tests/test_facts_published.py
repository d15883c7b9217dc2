"""Receptive fields, multiply-adds and parameters against published numbers.

Receptive fields: Araujo, Norris and Sim 2019, doi 10.23915/distill.00021, whose models are those of TF-Slim; by stage,
and for BiT and Keras, computed by hand from the architectures. Multiply-adds and activations: timm, which counts with
fvcore, normalisations included. Where ours differ, the reason stands beside the number.
"""

from __future__ import annotations

import keras
import pytest
from traced_facts import application, facts

from fmreport.records import EXACT, Layer, Tap


def read(tap: Tap) -> tuple[int, float, int]:
    """Size, stride and padding of an exact receptive field, which are the same along both axes."""
    field = tap.receptive_field
    assert field.status == EXACT
    assert field.size
    assert field.stride
    assert field.padding
    assert field.union == field.size
    assert len(set(field.size)) == len(set(field.stride)) == len(set(field.padding)) == 1
    return field.size[0], field.stride[0], field.padding[0]


FIELDS = [
    ("VGG16", 224, "block5_pool", (212, 32, 90), ""),
    ("InceptionV3", 299, "mixed10", (1311, 32, 618), ""),
    ("InceptionV3", 299, "conv2d_85", (1183, 32, 554), ""),
    ("InceptionResNetV2", 299, "conv_7b_ac", (3039, 32, 1482), ""),
    ("MobileNet", 224, "conv_pw_13_relu", (315, 32, 126), ""),
    ("ResNet50V2", 224, "conv2_block3_out", (35, 8, 17), ""),
    ("ResNet50V2", 224, "conv3_block4_out", (99, 16, 49), ""),
    ("ResNet50V2", 224, "conv4_block6_out", (291, 32, 145), ""),
    ("ResNet50V2", 224, "post_relu", (483, 32, 241), "published padding 239: Slim pools after 0, Keras after 1"),
    ("ResNet101V2", 224, "post_relu", (1027, 32, 513), "published padding 511, as for 50"),
    ("ResNet152V2", 224, "post_relu", (1507, 32, 753), "published padding 751, as for 50"),
    ("ResNet50", 224, "conv2_block3_out", (35, 4, 17), ""),
    ("ResNet50", 224, "conv3_block4_out", (99, 8, 49), ""),
    ("ResNet50", 224, "conv4_block6_out", (291, 16, 145), ""),
    ("ResNet50", 224, "conv5_block3_out", (483, 32, 241), "published padding 239, as for V2"),
    ("ResNet101", 224, "conv5_block3_out", (1027, 32, 513), "published padding 511, as for V2"),
    ("ResNet152", 224, "conv5_block3_out", (1507, 32, 753), "published padding 751, as for V2"),
]


@pytest.mark.parametrize(("name", "size", "layer", "expected", "why"), FIELDS)
def test_receptive_fields_are_the_published_ones(
    name: str, size: int, layer: str, expected: tuple[int, int, int], why: str
) -> None:
    found = application(name, size)[1]
    # Keras numbers layers without a name through all models of a process.
    tap = found[layer] if layer in found else _nth(found, layer)
    assert read(tap) == expected, why


def _nth(taps: dict[str, Tap], layer: str) -> Tap:
    """`conv2d_85` is the convolution that was made 86th, which is the one of that number after the smallest."""
    kind, _, number = layer.rpartition("_")
    names = sorted((name for name in taps if name == kind or name.startswith(f"{kind}_")), key=_number)
    return taps[names[int(number)]]


def _number(name: str) -> int:
    tail = name.rpartition("_")[2]
    return int(tail) if tail.isdigit() else 0


BIT = [
    (
        "R50x1",
        (("block1/unit03", 35, 4), ("block2/unit04", 91, 8), ("block3/unit06", 267, 16), ("block4/unit03", 427, 32)),
    ),
    ("R101x1", (("block4/unit03", 971, 32),)),
    ("R152x2", (("block4/unit03", 1451, 32),)),
]


@pytest.mark.parametrize(("variant", "stages"), BIT)
def test_bit_sees_less_than_resnet_as_its_strides_stand_elsewhere(
    variant: str, stages: tuple[tuple[str, int, int], ...]
) -> None:
    taps = facts({"kind": "bit", "variant": variant}, 64)[1]
    for name, size, stride in stages:
        assert read(taps[name])[:2] == (size, stride)
        assert taps[name].receptive_field.normalised == "block1/unit01/a/group_norm"


def work(layers: tuple[Layer, ...]) -> tuple[int, int]:
    known = [layer.own_work for layer in layers if layer.own_work is not None]
    assert len(known) == len(layers)
    return sum(each.macs for each in known), sum(each.products for each in known)


WORK = [
    ("VGG16", 15_470_264_320, 13_556_712, (15.47, 13.56), ""),
    ("DenseNet121", 2_834_161_664, 6_900_200, (2.87, 6.90), "timm adds two or five for each number that is normalised"),
    ("MobileNetV2", 300_774_272, 6_679_112, (0.31, 6.68), "timm adds two or five for each number that is normalised"),
    (
        "EfficientNetB0",
        385_814_752,
        6_748_036,
        (0.40, 6.75),
        "timm adds two or five for each number that is normalised",
    ),
    (
        "ConvNeXtTiny",
        4_455_531_264,
        13_435_624,
        (4.47, 13.44),
        "timm adds two or five for each number that is normalised",
    ),
    (
        "ResNet50",
        3_857_973_248,
        10_588_136,
        (4.11, 11.11),
        "Keras has the stride in the 1x1 convolution, timm in the 3x3",
    ),
    ("ResNet101", 7_570_194_432, 15_706_088, (7.83, 16.23), "as for 50"),
]


@pytest.mark.parametrize(("name", "macs", "products", "published", "why"), WORK)
def test_multiply_adds_are_the_published_ones(
    name: str, macs: int, products: int, published: tuple[float, float], why: str
) -> None:
    assert work(application(name, 224)[0]) == (macs, products)
    giga, mega = published
    ours = (round(macs / 1e9, 2), round(products / 1e6, 2))
    assert (ours == (giga, mega)) is (why == ""), why
    # Without normalisations, and with earlier strides, there is less to do, by a few percent.
    assert 0.93 * giga < macs / 1e9 < 1.005 * giga
    assert 0.95 * mega < products / 1e6 < 1.005 * mega


def test_multiply_adds_of_bit_with_a_head_are_those_of_resnet_with_the_stride_in_the_3x3() -> None:
    layers = facts({"kind": "bit", "variant": "R50x1", "classes": 1000}, 224)[0]
    macs, products = work(layers)
    assert products == 11_114_984
    assert round(macs / 1e9, 3) == 4.089
    assert sum(layer.own_parameters for layer in layers) == 25_549_352


PARAMETERS = {
    "Xception": 22_910_480,
    "VGG16": 138_357_544,
    "ResNet50": 25_636_712,
    "ResNet50V2": 25_613_800,
    "ResNet101V2": 44_675_560,
    "InceptionV3": 23_851_784,
    "InceptionResNetV2": 55_873_736,
    "MobileNet": 4_253_864,
    "MobileNetV2": 3_538_984,
    "DenseNet121": 8_062_504,
    "DenseNet201": 20_242_984,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_all_layers_add_up_to_the_published_number(name: str) -> None:
    size = 299 if name.startswith(("X", "Inc")) else 224
    layers = application(name, size)[0]
    assert sum(layer.own_parameters for layer in layers) == PARAMETERS[name]


def test_every_convolution_of_sd_unet_has_a_receptive_field_or_a_reason() -> None:
    layers, taps = facts({"kind": "keras", "path": "builtin:sd_unet_pets_w8"}, 160)
    fields = [tap.receptive_field for tap in taps.values() if tap.type == "Conv2D"]
    assert len(fields) == 51
    assert all(field.size is not None or field.reason for field in fields)
    assert taps["encoder/sa1/main1/conv"].receptive_field.size == (3, 3)
    assert taps["daspp/rate18/conv"].receptive_field.status == EXACT
    assert taps["daspp/pooled/conv"].receptive_field.reason.startswith("Mean in daspp/pool reads all positions")
    assert taps["decoder/sa4/main2/conv"].receptive_field.status == "global"
    model = keras.models.load_model(_builtin())
    assert sum(layer.own_parameters for layer in layers) == model.count_params()
    trainable = sum(int(keras.ops.size(each)) for each in model.trainable_weights)
    assert sum(layer.own_trainable_parameters for layer in layers) == trainable


def _builtin() -> str:
    from importlib import resources

    return str(resources.files("fmreport.zoo") / "weights" / "sd_unet_pets_w8.keras")
