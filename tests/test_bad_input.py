"""Masks, images and taps of which something cannot be told: each run ends, and its report says why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from probe_files import photograph
from to_read import blobs

import fmreport
from fmreport.analysis import finding as f
from fmreport.analysis.finding import Finding, Tables
from fmreport.analysis.findings import findings
from fmreport.errors import ProbeError
from fmreport.store import Run

SIZE = 32
MODEL = """
import keras

def make_model():
    keras.utils.set_random_seed(0)
    layer = keras.layers
    image = keras.Input((32, 32, 3))
    x = layer.Conv2D(4, 3, padding="same", activation="relu", name="first")(image)
    x = one = layer.Conv2D(1, 3, padding="same", name="one")(x)
    flat = layer.Conv2D(2, 1, kernel_initializer="zeros", bias_initializer="ones", name="flat")(one)
    x = layer.Conv2D(4, 3, 2, padding="same", name="half")(layer.Concatenate(name="both")([one, flat]))
    x = layer.GlobalAveragePooling2D(keepdims=True, name="pooled")(x)
    return keras.Model(image, layer.Dense(3, name="head")(layer.Flatten(name="vector")(x)))
"""
CONFIG = """
name: bad
model: {kind: builder, function: "bad_model:make_model"}
preprocess: {size: [32, 32]}
probes: [{kind: files, images: "probes/*.png", masks: "masks/{stem}.png"}]
layers: [{name: "*"}]
controls: {randomised: 1}
report: {formats: [html]}
"""
MASKS = [(255 * mask).astype(np.uint8) for mask in blobs(np.random.default_rng(0), 12, SIZE, SIZE)]


def write(folder: Path, masks: Sequence[np.ndarray | None]) -> Path:
    """A config for as many images, with those masks."""
    for name in ("probes", "masks"):
        (folder / name).mkdir(exist_ok=True)
    for i, mask in enumerate(masks):
        Image.fromarray(photograph(SIZE, SIZE, i)).save(folder / f"probes/p{i}.png")
        if mask is not None:
            Image.fromarray(mask).save(folder / f"masks/p{i}.png")
    (folder / "bad_model.py").write_text(MODEL)
    masked = any(mask is not None for mask in masks)
    (folder / "bad.yaml").write_text(CONFIG if masked else CONFIG.replace(', masks: "masks/{stem}.png"', ""))
    return folder / "bad.yaml"


def done(folder: Path, masks: Sequence[np.ndarray | None]) -> Run:
    return fmreport.run(write(folder, masks), out=folder / "reports")


def told(run: Run) -> dict[str, Finding]:
    made = Tables(run.layers, run.inventory, run.summary, run.channels, run.analyses, run.controls, 0)
    return {each.subject: each for each in findings(made)}


def of_masks(run: Run) -> list[Finding]:
    return [each for subject, each in told(run).items() if "mask" in subject]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Twelve good images with masks, and taps of every kind."""
    return done(tmp_path_factory.mktemp("odd"), MASKS)


def test_without_masks_there_are_no_columns_of_masks_and_the_report_says_why(tmp_path: Path) -> None:
    run = done(tmp_path, [None] * 3)
    assert not [name for name in run.samples.columns if name.startswith("region")]
    assert set(run.analyses["readability"]["target"]) == {"edge"}
    assert set(run.analyses["progression"]["quantity"]) == {"edge", "centroid_common", "centroid_share"}
    assert len(run.analyses["selectivity"]) == 0
    assert "Masks are not read from (image), first, one and 3 more: no image has a mask" in run.facts.notes
    assert [each.verdict for each in of_masks(run)] == [f.UNTESTED] * 3
    page = run.report.read_text(encoding="utf-8")
    assert "no image has a mask." in page
    assert "not tested: no tap has a mask to be read from it." in page


@pytest.mark.parametrize("value", [0, 255], ids=["background", "foreground"])
def test_masks_that_hold_one_region_only_are_told(tmp_path: Path, value: int) -> None:
    """One mask with both keeps the set from being refused, where all are background."""
    masks = [np.full((SIZE, SIZE), value, np.uint8)] * 11
    if value == 0:
        with pytest.raises(ProbeError, match="no mask holds foreground"):
            done(tmp_path, masks)
        masks = [*masks, MASKS[0]]
    run = done(tmp_path, masks)
    verdicts = [each.verdict for each in of_masks(run)]
    assert f.SUPPORTED not in verdicts
    assert f.CONSISTENT not in verdicts
    ratio = run.samples.set_index("probe").loc["p1", "region_variance_ratio"]
    assert ratio.isna().all()
    if value == 255:
        assert any("every mask is all foreground or all background, and alike" in note for note in run.facts.notes)
        assert "mask" not in set(run.analyses["progression"]["quantity"])


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    config = write(tmp_path, [*MASKS[:2], np.zeros((8, 9), np.uint8)])
    with pytest.raises(ProbeError, match=r"p2\.png.*9"):
        fmreport.run(config, out=tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def declaring(folder: Path, value: int) -> Path:
    """A config for three good images, with that value for the foreground of their masks."""
    config = write(folder, MASKS[:3])
    declared = f'masks: "masks/{{stem}}.png", mask_values: {{foreground: [{value}]}}'
    config.write_text(config.read_text().replace('masks: "masks/{stem}.png"', declared))
    return config


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three good images with masks, whose foreground is declared."""
    folder = tmp_path_factory.mktemp("few")
    return fmreport.run(declaring(folder, 255), out=folder / "reports")


def test_values_that_were_not_declared_are_background_and_none_that_were_is_an_error(few: Run, tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match=r"no mask holds foreground \(7\); the values found are 0, 255"):
        fmreport.run(declaring(tmp_path, 7), out=tmp_path / "reports")
    assert few.analyses["selectivity"]["prevalence"].between(0.1, 0.9).all()


def test_images_that_are_ignored_all_over_are_no_images_with_masks_and_make_no_interval(tmp_path: Path) -> None:
    config = write(tmp_path, [np.full((SIZE, SIZE), 7, np.uint8) if i % 4 == 0 else MASKS[i] for i in range(12)])
    declared = 'masks: "masks/{stem}.png", mask_values: {foreground: [255], ignore: [7]}'
    config.write_text(config.read_text().replace('masks: "masks/{stem}.png"', declared))
    run = fmreport.run(config, out=tmp_path / "reports")
    table = run.analyses["progression"].query("quantity in ('edge', 'mask')")
    assert set(table["images"]) == {9}
    assert table[["lower", "upper"]].isna().all(axis=None)
    assert set(run.analyses["selectivity"]["masked"]) == {9}
    assert f.SUPPORTED not in [each.verdict for each in of_masks(run)]
    note = "By its mask every pixel is ignored, so that neither edges nor masks are read in it: p0, p4, p8"
    assert note in run.facts.notes


def test_one_image_tells_nothing_that_takes_several(tmp_path: Path) -> None:
    run = done(tmp_path, MASKS[:1])
    assert len(run.analyses["readability"]) == len(run.analyses["selectivity"]) == 0
    assert [each.verdict for each in of_masks(run)] == [f.UNTESTED] * 3
    assert any("it takes 2 images that are not ignored all over; here: 1" in note for note in run.facts.notes)


def test_fewer_images_than_folds_are_held_out_one_by_one_without_an_interval(few: Run) -> None:
    table = few.analyses["progression"]
    assert table["lower"].isna().all()
    assert set(table.loc[table["quantity"] == "mask", "images"]) == {3}
    assert table.loc[table["quantity"] == "mask", "value"].notna().all()
    assert f.SUPPORTED not in [each.verdict for each in of_masks(few)]


def test_taps_that_are_no_maps_and_maps_of_one_position_are_not_read(odd: Run) -> None:
    assert set(odd.analyses["readability"]["tap"]) == {"(image)", "first", "one", "flat", "both", "half"}
    assert set(odd.analyses["selectivity"]["tap"]) == {"(image)", "first", "one", "flat", "both", "half"}
    assert odd.facts.notes[-2:] == (
        "Edges and masks are not read from pooled: a single position can say how large a mask is, not where",
        "Edges and masks are not read from vector, head: what is no map has no positions",
    )
    page = odd.report.read_text(encoding="utf-8")
    assert all(f"{note}." in page for note in odd.facts.notes)


def test_a_constant_map_says_nothing_and_is_not_undefined(odd: Run) -> None:
    table = odd.analyses["progression"].set_index(["tap", "quantity"])["value"]
    assert table["flat"][["edge", "mask"]].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert "centroid_share" not in table["flat"].index
    found = odd.analyses["selectivity"].set_index("tap").loc["flat"]
    assert (found["auroc"], found["iou_p_best"]) == (0.5, 1)
    idle = told(odd)["channels that say nothing of their own"]
    # Both channels of the layer, and again where they are joined to another; 1 weight and 1 bias each.
    assert "0 are silent, 4 more constant" in idle.sentence
    assert "about 4 parameters" in idle.sentence


def test_one_channel_is_measured_as_many_are(odd: Run) -> None:
    assert odd.analyses["selectivity"].set_index("tap").loc["one", ["chosen", "chosen_again"]].tolist() == [0, 0]
    assert odd.analyses["dimension"].set_index("tap").loc["one", "participation_ratio"] == 1
    assert told(odd)["collapse of dimension"].verdict == f.NOTHING


def test_a_step_to_one_position_is_no_collapse(odd: Run) -> None:
    assert told(odd)["collapse of resolution"].verdict == f.NOTHING
