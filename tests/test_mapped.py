"""Maps are measured of some images alone: evenly spread, with the numbers that they have among all."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import many_images
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fmreport
from fmreport import mapped, pipeline
from fmreport.analysis import Evidence, load
from fmreport.analysis.outliers import Outliers
from fmreport.config import from_dict
from fmreport.config.sections import FEWEST
from fmreport.errors import ConfigError
from fmreport.extract.gathering import of_values
from fmreport.extract.shards import SIZE, count, spread
from fmreport.extract.shards import mapped as places_of
from fmreport.measures import load as load_measures
from fmreport.records import IMAGE
from fmreport.store import Run
from fmreport.verification import HELD

SHARDS, WANTED = st.integers(1, 900), st.integers(1, 40)
IMAGES, MAPS = 200, 128
SEEN = [*range(64), *range(128, 192)]
"""Images of the two shards of four whose maps are measured."""
DETAIL = ("centroid", "centroid_share", "high_frequency", "total_variation")
SETTINGS = "measures: {maps: 128, dissection: true}\ndisplay: ['00070', '00010']\n"


# Which shards


@given(SHARDS, WANTED)
def test_as_many_shards_are_chosen_as_are_wanted_the_first_among_them(shards: int, wanted: int) -> None:
    chosen = spread(shards, wanted)
    assert len(chosen) == min(wanted, shards)
    assert chosen == sorted(set(chosen))
    assert chosen[0] == 0
    assert chosen[-1] < shards


@given(SHARDS, WANTED)
def test_they_are_evenly_spread(shards: int, wanted: int) -> None:
    chosen = spread(shards, wanted)
    gaps = np.diff([*chosen, shards])
    inside = gaps[:-1]
    assert not inside.size or inside.max() <= 2 * inside.min()
    assert not inside.size or gaps[-1] <= 2 * inside.max()


@given(SHARDS, WANTED)
def test_one_more_shard_takes_the_place_of_one_at_most(shards: int, wanted: int) -> None:
    before, after = set(spread(shards, wanted)), set(spread(shards + 1, wanted))
    assert after - before <= {shards}
    assert len(before - after) <= 1


@given(SHARDS, WANTED)
def test_more_that_are_wanted_hold_the_fewer(shards: int, wanted: int) -> None:
    assert set(spread(shards, wanted)) <= set(spread(shards, wanted + 1))


@given(st.integers(1, 9_000), st.integers(SIZE, 2_000))
def test_images_are_chosen_by_whole_shards(images: int, wanted: int) -> None:
    parts = places_of(images, wanted)
    assert all(part.start % SIZE == 0 and part.stop in (part.start + SIZE, images) for part in parts)
    found = sum(map(len, parts))
    assert min(images, wanted) - SIZE < found <= min(images, math.ceil(wanted / SIZE) * SIZE)
    if images <= wanted:
        assert [place for part in parts for place in part] == list(range(images))


def test_all_is_all() -> None:
    assert [place for part in places_of(5_000, None) for place in part] == list(range(5_000))
    assert len(places_of(5_000, None)) == count(5_000)


def test_measures_that_keep_something_of_groups_alone_are_not_taken_elsewhere() -> None:
    named = of_values(load_measures())
    assert {"counts", "moments", "zeros", "distribution"} <= set(named)
    assert not {"pooled", "detail", "regions", "readability", "drawn", "signature"} & set(named)


# The setting


def settings(measures: object) -> object:
    model = {"kind": "builder", "function": "a:b"}
    data = {"name": "a", "model": model, "probes": [{"kind": "skimage", "names": ["cat"]}], "measures": measures}
    return from_dict(data, ".").measures


def test_about_a_thousand_images_are_the_default_and_all_is_a_word() -> None:
    assert settings({}).images == 1000  # type: ignore[attr-defined]
    assert settings({"maps": 64}).images == 64  # type: ignore[attr-defined]
    assert FEWEST == SIZE
    assert settings({"maps": "all"}).images is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(("wrong", "told"), [(63, "63"), (0, "0"), (True, "True"), ("some", "'some'"), (None, "None")])
def test_what_is_no_number_of_images_is_an_error(wrong: object, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings({"maps": wrong})
    expected = "measures.maps: expected a number from 64 on, as images are taken 64 at a time, or all; found "
    assert expected + told in str(caught.value)


# A run of more images than that


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("mapped")
    config = many_images.write(made, IMAGES)
    rows = [f"images/{n:05d}.png,masks/{n:05d}.png,{'even' if n % 2 == 0 else 'odd'}" for n in range(IMAGES)]
    (made / "list.csv").write_text("\n".join(["image,mask,group", *rows]) + "\n")
    text = config.read_text()
    before = '[{kind: files, images: "images/*.png", masks: "masks/{stem}.png"}]'
    assert before in text
    probes = "[{kind: csv, path: list.csv, image: image, mask: mask, group: group}]"
    config.write_text(text.replace(before, probes) + SETTINGS)
    return made


@pytest.fixture(scope="module")
def whole(folder: Path) -> Run:
    return fmreport.run(folder / "many.yaml", overrides=["measures.maps=all"], out=folder / "all")


@pytest.fixture(scope="module")
def some(folder: Path) -> Run:
    return fmreport.run(folder / "many.yaml", out=folder / "some", cache=folder / "cache")


def columns_of_maps(run: Run) -> list[str]:
    return [name for name in run.samples if name in DETAIL or name.startswith("region_")]


def seen(run: Run) -> set[str]:
    return {run.facts.probes[place].name for place in SEEN}


def test_single_values_of_every_image_are_those_of_a_run_that_measures_all(some: Run, whole: Run) -> None:
    maps = columns_of_maps(whole)
    assert len(maps) == len(DETAIL) + 6
    ours, theirs = (
        run.samples[run.samples["tap"] != IMAGE].drop(columns=maps).reset_index(drop=True) for run in (some, whole)
    )
    assert len(ours) == 3 * IMAGES
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    pd.testing.assert_frame_equal(some.channels, whole.channels, check_exact=True)
    pd.testing.assert_frame_equal(some.table("histograms"), whole.table("histograms"), check_exact=True)
    assert list(some.samples) == list(whole.samples)
    assert some.samples.dtypes.equals(whole.samples.dtypes)


def test_detail_is_that_of_all_where_maps_are_measured_and_undefined_elsewhere(some: Run, whole: Run) -> None:
    known, maps = seen(some), columns_of_maps(some)
    of_some, of_all = (run.samples.set_index(["probe", "tap"]) for run in (some, whole))
    there = of_some.index.get_level_values("probe").isin(known)
    chosen = of_all.index.get_level_values("probe").isin(known)
    pd.testing.assert_frame_equal(of_some.loc[there, list(DETAIL)], of_all.loc[chosen, list(DETAIL)], check_exact=True)
    assert of_some.loc[there, maps].notna().all().all()
    assert of_some.loc[~there, maps].isna().all().all()
    assert set(of_some.loc[(slice(None), IMAGE), :].index.get_level_values("probe")) == known


def test_what_is_pooled_over_maps_is_of_as_many_images_as_it_says(some: Run, whole: Run) -> None:
    for run, images in ((some, MAPS), (whole, IMAGES)):
        progression = run.table("progression")
        assert set(progression["images"]) == {images}
        assert set(run.table("selectivity")["masked"]) == {images}
        spread_of = run.table("spread").set_index(["tap", "quantity"])["images"]
        assert spread_of[("conv0", "high_frequency")] == spread_of[(IMAGE, "std")] == images
        assert spread_of[("conv0", "std")] == IMAGES
        facets = run.table("facets")
        both = facets[facets["tap"] == "conv1"].groupby("quantity")["images"].sum()
        assert both["high_frequency"] == images
        assert both["std"] == IMAGES
        inside = run.table("dissection").groupby("tap")["inside"].first()
        # Masks are squares of 12 x 12 of 40 x 40 pixels.
        assert inside.to_numpy() == pytest.approx(images * 0.09 * 32 * 32, rel=0.1)


def test_what_is_pooled_is_that_of_a_run_on_these_images_alone(folder: Path, some: Run, tmp_path: Path) -> None:
    rows = (folder / "list.csv").read_text().splitlines()
    alone = folder / "seen.csv"
    alone.write_text("\n".join([rows[0], *(rows[1 + place] for place in SEEN)]) + "\n")
    overrides = ["probes[0].path=seen.csv", "display=['00010']"]
    made = fmreport.run(folder / "many.yaml", overrides=overrides, out=tmp_path)
    for name in ("detail", "readability", "progression", "selectivity", "similarity", "dimension", "redundancy"):
        pd.testing.assert_frame_equal(some.table(name), made.table(name), check_exact=True)
    pd.testing.assert_frame_equal(some.table("dissection"), made.table("dissection"), check_exact=True)


def test_images_that_were_not_looked_at_may_be_shown(some: Run, whole: Run) -> None:
    assert some.facts.displayed == ("00070", "00010")
    assert "00070" not in seen(some)
    for tap in some.layers["tap"]:
        ours, theirs = some.tiles(tap), whole.tiles(tap)
        assert ours is not None
        assert theirs is not None
        np.testing.assert_array_equal(ours.values, theirs.values)


def test_the_report_says_of_how_many_images_maps_are(some: Run, whole: Run) -> None:
    note = [text for text in some.facts.notes if "measures.maps" in text]
    assert len(note) == 1
    assert "near-duplicates) is of 128 of 200 images, in 2 runs of neighbours that are evenly spread" in note[0]
    assert not [text for text in whole.facts.notes if "measures.maps" in text]
    page, other = ((run.folder / "report.html").read_text(encoding="utf-8") for run in (some, whole))
    for words in (note[0], "200 images, 200 with a mask; maps of 128", "High frequencies are of 128 of 200 images."):
        assert words in page
        assert words not in other
    findings = (some.folder / "tables/findings.tex").read_text(encoding="utf-8")
    assert "on 200 images (of maps: on 128 of them)" in findings
    progression = (some.folder / "tables/progression.tex").read_text(encoding="utf-8")
    assert "(128 of 128 whose maps were measured have masks)" in progression


def test_a_run_is_told_of_which_images_its_maps_are(some: Run, whole: Run) -> None:
    ours, theirs = mapped.of_facts(some.facts), mapped.of_facts(whole.facts)
    assert [probe.name for probe in ours.probes] == sorted(seen(some))
    assert (ours.images, ours.masks, ours.some, ours.told) == (MAPS, MAPS, True, "128 of 200 images")
    assert (theirs.images, theirs.masks, theirs.some) == (IMAGES, IMAGES, False)


def test_it_verifies_and_is_made_again_from_a_cache_with_the_same_bytes(folder: Path, some: Run) -> None:
    assert {check.verdict for check in pipeline.verify(some.folder, rerun=True)} == {HELD}
    again = fmreport.run(folder / "many.yaml", out=folder / "again", cache=folder / "cache")
    told = json.loads((again.folder / "execution.json").read_bytes())["shards"]
    assert told["computed"] == 0
    assert many_images.files(again.folder) == many_images.files(some.folder)


def test_runs_that_measured_maps_of_other_images_are_compared_in_what_both_have(some: Run, whole: Run) -> None:
    found = pipeline.differences(some.folder, whole.folder)
    assert any(
        "Maps were measured of 128 of 200 images of A and 200 of 200 images of B" in each for each in found.warnings
    )
    assert [each.key for each in found.differences if each.counts] == ["measures.maps"]
    assert not [change for tap in found.taps for change in tap.measures if change.measure in ("edge", "mask", "iou")]
    assert {tap.state for tap in found.taps} == {"equal"}, "of images that both measured, the numbers are the same"


def test_a_run_that_knew_no_such_setting_had_all(whole: Run) -> None:
    config = {name: section for name, section in whole.facts.config.items() if name != "measures"}
    facts = replace(whole.facts, config=config)
    assert not mapped.of_facts(facts).some


def test_masks_of_other_images_are_not_among_those_that_are_looked_at(folder: Path, tmp_path: Path) -> None:
    rows = (folder / "list.csv").read_text().splitlines()
    without = [f"{row.split(',')[0]},,{row.split(',')[2]}" if 0 <= n < 64 else row for n, row in enumerate(rows, -1)]
    (folder / "later.csv").write_text("\n".join(without) + "\n")
    overrides = ["probes[0].path=later.csv", "measures.maps=64"]
    run = fmreport.run(folder / "many.yaml", overrides=overrides, out=tmp_path)
    seen = mapped.of_facts(run.facts)
    assert (run.facts.masks, seen.masks, seen.spread) == (136, 0, "the first ones")
    assert any("no image whose maps are measured has a mask" in text for text in run.facts.notes)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "no probe of 64 whose maps were measured has a mask" in page
    assert not len(run.table("selectivity"))
    assert "region_between" not in run.samples


# Images unlike the rest


def samples(images: int, known: int) -> pd.DataFrame:
    """Alike images; the first `known` have maps, and rows of the image itself."""
    rng = np.random.default_rng(0)
    frames = []
    for tap, rows in (("t", images), (IMAGE, known)):
        columns = {name: 0.5 + rng.normal(0, 0.05, rows) for name in ("mean", "std", "zero_fraction", "gini")}
        fine = np.where(np.arange(rows) < known, 0.5 * np.exp(rng.normal(0, 0.05, rows)), np.nan)
        probes = [f"p{number}" for number in range(rows)]
        frames.append(pd.DataFrame({"probe": probes, "tap": tap, **columns, "high_frequency": fine}))
    made = pd.concat(frames, ignore_index=True)
    return made.assign(finite=10_000, nan=0, inf=0, population_sparseness=made["gini"])


def evidence(frame: pd.DataFrame, known: int | None) -> Evidence:
    of_maps = None if known is None else frozenset(f"p{number}" for number in range(known))
    return Evidence((IMAGE, "t"), {}, np.ones(1), 0, (), 0, samples=frame.__getitem__, mapped=of_maps)


@pytest.mark.parametrize(("tap", "quantity"), [("t", "high_frequency"), (IMAGE, "std")])
def test_an_odd_image_is_found_among_those_whose_maps_are_measured(tap: str, quantity: str) -> None:
    frame = samples(400, 64)
    frame.loc[(frame["probe"] == "p7") & (frame["tap"] == tap), quantity] = 40.0
    row = Outliers().table(evidence(frame, 64)).set_index(["tap", "probe"]).loc[(tap, "p7")]
    assert (row["quantity"], row["images"]) == (quantity, 64)


def test_an_odd_image_is_found_among_all_by_single_values() -> None:
    frame = samples(400, 64)
    frame.loc[(frame["probe"] == "p300") & (frame["tap"] == "t"), "std"] = 40.0
    row = Outliers().table(evidence(frame, 64)).set_index(["tap", "probe"]).loc[("t", "p300")]
    assert (row["quantity"], row["images"]) == ("std", 400)


def test_images_without_maps_are_not_unlike_the_rest() -> None:
    found = Outliers().table(evidence(samples(400, 64), 64))
    assert len(found) <= 2
    spread_of = load()["spread"].table(evidence(samples(400, 64), 64)).set_index(["tap", "quantity"])["images"]
    assert spread_of[("t", "high_frequency")] == 64
    assert spread_of[("t", "std")] == 400
