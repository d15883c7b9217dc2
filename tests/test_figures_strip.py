"""Laws of the architecture strip: to scale, and labelled as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from run_data import sd_unet_run, small_run

from fmreport import figures
from fmreport.blocks import blocks
from fmreport.figures import plots
from fmreport.figures.architecture import BOTTOM, NAMES, NARROWED, SCALE
from fmreport.figures.beginnings import beginnings, groups
from fmreport.figures.placing import Box, Label, place
from fmreport.inventory import inventory_table
from fmreport.records import Layer, Tap, Work


@dataclass(frozen=True)
class Listed:
    """What of a run is drawn."""

    inventory: pd.DataFrame
    blocks: pd.DataFrame


def run_of(*layers: tuple[str, tuple[int, ...]]) -> Any:
    """Layers of these names and shapes; `pad` in a name makes one that pads."""
    kinds = ["ZeroPadding2D" if "pad" in name else "Conv2D" for name, _ in layers]
    taps = [
        Tap(name, name, kind, i, i, shape, "float32", 1, 1, "unknown", "", work=Work(2, 1))
        for i, ((name, shape), kind) in enumerate(zip(layers, kinds, strict=True), 1)
    ]
    inventory = inventory_table(
        [Layer(tap.layer, tap.type, 1, 1, (tap.name,), "", tap, 1, 1, tap.work) for tap in taps]
    )
    return Listed(inventory, blocks(inventory))


def parts_of(*shapes: tuple[int, ...]) -> Any:
    """A run over parts of five layers each, which have these shapes."""
    return run_of(*((f"{chr(ord('a') + i)}/{k}", shape) for i, shape in enumerate(shapes) for k in "vwxyz"))


def stages(*sides: int, channels: int = 8) -> Any:
    """Parts whose maps have these sides; 0 stands for a vector."""
    return parts_of(*((side, side, channels) if side else (channels,) for side in sides))


def drawn(run: Any) -> Any:
    (axes,) = figures.draw("architecture", run).figure.axes
    return axes


def texts(axes: Any, *, below: bool = False) -> list[Any]:
    """The labels above the parts, or below them, from left to right."""
    found = [text for text in axes.texts if text.get_text() and (text.get_position()[1] == NAMES) == below]
    return sorted((text for text in found if text.get_position()[1] != SCALE), key=lambda text: text.get_position()[0])


def said(run: Any, *, below: bool = False) -> list[str]:
    return [text.get_text() for text in texts(drawn(run), below=below)]


def test_it_is_drawn_to_scale() -> None:
    run = small_run()
    parts = run.blocks[run.blocks["channels"].notna()]
    shapes = [(patch.get_width(), patch.get_height()) for patch in drawn(run).patches]
    assert len(shapes) == len(parts)
    maps = [
        (shape, row) for shape, row in zip(shapes, parts.to_dict("records"), strict=True) if pd.notna(row["height"])
    ]
    per_channel = [width / row["channels"] for (width, _), row in maps]
    per_row = [height / row["height"] for (_, height), row in maps]
    assert per_channel == pytest.approx([per_channel[0]] * len(per_channel))
    assert per_row == pytest.approx([per_row[0]] * len(per_row))


def test_a_unet_has_every_size_on_its_way_down_and_on_its_way_up() -> None:
    found = said(sd_unet_run())
    assert found[:5] == ["160", "80", "40", "20", "10"]
    assert found[-5:] == ["10", "20", "40", "80", "160"]
    caption = figures.draw("architecture", sd_unet_run()).caption
    assert "where they change." in caption
    assert "Within a part maps are as coarse as 5 rows (at encoder/sa5/attention1/conv)." in caption


def test_where_labels_do_not_fit_the_first_the_coarsest_the_last_and_each_new_size_come_before_returns() -> None:
    run = stages(64, *[32, 16] * 11, 8, 48)
    assert {"64", "32", "16", "8", "48"} <= set(said(run))
    assert said(run)[0] == "64"
    assert said(run)[-1] == "48"
    left_out = 25 - len(said(run))
    caption = figures.draw("architecture", run).caption
    assert (f"as far as there is room ({left_out} of the changes without)" in caption) == (left_out > 0)


@pytest.mark.parametrize(
    "run",
    [
        stages(160, 80, 40, 20, 10, 1, 10, 20, 40, 80, 160),
        stages(224, 112, 56, 28, 14, 7, 0),
        stages(100, 3, 100, 3, 100, channels=1),
        stages(*[64, 32, 16, 8] * 6),
        stages(7, 14, 28, 56, 112, 224),
        parts_of((128, 128, 1), (8, 8, 999)),
    ],
)
def test_no_label_overlaps_a_part_or_another_label_or_the_edge(run: Any) -> None:
    axes = drawn(run)
    canvas = FigureCanvasAgg(axes.figure)
    with plots.style():
        canvas.draw()
        boxes = [text.get_window_extent(canvas.get_renderer()) for text in [*texts(axes), *texts(axes, below=True)]]
    parts = [patch.get_window_extent(canvas.get_renderer()) for patch in axes.patches]
    assert boxes
    whole = axes.figure.bbox
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1 for box in boxes)
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert not [(box, part) for box in boxes for part in parts if box.overlaps(part)]


def test_vectors_are_called_so_and_take_little_of_the_width() -> None:
    run = parts_of((8, 8, 64), (4096,), (1000,))
    assert said(run) == ["8", "vectors"]
    first, *vectors = drawn(run).patches
    taken = sum(patch.get_width() for patch in vectors)
    assert taken <= (NARROWED + 1e-6) * (taken + first.get_width())
    assert "narrower than to scale" in figures.draw("architecture", run).caption
    few = parts_of((8, 8, 64), (4,))
    assert said(few)[-1] == "vector"
    assert "narrower" not in figures.draw("architecture", few).caption


def test_a_model_of_vectors_alone_is_to_scale() -> None:
    widths = [patch.get_width() for patch in drawn(parts_of((64,), (16,))).patches]
    assert widths[0] / widths[1] == pytest.approx(4)


def test_what_is_neither_a_map_nor_a_vector_is_no_map() -> None:
    assert said(parts_of((8, 8, 4), (49, 8))) == ["8", "no map"]


def test_padding_gives_no_part_its_size() -> None:
    run = run_of(
        *((f"in/pad{i}", (230, 230, 3)) for i in range(5)),
        *((f"stem/{i}", (112, 112, 8)) for i in range(5)),
        ("stem/pad", (114, 114, 8)),
        *((f"body/{i}", (56, 56, 16)) for i in range(5)),
    )
    assert list(run.blocks["height"]) == [230, 114, 56]
    assert said(run) == ["112", "56"]


def test_a_model_that_only_pads_is_shown_all_the_same() -> None:
    assert said(run_of(("a/pad", (10, 10, 3)))) == ["10"]


RESNET = [
    ("conv1", 4), ("pool1", 4), *((f"conv2_block{i}", 12) for i in (1, 2, 3)),
    *((f"conv4_block{i}", 40) for i in range(1, 7)), *((f"conv5_block{i}", 90) for i in (1, 2, 3)),
    ("avg_pool", 60), ("predictions", 46),
]  # fmt: skip


def named(parts: Sequence[tuple[str, float]], letter: float = 4.5) -> list[tuple[str, int, int]]:
    edges, at = [], 0.0
    for _, width in parts:
        edges.append((at, at + width))
        at += width + 2
    found = groups([name for name, _ in parts], edges, lambda text: letter * len(text))
    return [(group.text, group.first, group.last) for group in found]


def test_parts_too_narrow_for_their_names_are_named_together_by_what_these_begin_with() -> None:
    found = named(RESNET)
    assert ("conv4_block", 5, 10) in found
    assert [text for text, _, _ in found[-5:]] == [
        "conv5_block1",
        "conv5_block2",
        "conv5_block3",
        "avg_pool",
        "pred…ions",
    ]
    assert [text for text, _, _ in named([(f"block_{i}", 20) for i in (1, 10, 11, 12)])] == ["block"]


def test_a_path_is_named_by_its_first_level() -> None:
    assert [text for text, _, _ in named([("encoder/sa1", 50), ("encoder/sa2", 50), ("head/x", 3)])] == ["encoder", ""]
    assert beginnings("encoder/sa1") == ("encoder",)
    assert beginnings("conv4_block1") == ("conv", "conv4", "conv4_block1")
    assert beginnings("35 × 35, 2") == ("35 × 35, 2",)


NAME = st.from_regex(r"(?:[a-c]{1,8}[_/]?\d{0,2}){1,3}|\d × \d", fullmatch=True)


@given(st.lists(st.tuples(NAME, st.floats(0.5, 120)), min_size=1, max_size=30))
@settings(deadline=None)
def test_names_cover_all_parts_in_order_fit_and_tell_neighbours_apart(parts: list[tuple[str, float]]) -> None:
    found = named(parts)
    assert [i for _, first, last in found for i in range(first, last + 1)] == list(range(len(parts)))
    for text, first, last in found:
        assert 4.5 * len(text) <= sum(width for _, width in parts[first : last + 1]) + 2 * (last - first)
    assert not [a for (a, _, _), (b, _, _) in pairwise(found) if a and a == b]


@given(st.lists(st.tuples(st.floats(0, 90), st.floats(1, 30), st.floats(1, 60)), min_size=1, max_size=12))
@settings(deadline=None)
def test_labels_keep_off_bars_and_off_one_another(bars: list[tuple[float, float, float]]) -> None:
    boxes = [Box(left, -height, left + width, height) for left, width, height in bars]
    labels = [Label("160", box.left, box.right, box.top + 3) for box in boxes]
    placed = [
        Box(middle - 5, label.line - 1, middle + 5, label.line + 5) for label, middle in place(labels, boxes, 120)
    ]
    assert all(box.left >= 0 and box.right <= 120 for box in placed)
    assert not [pair for pair in combinations(placed, 2) if pair[0].meets(pair[1])]
    assert not [(box, bar) for box in placed for bar in boxes if box.meets(bar)]


def test_all_of_it_stands_within_the_figure() -> None:
    axes = drawn(sd_unet_run())
    assert axes.get_ylim()[0] == BOTTOM
    assert all(axes.get_xlim()[0] <= patch.get_x() for patch in axes.patches)
    assert all(patch.get_x() + patch.get_width() <= axes.get_xlim()[1] for patch in axes.patches)
