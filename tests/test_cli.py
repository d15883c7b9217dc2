"""The command line as a user meets it: a process, its output, its exit code, and what it leaves on the disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from fmreport import manifest
from fmreport.report.wording import rounded

TINY = """
import keras

def make_model(classes=3):
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    x = keras.layers.MaxPooling2D(name="pool")(x)
    x = keras.layers.Conv2D(8, 3, padding="same", name="body.conv")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="head")(x))
"""

CONFIG = """\
name: tiny
model: {kind: builder, function: "tiny_model:make_model"}
preprocess: {size: [48, 48]}
probes:
  - {kind: skimage, names: [cat, coffee]}
layers:
  - {type: "*"}
figures: {channels: 4}
"""


def fmreport(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fmreport", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """What a user is told by a command that refuses; every refusal has this form."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "error:" in done.stderr
    assert "next:" in done.stderr
    return done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny_model.py").write_text(TINY)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder in which `fmreport run tiny.yaml` was done, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny_model.py").write_text(TINY)
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder, fmreport("run", "tiny.yaml", cwd=folder)


def test_a_run_ends_with_where_the_report_is_how_long_it_took_and_three_numbers(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = finished
    assert done.returncode == 0, done.stderr
    *numbers, last = [line for line in done.stdout.splitlines() if line.strip()]
    assert last.startswith("reports/tiny/v1/report.html after ")
    assert len([line for line in numbers if "note" not in line]) == 3
    for stage in ("Reading the probes", "Opening the model", "Measuring", "Showing", "Rendering"):
        assert f"done {stage}" in done.stderr
    made = {path.relative_to(folder / "reports/tiny/v1").as_posix() for path in (folder / "reports/tiny/v1").rglob("*")}
    assert {"report.html", "report.pdf", "manifest.json", "tables/layers.csv", "tables/samples.parquet"} <= made


def test_a_run_without_a_date_has_no_crate_and_says_what_to_do(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = finished
    assert "note No ro-crate-metadata.json was written" in done.stdout
    assert "give `date:` in the config, or set SOURCE_DATE_EPOCH" in done.stdout
    assert not (folder / "reports/tiny/v1/ro-crate-metadata.json").exists()
    assert "SOURCE_DATE_EPOCH" not in (folder / "reports/tiny/v1/manifest.json").read_text(encoding="utf-8")


def test_frameworks_say_nothing_of_their_own(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    said = finished[1].stderr.splitlines()
    assert [line for line in said if line and not line.startswith("done ")] == []


def test_a_run_leaves_nothing_beside_the_run_folder(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    assert [path.name for path in (finished[0] / "reports/tiny").iterdir()] == ["v1"]


def test_a_second_run_is_refused_and_the_first_one_stays(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = finished
    before = (folder / "reports/tiny/v1/manifest.json").read_bytes()
    said = refused(fmreport("run", "tiny.yaml", cwd=folder))
    assert "reports/tiny/v1 exists already" in said
    assert "--force" in said
    assert (folder / "reports/tiny/v1/manifest.json").read_bytes() == before


def test_a_forced_run_that_fails_leaves_the_old_one(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = finished
    before = {p: p.read_bytes() for p in (folder / "reports").rglob("*") if p.is_file()}
    said = refused(fmreport("run", "tiny.yaml", "--force", "--set", "layers[0].type=Conv9D", cwd=folder))
    assert "layers[0].type: nothing matches 'Conv9D'" in said
    assert "Conv2D" in said
    assert {p: p.read_bytes() for p in (folder / "reports").rglob("*") if p.is_file()} == before


def test_render_makes_the_same_report_again(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = finished
    run = folder / "reports/tiny/v1"
    before = {name: (run / name).read_bytes() for name in ("report.html", "report.pdf", "manifest.json")}
    assert fmreport("render", "reports/tiny/v1", cwd=folder).returncode == 0
    assert {name: (run / name).read_bytes() for name in before} == before


def test_layers_lists_every_layer_and_marks_what_is_selected(folder: Path) -> None:
    done = fmreport("layers", "tiny.yaml", "--json", "--set", "layers=[{type: Conv2D}]", cwd=folder)
    listed = json.loads(done.stdout)
    assert [layer["path"] for layer in listed["layers"]][:3] == ["stem", "pool", "body/conv"]
    assert [tap["tap"] for tap in listed["taps"] if tap["selected"]] == ["stem", "body/conv"]
    assert listed["columns"]["rf_height"]["unit"] == "pixel"
    assert {tap["rf_status"] for tap in listed["taps"]} == {"exact", "global"}
    assert listed["totals"]["macs"] == sum(layer["own_macs"] for layer in listed["layers"]) > 0
    assert [tap["zeros"] for tap in listed["taps"]] == ["by design", "by design", "by chance", "by chance", "by chance"]
    printed = fmreport("layers", "tiny.yaml", cwd=folder).stdout
    assert "24 x 24 x 6" in printed
    assert "Sees: receptive field in pixels" in printed
    assert "all: every pixel, by global pooling or attention" in printed
    assert "not known" not in printed
    assert "Index: position among the taps of the same type" in printed
    assert f"multiply-adds for an image of 48 x 48: {rounded(listed['totals']['macs'])}\n" in printed
    assert "6 layers, 5 taps, 5 selected" in printed
    assert "cannot be tapped: input_layer (InputLayer)" in printed


def test_what_layers_prints_as_json_says_what_it_is_of_and_what_every_field_means(folder: Path) -> None:
    done = fmreport("layers", "tiny.yaml", "--json", cwd=folder)
    listed = json.loads(done.stdout)
    assert listed["fmreport"] == version("fmreport")
    assert (listed["name"], listed["model"]["kind"]) == ("tiny", "builder")
    assert listed["model"]["source"] == "tiny_model:make_model"
    assert listed["size"] == [48, 48]
    rows = [row for table in ("taps", "layers", "blocks") for row in listed[table]]
    assert {name for row in (*rows, listed["totals"]) for name in row} <= set(listed["columns"])
    assert all(column["meaning"] for column in listed["columns"].values())
    assert listed["columns"]["selected"]["unit"] == "true or false"
    assert sum(part["macs"] for part in listed["blocks"]) == listed["totals"]["macs"]
    assert listed["taps"][0]["feeds"] == ["MaxPooling2D"]
    assert "Index:" not in done.stdout


def test_layers_prints_a_table_for_a_paper(folder: Path) -> None:
    printed = fmreport("layers", "tiny.yaml", "--latex", "--set", "layers=[{type: Conv2D}]", cwd=folder).stdout
    names = [line.split(" & ")[0].replace("\\allowbreak{}", "") for line in printed.splitlines() if " & " in line]
    assert names[names.index("Layer") :] == ["Layer", "Layer", "stem", "body/conv", "Whole model"]
    assert "\\toprule" in printed
    assert "\\label{tab:tiny-layers}" in printed
    assert "Sees:" not in printed
    both = fmreport("layers", "tiny.yaml", "--latex", "--json", cwd=folder)
    assert "--json and --latex" in refused(both)


def test_layers_lists_them_even_where_the_config_selects_none(folder: Path) -> None:
    done = fmreport("layers", "tiny.yaml", "--set", "layers=[{name: boddy}]", cwd=folder)
    assert "nothing matches 'boddy'" in refused(done)
    assert "body/conv" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CONFIG.replace("model:", "modle:"), ["tiny.yaml:2", "modle", "model"]),
        (CONFIG.replace("builder", "bilder"), ["tiny.yaml:2", "bilder", "builder"]),
        (CONFIG.replace("probes:", "probes: ["), ["tiny.yaml:"]),
        (CONFIG.replace("names: [cat, coffee]", "names: [caat]"), ["caat", "cat"]),
        (CONFIG + "display: [cats]\n", ["display[0]", "cats", "cat"]),
        (CONFIG.replace("{kind: skimage, names: [cat, coffee]}", '{kind: files, images: "*.jpg"}'), ["*.jpg"]),
        (CONFIG + "report: {template: nowhere}\n", ["tiny.yaml:9", "nowhere"]),
        (
            CONFIG.replace('{kind: builder, function: "tiny_model:make_model"}', "{kind: keras, path: no.keras}"),
            ["no.keras"],
        ),
    ],
)
def test_check_finds_what_is_wrong_without_opening_the_model(folder: Path, text: str, said: list[str]) -> None:
    (folder / "tiny.yaml").write_text(text)
    message = refused(fmreport("check", "tiny.yaml", cwd=folder))
    for part in said:
        assert part in message


def test_check_finds_what_cannot_be_used_of_a_theme(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "logo.png").write_text("no picture")
    (folder / "tiny.yaml").write_text(CONFIG + "report: {template: mine}\n")
    message = refused(fmreport("check", "tiny.yaml", cwd=folder))
    assert "tiny.yaml:9" in message
    assert "report.template: mine/logo.png is no PNG that can be read" in message


def test_check_tells_everything_at_once(folder: Path) -> None:
    (folder / "tiny.yaml").write_text(CONFIG.replace("cat, coffee", "caat") + "report: {template: nowhere}\n")
    message = refused(fmreport("check", "tiny.yaml", cwd=folder))
    assert "caat" in message
    assert "nowhere" in message


def test_check_of_a_good_config_says_so(folder: Path) -> None:
    done = fmreport("check", "tiny.yaml", cwd=folder)
    assert (done.returncode, done.stdout.strip()) == (0, "tiny.yaml: nothing wrong")


def test_an_unreadable_image_stops_the_run_or_is_left_out_and_named_in_the_report(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"")
    text = CONFIG.replace("layers:", '  - {kind: files, images: "*.jpg"}\nlayers:')
    (folder / "tiny.yaml").write_text(text)
    assert "broken.jpg" in refused(fmreport("run", "tiny.yaml", cwd=folder))
    assert not (folder / "reports").exists()
    (folder / "tiny.yaml").write_text(text.replace('"*.jpg"', '"*.jpg", on_error: skip'))
    done = fmreport("run", "tiny.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "broken.jpg" in (folder / "reports/tiny/v1/report.html").read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing(folder: Path, how: signal.Signals) -> None:
    slow = TINY.replace("import keras\n", "import keras, pathlib, time\n", 1).replace(
        "    keras.utils", "    pathlib.Path('opened').touch(); time.sleep(60)\n    keras.utils"
    )
    (folder / "tiny_model.py").write_text(slow)
    # A shell lets what it runs in the background ignore SIGINT, and so would the process that is stopped here.
    before = signal.signal(how, signal.SIG_DFL)
    process = subprocess.Popen(
        [sys.executable, "-m", "fmreport", "run", "tiny.yaml"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    signal.signal(how, before)
    deadline = time.monotonic() + 120
    while not (folder / "opened").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "stopped" in said
    assert "Traceback" not in said
    assert not (folder / "reports").exists()


def test_a_new_config_of_the_built_in_model_is_checked_without_complaint(tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(fmreport("new", "builtin:sd_unet_pets_w8", cwd=tmp_path).stdout)
    assert fmreport("check", "new.yaml", cwd=tmp_path).returncode == 0


def test_the_schema_is_json_that_knows_every_section(tmp_path: Path) -> None:
    schema = json.loads(fmreport("schema", cwd=tmp_path).stdout)
    assert {"name", "model", "probes", "layers", "figures", "report"} <= set(schema["properties"])


def test_the_schema_of_a_manifest_is_printed_too(tmp_path: Path) -> None:
    assert json.loads(fmreport("schema", "--manifest", cwd=tmp_path).stdout) == manifest.json_schema()


@pytest.mark.parametrize("run", ["nowhere", "."])
def test_what_is_no_run_is_not_rendered(tmp_path: Path, run: str) -> None:
    assert "is no run" in refused(fmreport("render", run, cwd=tmp_path))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("preprocess.like=resnet50", "resnet"),
        ("model={kind: application, name: ResNet51}", "ResNet50"),
        ("model.function=tiny_modl:make_model", "tiny_model"),
    ],
)
def test_check_finds_names_that_lead_nowhere(folder: Path, setting: str, said: str) -> None:
    message = refused(fmreport("check", "tiny.yaml", "--set", setting, cwd=folder))
    assert "--set" in message
    assert said in message


def test_a_closed_stderr_changes_nothing(folder: Path) -> None:
    command = f"{sys.executable} -m fmreport check tiny.yaml 2>&-"
    assert subprocess.run(command, shell=True, cwd=folder, check=False, stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("setting", ["model={kind: keras, path: " + "x" * 300 + "}", "report.template=" + "x" * 300])
def test_a_name_that_is_too_long_is_refused_in_words(folder: Path, setting: str) -> None:
    refused(fmreport("check", "tiny.yaml", "--set", setting, cwd=folder))


def test_nothing_that_commands_a_terminal_reaches_it(folder: Path) -> None:
    (folder / "t.csv").write_bytes(b"image\na\x1b[31mred\x07.png\nb\0.png\nc\xc2\x9b2J\xe2\x80\xae.png\n")
    told = refused(fmreport("check", "tiny.yaml", "--set", "probes=[{kind: csv, path: t.csv}]", cwd=folder))
    assert r"t.csv:2: names a\x1b[31mred\x07.png, and there is no such file" in told
    assert r"t.csv:3: names b\x00.png, and there is no such file" in told
    assert r"t.csv:4: names c\x9b2J\u202e.png, and there is no such file" in told
    assert all(letter.isprintable() or letter == "\n" for letter in told)


def test_what_is_left_out_is_noted_without_control_characters() -> None:
    script = "from fmreport.cli.console import Progress; Progress().say('left \\x1b[2J out\\0')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "note left \\x1b[2J out\\x00\n"


def test_a_very_long_value_is_cut_in_its_middle(folder: Path) -> None:
    setting = f"probes=[{{kind: files, images: 'begin{'x' * 5000}end/*.jpg'}}]"
    told = refused(fmreport("check", "tiny.yaml", "--set", setting, cwd=folder))
    assert "beginxxxx" in told
    assert "xxx...xxx" in told
    assert "xxxend/*.jpg'" in told
    assert "there is no folder" in told
    assert len(told) < 2000


def test_emoji_codes_are_shown_as_they_were_written(folder: Path) -> None:
    (folder / "tiny.yaml").write_text(CONFIG + 'display: [":smile:"]\n')
    assert ":smile:" in refused(fmreport("check", "tiny.yaml", cwd=folder))
