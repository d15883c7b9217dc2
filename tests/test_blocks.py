"""Parts of a model: told by paths or by maps, adding up, in the order in which the model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traced_facts import application

from fmreport.blocks import LONGEST, OUTSIDE, UNTAPPED, blocks, parts
from fmreport.inventory import inventory_table, summed
from fmreport.records import Layer, Tap, Work


def tap(path: str, order: int, shape: tuple[int, ...]) -> Tap:
    kind = {"activation": "Activation"}.get(path.rpartition("/")[2].partition("_")[0], "Conv2D")
    return Tap(path, path, kind, order, order, shape, "float32", 1, 1, "unknown", "", work=Work(2, 1))


def table(paths: Sequence[str], shapes: Sequence[tuple[int, ...]] = ()) -> pd.DataFrame:
    """An inventory in which every layer owns one parameter and two multiply-adds."""
    taps = [tap(path, i, shapes[i - 1] if shapes else (8, 8, 4)) for i, path in enumerate(paths, 1)]
    return inventory_table(
        [Layer(each.layer, each.type, 1, 1, (each.name,), "", each, 1, 1, Work(2, 1)) for each in taps]
    )


def told(paths: Sequence[str], shapes: Sequence[tuple[int, ...]] = ()) -> list[str]:
    return list(parts(table(paths, shapes)))


def test_paths_are_cut_as_deep_as_leaves_few_parts() -> None:
    units = [f"block{b}/unit{u:02}/{layer}" for b in range(4) for u in range(5) for layer in "abc"]
    assert told(units) == [path.rpartition("/")[0] for path in units]
    many = [f"block{b}/unit{u:02}/{layer}" for b in range(4) for u in range(20) for layer in "abc"]
    assert told(many) == [path.partition("/")[0] for path in many]


def test_names_without_levels_are_cut_at_underscores() -> None:
    assert told(["stem_conv", "stem_bn", "block1_conv", "block1_bn", "block2_conv", "block2_bn"]) == [
        "stem", "stem", "block1", "block1", "block2", "block2",
    ]  # fmt: skip


def test_layers_that_are_numbered_by_class_belong_to_the_part_around_them() -> None:
    paths = [name for b in range(1, 5) for name in (f"block{b}_a", f"conv2d_{b}", f"block{b}_b", f"add_{b}")]
    assert set(told(paths)) == {"block1", "block2", "block3", "block4"}


def test_where_names_tell_nothing_maps_do() -> None:
    paths = [name for b in range(1, 7) for name in (f"conv2d_{b}", f"activation_{b}")]
    shapes = [(8, 8, 4)] * 4 + [(4, 4, 8)] * 4 + [(8, 8, 2)] * 2 + [(5,)] * 2
    expected = ["8 × 8"] * 4 + ["4 × 4"] * 4 + ["8 × 8, 2"] * 2 + ["vectors"] * 2
    assert told(paths, shapes) == expected


def test_what_holds_parts_is_none_itself() -> None:
    paths = ["net/a/conv", "net/a/relu", "net/a", "net/b/conv", "net/b", "net", "head/x/dense", "head/x"]
    assert "net" not in told(paths)


def test_what_stands_outside_of_layers_is_a_part_of_its_own() -> None:
    inventory = table(["a/x", "a/y", "b/x", ""])
    assert list(parts(inventory))[-1] == OUTSIDE


def test_what_is_only_done_outside_of_layers_is_not_lost() -> None:
    rows = [Layer("a/x", "Conv2D", 1, 1, (), "", tap("a/x", 1, (8, 8, 4)), 1, 1, Work(2, 1))]
    rows += [Layer("image", "InputLayer", 0, 0), Layer("", "", 1, 1, own_work=Work(40, 4))]
    inventory = inventory_table(rows)
    assert blocks(inventory)["macs"].sum() == summed(inventory)["macs"] == 42
    assert "image" not in set(blocks(inventory)["block"])


LEVELS = st.sampled_from(["a", "b", "block_1", "block_2", "conv", "conv_1"])


@settings(deadline=None)
@given(st.lists(st.lists(LEVELS, min_size=1, max_size=3).map("/".join), min_size=1, max_size=60, unique=True))
def test_parts_add_up_to_the_model(paths: list[str]) -> None:
    inventory = table(paths)
    found = blocks(inventory)
    assert {name: int(found[name].sum()) for name in summed(inventory)} == summed(inventory)
    assert found["layers"].sum() == len(paths)
    assert list(found["first"]) == sorted(found["first"])
    assert len(found) <= LONGEST


def test_a_part_that_is_not_known_leaves_the_sum_empty() -> None:
    known = Layer("a", "Conv2D", 1, 1, (), "", None, 1, 1, Work(2, 1))
    rows = [known, Layer("b", "While", 0, 0, (), "", None, 0, 0, None)]
    assert summed(inventory_table(rows)) == {"parameters": 1, "trainable_parameters": 1, "macs": None, "products": None}


@pytest.mark.parametrize(("name", "size", "some"), [
    ("ResNet50V2", 224, ["conv2_block1", "conv5_block3"]),
    ("Xception", 299, ["block1", "block14"]),
    ("InceptionV3", 299, ["35 × 35", "8 × 8"]),
])  # fmt: skip
def test_architectures_have_the_parts_that_their_names_tell(name: str, size: int, some: list[str]) -> None:
    found = blocks(inventory_table(application(name, size)[0]))
    assert set(some) <= set(found["block"])
    assert len(found) <= LONGEST
    assert np.isfinite(found["macs"].to_numpy(np.float64)).all()


def test_a_part_of_one_layer_has_its_whole_name_and_a_stem_is_one_part() -> None:
    paths = ["conv1_pad", "conv1_conv", "conv1_bn"]
    paths += [f"conv{stage}_block{b}_{layer}" for stage in (2, 3) for b in (1, 2) for layer in "abcd"]
    expected = ["conv1"] * 3 + [f"conv{stage}_block{b}" for stage in (2, 3) for b in (1, 2) for _ in "abcd"]
    assert told([*paths, "avg_pool", "conv2d_3"]) == [*expected, "avg_pool", "avg_pool"]


def test_vectors_without_a_name_belong_to_the_part_that_reads_them() -> None:
    paths = ["a_x", "a_y", "a_z", "conv2d", "b_x", "b_y", "b_z"]
    shapes: list[tuple[int, ...]] = [(8, 8, 4)] * 3 + [(256,)] + [(5,)] * 3
    assert told(paths, shapes) == ["a"] * 3 + ["b"] * 4
    assert told(paths, [(8, 8, 4)] * 7) == ["a"] * 4 + ["b"] * 3


def test_a_part_shows_the_largest_of_what_it_hands_on() -> None:
    shapes = {"a/wide": (8, 8, 9), "a/out": (8, 8, 4), "a/pooled": (4, 4, 4), "b/in": (4, 4, 2), "b/out": (3,)}
    reads = {"a/wide": ("a/out",), "a/out": ("a/pooled", "b/out"), "a/pooled": ("b/in",), "b/in": ("b/out",)}
    taps = [replace(tap(p, i, shapes[p]), read_by=reads.get(p, ())) for i, p in enumerate(shapes, 1)]
    rows = [Layer(each.layer, each.type, 1, 1, (each.name,), "", each, 1, 1, Work(2, 1)) for each in taps]
    found = blocks(inventory_table(rows)).set_index("block")["shape"]
    assert dict(found) == {"a": "8 x 8 x 4", "b": "3"}


def test_a_layer_without_a_tap_is_no_map_of_a_size() -> None:
    taps = [tap(f"conv2d_{i}", i, (8, 8, 4)) for i in range(1, 5)]
    rows = [Layer(each.layer, each.type, 1, 1, (each.name,), "", each, 1, 1, Work(2, 1)) for each in taps]
    rows += [Layer("image", "InputLayer", 0, 0, (), "an input"), Layer("loop", "RNN", 7, 7, (), "in a loop", None, 7)]
    found = blocks(inventory_table(rows))
    assert list(found["block"]) == ["8 × 8", UNTAPPED]
    assert list(found["layers"]) == [4, 2]


def test_whole_numbers_stay_whole_beside_one_that_is_not_known() -> None:
    known = Layer("a/x", "Conv2D", 1, 1, ("a/x",), "", tap("a/x", 1, (8, 8, 4)), 1, 1, Work(2, 1))
    stopped = Layer("b/x", "While", 0, 0, ("b/x",), "", tap("b/x", 2, (8, 8, 4)), 0, 0, None)
    assert "2," in blocks(inventory_table([known, stopped])).to_csv(index=False)
    assert ".0" not in blocks(inventory_table([known, stopped])).to_csv(index=False)


def test_an_input_is_no_layer_of_the_last_part() -> None:
    taps = [tap(path, i, (8, 8, 4)) for i, path in enumerate(["a_x", "a_y", "b_x", "b_y"], 1)]
    rows = [Layer(each.layer, each.type, 1, 1, (each.name,), "", each, 1, 1, Work(2, 1)) for each in taps]
    rows += [Layer("input_layer", "InputLayer", 0, 0, (), "an input")]
    found = blocks(inventory_table(rows))
    assert dict(zip(found["block"], found["layers"], strict=True)) == {"a": 2, "b": 2}
