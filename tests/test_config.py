"""A config is read strictly: what it says, where it says it, and what it leaves to the defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from config_texts import FULL, MINIMAL, complaints, write
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fmreport.config import Config, Selector, from_dict, json_schema, load
from fmreport.errors import ConfigError

ROOT = Path(__file__).parents[1]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """(path, value) of all that is no mapping and no list."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    return [(path, value)] if steps is None else [leaf for key, each in steps for leaf in leaves(each, (*path, key))]


# What is read


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    config = load(write(tmp_path, MINIMAL))
    assert (config.release, config.title, config.display, config.batch, config.seed) == ("v1", "small", None, None, 0)
    assert config.layers[0] == Selector(type="*Conv*")
    assert all(selector.optional for selector in config.layers[1:])
    assert config.exclude == ()
    assert (config.figures.channels, config.figures.random, config.report.formats) == (32, 8, ("html", "pdf"))
    assert (config.preprocess.size, config.controls.randomised, config.measures.dissection) == (None, 0, False)


def test_every_setting_survives_being_resolved_and_read_again(tmp_path: Path) -> None:
    config = from_dict(FULL, tmp_path)
    resolved = config.resolved()
    assert from_dict(resolved, tmp_path).resolved() == resolved == json.loads(json.dumps(resolved))
    decisive = {key: value for key, value in FULL.items() if key != "batch"}
    assert dict(leaves(decisive)).items() <= dict(leaves(resolved)).items()


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        from_dict(FULL, tmp_path).figures.channels = 3  # type: ignore[misc]


@pytest.mark.parametrize("written", ["1.0", "1.10", "007", "0x1F", "1e999", "2024-01-01", "1_000", "v1.2"])
def test_a_release_is_kept_as_it_is_written(tmp_path: Path, written: str) -> None:
    path = write(tmp_path, f"{MINIMAL}release: {written}\n")
    assert load(path).release == written == load(path, [f"release={written}"]).release


def test_words_of_older_yaml_are_text(tmp_path: Path) -> None:
    assert load(write(tmp_path, f"{MINIMAL}title: no\n")).title == "no"
    assert complaints(tmp_path, MINIMAL.replace("small.keras", "x, trusted: yes")) == [
        "run.yaml:2: model.trusted: expected true or false, found text 'yes'"
    ]


def test_the_keys_of_a_selector_keep_their_order(tmp_path: Path) -> None:
    config = load(write(tmp_path, f"{MINIMAL}layers:\n- {{every: 2, type: C}}\n- {{type: C, every: 2, index: 3}}\n"))
    assert config.layers[0].steps == (("every", 2), ("type", "C"))
    assert config.layers[1].steps == (("type", "C"), ("every", 2), ("index", (3,)))
    assert Selector(every=2, type="C") != Selector(type="C", every=2)
    assert [list(each) for each in config.resolved()["layers"]] == [["every", "type"], ["type", "every", "index"]]


def test_one_value_stands_for_a_list_of_one() -> None:
    def read(**settings: Any) -> Config:
        return from_dict({**FULL, **settings}, ".")

    assert read(preprocess={"size": 96}) == read(preprocess={"size": [96, 96]})
    assert read(probes=[{"kind": "files", "images": "a"}]) == read(probes=[{"kind": "files", "images": ["a"]}])


@pytest.mark.parametrize(("channels", "drawn"), [(1, 0), (4, 1), (16, 4), (32, 8), (512, 8)])
def test_fewer_channels_leave_room_for_the_chosen(channels: int, drawn: int) -> None:
    assert from_dict({**FULL, "figures": {"channels": channels}}, ".").figures.random == drawn


def test_paths_count_from_the_configs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    write(tmp_path / "configs", MINIMAL)
    monkeypatch.chdir(tmp_path)
    config = load("configs/run.yaml")
    monkeypatch.chdir("/")
    assert config.resolve("small.keras") == config.folder / "small.keras" == tmp_path / "configs/small.keras"
    assert config.source == Path("configs/run.yaml")


def test_what_is_recorded_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    model = {
        **FULL["model"],
        "weights": str(tmp_path / "w/a.h5"),
        "arguments": {"data": ["/elsewhere/x.npz", "C:\\y.npz", 3]},
    }
    recorded = from_dict({**FULL, "model": model, "report": {"template": "/elsewhere/mine"}}, tmp_path).resolved()
    assert recorded["model"]["weights"] == "w/a.h5"
    assert recorded["model"]["arguments"]["data"] == [".../x.npz", ".../y.npz", 3]
    assert recorded["report"]["template"] == ".../mine"


# Where it was written


def test_every_key_is_found_on_its_own_line() -> None:
    path = ROOT / "configs/sd_unet_pets.yaml"
    config, lines = load(path), path.read_text("utf-8").splitlines()
    for key in ("name", "release", "title", "model", "preprocess", "probes", "layers", "figures"):
        line = config.where(key).rpartition(":")[2]
        assert lines[int(line) - 1].startswith(f"{key}:")
        for inner in getattr(config, key).__class__.model_fields if key in ("model", "preprocess", "figures") else ():
            there = lines[int(config.where(key, inner).rpartition(":")[2]) - 1]
            assert there.lstrip().startswith(f"{inner}:") or there == f"{key}:"


def test_a_default_is_where_the_section_around_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, f"{MINIMAL}figures:\n  tile: 9\n")
    config = load(path, ["probes[0].names=[rocket]"])
    assert config.where("figures", "tile") == f"{path}:6"
    assert config.where("figures", "scale") == f"{path}:5"
    assert config.where("seed") == str(path)
    assert config.where("probes", 0, "names", 0) == "--set probes[0].names=[rocket]"
    assert from_dict(FULL, tmp_path).where("layers", 2) == "CONFIG"


# What the command line says


@settings(deadline=None)
@given(st.integers(8, 1024), st.lists(st.sampled_from(["Conv2D", "Dense", "*Pool*"]), min_size=1))
def test_an_override_means_what_the_file_would(
    tmp_path_factory: pytest.TempPathFactory, tile: int, types: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    layers = json.dumps([{"type": each} for each in types])
    said = load(write(folder, f"{MINIMAL}layers: {layers}\nfigures: {{tile: {tile}}}\n"))
    overrides = [f"figures.tile={tile}", f"layers={layers}"]
    assert load(write(folder, MINIMAL), overrides).resolved() == said.resolved()


def test_an_override_takes_the_place_of_what_is_wrong_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, f"{MINIMAL}figures: {{tile: !odd x, scale: 3}}\n")
    assert load(path, ["figures.tile=9", "figures.scale=tap"]).figures.tile == 9
    assert load(path, ["figures={tile: 10}"]).figures.tile == 10
    assert load(path, ["figures=3", "figures={tile: 11}"]).figures.tile == 11


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("figures.chanels=3", "figures.chanels: unknown key; nearest: channels"),
        ("probes[0].names=[]", "probes[0].names: expected at least one value, found none"),
        (
            "probes[1].names=[cat]",
            "probes[1].names: probes has 1 in the file, counted from 0; set probes as a whole",
        ),
        (
            "layers[0].type=C",
            "layers[0].type: layers has none in the file; set layers as a whole",
        ),
        ("modle.path=x", "modle: unknown key; nearest: model"),
        ("layrs[0].type=C", "layrs: unknown key; nearest: layers"),
        ("seed[0]=1", "seed[0]: seed has none in the file; set seed as a whole"),
        ("name.first=x", "name.first: name holds no keys; set name as a whole"),
        ("seed=[1", "seed: not a YAML value: a list in [ ] is not closed, or a comma is missing; close it with ]"),
        ("seed=", "seed: expected a whole number, found nothing; leave the key out to get its default"),
        ("model={kind: keras, path: a, path: b}", "model.path: written twice"),
        ("seed", "not of the form key.sub[0]=value, such as figures.channels=16"),
        ("a..b=1", "not of the form key.sub[0]=value, such as figures.channels=16"),
    ],
)
def test_a_problem_in_an_override_names_the_override(tmp_path: Path, override: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, MINIMAL), [override])
    assert str(caught.value) == f"--set {override}: {complaint}"


# What an editor knows


def test_the_schema_describes_every_setting() -> None:
    schema = json_schema()
    sections = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    assert len(sections) > 10
    for section in sections:
        assert section["additionalProperties"] is False
        for key, setting in section["properties"].items():
            assert setting.get("description"), f"{section['title']}.{key}"
    assert json.loads(json.dumps(schema)) == schema
    assert set(schema["properties"]) == set(Config.model_fields)
