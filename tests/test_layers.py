"""Selectors narrow the taps key by key, and one that selects nothing says what could have been meant."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmreport import config
from fmreport.errors import SelectorError
from fmreport.layers import glob, select
from fmreport.records import Tap

BASE: dict[str, Any] = {
    "name": "test",
    "model": {"kind": "application", "name": "VGG16"},
    "probes": [{"kind": "skimage", "names": ["cat"]}],
}


def tap(name: str, kind: str, order: int, feeds: tuple[str, ...] = ()) -> Tap:
    layer = name.partition(":")[0]
    return Tap(name, layer, kind, order, 1, (4, 4, 2), "float32", 0, 0, "by chance", "a sum", feeds)


TAPS = tuple(
    tap(name, kind, order, feeds)
    for order, (name, kind, feeds) in enumerate(
        [
            ("stem", "Conv2D", ("ReLU",)),
            ("stem_act", "ReLU", ("MaxPooling2D", "Add")),
            ("pool", "MaxPooling2D", ("Conv2D",)),
            ("decoder/up1/conv:1", "Conv2D", ("Conv2D",)),
            ("decoder/up1/conv:2", "Conv2D", ("GlobalAveragePooling2D",)),
            ("decoder/up2/conv", "SeparableConv2D", ("Dense",)),
            ("decoder/out", "Conv2DTranspose", ()),
            ("head", "Dense", ()),
        ],
        start=1,
    )
)
NAMES = [each.name for each in TAPS]


def settings(layers: list[dict[str, Any]], exclude: list[dict[str, Any]] | None = None) -> config.Config:
    return config.from_dict({**BASE, "layers": layers, "exclude": exclude or []}, Path())


def chosen(*layers: dict[str, Any], exclude: list[dict[str, Any]] | None = None) -> list[str]:
    return [each.name for each in select(settings(list(layers), exclude), TAPS)]


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("stem", ["stem"]),
        ("stem*", ["stem", "stem_act"]),
        ("*", ["stem", "stem_act", "pool", "head"]),
        ("**", NAMES),
        ("decoder/*", ["decoder/out"]),
        ("decoder/**", NAMES[3:7]),
        ("**/conv", NAMES[3:6]),
        ("**/conv:1", ["decoder/up1/conv:1"]),
        ("decoder/up?/conv", NAMES[3:6]),
        ("**/up1/*", NAMES[3:5]),
        ("**/stem", ["stem"]),
        ("s.em", []),
        ("decoder/up1", []),
    ],
)
def test_a_star_stays_within_a_level_and_two_cross_levels(pattern: str, matching: list[str]) -> None:
    if matching:
        assert chosen({"name": pattern}) == matching
    else:
        with pytest.raises(SelectorError):
            chosen({"name": pattern})


def test_types_are_globs_too() -> None:
    assert chosen({"type": "Conv2D"}) == ["stem", "decoder/up1/conv:1", "decoder/up1/conv:2"]
    assert chosen({"type": "*Conv*"}) == ["stem", *NAMES[3:7]]


def test_positions_count_from_one_and_steps_start_at_the_first() -> None:
    assert chosen({"index": [1, 8]}) == ["stem", "head"]
    assert chosen({"index": 2}) == ["stem_act"]
    assert chosen({"every": 3}) == ["stem", "decoder/up1/conv:1", "decoder/out"]


def test_keys_narrow_one_another_in_the_order_in_which_they_are_written() -> None:
    assert chosen({"type": "Conv2D", "index": 2}) == ["decoder/up1/conv:1"]
    assert chosen({"index": [1, 2, 3], "type": "Conv2D"}) == ["stem"]
    assert chosen({"every": 2, "type": "Conv2D"}) == ["stem", "decoder/up1/conv:2"]
    assert chosen({"type": "Conv2D", "every": 2}) == ["stem", "decoder/up1/conv:2"]
    assert chosen({"name": "decoder/**", "every": 2, "index": 2}) == ["decoder/up2/conv"]


def test_before_pooling_is_what_a_pooling_layer_reads() -> None:
    assert chosen({"before": "pooling"}) == ["stem_act", "decoder/up1/conv:2"]
    assert chosen({"before": "Max*"}) == ["stem_act"]
    assert chosen({"before": "Dense"}) == ["decoder/up2/conv"]


def test_an_optional_entry_selects_what_there_is_and_is_no_error_where_there_is_nothing() -> None:
    assert chosen({"type": "*ReLU*", "optional": True}) == ["stem_act"]
    assert chosen({"type": "Dense"}, {"optional": True, "type": "*Elu*", "index": 3}) == ["head"]
    with pytest.raises(SelectorError, match="9 is past the end"):
        chosen({"type": "Dense", "optional": True, "index": 9})
    with pytest.raises(SelectorError, match="layers selects nothing, as all of its entries are optional"):
        chosen({"type": "*Elu*", "optional": True})


def test_without_layers_convolutions_are_tapped_and_activations_where_there_are_any() -> None:
    default = config.from_dict(BASE, Path())
    assert [each.name for each in select(default, TAPS)] == ["stem", "stem_act", *NAMES[3:7]]
    assert [each.name for each in select(default, TAPS[:1])] == ["stem"]
    assert config.from_dict(default.resolved(), Path()).layers == default.layers


def test_any_entry_selects_and_exclude_takes_away() -> None:
    assert chosen({"name": "head"}, {"type": "Conv2D"}) == ["stem", *NAMES[3:5], "head"]
    assert chosen({"name": "**"}, exclude=[{"type": "*Conv*"}, {"name": "pool"}]) == ["stem_act", "head"]


@pytest.mark.parametrize(
    ("selector", "message", "fix"),
    [
        ({"type": "conv2d"}, "layers[0].type: nothing matches 'conv2d' among 8 taps", "nearest: Conv2D"),
        ({"name": "decodr/out"}, "layers[0].name: nothing matches 'decodr/out' among 8 taps", "nearest: decoder/out"),
        ({"name": "decoder"}, "layers[0].name: nothing matches 'decoder' among 8 taps", "decoder holds 4 taps: name: "),
        ({"before": "poling"}, "layers[0].before: nothing matches 'poling' among 8 taps", "nearest: pooling"),
        ({"index": [1, 9]}, "layers[0].index: 9 is past the end", "8 taps are left here, counted from 1"),
        ({"index": 9}, "layers[0].index: 9 is past the end", "8 taps are left here"),
        ({"type": "Conv2D", "index": 4}, "layers[0].index: 4 is past the end", "3 taps are left here"),
        ({"type": "Dense", "name": "stem"}, "layers[0].name: nothing matches 'stem' among 1 taps", "one of: head"),
    ],
)
def test_a_selector_that_selects_nothing_names_the_nearest(selector: dict[str, Any], message: str, fix: str) -> None:
    with pytest.raises(SelectorError) as caught:
        chosen(selector)
    assert message in str(caught.value)
    assert caught.value.fix.startswith(fix)
    assert caught.value.fix.endswith("; all of them: fmreport layers CONFIG")


def test_the_message_tells_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "name: test\n"
        "model: {kind: application, name: VGG16}\n"
        "probes: [{kind: skimage, names: [cat]}]\n"
        "layers:\n"
        "  - {type: Conv2D}\n"
        "  - name: nowhere\n"
        "exclude:\n"
        "  - {type: Nothing}\n"
    )
    with pytest.raises(SelectorError, match=rf"^{path}:6: layers\[1\]\.name: ") as caught:
        select(config.load(path), TAPS)
    assert caught.value.fix.endswith(f"fmreport layers {path}")
    more = (*TAPS, tap("nowhere", "Dense", 9))
    with pytest.raises(SelectorError, match=rf"^{path}:8: exclude\[0\]\.type: "):
        select(config.load(path), more)


def test_nothing_left_and_nothing_there_say_so() -> None:
    with pytest.raises(SelectorError, match="exclude leaves out all 3 taps that layers selects"):
        chosen({"type": "Conv2D"}, exclude=[{"name": "**"}])
    with pytest.raises(SelectorError, match="the model has no layer that can be tapped") as caught:
        select(settings([{"name": "**"}]), ())
    assert "fmreport layers" in caught.value.fix


SELECTORS = st.lists(
    st.sampled_from(
        [
            {"type": "*Conv*"},
            {"name": "decoder/**"},
            {"name": "*"},
            {"before": "pooling"},
            {"index": [1, 5]},
            {"every": 3},
            {"type": "Conv2D", "index": [2]},
        ]
    ),
    min_size=1,
    max_size=5,
)


@given(st.data(), SELECTORS)
def test_the_order_of_entries_makes_no_difference(data: st.DataObject, selectors: list[dict[str, Any]]) -> None:
    shuffled = data.draw(st.permutations(selectors))
    assert chosen(*selectors) == chosen(*shuffled)
    assert set(chosen(*selectors)) == {name for each in selectors for name in chosen(each)}


LEVELS = st.text("ab", min_size=1, max_size=3)


@given(st.lists(LEVELS, min_size=1, max_size=4), st.lists(st.sampled_from(["a", "b*", "*", "**", "?a"]), min_size=1))
def test_a_glob_matches_level_by_level(levels: list[str], patterns: list[str]) -> None:
    assert glob("/".join(patterns))("/".join(levels)) == by_levels(patterns, levels)


def by_levels(patterns: list[str], levels: list[str]) -> bool:
    """The same, written as a recursion over levels."""
    if not patterns:
        return not levels
    first, *rest = patterns
    if first == "**":
        # Before other levels it stands for any number of them, at the end for one at least.
        return any(by_levels(rest, levels[i:]) for i in range(0 if rest else len(levels), len(levels) + 1)) and bool(
            levels
        )
    return bool(levels) and one_level(first, levels[0]) and by_levels(rest, levels[1:])


def one_level(pattern: str, level: str) -> bool:
    if not pattern:
        return not level
    if pattern[0] == "*":
        return any(one_level(pattern[1:], level[i:]) for i in range(len(level) + 1))
    return bool(level) and pattern[0] in ("?", level[0]) and one_level(pattern[1:], level[1:])


@given(st.lists(st.lists(LEVELS, min_size=1, max_size=3).map("/".join), min_size=1, unique=True), LEVELS)
def test_every_selected_tap_matches_the_glob(names: list[str], start: str) -> None:
    taps = [replace(TAPS[0], name=name, layer=name) for name in names]
    pattern = f"{start}*/**"
    expected = [name for name in names if name.split("/")[0].startswith(start) and "/" in name]
    if expected:
        assert [each.name for each in select(settings([{"name": pattern}]), taps)] == expected
    else:
        with pytest.raises(SelectorError):
            select(settings([{"name": pattern}]), taps)


@cache
def real(name: str) -> tuple[Any, tuple[Tap, ...]]:
    """A real model and its taps at a small size."""
    import keras

    from fmreport.sources import Identity
    from fmreport.sources.keras_model import KerasModel
    from fmreport.zoo.sd_unet import sd_unet

    if name == "sd_unet":
        model = sd_unet(8, size=(32, 32))
    else:
        model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3))
    return model, KerasModel(model, Identity("", "", "", "", 0)).inventory((32, 32))[1]


@pytest.mark.parametrize("name", ["sd_unet", "ResNet50V2"])
def test_before_pooling_agrees_with_the_graph_of_a_real_model(name: str) -> None:
    model, taps = real(name)
    read = set()
    for layer in model.layers:
        if "Pool" in type(layer).__name__:
            for tensor in layer._inbound_nodes[0].input_tensors:
                read.add(tensor._keras_history.operation.name.replace(".", "/"))
    found = {each.name for each in select(settings([{"before": "pooling"}]), taps)}
    assert found == read - {"image"}
    assert len(found) >= 4


def test_the_published_selection_of_sd_unet_is_eight_convolutions() -> None:
    _, taps = real("sd_unet")
    wanted = [1, 5, 12, 24, 33, 43, 50, 51]
    found = select(settings([{"type": "Conv2D", "index": wanted}]), taps)
    assert [each.index for each in found] == wanted
    assert found[-1].name == "head/conv"
