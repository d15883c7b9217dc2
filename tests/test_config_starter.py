"""`fmreport new` prints a config that can be used as it is, and whose comments are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from config_texts import write
from hypothesis import given, settings
from hypothesis import strategies as st

from fmreport.config import (
    ApplicationSection,
    BitSection,
    BuilderSection,
    HubSection,
    KerasSection,
    OnnxSection,
    SavedModelSection,
    TfliteSection,
    TorchSection,
    load,
    new_config,
)
from fmreport.config.starter import scalar
from fmreport.errors import ConfigError

TEMPLATE = (Path(__file__).parents[1] / "templates/new.yaml.j2").read_text("utf-8")

MODELS = {
    "builtin:sd_unet_pets_w8": ("sd_unet_pets_w8", KerasSection),
    "models/my net #2.keras": ("my_net_2", KerasSection),
    "old.H5": ("old", KerasSection),
    "./saved/": ("saved", SavedModelSection),
    "frozen.pb": ("frozen", SavedModelSection),
    "models/net.ONNX": ("net", OnnxSection),
    "https://tfhub.dev/google/bit/m-r50x1/1": ("m-r50x1-1", HubSection),
    "file:///models/bit": ("models-bit", HubSection),
    "C:\\nets\\a.hdf5": ("a", KerasSection),
    ".keras": ("model", KerasSection),
    "models/net.TFLite": ("net", TfliteSection),
    "models/net.pt2": ("net", TorchSection),
    "net.PT": ("net", TorchSection),
    "ResNet50V2": ("ResNet50V2", ApplicationSection),
    "my.module:make_model": ("make_model", BuilderSection),
}


@pytest.mark.parametrize("model", MODELS)
def test_the_config_for_a_model_can_be_used_as_it_is(tmp_path: Path, model: str) -> None:
    config = load(write(tmp_path, new_config(model, TEMPLATE)))
    name, section = MODELS[model]
    assert (config.name, type(config.model)) == (name, section)
    assert model in dict(config.model).values()
    assert [source.names for source in config.probes] == [("cat", "astronaut", "coffee", "rocket")]


def test_a_bit_model_is_named_by_its_variant(tmp_path: Path) -> None:
    section = load(write(tmp_path, new_config("BiT-R101x3", TEMPLATE))).model
    assert isinstance(section, BitSection)
    assert section.variant == "R101x3"


@pytest.mark.parametrize("model", ["builtin:a", "ResNet50V2", "m:f", "./a", "https://a.b/c/1", "BiT-R50x1"])
def test_what_is_commented_out_can_be_used_too(tmp_path: Path, model: str) -> None:
    text = new_config(model, TEMPLATE)
    # Prose starts with a capital letter or a quotation mark, settings do not.
    awake = re.sub(r"^( *)# ( *(?:- )?[a-z{].*)$", r"\1\2", text, flags=re.MULTILINE)
    awake = awake.replace("sha256: ...", f"sha256: {0:064}")
    assert awake.count("# ") < text.count("# ") - 15
    config = load(write(tmp_path, awake))
    assert (len(config.probes), len(config.layers), config.batch) == (4, 7, 8)
    assert config.engine.kind == "ray"


@pytest.mark.parametrize("written", ["figures", "report", "memory_mb", "seed", "layers", "exclude", "release"])
def test_the_defaults_that_it_shows_are_the_defaults(tmp_path: Path, written: str) -> None:
    shown = load(write(tmp_path, new_config("m:f", TEMPLATE)))
    minimal = "name: f\nmodel: {kind: builder, function: 'm:f'}\nprobes: [{kind: skimage, names: [cat]}]\n"
    assert getattr(shown, written) == getattr(load(write(tmp_path, minimal)), written)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_any_path_survives_being_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = write(tmp_path_factory.getbasetemp(), new_config(f"{text}/a.keras", TEMPLATE), "new.yaml")
    assert load(path).model.path == f"{text}/a.keras"


@pytest.mark.parametrize("text", ["null", "1.0", "a: b", "a #b", "a:", "~", "- a", "", '"', "\x85", "2024-01-01", "\t"])
def test_text_that_yaml_would_take_for_something_else_is_quoted(text: str) -> None:
    assert scalar(text).startswith('"')
    assert scalar(text).isprintable()


@pytest.mark.parametrize("text", ["", "two words", "builtin:", "a:b:c", "50ResNet"])
def test_what_names_no_model_is_refused_with_what_would(text: str) -> None:
    with pytest.raises(ConfigError, match="names no model") as caught:
        new_config(text, TEMPLATE)
    assert "builtin:NAME" in caught.value.fix
