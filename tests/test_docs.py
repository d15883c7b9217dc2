"""What the documentation shows is true: configs load, commands exist, links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fmreport import config, measures
from fmreport.cli import app

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


def test_every_measured_column_is_explained() -> None:
    page = (ROOT / "docs/measures.md").read_text(encoding="utf-8")
    derived = {derived.column.name for measure in measures.load() for derived in measure.columns}
    quantiles = {name for name in derived if re.fullmatch(r"q\d\d", name)}
    assert len(quantiles) == 5
    assert [name for name in sorted(derived - quantiles) if f"`{name}`" not in page] == []


def test_every_command_of_the_readme_exists() -> None:
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    blocks = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    shell = [text for language, text in blocks if language == "sh"]
    used = set(re.findall(r"\bfmreport (\w+)", "\n".join(shell)))
    assert used <= known
    assert len(used) >= 4
