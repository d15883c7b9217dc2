"""What is installed is what the project says: one version, and a pin for every dependency."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

import fmreport

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = (ROOT / "constraints.txt").read_text().splitlines()
EXTRAS = sorted(PROJECT["optional-dependencies"])


def named(requirements: list[str]) -> dict[str, Requirement]:
    """Requirements by normalised name."""
    return {canonicalize_name(r.name): r for r in map(Requirement, requirements)}


def pinned() -> dict[str, str]:
    """Versions by normalised name."""
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in PINS)}


def test_constraints_hold_names_and_versions_and_nothing_else() -> None:
    strange = [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+!]*", line)]
    assert not strange
    assert len(pinned()) == len(PINS), "a package is pinned twice"


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_dependency_has_a_pin_that_fits_it(extra: str) -> None:
    wanted = named(PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"])
    assert wanted
    wanted.pop("fmreport", None)
    pins = pinned()
    assert sorted(wanted.keys() - pins.keys()) == []
    assert [f"{r} but {pins[n]}" for n, r in wanted.items() if not r.specifier.contains(pins[n])] == []


def test_what_the_dependencies_need_in_turn_has_a_pin_too() -> None:
    pins, seen = pinned(), set()
    queue = [PROJECT["name"], *named(PROJECT["dependencies"]), *named(PROJECT["optional-dependencies"]["test"])]
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        for text in metadata.requires(name) or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                queue.append(canonicalize_name(need.name))
    assert sorted(seen - pins.keys() - {"fmreport"}) == []


def test_an_extra_that_names_another_covers_it() -> None:
    assert "test" in named(PROJECT["optional-dependencies"]["dev"])["fmreport"].extras


def test_there_is_one_version() -> None:
    assert fmreport.__version__ == PROJECT["version"] == metadata.version("fmreport")


def test_the_project_can_be_cited() -> None:
    # Citation File Format 1.2.0: what must stand there, and an author of its own name.
    cited = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert cited["message"]
    assert (cited["type"], cited["title"], cited["version"]) == ("software", PROJECT["name"], PROJECT["version"])
    assert cited["authors"] == PROJECT["authors"] == [{"name": "The fmreport authors"}]
    assert cited["license"] == PROJECT["license"]
    assert set(cited) <= {
        "cff-version",
        "message",
        "type",
        "title",
        "abstract",
        "authors",
        "version",
        "license",
        "keywords",
    }


def test_the_changelog_tells_of_this_version() -> None:
    assert re.search(rf"^## \[{re.escape(PROJECT['version'])}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("mark", ["ci:run", "ci:test"])
def test_the_readme_has_the_commands_that_ci_follows(mark: str) -> None:
    readme = (ROOT / "README.md").read_text()
    block = re.search(rf"^<!-- {mark} -->\n```\w*\n(.+?)^```", readme, re.MULTILINE | re.DOTALL)
    assert block
    assert "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt" in block[1]


@pytest.mark.parametrize("part", ["templates", "zoo/weights"])
def test_the_package_carries_its_data(part: str) -> None:
    # Where the package is installed, its templates lie inside; in a checkout that is imported in place, beside it.
    package = Path(fmreport.__file__).parent
    folders = [package / part, package.parent / part]
    assert any(folder.is_dir() and any(folder.iterdir()) for folder in folders)


def test_the_wheel_carries_what_lies_beside_the_package() -> None:
    carried = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert carried["force-include"] == {"templates": "fmreport/templates", "docs/methods.md": "fmreport/methods.md"}
    assert all((ROOT / path).exists() for path in carried["force-include"])
