"""A run from config to report, in Python: tables, templates, and what several measures of one config agree on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft202012Validator
from rocrate.rocrate import ROCrate
from stored_run import contents
from test_cli import CONFIG, TINY

import fmreport
from fmreport import config, pipeline
from fmreport.errors import RenderError, SourceError, StoreError
from fmreport.extract import Advance
from fmreport.figures import FIGURES, glyphs
from fmreport.manifest import json_schema
from fmreport.records import IMAGE
from fmreport.report import methods
from fmreport.report.build import build
from fmreport.store import LATEX, TABLES, Run

HTML = "report.formats=[html]"
"""For runs of which no PDF is read."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pipeline")
    (made / "tiny_model.py").write_text(TINY)
    (made / "tiny.yaml").write_text(CONFIG)
    shutil.copytree(Path(__file__).parent.parent / "docs" / "theme", made / "mine")
    (made / "mine" / "fonts").mkdir()
    shutil.copy(glyphs.fonts() / "STIXGeneral.ttf", made / "mine" / "fonts")
    with (made / "mine" / "theme.css").open("a") as css:
        css.write("@font-face { font-family: Mine; src: url(fonts/STIXGeneral.ttf) }\n")
    with (made / "mine" / "theme.typ").open("a") as typ:
        typ.write('#let text-font = ("STIXGeneral", "DejaVu Sans")\n')
    (made / "mine" / "report.html.j2").write_text(
        '{% extends "fmreport/report.html.j2" %}{% block title %}MINE {{ page.title }}{% endblock %}'
    )
    return made


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    overrides = ["report.template=mine", "date=2026-11-21", "report.exports=[model_card, ml_bom]"]
    return fmreport.run(folder / "tiny.yaml", out=folder / "reports", overrides=overrides)


def test_a_run_has_its_tables_as_frames_and_its_report_as_a_path(run: Run) -> None:
    assert list(run.layers["tap"]) == ["stem", "pool", "body/conv", "mean", "head"]
    assert list(run.summary["tap"]) == list(run.layers["tap"])
    assert len(run.samples) == 2 * (1 + 5)  # the image itself comes before its taps
    assert run.channels.groupby("tap", sort=False).size().to_list() == [6, 6, 8, 8, 3]
    assert run.report.name == "report.html"
    assert fmreport.open_run(run.folder).layers.equals(run.layers)


def test_every_column_of_every_table_is_described_and_explained(run: Run) -> None:
    assert set(TABLES) - {path.stem for path in (run.folder / "tables").iterdir()} == {"attribution"}
    for table in TABLES.keys() - {"attribution"}:
        path = run.folder / "tables" / TABLES[table]
        held = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        assert {run.columns[table][name].method for name in held.columns} <= set(methods.load().titles)


def test_zeros_are_found_where_a_relu_makes_them_and_nowhere_else(run: Run) -> None:
    fractions = run.summary.set_index("tap")["zero_fraction"]
    assert fractions["stem"] > 0.1
    assert fractions["body/conv"] == 0
    assert list(run.layers["zeros"])[:3] == ["by design", "by design", "by chance"]


def test_a_run_has_the_exports_that_are_asked_for_and_a_manifest_that_its_schema_allows(run: Run) -> None:
    told = json.loads((run.folder / "manifest.json").read_bytes())
    assert [error.message for error in Draft202012Validator(json_schema()).iter_errors(told)] == []
    assert {"ro-crate-metadata.json", "model_card.md", "ml_bom.cdx.json"} <= set(told["outputs"])
    bill = (run.folder / "ml_bom.cdx.json").read_text(encoding="utf-8")
    assert not JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill)
    assert "fmreport run tiny.yaml --set" in (run.folder / "model_card.md").read_text(encoding="utf-8")
    assert pipeline.advice(run) == ()


def test_the_crate_of_a_run_lists_every_file_with_the_hash_in_the_manifest(run: Run) -> None:
    read = {unquote(each.id): each for each in ROCrate(run.folder).root_dataset["hasPart"]}
    outputs = json.loads((run.folder / "manifest.json").read_bytes())["outputs"]
    del outputs["ro-crate-metadata.json"]
    assert (
        set(read)
        == {*outputs, "manifest.json", "execution.json"}
        == set(contents(run.folder)) - {"ro-crate-metadata.json"}
    )
    assert {path: read[path]["sha256"] for path in outputs} == {path: fact["sha256"] for path, fact in outputs.items()}
    assert all(read[path]["description"] != "a file of the run" for path in read)


def test_the_date_of_a_run_is_that_of_its_reports(run: Run) -> None:
    assert f"tiny v1 · 2026-11-21 · run {run.facts.id[:12]}" in run.report.read_text(encoding="utf-8")
    assert b"(D:20261121000000Z)" in (run.folder / "report.pdf").read_bytes()


def test_a_block_of_the_users_own_replaces_that_block_alone(run: Run) -> None:
    page = run.report.read_text(encoding="utf-8")
    assert "<title>MINE tiny</title>" in page
    assert "What was run" in page


def test_a_run_keeps_its_templates_and_is_rendered_with_them(run: Run, folder: Path) -> None:
    before = contents(run.folder)
    held = {f"templates/{name}": data for name, data in contents(folder / "mine").items()}
    assert {"templates/logo.svg", "templates/logo.txt", "templates/fonts/STIXGeneral.ttf"} <= set(held)
    assert held.items() <= before.items()
    assert set(held) <= set(json.loads(before["manifest.json"])["outputs"])
    assert b"data:font/ttf;base64," in before["report.html"]
    assert b"+STIXGeneral" in before["report.pdf"]
    (folder / "mine").rename(folder / "gone")
    try:
        assert contents(pipeline.render(run.folder).folder) == before
    finally:
        (folder / "gone").rename(folder / "mine")


def test_tables_for_a_paper_are_views_that_rendering_makes_again(run: Run) -> None:
    before = {path: (run.folder / path).read_bytes() for path in LATEX.values()}
    for path in LATEX.values():
        (run.folder / path).write_text("changed by hand")
    made = pipeline.render(run.folder)
    assert {path: (made.folder / path).read_bytes() for path in LATEX.values()} == before
    assert set(LATEX.values()) <= set(json.loads((made.folder / "manifest.json").read_bytes())["outputs"])


def test_figures_are_written_in_both_widths_and_formats(run: Run) -> None:
    names = {path.name for path in (run.folder / "figures").iterdir()}
    assert names == {
        f"{name}{width}.{kind}"
        for name in FIGURES.keys() - {"facets"}
        for width in ("", "_column")
        for kind in ("svg", "pdf")
    }


def test_a_template_that_fails_leaves_the_run_as_it_was(run: Run, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    (tmp_path / "report.html.j2").write_text(
        '{% extends "fmreport/report.html.j2" %}{% block title %}{{ nothing }}{% endblock %}'
    )
    with pytest.raises(RenderError, match=r"report\.html\.j2"):
        pipeline.render(run.folder, template=tmp_path)
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def test_the_number_of_batches_changes_no_count(run: Run, folder: Path) -> None:
    one_by_one = fmreport.run(folder / "tiny.yaml", out=folder / "other", overrides=["batch=1", HTML])
    counts = ["finite", "nan", "inf", "zeros"]
    assert one_by_one.samples[counts].equals(run.samples[counts])
    assert one_by_one.summary["mean"].to_numpy() == pytest.approx(run.summary["mean"].to_numpy(), rel=1e-5)


def test_detectors_are_looked_for_where_they_are_asked_for(run: Run, folder: Path) -> None:
    assert len(run.analyses["dissection"]) == 0
    assert "Network Dissection" not in {fact.term for fact in build(run).facts}
    asked = fmreport.run(folder / "tiny.yaml", out=folder / "dissected", overrides=["measures.dissection=true", HTML])
    table = asked.analyses["dissection"]
    assert table.groupby("tap", sort=False).size().to_dict() == {IMAGE: 3, "stem": 6, "pool": 6, "body/conv": 8}
    assert set(table["aligned_by"][3:]) == {"receptive field"}
    page = build(asked)
    (sentence,) = (fact.value for fact in page.facts if fact.term == "Network Dissection")
    assert sentence.startswith(f"{table['detector'][3:].sum()} of 20 channels detect the mask")
    of_taps = [{stat.label: stat.value for stat in tap.stats}.get("detectors") for tap in page.taps]
    assert of_taps[:3] == [
        f"{table.loc[table['tap'] == tap, 'detector'].sum()} of {of}"
        for tap, of in (("stem", 6), ("pool", 6), ("body/conv", 8))
    ]
    assert of_taps[3:] == [None, None]


def test_without_masks_the_report_says_why_there_are_no_detectors(folder: Path) -> None:
    overrides = ["measures.dissection=true", "probes[0].masks=false", HTML]
    made = fmreport.run(folder / "tiny.yaml", out=folder / "maskless", overrides=overrides)
    assert len(made.analyses["dissection"]) == 0
    assert "asked for, but no probe has a mask" in made.report.read_text(encoding="utf-8")


def test_a_run_that_exists_is_refused_before_the_model_is_opened(run: Run, folder: Path) -> None:
    settings = config.load(folder / "tiny.yaml", ["model.function=tiny_model:missing"])
    with pytest.raises(StoreError, match="exists already"):
        pipeline.run(settings, out=folder / "reports")


@dataclass
class Stages:
    """A `Watch` that remembers what was begun."""

    begun: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        self.begun.append(title)
        yield lambda done, total: None

    def say(self, text: str) -> None:
        self.said.append(text)


def test_weights_that_cannot_be_randomised_are_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """With the place in the config that asks for it."""
    (tmp_path / "tiny_model.py").write_text(
        "import keras\n"
        "def make_model():\n"
        "    x = inputs = keras.Input((48, 48, 3))\n"
        "    return keras.Model(inputs, keras.layers.AveragePooling2D(2, name='pool')(x))\n"
    )
    (tmp_path / "tiny.yaml").write_text(f"{CONFIG}controls:\n  randomised: 1\n")
    line = CONFIG.count("\n") + 2
    stages = Stages()
    with pytest.raises(SourceError, match=rf"tiny\.yaml:{line}: tiny_model:make_model cannot be randomised") as caught:
        pipeline.run(tmp_path / "tiny.yaml", out=tmp_path / "reports", watch=stages)
    assert caught.value.fix == "write controls: {randomised: 0}, or give the model trained weights"
    assert stages.begun == ["Reading the probes", "Opening the model"]
    assert not (tmp_path / "reports").exists()


def test_randomised_models_are_others_under_another_seed_and_the_same_under_the_same(folder: Path) -> None:
    """All of two seeds differ: those of the next do not begin with the second of this."""
    found = []
    for out, seed in (("first", 0), ("again", 0), ("next", 1)):
        overrides = ["controls.randomised=2", f"seed={seed}", HTML, "layers=[{name: stem}]"]
        table = fmreport.run(folder / "tiny.yaml", out=folder / f"seed_{out}", overrides=overrides).controls
        found.append([each["value"].tolist() for _, each in table.groupby("seed")])
    first, again, after = found
    assert first == again
    assert len({tuple(values) for values in (*first, *after)}) == 4


def test_so_many_randomised_models_as_a_config_may_ask_for_are_those_of_one_seed() -> None:
    most = config.json_schema()["$defs"]["ControlsSection"]["properties"]["randomised"]["maximum"]
    assert most <= pipeline.MODELS


def test_a_silent_channel_and_nan_are_told(tmp_path: Path) -> None:
    (tmp_path / "odd_model.py").write_text(
        "import keras\n"
        "def make_model():\n"
        "    x = inputs = keras.Input((32, 32, 3))\n"
        "    x = keras.layers.Conv2D(4, 1, activation='relu', kernel_initializer='zeros', name='dead')(x)\n"
        "    x = keras.layers.Conv2D(2, 1, bias_initializer=keras.initializers.Constant(float('nan')), name='nan')(x)\n"
        "    return keras.Model(inputs, x)\n"
    )
    text = CONFIG.replace("tiny_model", "odd_model").replace("[48, 48]", "[32, 32]").replace("name: tiny", "name: odd")
    (tmp_path / "odd.yaml").write_text(text)
    odd = fmreport.run(tmp_path / "odd.yaml", out=tmp_path / "reports")
    assert odd.summary.set_index("tap").loc["dead", ["silent", "near_silent", "constant"]].to_list() == [4, 4, 4]
    assert odd.summary.set_index("tap").loc["nan", "nan"] == 2 * 32 * 32 * 2
    assert any(note.startswith("4096 NaN") and " at nan " in note for note in odd.facts.notes)
    assert not any(note[0].islower() for note in odd.facts.notes)
    page = odd.report.read_text(encoding="utf-8")
    assert "4096 NaN and 0 infinite values at nan" in page
    assert "4 of 6 channels silent" in page or "4 of 4" in page


def test_weights_that_are_no_numbers_are_told_where_relu_hides_them(tmp_path: Path) -> None:
    model = TINY.replace(
        'return keras.Model(inputs, keras.layers.Dense(classes, name="head")(x))',
        "model = keras.Model(inputs, x)\n    model.set_weights([w * float('nan') for w in model.get_weights()])\n"
        "    return model",
    )
    assert "nan" in model
    (tmp_path / "tiny_model.py").write_text(model)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    notes = fmreport.run(tmp_path / "tiny.yaml", out=tmp_path / "reports", overrides=[HTML]).facts.notes
    assert any(note.startswith("4 of the model's weights hold NaN or Inf") for note in notes)


def test_one_image_that_does_not_fit_is_refused_with_what_it_would_take(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"one image needs about [\d,]+ MB .* memory_mb allows 1,024"):
        fmreport.run(folder / "tiny.yaml", out=tmp_path, overrides=["preprocess.size=20000"])
    assert list(tmp_path.iterdir()) == []


def test_a_batch_larger_than_the_probes_is_no_larger_than_they(folder: Path, tmp_path: Path, run: Run) -> None:
    made = fmreport.run(folder / "tiny.yaml", out=tmp_path, overrides=["batch=100000", HTML])
    assert made.samples[["finite", "zeros"]].equals(run.samples[["finite", "zeros"]])


def test_a_damaged_run_is_not_rendered_as_if_it_were_whole(run: Run, tmp_path: Path) -> None:
    made = Run.open(shutil.copytree(run.folder, tmp_path / "v1"))
    table = made.folder / "tables/summary.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"summary\.csv is not what the run wrote"):
        pipeline.render(made.folder)
    table.unlink()
    with pytest.raises(StoreError, match=r"summary\.csv is missing"):
        pipeline.render(made.folder)
    table.write_bytes(whole)
    (made.folder / "NOTES.md").write_text("mine")
    pipeline.render(made.folder)
    assert (made.folder / "NOTES.md").read_text() == "mine"


def test_a_target_is_attributed_to_every_map_and_the_report_is_made_again_from_the_folder_alone(folder: Path) -> None:
    made = [
        fmreport.run(folder / "tiny.yaml", out=folder / out, overrides=["target.class=predicted"])
        for out in ("decided", "again")
    ]
    # Not all files: Keras numbers an input without a name.
    first, second = ({path.name: path.read_bytes() for path in each.folder.rglob("*attribution*")} for each in made)
    assert len(first) == 4
    assert first == second
    table = made[0].attribution
    reasons = table.groupby("tap", sort=False)["reason"].first().to_dict()
    assert list(reasons) == ["stem", "pool", "body/conv", "mean", "head"]
    assert [tap for tap, reason in reasons.items() if not reason] == ["stem", "pool", "body/conv"]
    tiles = made[0].attributed("stem")
    assert tiles is not None
    assert tiles.values.shape == (2, 2, 24, 24)
    assert made[0].attributed("head") is None
    page = made[0].report.read_text(encoding="utf-8")
    assert "Grad-CAM and HiResCAM of the highest class of head: all channels together; 24 × 24 pixels" in page
    made[0].report.unlink()
    assert pipeline.render(made[0].folder).report.read_text(encoding="utf-8") == page


def test_without_a_target_a_run_holds_nothing_of_it(run: Run) -> None:
    names = {path.name for path in run.folder.rglob("*.*")}
    assert not [name for name in names if "attribution" in name]
    assert len(run.attribution) == 0
    assert "reason" in run.attribution
    assert run.attributed("stem") is None
    assert "prediction" not in set(run.analyses["progression"]["quantity"])
