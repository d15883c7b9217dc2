"""Laws of the HTML report."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import io
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import jinja2
import numpy as np
import pandas as pd
import pytest
from built import page_of, report_of
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from PIL import Image
from run_data import HOSTILE, TapSpec, make_run, sd_unet_run, small_run, with_target

from fmreport.errors import RenderError
from fmreport.figures import mosaics
from fmreport.records import Tiles
from fmreport.report import build, environment, finishing, html, key_figures, maps, receptive_fields
from fmreport.report.maps import Limit
from fmreport.report.page import Page
from fmreport.report.wording import rounded, zeros_sentence

VOID = {"meta", "link", "img", "br", "wbr", "input", "hr"}


class Document(HTMLParser):
    """Every tag with its attributes, and the text outside scripts and styles."""

    def __init__(self, data: bytes | str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(data if isinstance(data, str) else data.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def report() -> bytes:
    return report_of("small")


@pytest.fixture(scope="module")
def document(report: bytes) -> Document:
    return Document(report)


@pytest.fixture(scope="module")
def page() -> Page:
    return page_of("small")


def test_the_report_is_the_same_bytes_every_time(report: bytes) -> None:
    assert report == html.render(small_run(), template_dir=None, budget_mb=10)


def test_nothing_is_loaded_from_anywhere(report: bytes, document: Document) -> None:
    for tag, attributes in document.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
            target = attributes.get(name)
            if target is not None:
                assert target.startswith(("#", "data:")), f"<{tag} {name}={target}>"
    styles = re.findall(rb"<style>(.*?)</style>", report, re.DOTALL)
    assert not any(b"@import" in style or re.search(rb"url\((?!#|data:)", style) for style in styles)
    script = re.findall(rb"<script>(.*?)</script>", report, re.DOTALL)
    assert not any(word in b"".join(script) for word in (b"fetch", b"XMLHttp", b"import(", b"eval"))


def test_every_tag_is_closed(document: Document) -> None:
    assert not document.unbalanced
    assert not document.open


def test_every_picture_says_what_it_shows(document: Document, page: Page) -> None:
    assert document.named("img")
    assert all("alt" in attributes for attributes in document.named("img"))
    # What stands twice in the filmstrip is told once.
    again = sum(frame.enlarged for stage in page.filmstrip for frame in stage.frames)
    assert sum(not attributes["alt"] for attributes in document.named("img")) == again
    for attributes in document.named("svg"):
        assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true", attributes


def test_alternative_text_is_computed_from_the_numbers(document: Document) -> None:
    alts = [str(attributes["alt"]) for attributes in document.named("img")]
    assert "channel 5 of 6, −4.10 to 3.67 on the pictures shown, drawn at random" in alts
    labels = [str(attributes.get("aria-label")) for attributes in document.named("figure")]
    assert "stem/relu on 2 pictures: 24 × 24, 6 channels, 56.1% zeros; 4 shown: 0, 1, 3, 5" in labels


def test_ids_are_unique_and_every_link_leads_somewhere(document: Document) -> None:
    ids = [attributes["id"] for _, attributes in document.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    targets = [unquote(str(a["href"])[1:]) for _, a in document.tags if str(a.get("href", "")).startswith("#")]
    assert targets
    assert set(targets) <= set(ids)


def test_every_tap_has_a_section_at_its_own_name(document: Document) -> None:
    ids = {attributes.get("id") for tag, attributes in document.tags if tag == "article"}
    assert {"stem/conv", "stem/relu", "one", "dead", "broken", "tokens", "head"} <= ids
    assert len(ids) == len(small_run().layers)


def test_the_layer_table_can_be_sorted_by_buttons_that_wait_for_javascript(document: Document) -> None:
    heads = [attributes for tag, attributes in document.tags if tag == "th" and "aria-sort" in attributes]
    buttons = [attributes for attributes in document.named("button") if "disabled" in attributes]
    assert len(heads) == len(buttons) == 13


def test_table_and_key_figures_add_up_to_the_tables_of_the_run(page: Page) -> None:
    run = small_run()
    silent = page.table.columns.index(next(c for c in page.table.columns if c.label == "silent"))
    shown = [int(row.cells[silent - 2].text) for row in page.table.rows]
    assert shown == list(run.summary["silent"])
    assert key_figures.silence(run).value == f"{sum(shown)} of {run.layers['channels'].sum()}"
    assert len(page.missing) + run.layers["layer"].nunique() == len(run.inventory)


def test_an_undefined_value_is_a_dash_with_a_reason_and_never_nan(page: Page, document: Document) -> None:
    for row in page.table.rows:
        for cell in row.cells:
            assert "nan" not in cell.text.lower()
            assert (cell.text in ("–", "?", "all")) == (cell.sort == "")
            assert cell.sort != "" or cell.reason
    for tap in page.taps:
        for stat in tap.stats:
            assert "nan" not in stat.value.lower()
            assert stat.value != "–" or stat.reason
    # The name of the column that counts them: where it is defined, and in its entry of the methods.
    assert [text.strip().lower() for text in document.text].count("nan") == 2


def test_an_empty_field_is_said_to_be_empty_in_html_and_in_print(page: Page, document: Document) -> None:
    assert page.empty_note in " ".join("".join(document.text).split())
    assert "A field that is empty" in page.empty_note


def test_a_part_without_a_tap_in_this_run_says_so(page: Page) -> None:
    run = copy.copy(small_run())
    gone = [row.name for row in page.table.parts[-1].rows]
    run.layers = run.layers[~run.layers["tap"].isin(gone)].reset_index(drop=True)
    parts = build.build(run).table.parts
    assert [part.taps for part in parts if not part.rows] == ["no tap in this run"]
    assert all(part.taps.startswith(f"{len(part.rows)} tap") for part in parts if part.rows)


def test_multiply_adds_of_the_whole_stand_beside_parameters_and_are_a_lower_bound_where_a_layer_is_not_known(
    page: Page,
) -> None:
    known = rounded(int(small_run().inventory["own_macs"].sum()))
    facts = {fact.term: fact.value for fact in page.facts}
    assert facts["Multiply-adds"] == f"at least {known} for one image of 160 × 160 pixels"
    assert page.table.total[1].text == f"≥ {known}"
    assert any("≥: at least" in note for note in page.table.parts_notes)
    run = copy.copy(small_run())
    run.inventory = run.inventory.assign(own_macs=pd.array([pd.NA] * len(run.inventory), "Int64"))
    facts = {fact.term: fact.value for fact in build.build(run).facts}
    assert facts["Multiply-adds"] == "not known for one image of 160 × 160 pixels"
    whole = copy.copy(small_run())
    whole.inventory = whole.inventory.assign(own_macs=whole.inventory["own_macs"].fillna(0))
    assert build.build(whole).table.total[1].text == known


def test_zero_percent_after_an_operation_that_makes_no_zeros_is_no_finding(page: Page) -> None:
    assert page.taps[0].zeros == "0.0% (not by design: BiasAdd has no zeros)"
    assert page.taps[1].zeros == "56.1% (by design: Relu clips to zero)"


def test_zeros_that_a_layer_only_hands_on_are_not_called_chance(page: Page) -> None:
    assert zeros_sentence(0.111, "by chance", "a weighted sum") == "11.1% (not by design: a weighted sum)"
    assert any("zeros that the layer reads" in note for note in page.table.notes)


def test_nan_and_silence_are_said_where_they_are(page: Page) -> None:
    taps = {tap.name: tap for tap in page.taps}
    assert taps["broken"].warnings == ("12 NaN and 3 infinite values, left out of every number",)
    assert taps["dead"].warnings == ("4 of 4 channels silent on this probe set",)
    assert taps["dead"].maps is not None
    assert {label.tag for block in taps["dead"].maps.blocks for label in block.labels} == {"silent"}
    assert taps["head"].maps is None
    assert taps["head"].no_maps
    assert any("broken.jpg was skipped" in note for note in page.notes)


def test_every_note_ends_as_a_sentence() -> None:
    run = copy.copy(small_run())
    run.facts = replace(run.facts, notes=("Left out: a.png is empty (0 bytes)", "Nothing was learned."))
    assert build.build(run).notes == ("Left out: a.png is empty (0 bytes).", "Nothing was learned.")


def with_model(section: dict[str, object]) -> Page:
    run = copy.copy(small_run())
    run.facts = replace(run.facts, config={**run.facts.config, "model": section})
    return build.build(run)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"kind": "keras", "path": "unet.keras"}, "as saved in unet.keras"),
        ({"kind": "application", "weights": None}, "random, untrained"),
        ({"kind": "application", "weights": "imagenet"}, "imagenet, those of keras.applications"),
        ({"kind": "application", "weights": "mine.h5"}, "read from mine.h5"),
        ({"kind": "builder", "weights": None}, "as the function returns them"),
        ({"kind": "builder", "weights": "mine.h5"}, "read from mine.h5"),
    ],
)
def test_the_report_says_what_weights_were_run_and_warns_of_random_ones(section: dict[str, object], said: str) -> None:
    page = with_model(section)
    assert [fact.value for fact in page.facts if fact.term == "Weights"] == [said]
    assert (build.UNTRAINED in page.notes) == (said == "random, untrained")


@pytest.mark.parametrize(
    ("opened", "wanted", "said"),
    [
        ("serving_default", None, "serving_default, chosen by fmreport"),
        ("embed", "embed", "embed, as the config says"),
        ("__call__", None, "the model's call outside of training (__call__), chosen by fmreport"),
    ],
)
def test_the_report_says_which_function_of_a_saved_model_was_opened(
    opened: str, wanted: str | None, said: str, page: Page
) -> None:
    run = copy.copy(small_run())
    section = {"kind": "savedmodel", "path": "saved", "signature": wanted}
    run.facts = replace(
        run.facts,
        config={**run.facts.config, "model": section},
        model={**run.facts.model, "signature": opened},
    )
    assert [fact.value for fact in build.build(run).facts if fact.term == "Signature"] == [said]
    assert not [fact for fact in page.facts if fact.term == "Signature"]


def test_the_report_says_what_each_of_several_inputs_took(page: Page) -> None:
    several = with_model({"kind": "keras", "path": "m.keras", "inputs": {"left": "image", "right": "ones"}})
    assert "left: the image; right: ones" in [fact.value for fact in several.facts if fact.term == "Inputs"]
    assert not [fact for fact in page.facts if fact.term == "Inputs"]


def test_the_bound_on_silence_is_exact_and_stands_only_where_a_channel_is_silent() -> None:
    assert (
        "up to 78% of others like these (95% confidence)" in key_figures.silence(small_run()).detail
    )  # 1 - sqrt(0.05), of 2 images
    assert key_figures.silence(sd_unet_run()).detail == "4 images"


def test_where_masks_overtake_edges_comes_first_and_silence_only_where_there_is_some() -> None:
    found = key_figures.key_figures(sd_unet_run())
    assert [figure.value for figure in found][1:] == [key_figures.resolution(sd_unet_run()).value, found[2].value]
    # Made up to cross at 24 of 51, and noisy.
    assert found[0].value in ("1 → 23", "1 → 24", "1 → 25", "1 → 26")
    assert found[0].detail.endswith("from edges to mask: consistent with")
    assert "silent" not in found[2].label
    few = replace(
        small_run(), analyses={**small_run().analyses, "progression": small_run().analyses["progression"][:0]}
    )
    assert key_figures.change_over(few) is None
    assert "silent" in key_figures.key_figures(few)[2].label


def test_the_coarsest_map_is_one_with_positions_and_the_report_says_which_are_not() -> None:
    resolution = key_figures.resolution(sd_unet_run())
    assert "1 × 1 aside" in resolution.label
    assert "1 × 1, without positions, at daspp/pooled/conv" in resolution.detail
    assert "1 × 1" not in key_figures.resolution(small_run()).label


@pytest.mark.parametrize("kind", ["ZeroPadding2D", "MirrorPad", "PadV2", "Pad"])
def test_a_map_that_only_padding_made_larger_is_not_the_finest(kind: str) -> None:
    specs = [TapSpec("conv", "Conv2D", (112, 112, 2)), TapSpec("pad", kind, (114, 114, 2))]
    run = make_run([*specs, TapSpec("end", "Conv2DPad", (56, 56, 2))], shown=2, tile=16, probes=("cat",))
    resolution = key_figures.resolution(run)
    assert resolution.value == "112 → 56"
    assert resolution.label == "rows of the maps, padding aside: finest, coarsest"
    assert key_figures.resolution(make_run(specs[1:], shown=2, tile=16, probes=("cat",))).value == "114"


def test_a_layer_that_cannot_be_tapped_is_told_from_one_that_is_not_selected(page: Page) -> None:
    assert page.inventory == (
        "The model has 11 layers: 8 are tapped in this run, 1 is not selected by the config, 2 cannot be tapped."
    )
    assert {layer.path: layer.reason for layer in page.missing if layer.path != f"other/{HOSTILE}"} == {
        "image": "cannot be tapped (an input, not a layer's output)",
        "unused": "cannot be tapped (never called)",
    }


def test_a_mask_is_outlined_and_what_it_covers_is_said(page: Page, document: Document) -> None:
    assert "not ignored" in page.mask_note
    assert page.mask_note in document.text
    assert page.photos[0].note.startswith("213 × 320 · mask covers ")
    masked = replace(page, photos=tuple(replace(photo, displayed=False) for photo in page.photos), more_photos=True)
    outlines = [a for a in Document(html.page_to_html(masked, None)).named("svg") if a.get("class") == "outline"]
    assert len(outlines) == 1


def test_whose_masks_were_drawn_for_fmreport_is_said_of_those_alone() -> None:
    run = small_run()
    probes = tuple(replace(probe, mask_origin="fmreport outline: cat") for probe in run.facts.probes)
    drawn = build.build(replace(run, facts=replace(run.facts, probes=probes))).mask_note
    assert drawn.startswith(page_of("small").mask_note)
    assert "drawn by hand for fmreport" in drawn
    assert "drawn" not in page_of("small").mask_note
    assert build.build(replace(run, all_masks={}, facts=replace(run.facts, probes=probes))).mask_note == ""


def test_no_definition_holds_marks_of_code(page: Page) -> None:
    assert not any("`" in definition.text for definition in page.definitions)


def test_random_channels_are_told_from_chosen_ones(page: Page) -> None:
    assert page.taps[0].maps is not None
    labels = [label for block in page.taps[0].maps.blocks for label in block.labels]
    assert [label.random for label in labels] == [False, False, False, True]
    assert "the last 1 drawn at random" in page.taps[0].maps.caption


def test_every_column_of_the_run_is_defined_once_for_every_table(page: Page) -> None:
    run = small_run()
    tables = {name: getattr(run, name) for name in ("layers", "summary", "samples", "channels", "histograms")}
    tables |= {name: getattr(run, name) for name in ("inventory", "blocks", "controls")} | run.analyses
    defined = [(table, d.name) for d in page.definitions for table in d.tables.split(", ")]
    held = [(table, name) for table, frame in tables.items() for name in frame.columns]
    assert len(defined) == len(set(defined))
    assert set(defined) == {(table, name) for table, name in held if name in run.columns[table]}


def test_every_column_links_to_its_entry_which_is_folded_away(document: Document, page: Page) -> None:
    links = [attributes["href"] for tag, attributes in document.tags if tag == "a"]
    assert all(definition.href in links for definition in page.definitions)
    assert all("open" not in attributes for attributes in document.named("details"))


@pytest.mark.parametrize("name", ["report.html.j2", "html/tap.html.j2", "html/layers.html.j2", "report.typ.j2"])
def test_values_are_escaped_and_undefined_names_fail_whatever_a_template_is_called(name: str) -> None:
    for make in (environment.html_environment, environment.typst_environment):
        jinja = make(None)
        assert jinja.autoescape is True
        assert jinja.undefined is jinja2.StrictUndefined
        jinja.loader = jinja2.DictLoader({name: "{{ value }}", "undefined": "{{ missing }}"})
        assert "<" not in jinja.get_template(name).render(value="<b>") or make is environment.typst_environment
        with pytest.raises(jinja2.UndefinedError):
            jinja.get_template("undefined").render()


@cache
def bare_page() -> Page:
    """The page with one tap and no pictures, quick to render."""
    page = page_of("small")
    tap = replace(page.taps[0], maps=None, histogram=None)
    return replace(page, taps=(tap,), photos=(), more_figures=(), methods=(), methods_introduction=Markup())


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
@settings(max_examples=30, deadline=None)
def test_hostile_text_stays_text(text: str) -> None:
    def document(value: str) -> Document:
        tap = replace(bare_page().taps[0], name=value, zeros=value)
        return Document(html.page_to_html(replace(bare_page(), title=value, notes=(value,), taps=(tap,)), None))

    hostile, plain = document(text), document("PLAIN")
    # A slash in a name adds a place to break, nothing else.
    assert [tag for tag, _ in hostile.tags if tag != "wbr"] == [tag for tag, _ in plain.tags if tag != "wbr"]
    # What the parts of the file weigh differs, of course.
    found, expected = ("".join(each.text).partition("What this file holds")[0] for each in (hostile, plain))
    shown = re.sub("[\u202a-\u202e\u2066-\u2069]", lambda turning: f"[U+{ord(turning[0]):04X}]", text)
    assert found == expected.replace("PLAIN", shown)


def test_the_hostile_tap_is_shown_as_it_is_called(document: Document) -> None:
    # But for what would turn the text behind it around.
    assert HOSTILE.replace("\u202e", "[U+202E]") in "".join(document.text)
    assert len(document.named("script")) == 1


def test_a_budget_is_kept_by_smaller_maps_and_the_report_says_so() -> None:
    run = sd_unet_run()
    page = page_of("sd_unet")
    whole = html.render(run, template_dir=None, budget_mb=100, page=page)
    assert b"size budget" not in whole
    small = html.render(run, template_dir=None, budget_mb=4, page=page)
    assert len(small) <= 4e6
    assert re.search(rb"within its size budget, maps are drawn at \d+ pixels a side at most", small)


def test_where_smaller_maps_are_not_enough_fewer_channels_are_shown_random_ones_among_them() -> None:
    run = sd_unet_run()
    page = page_of("sd_unet")
    least = html.render(run, template_dir=None, budget_mb=1.8, page=page)
    assert len(least) <= 1.8e6
    assert re.search(rb"area-averaged, and \d+ channels of each layer at most", least)
    for tap in build.shrunk(run, page, Limit(8, 4)).taps:
        assert tap.maps is not None
        labels = [label for block in tap.maps.blocks for label in block.labels]
        assert len(labels) <= 4
        assert labels[-1].random == tap.maps.has_random


def test_a_budget_that_no_maps_can_keep_is_an_error_with_the_size_that_would_do() -> None:
    run, page = small_run(), page_of("small")
    with pytest.raises(RenderError, match=r"over the budget of 0\.1 MB") as caught:
        html.render(run, template_dir=None, budget_mb=0.1, page=page)
    enough = re.search(r"set it to (\d+\.\d) or more", caught.value.fix)
    assert enough is not None
    assert html.render(run, template_dir=None, budget_mb=float(enough[1]), page=page)


def test_the_whole_of_an_sd_unet_stays_under_ten_megabytes() -> None:
    assert len(report_of("sd_unet")) <= 10e6


def test_scale_by_tap_prints_the_limit_once() -> None:
    run = copy.copy(small_run())
    figures = {**run.facts.config["figures"], "scale": "tap"}
    run.facts = replace(run.facts, config={**run.facts.config, "figures": figures})
    maps = build.build(run).taps[0].maps
    assert maps is not None
    assert maps.bar_high == maps.bar_low.removeprefix("−") == maps.by_tap.high
    assert (maps.by_channel.low, maps.by_channel.high) == ("−limit", "+limit")


def grey(data: bytes) -> np.ndarray:
    """The pixels of a PNG as they are."""
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("tap", ["stem/conv", "stem/relu", "broken"])
def test_maps_are_held_as_grey_values_with_their_range(page: Page, tap: str) -> None:
    shown, tiles = next(each for each in page.taps if each.name == tap), small_run().tiles(tap)
    assert shown.maps is not None
    assert tiles is not None
    channels = [channel for block in shown.maps.blocks for channel in block.channels]
    limits = mosaics.scale_of(tiles, signed=shown.maps.signed, mode="channel").limits
    activations = tiles.activations()
    for k, channel in enumerate(channels):
        values = grey(channel.png).reshape(activations[:, k].shape).astype(np.float64)
        back = values / 254 if not shown.maps.signed else values / 127 - 1
        held = limits[k] * float(channel.gain[0])
        expected = np.clip(activations[:, k], -held if shown.maps.signed else 0, held)
        finite = np.isfinite(activations[:, k])
        assert np.allclose((back * held)[finite], expected[finite], atol=held / 100)
        assert (values[~finite] == 255).all()


NAMES = (
    "viewer", "viewer-opacity", "report", "s-methods", "s-maps", "theme-dark", "tap-1", "part-1", "layers-search",
    "figure-filmstrip", "copied-1", "dark-signed", "stem", "stem~c0", "stem~maps", "a b", "a%20b", "a\u202eb",
    "method:x",
)  # fmt: skip


def test_no_name_of_a_tap_takes_the_address_of_anything_else() -> None:
    run = make_run([TapSpec(name, "Conv2D", (8, 8, 2)) for name in NAMES], shown=2, tile=8, probes=("cat",))
    document = Document(html.render(run, template_dir=None, budget_mb=10))
    ids = [attributes["id"] for _, attributes in document.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    targets = [unquote(str(a["href"])[1:]) for _, a in document.tags if str(a.get("href", "")).startswith("#")]
    assert set(targets) <= set(ids)
    assert {"viewer", "report", "s-methods", "theme-dark"} <= set(ids)
    sections = [str(attributes["id"]) for tag, attributes in document.tags if tag == "article"]
    assert sections[12] == "stem"
    assert not {"viewer", "report", "s-methods", "stem~c0"} & set(sections)


def test_a_peak_beyond_a_channels_own_scale_is_seen_in_that_of_its_tap() -> None:
    """The darkest of 100 values is 0.1, but one is 100, and the tap reaches as far by another channel."""
    values = np.zeros((1, 2, 20, 20), np.float32)
    random = np.random.default_rng(0)
    values[0, 0], values[0, 1] = random.normal(0, 50, (20, 20)), random.normal(0, 10, (20, 20))
    values[0, 1, 3, 3] = 100
    low, high = values.min((2, 3)), values.max((2, 3))
    steps = np.round((values - low[..., None, None]) / (high - low)[..., None, None] * 255).astype(np.uint8)
    tiles = Tiles("t", ("cat",), np.arange(2), np.ones(2, bool), steps, low, high, (20, 20))
    words = maps.TapWords("t", "t", 2, "0%", "", frozenset(), frozenset())
    photos = {photo.name: photo for photo in page_of("small").photos}
    made = maps.maps(tiles, words, maps.Settings("tap", "variance", photos, None), signed=True)
    channel = made.blocks[0].channels[1]
    own, tap = (float(gain) for gain in channel.gain)
    shown = (grey(channel.png)[3, 3] / 127 - 1) * tap
    assert own <= maps.WIDER
    assert shown == pytest.approx(100 / mosaics.scale_of(tiles, signed=True, mode="tap").limits[1], abs=0.05)


def test_the_gain_of_a_channel_takes_its_scale_to_that_of_its_tap(page: Page) -> None:
    for tap in page.taps:
        tiles = small_run().tiles(tap.name)
        if tap.maps is None or tiles is None:
            continue
        own, common = (mosaics.scale_of(tiles, signed=tap.maps.signed, mode=mode) for mode in ("channel", "tap"))
        gains = np.array([channel.gain for block in tap.maps.blocks for channel in block.channels], np.float64)
        finite = np.isfinite(own.limits) & (common.limits > 0) & (own.limits > 0)
        ratio = gains[:, 1] / gains[:, 0]
        assert np.allclose(ratio[finite], (own.limits / common.limits)[finite], rtol=0.011)
        assert np.all((gains[:, 0] >= 1) & (gains[:, 0] <= maps.WIDER))
        assert tap.maps.signed or np.all(gains[:, 0] == 1)
        named = {gain for _, *gain in map(tuple, page.gains) for gain in [tuple(gain)]}
        assert {channel.gain for block in tap.maps.blocks for channel in block.channels} <= named


def test_every_script_and_style_is_allowed_by_its_hash_and_nothing_else_is(report: bytes, document: Document) -> None:
    policies = [a["content"] for a in document.named("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    allowed = dict(part.split(" ", 1) for part in str(policies[0]).split("; "))
    assert len(policies) == 1
    assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == "'none'"
    assert "unsafe" not in str(policies[0])
    for tag in ("script", "style"):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>".encode(), report, re.DOTALL)
        hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(each).digest()).decode()}'" for each in found}
        assert hashes == set(allowed[f"{tag}-src"].split())
    assert not any("style" in attributes or "onclick" in attributes for _, attributes in document.tags)


def test_the_sizes_of_its_parts_add_up_to_the_report(report: bytes) -> None:
    sizes = dict(finishing.parts(report.decode("utf-8")))
    assert sum(sizes.values()) == len(report)
    assert {"Maps, tap by tap", "Layers", "Methods", "Scripts"} <= set(sizes)
    assert sizes["Maps, tap by tap"] > sizes["Layers"]


def test_a_table_can_be_taken_along_as_csv_with_its_exact_values(page: Page) -> None:
    taps, parts = (pd.read_csv(io.StringIO(copy.text)) for copy in page.copies[::2])
    run = small_run()
    assert list(taps["tap"]) == list(run.layers["tap"])
    assert list(parts["block"]) == list(run.blocks["block"])
    assert np.allclose(taps["gini"], run.summary["gini"], equal_nan=True)


def test_taps_lead_to_their_neighbours(page: Page) -> None:
    links = [tap.href for tap in page.taps]
    assert [tap.before for tap in page.taps] == ["", *links[:-1]]
    assert [tap.after for tap in page.taps] == [*links[1:], ""]


def test_the_field_in_the_middle_is_as_large_as_the_table_says_and_lies_within_the_image(page: Page) -> None:
    run = small_run()
    rows = run.layers.set_index("tap")
    height, width = run.facts.preprocess["size"]
    found = {tap.name: tap.field for tap in page.taps if tap.field}
    assert found
    for name, field in found.items():
        top, bottom = field.top, field.top + field.down
        assert 0 <= field.left <= field.left + field.across <= width
        assert 0 <= top <= bottom <= height
        if top > 0 and bottom < height:
            assert field.down == rows.at[name, "rf_height"]
    unknown = set(rows.index[rows["rf_status"].isin(["unknown", "none"])])
    assert not unknown & set(found)


@pytest.mark.parametrize(("stride", "size", "centre"), [(1, 160, 0.0), (2, 80, 0.5), (16, 10, 7.5)])
def test_the_field_lies_where_its_strides_and_its_centre_lead(stride: float, size: int, centre: float) -> None:
    row = {"height": size, "rf_height": 5 if stride < 16 else 472, "rf_centre_y": centre, "rf_stride_y": stride}
    found, down = receptive_fields._side(row, "height", "y", 160)
    middle = centre + 0.5 + size // 2 * stride
    assert abs(middle - 80) <= stride / 2
    assert (found, down) == ((middle - 2.5, 5) if stride < 16 else (0, 160))


def test_a_page_is_frozen_and_holds_values_for_show_only(page: Page) -> None:
    with pytest.raises(AttributeError):
        page.title = "other"  # type: ignore[misc]
    assert {f.name for f in dataclasses.fields(page)} >= {"title", "keys", "notes", "table", "taps", "definitions"}


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_folder_of_templates_overrides_a_single_block(tmp_path: Path, report: bytes) -> None:
    own = write(
        tmp_path,
        "report.html.j2",
        '{% extends "fmreport/report.html.j2" %}{% block footer %}{{ super() }}'
        '<p>Our & {{ "<lab>" }}</p>{% endblock %}',
    )
    mine = html.render(small_run(), template_dir=own, budget_mb=10, page=page_of("small"))
    assert b"<p>Our & &lt;lab&gt;</p>" in mine
    # The page tells the sizes of its parts, to which the block adds.
    sizes = re.compile(rb">\d+ kB</td><td class=\"number\">\d+%<")
    assert sizes.sub(b"", mine.replace(b"<p>Our & &lt;lab&gt;</p>", b"")) == sizes.sub(b"", report)
    assert len(sizes.findall(mine)) == len(sizes.findall(report)) > 5


def test_a_folder_of_templates_may_replace_the_style_alone(tmp_path: Path) -> None:
    own = write(tmp_path, "css/theme.css", "body { color: rebeccapurple }")
    assert b"rebeccapurple" in html.render(small_run(), template_dir=own, budget_mb=10, page=page_of("small"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ok\n{% if %}", r"report\.html\.j2:2: "),
        ("ok\n\n{{ pages.title }}", r"report\.html\.j2:3: UndefinedError: 'pages' is undefined"),
        ("{{ page.nothing }}", r"report\.html\.j2:1: UndefinedError: .*nothing"),
        ("\n{{ 1 // 0 }}", r"report\.html\.j2:2: ZeroDivisionError"),
        ('{% include "other.j2" %}', r"template other\.j2 was not found"),
    ],
)
def test_a_template_that_fails_is_named_with_its_line_and_the_next_step(
    tmp_path: Path, text: str, message: str
) -> None:
    own = write(tmp_path, "report.html.j2", text)
    with pytest.raises(RenderError, match=message) as caught:
        html.render(small_run(), template_dir=own, budget_mb=10, page=page_of("small"))
    assert caught.value.fix
    assert str(tmp_path) not in str(caught.value) + caught.value.fix


def test_an_error_in_a_template_names_its_folder_without_the_path_to_it(tmp_path: Path) -> None:
    own = write(tmp_path / ".v1.partial" / "templates", "report.html.j2", "ok\n{% if %}")
    with pytest.raises(RenderError, match=r"^templates/report\.html\.j2:2: "):
        html.render(small_run(), template_dir=own, budget_mb=10, page=page_of("small"))


def test_a_folder_that_overrides_nothing_is_an_error_that_lists_the_names(tmp_path: Path) -> None:
    own = write(tmp_path, "reprot.html.j2", "")
    with pytest.raises(RenderError, match="no template, theme, logo or font that a report uses") as caught:
        html.render(small_run(), template_dir=own, budget_mb=10, page=page_of("small"))
    assert "report.html.j2" in caught.value.fix
    with pytest.raises(RenderError, match="is no folder"):
        html.render(small_run(), template_dir=tmp_path / "missing", budget_mb=10)


@pytest.fixture(scope="module")
def attributed() -> Document:
    return Document(report_of("targeted"))


def told_of_the_run(document: Document) -> str:
    """All text but the methods, which tell of every measure there is."""
    before, heading, _ = "".join(document.text).partition("Taps and tables")
    assert heading
    return before


def test_attribution_stands_beside_the_maps_of_each_tap_with_target_methods_ranges_and_limits(
    attributed: Document,
) -> None:
    text = " ".join("".join(attributed.text).split())
    score = "class 0 of head/conv, mean over its positions"
    assert f"Grad-CAM and HiResCAM of {score}: all channels together; 12 × 18 pixels, drawn at" in text
    assert "Correlational: the slope of a score, not what the model would answer without a region." in text
    assert f"The score is {score}." in text
    assert "0–0.12" in text
    assert "cat 0.25" in text.replace("0.250", "0.25")
    strips = [image["alt"] or "" for image in attributed.named("img") if "Attribution at" in (image["alt"] or "")]
    taps = len(small_run().all_tiles) - 1
    assert len(strips) == taps * 2 * 2
    assert "Attribution at one on coffee: Grad-CAM: 0–0.12" in strips
    assert "Attribution at one on cat: HiResCAM: nothing here adds to the score" in strips


def test_a_tap_without_a_gradient_says_why_and_a_run_without_a_target_says_nothing(
    attributed: Document, document: Document
) -> None:
    assert "No attribution: no gradient comes back to it." in "".join(attributed.text)
    for word in ("ttribution", "Grad-CAM", "its own prediction"):
        assert word not in told_of_the_run(document)
    plain = page_of("small")
    assert {(tap.attribution, tap.no_attribution) for tap in plain.taps} == {(None, "")}
    assert "attribution" not in {table for each in plain.definitions for table in each.tables.split(", ")}


def test_the_models_own_prediction_is_called_agreement_with_itself_wherever_it_is_shown() -> None:
    made = page_of("targeted")
    shown = [each for each in (made.lead, made.strip, *made.more_figures) if "own prediction" in each.caption]
    assert [figure.name for figure in shown] == ["progression"]
    assert "the model's own prediction (class 0 of head/conv), agreement with itself" in shown[0].caption
    assert "its own prediction (agreement with itself): best at" in shown[0].alt


def test_the_class_is_named_on_each_picture_where_it_is_each_images_own() -> None:
    run = with_target(small_run())
    run.facts = replace(run.facts, config={**run.facts.config, "target": {"class": "predicted"}})
    shown = [tap.attribution for tap in build.build(run).taps if tap.attribution]
    assert [each.score for each in shown[0].probes] == ["class 0: 0.250", "class 1: 1.25"]


def test_a_budget_shrinks_attribution_too() -> None:
    small = build.shrunk(with_target(small_run()), page_of("targeted"), Limit(8))
    caption = next(tap.attribution.caption for tap in small.taps if tap.attribution)
    assert "24 × 24 pixels, drawn at 8 × 8 (area-averaged)" in caption
