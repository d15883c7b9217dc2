"""What the documentation shows is true: configs load, commands exist, links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
from probe_files import save
from typer.testing import CliRunner

from fmreport import config, facts, manifest
from fmreport.cache import Cache, key_of
from fmreport.cli import app
from fmreport.engines import ENGINES
from fmreport.errors import ProbeError
from fmreport.probes import SOURCES, collect
from fmreport.report import methods

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)

CONFIGS = [
    pytest.param(text, id=f"{page.name}:{i}")
    for page in PAGES
    for i, (language, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")))
    if language == "yaml" and text.startswith("name:")
]


@pytest.mark.parametrize("text", CONFIGS)
def test_a_config_of_the_documentation_loads(text: str, tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
    assert config.load(tmp_path / "example.yaml").name


PROBES = [
    pytest.param(text, id=text.partition("kind: ")[2].partition(",")[0] + ("" if "://" not in text else " elsewhere"))
    for language, text in FENCE.findall((ROOT / "docs/configuration.md").read_text(encoding="utf-8"))
    if language == "yaml" and text.startswith("probes:")
]


@pytest.fixture(name="pictures")
def _pictures(tmp_path: Path) -> Path:
    """What the examples of probes name."""
    for name in ("cat", "dog"):
        save(tmp_path / f"val/{name}/{name}1.jpg")
        save(tmp_path / f"masks/{name}1.png", np.tri(24, 36, dtype=np.uint8))
    rows = [(f"../val/{name}/{name}1.jpg", f"../masks/{name}1.png", name) for name in ("cat", "dog")]
    table = pd.DataFrame(rows, columns=["file", "outline", "class"])
    (tmp_path / "lists").mkdir()
    table.to_csv(tmp_path / "lists/val.csv")
    table.to_parquet(tmp_path / "lists/val.parquet")
    return tmp_path


@pytest.mark.parametrize("text", PROBES)
def test_an_example_of_probes_is_collected(text: str, pictures: Path) -> None:
    if "s3://bucket" in text:
        # The same files at an address that takes no server.
        bucket = f"memory:/{pictures}"
        fsspec.filesystem("memory").put(str(pictures), str(pictures), recursive=True)
        text = text.replace("s3://bucket", bucket)
    path = pictures / "example.yaml"
    path.write_text(f"name: n\nmodel: {{kind: application, name: MobileNetV2}}\n{text}", encoding="utf-8")
    settings = config.load(path)
    if settings.probes[0].kind == "tfds":
        pytest.importorskip("tensorflow_datasets", reason="needs the extra fmreport[tfds]")
        with pytest.raises(ProbeError, match="there is no prepared data set 'oxford_iiit_pet' in sets"):
            collect(settings.probes, settings.folder)
        return
    assert collect(settings.probes, settings.folder).groups == ("cat", "dog")


def test_every_kind_of_probes_for_real_sets_has_an_example() -> None:
    shown = {re.search(r"kind: (\w+)", each.values[0])[1] for each in PROBES}  # type: ignore[index,arg-type]
    assert shown | {"skimage"} == set(SOURCES)


CONFIGURATION = FENCE.findall((ROOT / "docs/configuration.md").read_text(encoding="utf-8"))


def test_every_kind_of_engine_has_an_example_that_loads(tmp_path: Path) -> None:
    found = set()
    for language, text in CONFIGURATION:
        if language == "yaml" and "engine:" in text:
            head = "" if text.startswith("name:") else "name: n\nmodel: {kind: keras, path: m}\n"
            head += "" if "probes:" in text else "probes: [{kind: skimage, names: [cat]}]\n"
            (tmp_path / "example.yaml").write_text(head + text, encoding="utf-8")
            found.add(config.load(tmp_path / "example.yaml").engine.kind)
    assert found == set(ENGINES)


def test_the_commands_that_look_after_a_cache_do_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Cache(Path("shards")).put(
        key_of("", {}), {"a": np.zeros(3)}, {"name": "my_model", "model": "m.keras", "piece": "zeros", "images": 1}
    )
    text = "\n".join(text for language, text in CONFIGURATION if language == "sh")
    lines = re.findall(r"^fmreport (cache \w+ .*)$", text, re.MULTILINE)
    assert [line.split()[1] for line in lines] == ["list", "prune"]
    for line in lines:
        done = CliRunner().invoke(app, line.split())
        assert done.exit_code == 0, done.output
        assert re.search(r"1 file|removed 0 files", done.output)


def test_there_are_configs_to_load() -> None:
    assert len(CONFIGS) >= 2


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/*.yaml")), ids=lambda path: path.name)
def test_a_config_that_ships_loads(path: Path) -> None:
    assert config.load(path).name == path.stem


def test_the_photographs_of_pets_are_those_on_which_the_model_was_not_trained() -> None:
    settings = config.load(ROOT / "configs/sd_unet_pets_full.yaml")
    card = json.loads((ROOT / "fmreport/zoo/weights/sd_unet_pets_w8.keras.json").read_text(encoding="utf-8"))
    (source,) = settings.probes
    assert isinstance(source, config.FilesProbes)
    assert source.images == tuple(f"pets/images/{name}.jpg" for name in card["images"]["held_out"])
    assert len(source.images) >= 40
    assert set(settings.display or ()) < set(card["images"]["held_out"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_to_a_heading_leads_to_one(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path, heading in re.findall(r"\]\(([\w./]*)#([^)]+)\)", text):
        target = (page.parent / path).read_text(encoding="utf-8") if path else text
        assert heading in {methods.slug(title) for title in re.findall(r"^#+ (.+)$", target, re.MULTILINE)}


def test_the_manifest_is_documented_entry_by_entry() -> None:
    text = (ROOT / "docs/reproducible.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (`.+?) \| (.+) \|$", text[text.index("## The manifest") :], re.MULTILINE))
    entries = [entry for cell in rows for entry in re.findall(r"`(\w+)`", cell)]
    assert sorted(entries) == sorted(manifest.json_schema()["properties"])
    assert tuple(re.findall(r"`(\w+)`", rows["`id`"])) == facts.DECISIVE


def test_every_command_of_the_readme_exists() -> None:
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    blocks = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    shell = [text for language, text in blocks if language == "sh"]
    used = set(re.findall(r"\bfmreport (\w+)", "\n".join(shell)))
    assert used <= known
    assert len(used) >= 4
