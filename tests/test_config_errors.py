"""Everything wrong with a config is told at once: where, what, and the nearest valid name."""

from __future__ import annotations

import copy
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from config_texts import FULL, MINIMAL, complaints, write
from hypothesis import given, settings
from hypothesis import strategies as st

from fmreport.config import from_dict, load
from fmreport.errors import ConfigError


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
nam: small
model:
  kind: kears
preprocess: {size: [160], resize: strech, range: [255, 0], std: [1, 0, 1]}
probes:
  - {kind: skimage, nmes: [cat]}
  - {kind: files, images: [], limit: 0}
layers:
  - {typ: Conv2D}
  - {}
figures: {chanels: 16, tile: 2}
figures: {tile: 8}
size: 3
seed: 1.5
"""
    assert complaints(tmp_path, text, "figures.scale=tab", "reprot.budget_mb=3") == [
        "run.yaml: name: missing: name of the model's reports; a run lands in reports/<name>/<release>/",
        "run.yaml:1: nam: unknown key; nearest: name",
        "run.yaml:3: model.kind: 'kears' is not known; nearest: keras",
        "run.yaml:4: preprocess.size: expected 2 values, found 1",
        "run.yaml:4: preprocess.resize: 'strech' is not known; nearest: stretch",
        "run.yaml:4: preprocess.range: expected [low, high] with low below high, found [255, 0]",
        "run.yaml:4: preprocess.std: expected numbers above 0: images are divided by them",
        "run.yaml:6: probes[0].names: missing: their names, such as cat, astronaut, coffee, rocket",
        "run.yaml:6: probes[0].nmes: unknown key; nearest: names",
        "run.yaml:7: probes[1].images: expected at least one value, found none",
        "run.yaml:7: probes[1].limit: expected at least 1, found 0",
        "run.yaml:9: layers[0].typ: unknown key; nearest: type",
        "run.yaml:10: layers[1]: selects nothing; give it at least one of type, name, before, index, every",
        "run.yaml:11: figures.tile: expected 8 to 1024, found 2",
        "run.yaml:11: figures.chanels: unknown key; nearest: channels",
        "run.yaml:12: figures: written twice, first on line 11",
        "run.yaml:13: size: unknown key; it stands under preprocess: preprocess.size",
        "run.yaml:14: seed: expected a whole number, found 1.5",
        "--set figures.scale=tab: figures.scale: 'tab' is not known; nearest: tap",
        "--set reprot.budget_mb=3: reprot: unknown key; nearest: report, preprocess",
    ]


@pytest.mark.parametrize(
    ("added", "complaint"),
    [
        ("release: .hidden", "release: expected letters, digits, dots, _ and -, with no dot in front; found '.hidden'"),
        ("release:", "release: expected text, found nothing; leave the key out to get its default"),
        ("display: [cat, cat]", "display: 'cat' is listed twice"),
        ("display: cat", "display: expected a list, found text 'cat'"),
        (
            "authors: [{name: A, orcid: 123}]",
            "authors[0].orcid: expected an ORCID iD, such as 0000-0002-1825-0097; found '123'",
        ),
        ("figures: {channels: 8, random: 8}", "figures.random: expected fewer than figures.channels (8), found 8"),
        ("figures: {channels: 513}", "figures.channels: expected 1 to 512, found 513"),
        ("measures: {dissection: 1}", "measures.dissection: expected true or false, found 1"),
        ("measures: {disection: true}", "measures.disection: unknown key; nearest: dissection"),
        ("dissection: true", "dissection: unknown key; it stands under measures: measures.dissection"),
        ("controls: {randomised: 21}", "controls.randomised: expected 0 to 20, found 21"),
        ("controls: {randomised: -1}", "controls.randomised: expected 0 to 20, found -1"),
        ("controls: {randomised: 1.5}", "controls.randomised: expected a whole number, found 1.5"),
        ("controls: {randomized: 3}", "controls.randomized: unknown key; nearest: randomised"),
        ("randomised: 3", "randomised: unknown key; it stands under controls: controls.randomised"),
        ("figures: [8]", "figures: expected a mapping (key: value), found a list"),
        ("layers: [{type: Conv2D, index: 0}]", "layers[0].index: expected at least 1, found 0"),
        ("layers: [{type: }]", "layers[0].type: nothing stands here; give it a value or leave the key out"),
        ("layers: []", "layers: expected at least one value, found none"),
        ("preprocess: {mean: [1, 2]}", "preprocess.mean: expected 3 values (or 1 for all channels), found 2"),
        ("preprocess: {mean: [1, 2, 3, 4]}", "preprocess.mean: expected at most 3 values, found 4"),
        ("preprocess: {size: 0}", "preprocess.size: expected at least 1, found 0"),
        ("report: {formats: [html, docx]}", "report.formats[1]: 'docx' is not known; one of: html, pdf"),
        ("report: {budget_mb: 0}", "report.budget_mb: expected above 0, found 0"),
        ("report: {exports: [model-card]}", "report.exports[0]: 'model-card' is not known; nearest: model_card"),
        ("report: {exports: [ml_bom, ml_bom]}", "report.exports: 'ml_bom' is listed twice"),
        ("date: 21.11.2026", "date: expected a date, such as 2026-11-21; found '21.11.2026'"),
        ("date: 2026-02-30", "date: expected a day of the calendar, such as 2026-11-21; found '2026-02-30'"),
        ("report: {pdf: {taps: some}}", "report.pdf.taps: 'some' is not known; one of: all, selected, summary"),
        ("report: {pdf: {tap: all}}", "report.pdf.tap: unknown key; nearest: taps"),
        ("report: {pdf: summary}", "report.pdf: expected a mapping (key: value), found text 'summary'"),
        ("report: {pdf: {taps: }}", "report.pdf.taps: expected one of: all, selected, summary; found nothing"),
        ("memory_mb: .inf", "memory_mb: the number '.inf' is too large, or not finite"),
        ('title: "a\\0b"', "title: not valid text: the character NUL, which no name of a file can hold"),
        (
            "engine: {kind: ray, address: '127.0.0.1:0'}",
            "engine.address: expected a port from 1 to 65535 behind 127.0.0.1:, found 0",
        ),
        (
            "engine: {kind: ray, address: '127.0.0.1:99999'}",
            "engine.address: expected a port from 1 to 65535 behind 127.0.0.1:, found 99999",
        ),
        (
            "engine: {kind: ray, address: 'ray://head:10001'}",
            "engine.address: Ray Client (ray://) is not used here; write auto, or the cluster's own host:port",
        ),
        (
            "engine: {kind: ray, address: head}",
            "engine.address: expected auto, local, or host:port of a cluster, such as 10.0.0.1:6379; found 'head'",
        ),
        ("doi: !secret x", "doi: the tag '!secret' has no meaning here; leave it out"),
        ("batch: !!int many", "batch: 'many' is no whole number"),
        ("? [a]\n: 1", "a key must be one word, not a list or a mapping"),
    ],
)
def test_a_wrong_value_is_met_with_what_is_expected(tmp_path: Path, added: str, complaint: str) -> None:
    assert complaints(tmp_path, f"{MINIMAL}{added}\n") == [f"run.yaml:5: {complaint}"]


KINDS = "application, bit, builder, hub, keras, onnx, savedmodel, tflite, torch"


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("{path: x}", f"model.kind: missing; one of: {KINDS}"),
        ("{kind: keras}", "model.path: missing: the model's file or folder, relative to this file, or builtin:NAME"),
        (
            "{kind: 3, path: x}",
            f"model.kind: expected one of: {KINDS}; found 3",
        ),
        (
            "{kind: keras, path: x, sha256: 12}",
            "model.sha256: expected the 64 hexadecimal digits of a SHA-256; found '12'",
        ),
        (
            "{kind: keras, path: x, inputs: {a: zeros}}",
            "model.inputs: no input takes the image; give one of them `image`",
        ),
        ("{kind: keras, path: x, inputs: {a: imag}}", "model.inputs.a: 'imag' is not known; nearest: image"),
        (
            "{kind: builder, function: make}",
            "model.function: expected module:name, such as my_module:make_model; found 'make'",
        ),
        (
            "{kind: application, name: X, weights: imagenet, classes: 3}",
            "model.classes: the weights imagenet have 1000 classes, not 3",
        ),
    ],
)
def test_a_wrong_model_is_met_with_what_is_expected(tmp_path: Path, model: str, complaint: str) -> None:
    assert complaints(tmp_path, re.sub("model: .*", f"model: {model}", MINIMAL)) == [f"run.yaml:2: {complaint}"]


@pytest.mark.parametrize(
    ("text", "complaint", "fix"),
    [
        ("a: b: c", ":1:5: not YAML: a `:` stands where no key can be", "quote"),
        ("a: 1\n b: 2", ":2:3: not YAML: a `:` stands where no key can be", "align"),
        ("a: [1,\n  2\nb: 3", ":3:2: not YAML: a list in [ ] is not closed, or a comma is missing", "]"),
        ("a: {b: 1", ":1:9: not YAML: a mapping in { } is not closed, or a comma is missing", "}"),
        ("a:\n\tb: 1", ":2:1: not YAML: a tab stands here", "spaces"),
        ("a: 'x", ":1:6: not YAML: a quote is opened and never closed", "close the quote"),
        ("a: @x", ":1:4: not YAML: a value cannot start with this character", "quotes"),
        ("a: *x", ":1:4: not YAML: this alias (*name) has no anchor (&name) above it", "quote"),
        ("a: 1\n---\nb: 2", ":2:1: not YAML: a second document starts here", "one file holds one config"),
        ("a: 1\nb: \0", ":2:4: not YAML: the control character '\\x00' stands here", "take it out"),
        ("[" * 5000, ": not YAML: it is nested too deeply", "flatten"),
        ("- a\n- b", ":1: expected settings (key: value), found a list", "name:"),
        ("# nothing\n\nhello", ":3: expected settings (key: value), found a single value", "name:"),
        ("# nothing\n", ": the file is empty", "fmreport new"),
        ("", ": the file is empty", "fmreport new"),
        (b"a: 1\nb: caf\xe9", ":2: not UTF-8 text (byte 0xe9)", "UTF-8"),
    ],
)
def test_what_is_no_config_is_refused_with_its_place_and_the_next_step(
    tmp_path: Path, text: str | bytes, complaint: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert str(caught.value) == f"{tmp_path / 'run.yaml'}{complaint}"
    assert fix in caught.value.fix


def test_a_file_that_is_not_there_is_met_with_those_that_are(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL, "pets.yaml")
    with pytest.raises(ConfigError, match=r"pest\.yaml: no such file") as missing:
        load(tmp_path / "pest.yaml")
    with pytest.raises(ConfigError, match="a folder, not a config") as folder:
        load(tmp_path)
    assert "pets.yaml" in missing.value.fix
    assert "pets.yaml" in folder.value.fix
    with pytest.raises(ConfigError, match="no such file") as nowhere:
        load(tmp_path / "nowhere" / "pets.yaml")
    assert "fmreport new" in nowhere.value.fix


def test_of_a_folder_full_of_configs_five_are_named_the_nearest_first(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path, MINIMAL, f"config_{number}.yaml")
    write(tmp_path, MINIMAL, "zebra.yaml")
    with pytest.raises(ConfigError, match="no such file") as missing:
        load(tmp_path / "brzea")
    assert missing.value.fix.endswith("zebra.yaml") or "nearest of 41: zebra.yaml, " in missing.value.fix
    assert missing.value.fix.count(".yaml") <= 5


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert load(write(tmp_path, b"\xef\xbb\xbf" + MINIMAL.encode())).name == "small"


@pytest.mark.parametrize("loop", ["&x [*x, *x]", "&x {a: *x, b: *x}"])
def test_aliases_may_repeat_a_value_but_not_without_end(tmp_path: Path, loop: str) -> None:
    shared = MINIMAL.replace("small.keras}", "x}") + "layers: &all [{type: Conv2D}]\nexclude: *all\n"
    config = load(write(tmp_path, shared))
    assert config.exclude == config.layers
    text = MINIMAL.replace("{kind: keras, path: small.keras}", f"{{kind: builder, arguments: {{c: {loop}}}}}")
    assert complaints(tmp_path, text) == ["run.yaml:2: model: deeper than 40 levels, or more than 100000 values"]


def test_aliases_of_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    text = "a: &a [1]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefghij"))
    assert complaints(tmp_path, text) == ["run.yaml:6: f: deeper than 40 levels, or more than 100000 values"]


def test_python_data_is_checked_as_a_file_is() -> None:
    wrong = {"doi": "\ud800", "figures": {3: 4, "tile": "9"}, "batch": float("nan"), "seed": object()}
    with pytest.raises(ConfigError) as caught:
        from_dict({**FULL, **wrong}, ".")
    assert sorted(str(caught.value).splitlines()) == [
        "CONFIG: batch: the number is too large, or not finite",
        "CONFIG: doi: not valid text: half of a surrogate pair",
        "CONFIG: figures.tile: expected a whole number, found text '9'",
        "CONFIG: figures: a key must be text, not 3",
        "CONFIG: seed: a config cannot hold a value of type object",
    ]
    with pytest.raises(ConfigError, match="expected a mapping of settings, found list"):
        from_dict([FULL], ".")  # type: ignore[arg-type]


# Whatever is read, the outcome is a config or an error that a user can mend

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.none() | st.just("kind"), inner, max_size=4)
    ),
    max_leaves=8,
)
RAW = re.compile(r"pydantic|Input should|Value error|Undefined|does not fit|\[type=|Traceback|<object", re.IGNORECASE)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all there is in `value`, itself left out."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for step, each in steps for place in [(*path, step), *places(each, (*path, step))]]


@settings(deadline=None)
@given(st.sampled_from(places(FULL)), junk)
def test_junk_anywhere_in_a_config_is_told_in_plain_words(path: tuple[Any, ...], value: Any) -> None:
    data = copy.deepcopy(FULL)
    holder = data
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    try:
        from_dict(data, ".")
    except ConfigError as error:
        for line in str(error).split("\nCONFIG"):
            assert not RAW.search(line.replace(repr(value), ""))
            assert line.removeprefix("CONFIG").startswith(f": {path[0]}")


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(list(FULL)) | st.integers(), junk, max_size=5))
def test_any_mapping_is_a_config_or_a_config_error(data: dict[Any, Any]) -> None:
    with pytest.raises(ConfigError):
        from_dict(data, ".")


@settings(deadline=None)
@given(st.text(max_size=40) | st.text(" \n:-[]{}#&*!|>'\"%@`,?~.<=ab01", max_size=40) | st.binary(max_size=20))
def test_any_file_is_a_config_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    path = write(tmp_path_factory.getbasetemp(), data, "any.yaml")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).split("\n") if "any.yaml" in line)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_override_is_set_or_a_config_error(text: str) -> None:
    try:
        load(Path(__file__).parents[1] / "configs/sd_unet_pets.yaml", [text])
    except ConfigError as error:
        told = str(error)
    else:
        told = "--set "
    assert told.startswith("--set ")
