"""Laws of the alignment of two models."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_models import Told, chain, run

from fmreport.compare.align import BOTH, MOVED, RENAMED, SAME, Alignment, align
from fmreport.compare.items import family


def hows(found: Alignment) -> dict[tuple[str, str], str]:
    """Every pair that is not simply one path, with how it was made."""
    return {(pair.a, pair.b): pair.how for pair in found.pairs if pair.how != SAME}


@pytest.mark.parametrize("count", [1, 2, 13, 40])
def test_a_model_is_aligned_with_itself_path_by_path(count: int) -> None:
    model = run(chain(count))
    found = align(model, model)
    assert [(pair.a, pair.b, pair.how) for pair in found.pairs] == [(name, name, SAME) for name in model.layers["tap"]]
    assert (found.added, found.removed) == ((), ())
    assert {pair.likeness for pair in found.pairs} == {1.0}


@given(st.data())
def test_layers_that_are_renamed_are_found_whatever_is_added_and_removed_beside_them(data: st.DataObject) -> None:
    before = chain(24)
    what = data.draw(st.lists(st.sampled_from(["keep"] * 4 + ["rename", "remove", "add"]), min_size=24, max_size=24))
    after, renamed, removed, added = [], {}, set(), set()
    for i, (layer, fate) in enumerate(zip(before, what, strict=True)):
        if fate == "remove":
            removed.add(layer.name)
            continue
        if fate == "add":
            after.append(replace(layer, name=f"new{i}", seed=500 + i))
            added.add(f"new{i}")
        if fate == "rename":
            renamed[layer.name] = f"other{i}"
        after.append(layer.called(f"other{i}") if fate == "rename" else layer)
    found = align(run(before), run(after))
    if any(fate == "keep" for fate in what[:12]) and after:
        assert (set(found.removed), set(found.added)) == (removed, added)
        assert hows(found) == dict.fromkeys(renamed.items(), RENAMED)


@given(st.randoms(use_true_random=False))
def test_the_mirror_of_an_alignment_is_the_alignment_of_the_mirror(chance: random.Random) -> None:
    sides = []
    for _ in range(2):
        names = chance.sample(["conv2d", "conv2d_1", "conv2d_2", "a", "b/c", "b/d", "e", "f"], chance.randint(1, 8))
        kinds = [chance.choice(["Conv2D", "ReLU", "Dense"]) for _ in names]
        sides.append(run([Told(name, chance.randint(0, 4), kind) for name, kind in zip(names, kinds, strict=True)]))
    there, back = align(*sides), align(*sides[::-1])
    assert {(p.a, p.b, p.how, p.evidence, p.likeness) for p in there.pairs} == {
        (p.b, p.a, p.how, p.evidence, p.likeness) for p in back.pairs
    }
    assert (there.added, there.removed) == (back.removed, back.added)


def test_every_tap_of_both_sides_is_told_once() -> None:
    before, after = chain(30), [layer.called(f"x{i}") if i % 3 else layer for i, layer in enumerate(chain(34)[4:])]
    found = align(run(before), run(after))
    assert sorted([*(pair.a for pair in found.pairs), *found.removed]) == sorted(layer.name for layer in before)
    assert sorted([*(pair.b for pair in found.pairs), *found.added]) == sorted(layer.name for layer in after)


def test_what_takes_the_place_of_another_of_its_type_and_shape_is_not_that_one() -> None:
    before = chain(12)
    after = [layer.called("new").trained_anew() if i == 6 else layer for i, layer in enumerate(before)]
    found = align(run(before), run(after))
    assert (found.removed, found.added) == ((before[6].name,), ("new",))


def test_where_everything_was_trained_anew_order_type_and_shape_pair_what_was_renamed() -> None:
    before = chain(20)
    after = [layer.trained_anew() for layer in before]
    after[7], after[8] = after[7].called("x"), after[8].called("y")
    found = align(run(before), run(after))
    assert hows(found) == {(before[7].name, "x"): RENAMED, (before[8].name, "y"): RENAMED}
    assert all("the place in the order" in pair.evidence for pair in found.pairs if pair.how == RENAMED)


def test_where_every_path_is_another_the_whole_model_is_found_again() -> None:
    before = chain(30)
    after = [layer.called(f"net.{i}.{layer.type.lower()}") for i, layer in enumerate(before)]
    after.insert(11, Told("extra", 999, channels=after[11].channels))
    found = align(run(before), run(after))
    assert len(found.pairs) == 30
    assert (found.added, found.removed) == (("extra",), ())


def test_numbers_that_a_framework_gave_are_no_names() -> None:
    before = [Told("conv2d" + (f"_{i}" if i else ""), i) for i in range(10)]
    new = Told("conv2d_4", 100)
    after = [*before[:4], new, *(layer.called(f"conv2d_{i}") for i, layer in enumerate(before[4:], 5))]
    found = align(run(before), run(after))
    assert found.added == ("conv2d_4",)
    assert [(pair.a, pair.b) for pair in found.pairs][3:6] == [
        ("conv2d_3", "conv2d_3"),
        ("conv2d_4", "conv2d_5"),
        ("conv2d_5", "conv2d_6"),
    ]


def test_a_layer_that_reads_what_read_it_has_moved() -> None:
    before = chain(12)
    after = [*before[:3], *before[4:9], before[3], *before[9:]]
    assert hows(align(run(before), run(after))) == {(before[3].name, before[3].name): MOVED}
    after[8] = after[8].called("elsewhere")
    assert hows(align(run(before), run(after))) == {(before[3].name, "elsewhere"): BOTH}


def test_branches_side_by_side_change_places_without_moving() -> None:
    stem = Told("stem", 0)
    left = [Told(f"left{i}", 10 + i, reads=(f"left{i - 1}" if i else "stem",)) for i in range(3)]
    right = [Told(f"right{i}", 20 + i, reads=(f"right{i - 1}" if i else "stem",)) for i in range(3)]
    renamed = [right[0].called("other"), replace(right[1], reads=("other",)), right[2]]
    found = align(run([stem, *left, *right]), run([stem, *renamed, *left]))
    assert hows(found) == {("right0", "other"): RENAMED}


def test_the_same_path_with_nothing_else_alike_is_another_layer() -> None:
    before, after = chain(6), chain(6)
    after[5] = Told(after[5].name, 900, "Dense", channels=3)
    found = align(run(before), run(after))
    assert found.added == found.removed == (before[5].name,)


def test_a_wider_layer_and_another_activation_are_still_the_layers_of_their_path() -> None:
    before, after = chain(8), chain(8)
    after[2], after[3] = replace(after[2], channels=9), replace(after[3], type="GELU")
    found = align(run(before), run(after))
    assert hows(found) == {}
    assert ["another" in pair.evidence for pair in found.pairs] == [
        False,
        False,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Conv2D", "Conv2d", True),
        ("ReLU", "Relu", True),
        ("ReLU", "GELU", True),
        ("Activation", "LeakyReLU", True),
        ("MaxPooling2D", "AveragePooling2D", False),
        ("Conv2D", "StandardizedConv2D", True),
        ("Conv2D", "DepthwiseConv2D", False),
        ("Conv2D", "SeparableConv2D", False),
        ("Conv2D", "Conv2DTranspose", False),
    ],
)
def test_types_are_of_one_family_however_they_are_spelt(one: str, other: str, same: bool) -> None:
    assert (family(one) == family(other)) is same


def test_tables_that_lack_a_column_are_aligned_by_the_rest() -> None:
    before, after = run(chain(8)), run([layer.called(f"x{i}") for i, layer in enumerate(chain(8))])
    before.channels = before.channels.drop(columns="std")
    after.inventory = after.inventory.drop(columns="read_by")
    after.samples = after.samples.drop(columns=["q25", "mean"])
    after.layers = after.layers.drop(columns="parameters")
    assert len(align(before, after).pairs) == 8


def test_values_that_are_not_finite_pair_what_is_alike_otherwise() -> None:
    before, after = run(chain(8)), run([layer.called(f"x{i}") for i, layer in enumerate(chain(8))])
    for side in (before, after):
        side.channels.loc[3:5, "mean"] = (np.nan, np.inf, -np.inf)
    assert len(align(before, after).pairs) == 8


def test_models_of_five_hundred_taps_are_aligned_in_seconds() -> None:
    before = [replace(layer, channels=64) for layer in chain(500)]
    after = [layer.called(f"other/{i}") if i % 2 else layer for i, layer in enumerate(before) if i % 50]
    sides = run(before), run(after)
    start = time.monotonic()
    found = align(*sides)
    assert time.monotonic() - start < 20
    assert len(found.pairs) == len(after)
    assert found.count(RENAMED) == 250
