"""Laws of plots, mosaics and the files they become."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image
from run_data import TapSpec, make_run, sd_unet_run, small_run, with_facets, with_target

from fmreport import figures
from fmreport.figures import (
    FIGURES,
    colours,
    glyphs,
    layout,
    mosaics,
    naming,
    photographs,
    plots,
    png,
    sparsity_by_depth,
)
from fmreport.figures.histograms import outline
from fmreport.figures.inline import inline
from fmreport.figures.layout import LAYOUTS, Layout
from fmreport.records import Tiles

KINDS = {"svg": b"<?xml", "pdf": b"%PDF"}
bytes_of_tiles = npst.arrays(
    np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
)


def tiles_of(maps: np.ndarray, channels: int | None = None) -> Tiles:
    """Tiles of (P, K, h, w) activations."""
    low, high = maps.min((2, 3)), maps.max((2, 3))
    span = np.where(high > low, high - low, 1)[..., None, None]
    values = np.round((maps - low[..., None, None]) / span * 255).astype(np.uint8)
    p, k = maps.shape[:2]
    probes = tuple(f"probe {i}" for i in range(p))
    return Tiles("tap", probes, np.arange(k), np.ones(k, bool), values, low, high, maps.shape[2:])


def drawn(maps: np.ndarray, *, signed: bool, mode: str = "channel") -> np.ndarray:
    tiles = tiles_of(maps.astype(np.float32))
    return mosaics.levels(tiles, mosaics.scale_of(tiles, signed=signed, mode=mode))


@pytest.mark.parametrize("width", LAYOUTS, ids=lambda width: f"{width.width} in")
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_the_same_svg_and_pdf_every_time_and_says_what_it_shows(name: str, width: Layout) -> None:
    plot, again = (figures.draw(name, with_facets(small_run()), width) for _ in range(2))
    svg, pdf = plots.to_svg(plot), plots.to_pdf(plot)
    assert svg == plots.to_svg(again)
    assert pdf == plots.to_pdf(again)
    assert ET.fromstring(svg).tag.endswith("svg")
    assert b"<dc:date>" not in svg
    assert not re.search(rb"/(CreationDate|ModDate)", pdf)
    assert f"/Title ({plot.title})".encode() in pdf
    assert b"/FontFile2" in pdf  # TrueType, as Type 42 is called in a PDF
    assert not re.search(rb"/FontFile3?\b|/Type3", pdf)
    assert plot.alt
    assert plot.caption


RUNS = {
    "small": lambda: with_facets(small_run()),
    "SD-UNet": lambda: with_facets(sd_unet_run()),
    "with target": lambda: with_facets(with_target(sd_unet_run())),
}


@pytest.mark.parametrize("width", LAYOUTS, ids=lambda width: f"{width.width} in")
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", FIGURES)
def test_letters_can_be_read_stand_inside_and_keep_off_one_another(name: str, run: str, width: Layout) -> None:
    with plots.style():
        figure = figures.draw(name, RUNS[run](), width).figure
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        # Ticks beyond the ends of an axis are kept, but not drawn.
        unseen = {id(text) for axes in figure.axes for text in _beyond(axes)}
        texts = [text for text in texts if id(text) not in unseen]
        boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
    assert figure.get_figwidth() == width.width
    assert min(text.get_fontsize() for text in texts) >= 6
    whole = figure.bbox
    for text, box in zip(texts, boxes, strict=True):
        inside = whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
        assert inside, text.get_text()
    for (one, a), (other, b) in combinations(zip(texts, boxes, strict=True), 2):
        # Boxes reach beyond what is seen of letters.
        assert not a.padded(-1).overlaps(b.padded(-1)), (one.get_text(), other.get_text())


def _beyond(axes: Axes) -> Iterator[Text]:
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.majorTicks, *axis.minorTicks):
            if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                yield from (tick.label1, tick.label2)


@given(st.lists(st.sampled_from(["Conv2D", "ReLU", "Add", "Scope", "MaxPooling2D"]), min_size=1, max_size=30))
def test_every_tap_is_in_one_series_and_no_line_joins_two_types(types: list[str]) -> None:
    design = np.array([name == "MaxPooling2D" for name in types])
    found = list(sparsity_by_depth.series(pd.Series(types), design))
    assert np.all(sum(each.taps.astype(int) for each in found) == 1)
    assert all(len({types[i] for i in np.flatnonzero(each.taps)}) == 1 for each in found if each.joined)
    assert len({each.marker for each in found}) == len({each.colour for each in found}) == len(found)
    assert found[0].taps.sum() == Counter(types).most_common(1)[0][1]
    assert not design.any() or "MaxPooling2D" in {each.label for each in found}


def test_the_caption_tells_medians_of_zeros_made_by_design_apart_from_the_others() -> None:
    caption = figures.draw("sparsity_by_depth", small_run()).caption
    assert "Median share of exact zeros: by design at ReLU 78%; not by design at Conv2D 0%, Dense 0%." in caption


def lines(axes: Axes) -> dict[str, list[int]]:
    """The taps at which each marker stands that a panel has, by its letter; hollow ones with a 0 behind it."""
    found: dict[str, list[int]] = {}
    for line in axes.get_lines():
        if line.get_marker() != "None" and line.get_transform() == axes.transData:
            key = f"{line.get_marker()}{'0' if line.get_markerfacecolor() == plots.PAPER else ''}"
            found.setdefault(key, []).extend(int(x) for x in np.asarray(line.get_xdata()))
    return found


def test_zeros_stand_only_where_they_are_made_by_design_and_the_index_of_others_is_hollow() -> None:
    run = small_run()
    design = [i for i, made in enumerate(run.layers["zeros"], 1) if made == "by design"]
    defined = [i for i, gini in enumerate(run.summary["gini"], 1) if np.isfinite(gini)]
    sparse = figures.draw("progression", run).figure.axes[2]
    assert lines(sparse)["v"] == design
    assert lines(sparse)["D"] == [i for i in design if i in defined]
    assert lines(sparse)["D0"] == [i for i in defined if i not in design]
    assert sparse.get_ylabel() == "sparsity"


def test_without_zeros_by_design_the_index_stands_alone_and_the_axis_says_so() -> None:
    run = copy(sd_unet_run())
    run.layers = run.layers.assign(zeros="by chance")
    plot = figures.draw("progression", run)
    assert set(lines(plot.figure.axes[2])) == {"D0"}
    assert plot.figure.axes[2].get_ylabel() == "Gini index"
    assert "no tap makes zeros by design" in plot.caption


def test_of_many_taps_some_have_markers_none_a_cloud_of_dots_and_headings_cut_alike_are_left_out() -> None:
    few, many = (
        make_run([TapSpec(f"stage{i // 40}/{i}", "Conv2D", (8, 8, 2)) for i in range(count)], shown=2, tile=8)
        for count in (60, 480)
    )
    assert figures.draw("progression", few).caption.count("Dots: ") == 1
    plot = figures.draw("progression", many, layout.COLUMN)
    assert "Dots: " not in plot.caption
    sparse = plot.figure.axes[2]
    (curve,) = [
        line for line in sparse.get_lines() if line.get_marker() == "D" and len(np.asarray(line.get_xdata())) > 9
    ]
    points = layout.COLUMN.across * layout.POINTS / 480 * int(curve.get_markevery())
    assert points >= curve.get_markersize()
    assert not [text for text in plot.figure.axes[0].texts if "…" in text.get_text()]


@pytest.mark.parametrize("run", RUNS)
def test_every_panel_of_the_progression_has_its_controls(run: str) -> None:
    for axes in figures.draw("progression", RUNS[run]()).figure.axes:
        assert any(band.get_hatch() == plots.HATCH for band in axes.collections)


@pytest.mark.parametrize("run", RUNS)
def test_a_caption_is_short_and_no_number_has_a_hyphen_for_a_minus(run: str) -> None:
    for name in FIGURES:
        plot = figures.draw(name, RUNS[run]())
        assert len(plot.caption.split()) <= 90
        assert not re.search(r"(?<!\w)-\.?\d", plot.caption + plot.alt)


@pytest.mark.parametrize(("value", "told"), [(-0.05, "−0.05"), (-0.001, "0.00"), (0.126, "0.13"), (-1, "−1.00")])
def test_numbers_have_a_true_minus_and_zero_has_none(value: float, told: str) -> None:
    assert plots.signed(value) == told


# Machado, Oliveira and Fernandes 2009: linear RGB as seen without one kind of cones.
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("last", ["third", "ink"])
def test_colours_of_the_series_of_a_panel_can_be_told_apart(last: str, theme: str, sight: str) -> None:
    roles = ("first", "second", "muted", last)
    shades = [plots.ROLES[role] for role in roles]
    if theme == "dark":
        css = (Path(__file__).parents[1] / "templates/css/theme.css").read_text("utf-8")
        shades = [re.findall(rf"--(?:plot-)?{role}: light-dark\(#\w{{6}}, (#\w{{6}})\)", css)[0] for role in roles]
    assert told_apart(shades, sight) >= 18  # 1 is just seen side by side


def told_apart(shades: Sequence[str], sight: str) -> float:
    """The least distance in CIELAB of two of some colours `#rrggbb`, as an eye sees them."""
    from skimage.color import rgb2lab

    rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in shades])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(lab, 2))


def test_labels_at_the_end_keep_their_distance_and_stay_inside() -> None:
    with plots.style():
        _, (axes,) = layout.new_figure(layout.WIDE, 3)
        axes.set_ylim(0, 1)
        ends = (0.0, 0.0, 0.5, 0.97, 1.0, 1.0, float("nan"))
        naming.name_series(axes, [naming.Name(y, f"name {y}", plots.INK) for y in ends], layout.WIDE, gap=0.1)
    places = [text.get_position()[1] for text in axes.texts]
    assert len(places) == 6
    assert min(np.diff(places)) >= 0.0999
    assert max(places) <= 1


def controlled(models: int) -> tuple[Axes, pd.DataFrame]:
    """What is drawn of randomised models, the third of three taps of which is no map."""
    rows = [(seed, tap, "edge", seed + place) for seed in range(models) for place, tap in enumerate("ab")]
    table = pd.DataFrame(
        [*rows, *((seed, "a", "mask", 9.0) for seed in range(models))], columns=["seed", "tap", "quantity", "value"]
    )
    with plots.style():
        _, (axes,) = layout.new_figure(layout.WIDE, 3)
        plots.control_band(axes, table, "edge", {"a": 1, "b": 2, "c": 3}, colour=plots.FIRST)
    return axes, table


def test_one_randomised_model_is_a_dashed_line() -> None:
    axes, table = controlled(1)
    (line,) = axes.lines
    assert line.is_dashed()
    np.testing.assert_array_equal(line.get_xydata(), [(1, 0), (2, 1), (3, np.nan)])
    assert not axes.collections
    assert plots.told_controls(table).startswith("Dashed: a model ")


def test_several_randomised_models_are_a_hatched_band_from_the_least_to_the_most() -> None:
    axes, table = controlled(3)
    (band,) = axes.collections
    assert band.get_hatch()
    (path,) = band.get_paths()
    assert {tuple(place) for place in path.vertices} == {(1, 0), (1, 2), (2, 1), (2, 3)}
    assert not axes.lines
    assert plots.told_controls(table).startswith("Hatched: the range of 3 models ")


def test_without_randomised_models_there_is_nothing_to_draw_or_to_tell() -> None:
    axes, table = controlled(0)
    assert not axes.lines
    assert not axes.collections
    assert plots.told_controls(table) == ""


@pytest.mark.parametrize("width", LAYOUTS, ids=lambda width: f"{width.width} in")
def test_depth_lies_at_the_same_place_in_every_figure_by_depth(width: Layout) -> None:
    spans = {
        (axes.get_position().x0, axes.get_position().x1)
        for name in FIGURES
        if name.endswith("by_depth")
        for axes in figures.draw(name, small_run(), width).figure.axes
    }
    assert len(spans) == 1


def test_rows_of_names_make_a_figure_higher_and_leave_its_panels_as_they_were() -> None:
    with plots.style():
        figure, panels = layout.new_figure(layout.COLUMN, 3, panels=2)
        sizes = [axes.get_position().height * figure.get_figheight() for axes in panels]
        names = [naming.Name(0.5, f"series {i}", plots.INK, "o") for i in range(9)]
        for axes in panels:
            naming.name_series(axes, names, layout.COLUMN)
    assert figure.get_figheight() > 3.5
    assert [axes.get_position().height * figure.get_figheight() for axes in panels] == pytest.approx(sizes)
    assert panels[0].get_position().y0 - panels[1].get_position().y1 > 0.5 / figure.get_figheight()


def test_all_figures_are_rendered_in_both_widths_and_formats() -> None:
    made = figures.render_all(figures.draw_all(with_facets(small_run())))
    assert set(made) == {f"{name}{width}.{kind}" for name in FIGURES for width in ("", "_column") for kind in KINDS}
    assert all(data.startswith(KINDS[name.rpartition(".")[2]]) for name, data in made.items())


@pytest.mark.parametrize("path", sorted(Path(figures.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_no_figure_keeps_pyplot_state(path: Path) -> None:
    imports = [line for line in path.read_text(encoding="utf-8").splitlines() if "import" in line]
    assert not any("pyplot" in line for line in imports)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_in_a_page_names_its_colours_by_role_and_keeps_its_ids_to_itself(name: str) -> None:
    svg = inline(plots.to_svg(figures.draw(name, with_facets(small_run()))), name)
    root = ET.fromstring(svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(str(found).startswith(f"{name}-") for found in ids)
    assert "var(--plot-muted)" in svg
    assert plots.MUTED not in svg
    assert not {"width", "height"} & set(root.attrib)
    assert not any("style" in element.attrib for element in root.iter())


@pytest.mark.parametrize("name", ["progression", "sparsity_by_depth"])
def test_a_figure_in_a_page_is_drawn_at_the_places_of_its_file(name: str) -> None:
    svg = plots.to_svg(figures.draw(name, with_facets(small_run())))
    inside = ET.fromstring(inline(svg, name))
    places = [
        [float(element.get(axis, "nan")) for element in root.iter() if element.tag.endswith("use") for axis in "xy"]
        for root in (ET.fromstring(svg), inside)
    ]
    np.testing.assert_allclose(places[0], places[1], atol=0.006)
    scales = [re.findall(r"scale\([^)]*\)", text) for text in (svg.decode(), inline(svg, name))]
    assert scales[0] == scales[1] != []


@given(st.floats(-1e6, 1e6, width=32), st.booleans())
def test_a_constant_map_is_drawn_flat(value: float, signed: bool) -> None:
    maps = np.full((1, 1, 4, 4), value if signed else abs(value))
    assert len(np.unique(drawn(maps, signed=signed))) == 1


def test_a_silent_map_has_the_colour_of_zero_and_is_not_stretched() -> None:
    maps = np.zeros((2, 1, 4, 4))
    assert np.all(drawn(maps, signed=False) == 0)
    assert np.all(drawn(maps, signed=True) == mosaics.LEVELS // 2)


def test_signed_maps_are_symmetric_about_zero_which_has_the_middle_colour() -> None:
    maps = np.linspace(-1, 1, 256).reshape(1, 1, 16, 16)
    indices = drawn(maps, signed=True)
    mirrored = drawn(-maps, signed=True)
    assert np.max(np.abs(indices.astype(int) + mirrored.astype(int) - (mosaics.LEVELS - 1))) <= 1
    near_zero = np.abs(maps) < 1 / mosaics.LEVELS
    assert np.all(indices[near_zero] == mosaics.LEVELS // 2)


def test_signed_maps_are_clipped_at_the_99th_percentile_of_their_magnitude() -> None:
    maps = np.zeros((1, 1, 100, 100))
    maps[0, 0, :50] = -1
    maps[0, 0, 0, :10] = -100
    tiles = tiles_of(maps.astype(np.float32))
    scale = mosaics.scale_of(tiles, signed=True, mode="channel")
    assert scale.limits[0] == pytest.approx(1, abs=100 / 255)
    assert scale.clipped


def test_maps_without_negative_values_run_from_zero_to_their_largest() -> None:
    maps = np.stack([np.full((4, 4), 0.0), np.full((4, 4), 2.0), np.full((4, 4), 4.0)])[:, None]
    indices = drawn(maps, signed=False)
    assert [int(indices[i, 0, 0, 0]) for i in range(3)] == [0, 31, 62]


def test_a_channel_has_one_scale_for_all_probes_and_a_tap_one_for_all_channels() -> None:
    rng = np.random.default_rng(0)
    maps = np.abs(rng.normal(size=(2, 3, 5, 5))) * np.array([1, 10, 100])[None, :, None, None]
    tiles = tiles_of(maps.astype(np.float32))
    by_channel = mosaics.scale_of(tiles, signed=False, mode="channel").limits
    np.testing.assert_allclose(by_channel, maps.max((0, 2, 3)), rtol=1e-6)
    by_tap = mosaics.scale_of(tiles, signed=False, mode="tap").limits
    np.testing.assert_allclose(by_tap, np.full(3, maps.max()), rtol=1e-6)


def test_a_map_that_is_not_finite_has_a_colour_of_its_own_and_spoils_no_other() -> None:
    tiles = tiles_of(np.random.default_rng(0).normal(size=(2, 2, 3, 3)).astype(np.float32))
    clean = mosaics.levels(tiles, mosaics.scale_of(tiles, signed=True, mode="tap"))
    low = tiles.low.copy()
    low[0, 0] = np.nan
    broken = replace(tiles, low=low)
    for mode in ("tap", "channel"):
        indices = mosaics.levels(broken, mosaics.scale_of(broken, signed=True, mode=mode))
        assert np.all(indices[0, 0] == mosaics.MISSING)
        assert np.all(indices[1] < mosaics.LEVELS)
    assert np.all(clean < mosaics.LEVELS)


@given(bytes_of_tiles, st.integers(1, 6))
@settings(max_examples=50)
def test_a_mosaic_holds_every_tile_at_its_place(values: np.ndarray, columns: int) -> None:
    maps = values[0] % mosaics.LEVELS
    count, h, w = maps.shape
    indices = mosaics.mosaic(maps, columns)
    factor, gap = mosaics.enlarged(h, w)
    for k in range(count):
        row, column = divmod(k, columns)
        top, left = row * (h * factor + gap), column * (w * factor + gap)
        place = indices[top : top + h * factor : factor, left : left + w * factor : factor]
        np.testing.assert_array_equal(place, maps[k])


@given(st.integers(1, 300), st.integers(1, 300))
def test_tiles_of_any_shape_are_enlarged_within_bounds_and_have_thin_gaps(height: int, width: int) -> None:
    factor, gap = mosaics.enlarged(height, width)
    assert factor == 1 or max(height, width) * factor <= mosaics.LONGEST_REPEATED
    assert gap <= max(1, 0.05 * width * factor)
    large_enough = min(height, width) * factor >= 2 / 3 * mosaics.SMALLEST_TILE
    assert large_enough or max(height, width) * (factor + 1) > mosaics.LONGEST_REPEATED


@given(bytes_of_tiles, st.integers(1, 9))
@settings(max_examples=50)
def test_averaging_down_keeps_the_mean_and_the_limit(values: np.ndarray, longest: int) -> None:
    p, k, h, w = values.shape
    ones = np.ones((p, k), np.float32)
    tiles = Tiles("tap", ("a", "b", "c")[:p], np.arange(k), np.ones(k, bool), values, 0 * ones, ones, (h, w))
    small = mosaics.shrink(tiles, longest)
    assert max(small.values.shape[2:]) <= max(longest, 1)
    np.testing.assert_allclose(small.values.mean((2, 3)), values.mean((2, 3)), atol=0.51)


@given(npst.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 64)))
@settings(max_examples=50)
def test_a_png_holds_the_pixels_it_was_given(indices: np.ndarray) -> None:
    data = mosaics.encode(indices, signed=True)
    picture = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(np.asarray(picture), indices)
    assert png.size(data) == picture.size
    grey = Image.open(io.BytesIO(png.encode_grey(indices, clear=64)))
    np.testing.assert_array_equal(np.asarray(grey), indices)
    np.testing.assert_array_equal(np.asarray(grey.convert("RGBA"))[..., 3] == 0, indices == 64)


@pytest.mark.parametrize("choice", colours.CHOICES, ids=lambda choice: choice.key)
def test_the_curves_by_which_a_page_colours_are_those_of_the_colour_map(choice: colours.Colours) -> None:
    from matplotlib import colormaps

    for name in (choice.sequential, choice.diverging):
        curves = np.array([[float(value) for value in curve.split()] for curve in colours.curves(name)])
        at = np.arange(mosaics.GREYS)
        drawn = np.array([np.interp(at / 255, np.linspace(0, 1, colours.KNOTS), curve) for curve in curves]).T
        assert np.abs(drawn - colormaps[name](at / (mosaics.GREYS - 1))[:, :3]).max() < 0.03


def test_the_palettes_are_dark_at_zero_and_grow_lighter_in_even_steps() -> None:
    def lightness(signed: bool) -> np.ndarray:
        from skimage.color import rgb2lab

        return rgb2lab(mosaics.palette(signed)[: mosaics.LEVELS] / 255.0)[:, 0]

    sequential, diverging = lightness(False), lightness(True)
    assert sequential[0] < 2
    assert np.all(np.diff(sequential) > 0)
    middle = mosaics.LEVELS // 2
    assert diverging.argmin() in range(middle - 2, middle + 3)
    assert np.all(np.diff(diverging[: middle - 1]) < 0.5)
    assert np.all(np.diff(diverging[middle + 2 :]) > -0.5)
    assert diverging[0] == pytest.approx(diverging[-1], abs=6)


def test_a_histogram_holds_all_values_but_those_it_says_lie_outside() -> None:
    rng = np.random.default_rng(0)
    counts, edges = np.histogram(rng.normal(size=10_000), bins=200)
    shape = outline(edges[:-1], edges[1:], counts)
    assert shape is not None
    assert 0 <= shape.outside <= 0.011
    assert shape.zero_at == pytest.approx(300, abs=40)
    assert shape.path.startswith("M0 100V")


def test_a_histogram_of_exact_zeros_alone_is_none() -> None:
    assert outline(np.zeros(1), np.zeros(1), np.array([7])) is None


def test_the_outline_of_a_rectangle_is_its_four_sides() -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[1:4, 2:5] = 1
    mask[0, 0] = 255
    assert photographs.outline(mask) == "M2 1H5M2 4H5M2 1V4M5 1V4"


def test_the_outline_of_a_mask_that_reaches_the_edge_is_closed() -> None:
    assert photographs.outline(np.ones((2, 3), np.uint8)) == "M0 0H3M0 2H3M0 0V2M3 0V2"


@given(st.text())
def test_drawable_text_has_only_glyphs_that_there_are(text: str) -> None:
    shown = glyphs.drawable(text)
    assert glyphs.drawable(shown) == shown
    assert shown.isprintable()


def test_what_cannot_be_drawn_is_named_by_its_code_point() -> None:
    assert glyphs.drawable("a\u202eb 🐈\n") == "a[U+202E]b [U+1F408] "
