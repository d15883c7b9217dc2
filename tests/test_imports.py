"""Imports point one way, frameworks load late, and no file tells where it was written."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fmreport"
MODULES = sorted(PACKAGE.rglob("*.py"))

STAGES = (
    "errors",
    "printable",
    "dates",
    "media_types",
    "facts",
    "records",
    "quantities",
    "environment",
    "manifest",
    "config",
    "sources",
    "layers",
    "target",
    "inventory",
    "blocks",
    "probes",
    "opening",
    "measures",
    "extract",
    "mapped",
    "notes",
    "dissection",
    "analysis",
    "columns",
    "tiles",
    "attribution",
    "store",
    "cache",
    "engines",
    "numbers",
    "archive",
    "recording",
    "verification",
    "figures",
    "compare",
    "report",
    "exports",
    "index",
    "gate",
    "pipeline",
    "cli",
)
"""Each imports only itself and what stands above it."""
TOP = ("__init__", "__main__")
"""The package's own face: may import every stage."""
ALONE = "zoo"
"""Imports nothing but itself; any stage may import it."""
LENT = {"train_sd_unet": {"probes"}}
"""What single scripts of the zoo may import besides."""
FRAMEWORKS = ("jax", "keras", "tensorflow", "tensorflow_hub", "tf_keras", "torch")

NAMED = re.compile(r"fmreport(?:\.\w+)+(?::\w+)?")
"""A row of a registry: what it names is imported on use."""


def stage_of(module: str) -> str:
    """`fmreport.sources.keras_file` -> `sources`; `fmreport` -> `__init__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def module_of(path: Path) -> str:
    """Dotted name of a file of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything of fmreport that a module imports, at its top or anywhere inside."""
    here = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if a.name.split(".")[0] == "fmreport")
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            if origin == "fmreport":  # `from fmreport import store`; the version is no stage
                yield from ((node.lineno, f"fmreport.{a.name}") for a in node.names if a.name != "__version__")
            elif origin.startswith("fmreport."):
                yield node.lineno, origin
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMED.fullmatch(node.value):
            yield node.lineno, node.value.split(":")[0]


def allowed(module: str) -> set[str]:
    """Stages that a module may import."""
    stage = stage_of(module)
    if stage in TOP:
        return {*STAGES, ALONE}
    if stage == ALONE:
        return {ALONE, *LENT.get(module.rpartition(".")[2], ())}
    return {*STAGES[: STAGES.index(stage) + 1], ALONE}


def offences(source: str, module: str, *, package: bool = False) -> list[str]:
    """Imports that point the wrong way, one line each."""
    may = allowed(module)
    found = imported(source, module, package=package)
    return [f"{module}:{line} imports {name}" for line, name in found if stage_of(name) not in may]


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_a_stage_imports_only_what_stands_above_it(path: Path) -> None:
    module = module_of(path)
    assert stage_of(module) in (*STAGES, *TOP, ALONE), f"{module} belongs to no stage"
    assert offences(path.read_text(), module, package=path.stem == "__init__") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("fmreport.errors", "import fmreport.store"),
        ("fmreport.config", "from fmreport import cli"),
        ("fmreport.config", "from .sources import keras_file"),
        ("fmreport.measures.gini", "from ..report import page"),
        ("fmreport.extract", "def f():\n    from fmreport.store import Run"),
        ("fmreport.figures", "FIGURES = {'x': 'fmreport.report.x:draw'}"),
        ("fmreport.zoo.sd_unet", "from fmreport.errors import FmreportError"),
        ("fmreport.zoo.train_bit", "import fmreport.probes"),
        ("fmreport.store", "from fmreport import run"),
    ],
)
def test_the_law_sees_every_way_to_break_it(module: str, source: str) -> None:
    assert len(offences(source, module)) == 1


def test_the_order_of_this_test_names_stages_that_exist() -> None:
    there = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir()}
    assert sorted({*STAGES, ALONE} - there) == []


def loaded(*arguments: str, folder: Path, command: bool = True) -> tuple[str, list[str]]:
    """What a fresh interpreter prints for `fmreport ARGUMENTS`, and the frameworks it then holds."""
    call = "from fmreport.cli import main; main()" if command else "import fmreport"
    script = (
        "import sys\n"
        "sys.argv[0] = 'fmreport'\n"
        f"try: {call}\n"
        "except SystemExit as stop: status = stop.code or 0\n"
        "else: status = 0\n"
        f"print('loaded:', *[name for name in {FRAMEWORKS} if name in sys.modules], flush=True)\n"
        "sys.exit(status)"
    )
    line = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    printed, _, names = done.stdout.rpartition("loaded:")
    return printed, names.split()


def test_importing_fmreport_loads_no_framework(tmp_path: Path) -> None:
    assert loaded(folder=tmp_path, command=False)[1] == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["schema"], ["schema", "--manifest"], ["templates"]], ids=" ".join
)
def test_asking_for_help_loads_no_framework(arguments: list[str], tmp_path: Path) -> None:
    printed, frameworks = loaded(*arguments, folder=tmp_path)
    assert printed.strip()
    assert frameworks == []


def test_check_loads_no_framework(tmp_path: Path) -> None:
    assert loaded("check", str(ROOT / "configs/sd_unet_pets.yaml"), folder=tmp_path)[1] == []


@pytest.mark.slow
def test_render_loads_no_framework_where_run_does(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(
        "name: small\n"
        "release: v1\n"
        "model: {kind: keras, path: 'builtin:sd_unet_pets_w8'}\n"
        "preprocess: {size: [160, 160], resize: stretch, range: [0, 255]}\n"
        "probes: [{kind: skimage, names: [cat]}]\n"
        "layers: [{type: Conv2D, index: [1, 51]}]\n"
    )
    assert {"keras", "tensorflow"} <= set(loaded("run", "small.yaml", folder=tmp_path)[1])
    (manifest,) = tmp_path.rglob("manifest.json")
    report = manifest.with_name("report.html")
    report.unlink()
    assert loaded("render", str(manifest.parent), folder=tmp_path)[1] == []
    assert loaded("index", str(manifest.parent.parent), folder=tmp_path)[1] == []
    assert loaded("gate", str(manifest.parent), "--nonfinite", "0", folder=tmp_path)[1] == []
    assert report.stat().st_size > 0


def project_files() -> list[Path]:
    """Every file that is tracked or will be: what git does not ignore."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    line = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(line, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("package index", rb"pypi\.(?:org|python)|pythonhosted\.|anaconda\.(?:org|com)|npmjs\.|index[-]url"),
        ("path of a machine", rb"(?<![\w.~)}])/(?:work|root|home/\w+|Users/\w+|tmp/w)/"),
    ],
    ids=["package index", "machine path"],
)
def test_no_file_names_a(what: str, pattern: bytes) -> None:
    files = project_files()
    assert len(files) > 10
    assert [str(path.relative_to(ROOT)) for path in files if re.search(pattern, path.read_bytes())] == []
