"""Laws of the strip: one photograph through the model, by rules that do not look at the mask, and to scale."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import AxesImage
from run_data import SyntheticRun, TapSpec, make_run, sd_unet_run, small_run

from fmreport import figures
from fmreport.figures import frames as chosen
from fmreport.figures import mosaics
from fmreport.figures.frames import Frame, frames
from fmreport.figures.layout import COLUMN, WIDE, Layout
from fmreport.figures.sheet import ENOUGH, GAP, LARGEST, NARROWEST, SMALL, Picture, Sheet


def made(*specs: tuple[str, tuple[int, ...]]) -> SyntheticRun:
    """A run over convolutions of these names and shapes, on one photograph."""
    taps = [TapSpec(name, "Conv2D", shape) for name, shape in specs]
    return make_run(taps, shown=2, tile=16, probes=("cat", "coffee"))


@cache
def decided() -> SyntheticRun:
    """The SD-UNet with a target, whose map is shown."""
    run = sd_unet_run()
    return replace(run, facts=replace(run.facts, target="class 2 of head/conv"))


def told(run: SyntheticRun) -> list[tuple[str, int]]:
    return [(frame.stage, frame.grid[0]) for frame in frames(run)]


def test_a_unet_goes_from_its_finest_grid_to_the_coarsest_and_back_by_the_parts_of_its_name() -> None:
    down = [("encoder", 160), ("encoder", 80), ("encoder", 40), ("encoder", 20), ("encoder", 10), ("daspp", 10)]
    up = [("decoder", 20), ("decoder", 40), ("decoder", 80), ("decoder", 160), ("head", 160)]
    assert told(sd_unet_run()) == down + up


def test_of_each_stage_the_last_tap_with_its_own_grid_is_shown_and_never_one_at_half_of_it() -> None:
    found = [frame.tap for frame in frames(sd_unet_run())]
    assert found[:2] == ["encoder/sa1/main2/conv", "encoder/sa2/main2/conv"]
    assert found[5] == "daspp/project/conv"
    assert not any("attention" in tap or "pooled" in tap for tap in found)


def test_frames_are_numbered_as_taps_are_and_hold_the_tile_of_the_channel_that_the_rule_put_first() -> None:
    run = sd_unet_run()
    for frame in frames(run):
        assert run.layers["tap"].iloc[frame.position - 1] == frame.tap
        tiles = run.all_tiles[frame.tap]
        i = tiles.probes.index(frame.probe)
        assert frame.channel == tiles.channels[0]
        assert frame.why == chosen.BY_RULE
        assert np.array_equal(frame.values, tiles.values[i, 0])
        assert (frame.low, frame.high) == (tiles.low[i, 0], tiles.high[i, 0])


@pytest.mark.parametrize("run", [sd_unet_run(), small_run()], ids=["SD-UNet", "small"])
def test_a_frame_is_coloured_as_it_is_in_the_mosaic_of_its_tap(run: SyntheticRun) -> None:
    for frame in frames(run):
        tiles = run.all_tiles[frame.tap]
        scale = mosaics.scale_of(tiles, signed=frame.signed, mode="channel")
        assert np.array_equal(frame.indices, mosaics.levels(tiles, scale)[tiles.probes.index(frame.probe), 0])


def test_no_channel_is_chosen_by_the_mask() -> None:
    run, other = sd_unet_run(), replace(sd_unet_run())
    other.all_masks = {name: 1 - mask for name, mask in run.all_masks.items()}
    other.analyses = {name: table.iloc[:0] for name, table in run.analyses.items()}
    assert [frame.channel for frame in frames(other)] == [frame.channel for frame in frames(run)]


def test_what_the_model_decides_stands_last_with_its_own_channel() -> None:
    *others, last = frames(decided())
    assert (last.tap, last.channel, last.why, last.stage) == ("head/conv", 2, chosen.DECIDES, "head")
    assert [frame.tap for frame in others] == [frame.tap for frame in frames(sd_unet_run())][:-1]


@pytest.mark.parametrize("target", ["class 99 of head/conv", "class 0 of elsewhere", "the highest class of head/conv"])
def test_a_decision_that_is_not_shown_changes_nothing(target: str) -> None:
    run = sd_unet_run()
    asked = replace(run, facts=replace(run.facts, target=target))
    assert [(frame.tap, frame.channel) for frame in frames(asked)] == [(f.tap, f.channel) for f in frames(run)]


def test_the_first_displayed_probe_with_a_mask_is_shown_else_the_first() -> None:
    run = sd_unet_run()
    (masked,) = run.all_masks
    assert {frame.probe for frame in frames(run)} == {masked}
    later = replace(run, all_masks={"rocket": next(iter(run.all_masks.values()))})
    assert {frame.probe for frame in frames(later)} == {"rocket"}
    assert {frame.probe for frame in frames(replace(run, all_masks={}))} == {run.facts.displayed[0]}


def test_where_names_make_too_many_stages_the_grid_alone_does() -> None:
    sides = [64 >> i // 4 for i in range(16)]
    names = [(f"block_{i}_{part}", side) for i, side in enumerate(sides) for part in ("up", "mix", "down")]
    run = made(*((name, (side, side, 4)) for name, side in names))
    assert told(run) == [("block_3", 64), ("block_7", 32), ("block_11", 16), ("block_15", 8)]
    assert "stages are neighbouring parts that share the grid." in figures.draw("filmstrip", run).caption


@given(st.integers(13, 30))
@settings(max_examples=8, deadline=None)
def test_too_many_grids_are_thinned_evenly_and_the_first_and_the_last_are_kept(count: int) -> None:
    run = made(*((f"part{chr(97 + i)}/{j}", (4 + i, 4, 2)) for i in range(count) for j in range(2)))
    found = chosen.stages(run)
    sides = [stage.grid[0] - 4 for stage in found.shown]
    assert len(sides) == chosen.MOST
    assert found.count == count
    assert (sides[0], sides[-1]) == (0, count - 1)
    assert set(np.diff(sides)) <= {count // chosen.MOST, count // chosen.MOST + 1, count // chosen.MOST + 2}


def test_a_part_that_hands_on_a_grid_that_no_tap_has_is_shown_at_its_largest() -> None:
    run = made(
        *((f"{part}/{i}", (side >> i // 3,) * 2 + (2,)) for part, side in (("a", 16), ("b", 8)) for i in range(6))
    )
    sides = run.blocks["block"].map({"a": 5, "b": 4}).astype("Int64")
    assert told(replace(run, blocks=run.blocks.assign(height=sides, width=sides))) == [("a", 16), ("b", 4)]


def test_a_part_with_many_grids_holds_as_many_stages() -> None:
    down, up = [32, 32, 16, 16, 8, 8], [4, 4, 8, 8, 16, 16]
    run = made(
        *((f"{part}/{i}", (s, s, 2)) for part, sides in (("in", down), ("out", up)) for i, s in enumerate(sides))
    )
    assert told(run) == [("in", 32), ("in", 16), ("in", 8), ("out", 4), ("out", 8), ("out", 16)]


def test_a_map_that_is_only_padded_is_no_stage() -> None:
    names = [(part, i, side) for part, side in (("a", 8), ("pad", 10), ("b", 4)) for i in range(5)]
    taps = [TapSpec(f"{p}/{i}", "ZeroPadding2D" if p == "pad" else "Conv2D", (side, side, 2)) for p, i, side in names]
    assert told(make_run(taps, shown=2, tile=16, probes=("cat",))) == [("a", 8), ("b", 4)]


def test_parts_that_only_their_size_tells_have_no_name() -> None:
    run = made(*((f"conv2d_{i}", (16 >> i // 3, 16 >> i // 3, 2)) for i in range(9)))
    assert told(run) == [("", 16), ("", 8), ("", 4)]


def test_a_run_without_maps_has_no_frames_and_its_figure_says_so() -> None:
    run = made(("a/fc", (8,)), ("b/pixel", (1, 1, 4)))
    assert frames(run) == ()
    assert "no tap of this run has a map" in figures.draw("filmstrip", run).caption


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_the_photograph_and_its_mask_lie_as_the_model_is_fed_them(resize: str) -> None:
    run = sd_unet_run()
    run = replace(run, facts=replace(run.facts, preprocess={"size": [40, 40], "resize": resize}))
    picture = np.zeros((60, 120, 3), np.uint8)
    picture[:, 40:80] = 255  # the middle third, white
    run = replace(run, all_pictures={"cat": picture}, all_masks={"cat": picture[..., 0] // 255})
    shown, mask = chosen.photograph(run, "cat"), chosen.mask(run, "cat")
    assert mask is not None
    assert shown.shape == (40, 40, 3)
    whole = {"stretch": 40, "crop": 40, "pad": 20}[resize]
    kept = mask != 255
    assert kept.sum() == whole * 40
    assert np.array_equal(mask[kept] == 1, shown[kept].mean(axis=1) > 127)
    assert (mask == 1).sum(axis=1).max() == pytest.approx(
        {"stretch": 40 / 3, "crop": 80 / 3, "pad": 40 / 3}[resize], abs=1
    )
    assert not shown[~kept].any()


def drawn_sizes(run: SyntheticRun, layout: Layout) -> list[tuple[float, float]]:
    """Width and height of every picture as drawn, those of the key left out."""
    (axes,) = figures.draw("filmstrip", run, layout).figure.axes
    extents = [image.get_extent() for image in axes.get_images() if isinstance(image, AxesImage)]
    sizes = [(right - left, top - bottom) for left, right, bottom, top in extents]
    return sizes[: -len({frame.signed for frame in frames(run)})]


@pytest.mark.parametrize("layout", [WIDE, COLUMN], ids=["wide", "column"])
@pytest.mark.parametrize("run", [sd_unet_run(), small_run()], ids=["SD-UNet", "small"])
def test_every_picture_is_drawn_to_scale_and_small_ones_once_more(run: SyntheticRun, layout: Layout) -> None:
    photograph, *sizes, mask = drawn_sizes(run, layout)
    assert photograph == pytest.approx(mask)
    scale = mask[0] / 160
    assert ENOUGH <= 160 * scale <= LARGEST + 1e-6
    for frame in frames(run):
        height, width = frame.grid[0] * scale, frame.grid[1] * scale
        assert sizes.pop(0) == pytest.approx((width, height))
        if max(height, width) < SMALL:
            wide, high = sizes.pop(0)
            assert wide >= NARROWEST - 1e-6
            assert high / wide == pytest.approx(height / width)
    assert sizes == []


PICTURES = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=15)


@given(PICTURES, st.sampled_from([239.0, 505.0]))
@settings(deadline=None)
def test_rows_hold_all_pictures_in_order_inside_and_apart(grids: list[tuple[int, int]], across: float) -> None:
    pixels = np.zeros((1, 1, 3), np.uint8)
    pictures = [Picture(f"p{i}", ("160 × 160",), grid, pixels) for i, grid in enumerate(grids)]
    rows = Sheet(across, 7.0).arranged(pictures)
    assert [cell.picture for row in rows for cell in row] == pictures
    scales = {round(cell.size[0] / cell.picture.grid[0], 6) for row in rows for cell in row}
    assert len(scales) == 1
    for row in rows:
        assert row[0].left == 0
        assert row[-1].left + row[-1].width <= across + 1e-6
        for one, other in pairwise(row):
            assert other.left - one.left - one.width >= GAP - 1e-6


def test_what_a_strip_is_told_of_is_in_its_caption_and_every_frame_in_its_words() -> None:
    plot = figures.draw("filmstrip", decided())
    assert "what the model decides (class 2 of head/conv)" in plot.caption
    assert "without a look at the mask" in plot.caption
    shown: list[Frame] = list(frames(decided()))
    assert all(f"(tap {frame.position}, channel {frame.channel}, {frame.why})" in plot.alt for frame in shown)
    labels: list[Any] = [text.get_text() for text in plot.figure.axes[0].texts]
    assert all(f"ch. {frame.channel}" in labels and f"tap {frame.position}" in labels for frame in shown)
